//! R44, R45: lost, failing and returned storage.

use elect_core::{
    Body, CampaignBlocker, Duty, Elector, Heartbeat, Incarnation, MemberKind, NotRebuilt, PeerState,
    RebuiltTo, Record, Refusal, RequestRefused, StepDown, Stopped, Storage,
};

use crate::harness::{builder, cluster, id, ms};
use crate::solo::{D, PROMISE, Solo, at, beat, epoch, follows, lead, leading};

#[test]
fn r44_after_a_failed_save_a_node_votes_offers_and_leads_no_more() {
    let mut a = Solo::new();
    a.hear_offer("b", 1);
    a.disk.fails = true;
    a.clear().commit();
    assert_eq!(a.fence.floor(), epoch(0), "the fence waits for the disk");
    assert!(a.must(
        |duty| matches!(duty, Duty::Stopped { reason: Stopped::StorageFailed(why) } if why.contains("full"))
    ));
    for peer in ["b", "c"] {
        assert!(
            matches!(a.last_to(peer).header.state, PeerState::Stopped(_)),
            "the last frame to {peer} says so"
        );
    }
    assert!(a.frames.iter().all(|(_, frame)| !matches!(frame.body, Body::Accept { .. })));
    a.clear();
    a.hear_free("c", 0);
    a.hear_offer("c", 2);
    a.step(|elector, now| elector.set_health(elect_core::Health::Unfit, now));
    a.pass(ms(60_000));
    assert!(a.frames.is_empty() && a.gate.is_none(), "and it was the last");
    assert_eq!(a.blocker(), Some(CampaignBlocker::Stopped));
    assert_eq!(a.request(Elector::resume), Err(RequestRefused::Stopped));
}

#[test]
fn r44_a_leader_whose_save_fails_steps_down() {
    let mut a = Solo::new();
    a.lead();
    a.hear("c", 5, PeerState::Free, beat());
    a.pass(ms(50));
    a.disk.fails = true;
    a.commit();
    assert_eq!(a.losses.len(), 1);
    assert_eq!(a.losses[0].reason, StepDown::StorageFailed);
    assert!(!a.holds_lease());
    assert!(matches!(a.last_to("b").header.state, PeerState::Stopped(_)));
}

fn replaced() -> Solo {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let record = Record::replacement(&config);
    Solo::from_record(config, record)
}

#[test]
fn r45_replaced_storage_counts_for_nothing() {
    let mut a = replaced();
    assert_eq!(a.last_to("b").header.state, PeerState::Replaced);
    a.hear_free("b", 0);
    a.hear_free("c", 0);
    assert_eq!(a.blocker(), Some(CampaignBlocker::Replaced), "it does not stand");
    a.clear().hear_offer("b", 1);
    assert!(a.gate.is_none());
    let refuses = Body::Refuse { epoch: epoch(1), refusal: Refusal::Replaced, detection_max: D };
    assert!(a.sent_to("b").any(|frame| frame.body == refuses), "it does not vote");
    a.follow("b", 1);
    assert_eq!(a.last_to("b").header.state, PeerState::Replaced, "its acknowledgement is none");
    assert_eq!(a.disk.record.storage, Storage::Replaced);
    let a = a.restarted();
    assert_eq!(a.blocker(), Some(CampaignBlocker::Replaced), "a restart changes nothing");
}

#[test]
fn r45_others_count_it_for_nothing() {
    let mut a = Solo::new();
    a.hear("b", 0, PeerState::Replaced, beat());
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotFree { free: 1, needed: 2 }));
    let mut a = Solo::new();
    a.lead();
    for _ in 0..20 {
        a.pass(ms(50));
        a.hear("b", 1, PeerState::Replaced, beat());
    }
    assert_eq!(a.losses[0].reason, StepDown::LeaseOver, "nor does it carry a lease");
}

fn rebuilt(a: &mut Solo, entry: Option<elect_core::Position>) -> Result<(), RequestRefused> {
    a.request(|elector, now| elector.on_rebuilt(RebuiltTo { entry }, now))
}

/// Heartbeats of `b` for `span`.
fn led_for(a: &mut Solo, span: core::time::Duration) {
    let end = a.now + span;
    while a.now < end {
        a.pass(ms(50).min(end.since(a.now)));
        a.hear_leader("b", 3);
    }
}

