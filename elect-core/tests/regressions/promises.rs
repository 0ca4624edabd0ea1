//! What a voter's word is worth when frames repeat, candidates die and disks are slow.

use elect_core::{Holder, LinkState, PromiseKind};

use crate::harness::{Group, builder, id, ms};
use crate::solo::{D, PROMISE, Solo, epoch, follows, lead, leading, offer, stands};
use crate::stories::led_by_a;

/// Each copy of a leader's last heartbeat renewed the promise to it from the copy's receipt.
#[test]
fn a_copy_of_a_heartbeat_renews_nothing() {
    let mut a = Solo::new();
    a.follow("b", 3).pass(ms(100));
    let last = a.frame("b", 3, leading(3), lead(D));
    assert_eq!(a.deliver("b", &last), None);
    let until = a.now + PROMISE;
    for _ in 0..40 {
        a.deliver("b", &last);
        assert_eq!(a.promised_to(), Some((id("b"), epoch(3), until)));
        a.pass(ms(10));
    }
    a.pass(until.since(a.now));
    assert!(a.deliver("b", &last).is_some(), "it counts for nothing");
    assert_eq!((a.promised_to(), a.leader()), (None, None));
}

/// A dead leader whose last heartbeats kept arriving was missed after two detection times, not one.
#[test]
fn copies_of_a_dead_leaders_heartbeats_do_not_delay_its_successor() {
    let mut group = led_by_a(&["a", "b", "c", "d", "e"]);
    group.record_traffic = true;
    group.run(ms(100)).kill("a");
    let copies: Vec<_> = ["b", "c", "d", "e"]
        .iter()
        .filter_map(|name| group.sent.iter().rev().find(|sent| sent.1 == id("a") && sent.2 == id(name)))
        .cloned()
        .collect();
    assert_eq!(copies.len(), 4);
    let killed = group.now;
    while group.leader().is_none() {
        for (_, _, to, copy) in &copies {
            group.inject("a", &to.to_string(), copy);
        }
        group.run(ms(2));
        assert!(group.now.since(killed) < PROMISE + ms(10), "{}", group.story());
    }
}

/// Two claims of one step shared a nonce: the promise stayed with the first one's epoch, which the second one
/// ended, and the acknowledgement of the second carried a lease with no promise behind it.
#[test]
fn no_claim_is_acknowledged_without_a_promise_behind_it() {
    let mut a = Solo::new();
    a.follow("b", 5).pass(ms(50));
    let first = a.frame("b", 7, leading(5), lead(D));
    let mut second = a.frame("b", 7, leading(7), lead(D));
    second.header.nonce = first.header.nonce;
    assert_eq!(a.deliver("b", &first), None);
    a.clear().deliver("b", &second);
    if a.gate.is_some() {
        a.commit();
    }
    let acknowledged = a.sent_to("b").any(|frame| frame.header.state == follows("b", 7));
    let promised = a.promised_to().is_some_and(|(to, number, _)| (to, number) == (id("b"), epoch(7)));
    assert!(promised || !acknowledged, "{:?}", a.frames);
    // The next claim has a nonce of its own.
    a.pass(ms(1));
    assert_eq!(a.hear_leader("b", 7), None);
    a.commit();
    assert_eq!(a.promised_to(), Some((id("b"), epoch(7), a.now + PROMISE)));
}

/// An offer that had waited behind a save of a minute was accepted for a campaign that was long over: a vote and an
/// epoch spent for nothing.
#[test]
fn an_offer_that_waited_too_long_behind_a_save_is_dropped() {
    for (save, counts) in [(ms(100), true), (ms(60_000), false)] {
        let mut a = Solo::new();
        assert_eq!(a.hear_offer("b", 1), None);
        assert_eq!(a.hear("b", 0, stands(5), offer(5)), None);
        a.now = a.now + save;
        a.commit();
        assert_eq!(a.gate.is_some(), counts, "a save of {save:?}");
        assert_eq!(a.disk.record.epoch, epoch(1));
        assert_eq!(a.disk.record.holder, Some(Holder { node: id("b"), how: PromiseKind::Voted }));
    }
}

/// Evidence of a crash that came while the word given to the dead was being saved was forgotten: the promise was
/// given all the same and ran for a whole detection time.
#[test]
fn crash_evidence_counts_while_an_accept_is_being_saved() {
    let names = ["a", "b", "c"];
    let mut group = Group::with(names.map(|name| builder(name, &names).crash_evidence(true)));
    group.save = ms(10);
    // The others are saving their accepts of a's offer.
    group.start_all().run(ms(16));
    assert!(group.node("b").is_saving() && group.node("c").is_saving(), "{}", group.story());
    group.kill("a").run(ms(3));
    let attempt_began = group.now;
    group.run(ms(1));
    for name in ["b", "c"] {
        group.link(name, "a", LinkState::Refused { attempt_began });
    }
    let took = group.run_until(ms(5_000), |group| group.leader().is_some());
    assert!(took.is_some_and(|took| took < ms(200)), "{took:?}\n{}", group.story());
}

/// A candidate that was killed before its own vote was durable came back at once, and everybody stayed bound to
/// its earlier life for a whole detection time.
#[test]
fn a_candidate_killed_while_it_saves_its_vote_is_back_in_the_race_at_once() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.start_all().run(ms(2));
    group.node_mut("a").hangs = true;
    group.run(ms(20));
    assert_eq!(group.node("b").disk.record.epoch, epoch(1), "b has accepted\n{}", group.story());
    group.node_mut("a").hangs = false;
    group.restart("a");
    let took = group.run_until(ms(5_000), |group| group.leader().is_some());
    assert!(took.is_some_and(|took| took < ms(20)), "{took:?}\n{}", group.story());
}