#[test]
fn r45_the_vote_comes_back_after_one_leader_was_followed_for_longer_than_any_promise() {
    use NotRebuilt::{NoLeader, NotOfTheLeader, NotReplaced, TooEarly};
    let refused = |why| Err(RequestRefused::NotRebuilt(why));
    assert_eq!(rebuilt(&mut Solo::new(), None), refused(NotReplaced));
    let mut a = replaced();
    assert_eq!(rebuilt(&mut a, at(3, 9)), refused(NoLeader));
    a.follow("b", 3).set_position(at(3, 9));
    led_for(&mut a, PROMISE);
    assert_eq!(rebuilt(&mut a, at(3, 9)), refused(TooEarly));
    led_for(&mut a, ms(51));
    assert_eq!(rebuilt(&mut a, at(2, 9)), refused(NotOfTheLeader), "written before its return");
    assert_eq!(rebuilt(&mut a, None), refused(NotOfTheLeader));
    assert_eq!(rebuilt(&mut a, at(3, 9)), Ok(()));
    assert!(!a.must(|duty| matches!(duty, Duty::Rebuilt)), "when that is durable");
    assert_eq!(rebuilt(&mut a, at(3, 9)), refused(NotRebuilt::Saving));
    a.commit();
    assert!(a.must(|duty| matches!(duty, Duty::Rebuilt)));
    assert_eq!(a.disk.record.storage, Storage::Intact);
    a.hear_leader("b", 3);
    assert_eq!(a.last_to("b").header.state, follows("b", 3));
}

#[test]
fn r45_a_voter_names_an_entry_when_its_leader_keeps_a_log() {
    let lead_at = |position| match lead(D) {
        Body::Heartbeat(heartbeat) => Body::Heartbeat(Heartbeat { position, ..heartbeat }),
        other => other,
    };
    for (position, expected) in [(at(2, 7), Err(NotRebuilt::NotOfTheLeader)), (None, Ok(()))] {
        let mut a = replaced();
        a.follow("b", 3);
        for _ in 0..30 {
            a.pass(ms(50));
            a.hear("b", 3, leading(3), lead_at(position));
        }
        let expected = expected.map_err(RequestRefused::NotRebuilt);
        assert_eq!(rebuilt(&mut a, None), expected, "an empty log is not a host without one");
    }
}

#[test]
fn r45_an_interruption_begins_the_wait_anew() {
    let mut a = replaced();
    a.follow("b", 3).set_position(at(3, 9));
    led_for(&mut a, ms(500));
    a.hear("b", 3, PeerState::Promised, beat());
    a.hear_leader("b", 4);
    a.commit();
    a.pass(ms(50));
    assert_eq!(rebuilt(&mut a, at(4, 9)), Err(RequestRefused::NotRebuilt(NotRebuilt::TooEarly)));
}

#[test]
fn r45_silence_rebuilds_nothing() {
    let mut a = replaced();
    a.follow("b", 3).set_position(at(3, 9));
    led_for(&mut a, ms(100));
    a.pass(ms(450));
    assert!(a.leader().is_some(), "it still follows, by its promise");
    assert_eq!(rebuilt(&mut a, at(3, 9)), Err(RequestRefused::NotRebuilt(NotRebuilt::TooEarly)));
}

#[test]
fn r45_time_alone_rebuilds_a_witness() {
    let config = elect_core::Config::builder(cluster(), id("a"))
        .voters([id("b"), id("c")])
        .witnesses([id("a")])
        .build()
        .unwrap();
    assert_eq!(config.kind(), MemberKind::Witness);
    let record = Record::replacement(&config);
    let mut a = Solo::from_record(config, record);
    a.follow("b", 3);
    led_for(&mut a, PROMISE);
    assert!(a.gate.is_none());
    led_for(&mut a, ms(100));
    a.commit();
    assert!(a.must(|duty| matches!(duty, Duty::Rebuilt)));
}

#[test]
fn r45_a_replacement_asks_its_peers_for_the_counter_it_lost() {
    let mut a = replaced();
    let own = a.disk.record.incarnation;
    let known = Incarnation { counter: 40, random: 3 };
    a.hear("b", 0, PeerState::Free, Body::Reject { rejected: own, known });
    assert!(!a.must(|duty| matches!(duty, Duty::Stopped { .. })), "it is no clone");
    a.clear().commit();
    assert_eq!(a.disk.record.incarnation.counter, 41);
    assert_eq!(a.last_to("b").header.nonce.incarnation, a.disk.record.incarnation);
}
