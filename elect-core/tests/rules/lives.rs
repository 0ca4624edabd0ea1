//! R60, R61: the lives of one storage, and what a single frame proves of them.

use elect_core::{
    Birth, Body, Durable, Duty, Header, Ignored, Incarnation, LogSync, Notice, Position, Record,
    StartRefused, StepDown, Stopped,
};

use crate::harness::{builder, id, ms};
use crate::solo::{
    D, INTERVAL, LEASE, NEEDED, Solo, accept, at, beat, beat_at, epoch, follows, leading, offer, stands,
};
use elect_core::PeerState;

fn config() -> elect_core::Config {
    builder("a", &["a", "b", "c"]).build().unwrap()
}

/// What a life of a peer began with, on the storage whose first life had this counter.
fn born(first_life: u32, number: u64, position: Option<Position>) -> Birth {
    Birth { first_life, epoch: epoch(number), position, log: LogSync::Synchronous, detection_min: NEEDED }
}

/// The next life of `b` speaks, and tells what it began with.
fn next_life(a: &mut Solo, birth: Birth) {
    let life = a.lives.get(&id("b")).map_or(1, |life| life.counter) + 1;
    a.lives.insert(id("b"), Incarnation { counter: life, random: life });
    a.births.insert(id("b"), birth);
    a.clear().pass(INTERVAL);
}

/// `a` knows the first life of `b`: it has told epoch 5 and this position.
fn knows_b_at(position: Option<Position>) -> Solo {
    let mut a = Solo::new();
    a.births.insert(id("b"), born(1, 0, None));
    assert_eq!(a.hear("b", 5, PeerState::Promised, beat_at(position)), None);
    a
}

fn said_went_back(a: &Solo) -> Option<(u64, Option<u64>)> {
    a.sent_to("b").find_map(|frame| match frame.body {
        Body::WentBack { epoch, offset, .. } => Some((epoch.number(), offset)),
        _ => None,
    })
}

#[test]
fn r60_a_life_that_began_below_what_its_storage_held_counts_for_nothing() {
    let lower = [
        (at(5, 9), born(1, 4, at(4, 99)), (5, Some(9))),
        (at(4, 9), born(1, 4, at(4, 9)), (5, None)),
        (None, born(1, 4, None), (5, None)),
        (at(5, 9), born(1, 5, at(5, 8)), (5, Some(9))),
        (at(5, 9), born(1, 5, at(4, 99)), (5, Some(9))),
    ];
    for (told, birth, known) in lower {
        let mut a = knows_b_at(told);
        next_life(&mut a, birth);
        let ignored = a.hear_offer("b", 6);
        assert_eq!(ignored, Some(Ignored::DeadIncarnation(a.lives[&id("b")])), "{birth:?} after {told:?}");
        assert_eq!(said_went_back(&a), Some(known));
        assert!(a.gate.is_none(), "nothing is accepted");
        // Its next start finds the same record, or one that it has only given a new life.
        next_life(&mut a, birth);
        assert!(a.hear_free("b", birth.epoch.number()).is_some());
    }
}

#[test]
fn r60_a_healthy_life_is_refused_by_nobody() {
    let lawful = [
        // A restart, as it was and further.
        (at(5, 9), born(1, 5, at(5, 9))),
        (at(5, 9), born(1, 5, at(5, 12))),
        // It adopted an epoch that it could not tell any more, and its tail was cut there.
        (at(5, 9), born(1, 6, at(4, 2))),
        // Entries of an earlier epoch are cut lawfully.
        (at(4, 9), born(1, 5, at(4, 2))),
        (at(4, 9), born(1, 5, at(3, 2))),
        // Whoever tells no position says nothing.
        (None, born(1, 5, at(0, 0))),
        (at(5, 9), born(1, 5, None)),
        // Another storage.
        (at(5, 9), born(2, 0, at(0, 0))),
    ];
    for (told, birth) in lawful {
        let mut a = knows_b_at(told);
        next_life(&mut a, birth);
        assert_eq!(a.hear_free("b", birth.epoch.number()), None, "{birth:?} after {told:?}");
        assert_eq!(said_went_back(&a), None);
    }
}

#[test]
fn r60_only_what_is_durable_and_newest_is_compared() {
    // An offer, a claim and an accept name epochs that their sender's record may not hold yet.
    let mut a = knows_b_at(at(5, 9));
    a.hear("b", 5, PeerState::Candidate(epoch(8)), beat_at(at(5, 9)));
    a.hear("b", 5, PeerState::Stopped(epoch(9)), beat_at(at(5, 9)));
    a.hear("b", 5, PeerState::Promised, accept(8));
    // A frame that was overtaken tells of an earlier moment.
    let late = a.frame("b", 5, PeerState::Promised, beat_at(at(5, 2)));
    a.hear("b", 6, PeerState::Promised, beat_at(at(5, 9)));
    assert_eq!(a.deliver("b", &late), Some(Ignored::Older));
    next_life(&mut a, born(1, 6, at(5, 1)));
    assert_eq!(a.hear_free("b", 6), None);
}

#[test]
fn r60_replaced_storage_is_never_compared() {
    let mut a = knows_b_at(at(5, 9));
    next_life(&mut a, born(1, 0, None));
    assert_eq!(a.hear("b", 0, PeerState::Replaced, beat()), None, "it counts for nothing anyway");
    a.hear("b", 7, PeerState::Replaced, beat_at(at(7, 3)));
    next_life(&mut a, born(1, 7, at(7, 1)));
    assert_eq!(a.hear_free("b", 7), None, "its log was being filled");
}

#[test]
fn r60_without_a_synchronous_log_lost_entries_are_a_warning() {
    let mut a = knows_b_at(at(5, 9));
    let asynchronous = |birth| Birth { log: LogSync::Asynchronous, ..birth };
    next_life(&mut a, asynchronous(born(1, 5, at(5, 3))));
    assert_eq!(a.hear("b", 5, PeerState::Free, beat_at(at(5, 3))), None);
    let warned =
        |a: &Solo| a.saw(|event| matches!(event, Notice::EntriesLost { node, .. } if *node == id("b")));
    assert!(warned(&a));
    let said = |event: &Notice| match event {
        Notice::EntriesLost { known, began, .. } => (known.position, began.position) == (at(5, 9), at(5, 3)),
        _ => false,
    };
    assert!(a.saw(said), "what was known, and what is left");
    a.clear().hear_free("b", 5);
    assert!(!warned(&a), "once");
    next_life(&mut a, asynchronous(born(1, 4, at(4, 3))));
    assert!(a.hear_free("b", 4).is_some(), "its votes are on the disk all the same");
}

/// A node that has been told so, by `b`.
fn told_that_it_held(a: &mut Solo, number: u64, offset: Option<u64>) -> Option<Ignored> {
    let rejected = a.disk.record.incarnation;
    a.hear("b", 9, PeerState::Promised, Body::WentBack { rejected, epoch: epoch(number), offset })
}

#[test]
fn r60_the_node_stops_if_its_own_record_says_the_same() {
    let mut a = Solo::new();
    a.give_word("b", 4);
    let mut a = a.restarted();
    assert!(told_that_it_held(&mut a, 4, None).is_some(), "it holds that");
    assert!(told_that_it_held(&mut a, 4, Some(7)).is_some(), "it has never told a position");
    assert_eq!(told_that_it_held(&mut a, 5, Some(7)), None);
    let reason = a.duties.iter().find_map(|duty| match duty {
        Duty::Stopped { reason } => Some(reason.clone()),
        _ => None,
    });
    let reason = reason.expect("it has stopped");
    let known = Durable { epoch: epoch(5), position: at(5, 7) };
    let began = Durable { epoch: epoch(4), position: None };
    assert_eq!(reason, Stopped::WentBack { peer: id("b"), known, began });
    let text = reason.to_string();
    for part in ["b knows", "epoch 5 and offset 7 of epoch 5", "began with epoch 4", "replace-lost"] {
        assert!(text.contains(part), "{text} should say {part}");
    }
}

#[test]
fn r60_a_life_tells_what_it_began_with_until_it_is_echoed() {
    let mut a = Solo::new();
    a.set_position(at(0, 3));
    let expected = Birth {
        first_life: 1,
        epoch: epoch(0),
        position: None,
        log: LogSync::Synchronous,
        detection_min: NEEDED,
    };
    let tells = |a: &Solo, peer| a.last_to(peer).birth.as_deref().copied();
    assert_eq!(tells(&a, "b"), Some(Birth { position: None, ..expected }));
    a.hear("b", 0, PeerState::Promised, beat());
    a.pass(D);
    assert_eq!(tells(&a, "b"), None, "b has echoed it");
    assert_eq!(tells(&a, "c"), Some(expected), "c has not");
    // A later life of b knows nothing, whatever it echoes by chance.
    let late = a.frame("b", 0, PeerState::Promised, beat());
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 2 });
    let header = Header { nonce: a.frame("b", 0, PeerState::Promised, beat()).header.nonce, ..late.header };
    a.deliver("b", &elect_core::Frame { header, ..late });
    a.clear().pass(D);
    assert_eq!(tells(&a, "b"), Some(expected));
}

#[test]
fn r60_a_life_begins_with_the_entries_that_its_disk_holds() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let record = Record { epoch: epoch(4), first_life: 1, ..Record::first_boot(&config) };
    let mut a = Solo::starting(config.clone(), record);
    *a.tail.0.borrow_mut() = at(4, 8);
    a.tick().commit();
    let birth = *a.last_to("b").birth.as_deref().expect("its first word");
    assert_eq!(
        birth,
        Birth {
            first_life: 1,
            epoch: epoch(4),
            position: at(4, 8),
            log: LogSync::Synchronous,
            detection_min: NEEDED
        }
    );

    let mut above = Solo::starting(config, record);
    *above.tail.0.borrow_mut() = at(5, 1);
    above.tick().commit();
    assert!(above.must(|duty| matches!(duty, Duty::Stopped { reason: Stopped::EntriesAhead { .. } })));
    assert!(above.frames.is_empty(), "it does not speak");
}

#[test]
fn r60_a_replaced_record_may_have_a_log_above_it() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let mut a = Solo::starting(config.clone(), Record::replacement(&config));
    *a.tail.0.borrow_mut() = at(5, 1);
    a.tick().commit();
    assert!(!a.must(|duty| matches!(duty, Duty::Stopped { .. })));
}

#[test]
fn r60_a_replacement_is_another_storage() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let mut a = Solo::from_record(config.clone(), Record::replacement(&config));
    let rejected = a.disk.record.incarnation;
    let known = Incarnation { counter: 40, random: 3 };
    a.hear("b", 0, PeerState::Free, Body::Reject { rejected, known });
    a.clear().commit();
    assert_eq!(a.disk.record.first_life, 41);
    assert_eq!(a.last_to("b").birth.as_deref().map(|birth| birth.first_life), Some(41));
    let a = a.restarted();
    assert_eq!((a.disk.record.incarnation.counter, a.disk.record.first_life), (42, 41));
}

#[test]
fn r61_a_distant_life_counts_from_its_second_frame() {
    let mut a = Solo::new();
    assert_eq!(a.hear_free("b", 0), None);
    let known = Incarnation { counter: 1, random: 1 };
    let far = Incarnation { counter: u32::MAX, random: 6 };
    a.lives.insert(id("b"), far);
    let greeting = a.frame("b", 0, PeerState::Free, beat());
    assert_eq!(a.deliver("b", &greeting), Some(Ignored::FarIncarnation(far)));
    assert_eq!(a.deliver("b", &greeting), Some(Ignored::FarIncarnation(far)), "a copy proves nothing");
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 2 });
    assert_eq!(a.hear_free("b", 0), None, "the true node restarts, and is not locked out");
    a.lives.insert(id("b"), far);
    assert_eq!(a.hear_free("b", 0), None, "another frame bears it");
    a.lives.insert(id("b"), known);
    assert_eq!(a.hear_free("b", 0), Some(Ignored::DeadIncarnation(known)));
}

#[test]
fn r61_a_near_life_counts_at_once() {
    let mut a = Solo::new();
    a.hear_free("b", 0);
    a.lives.insert(id("b"), Incarnation { counter: 1 + (1 << 20), random: 6 });
    assert_eq!(a.hear_free("b", 0), None);
}

#[test]
fn r61_a_replacement_obeys_a_distant_counter_that_two_frames_name() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let mut a = Solo::from_record(config.clone(), Record::replacement(&config));
    let rejected = a.disk.record.incarnation;
    let mut told = |counter| {
        let known = Incarnation { counter, random: 3 };
        a.hear("b", 0, PeerState::Free, Body::Reject { rejected, known });
        a.gate.is_some()
    };
    assert!(!told(u32::MAX) && !told(u32::MAX), "no honest node got there: its own life would be the last");
    assert!(!told((1 << 31) - 1));
    assert!(told((1 << 31) - 1));
    a.commit();
    assert_eq!(a.disk.record.incarnation.counter, 1 << 31);
    assert!(!a.must(|duty| matches!(duty, Duty::Stopped { .. })));
}

#[test]
fn r61_where_nobody_is_authenticated_a_frame_stops_nobody() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).transport_authenticates(false));
    a.lead();
    let rejected = a.disk.record.incarnation;
    let reject = Body::Reject { rejected, known: Incarnation { counter: 9, random: 3 } };
    assert_eq!(a.hear("b", 1, follows("a", 1), reject.clone()), Some(Ignored::Unproven));
    assert!(a.holds_lease());
    a.step(|elector, now| elector.on_rejected(id("b"), &beat(), now));
    a.step(|elector, now| elector.on_rejected(id("x"), &reject, now));
    assert!(a.holds_lease());
    a.step(|elector, now| elector.on_rejected(id("b"), &reject, now));
    assert_eq!(a.losses[0].reason, StepDown::Cloned, "said in the handshake of a connection that it dialled");
}

#[test]
fn r61_a_handshake_is_told_what_a_frame_would_be() {
    let a = knows_b_at(at(5, 9));
    let life = |counter| Incarnation { counter, random: 1 };
    assert_eq!(a.elector.rejects(id("b"), life(1), None), None);
    let reject = Body::Reject { rejected: life(0), known: life(1) };
    assert_eq!(a.elector.rejects(id("b"), life(0), None), Some(reject));
    let went_back = Body::WentBack { rejected: life(2), epoch: epoch(5), offset: Some(9) };
    assert_eq!(a.elector.rejects(id("b"), life(2), Some(born(1, 4, None))), Some(went_back));
    assert_eq!(a.elector.rejects(id("b"), life(2), Some(born(1, 5, at(5, 9)))), None);
    assert_eq!(a.elector.rejects(id("c"), life(2), None), None);
}

/// A follower that accepted the re-offer of a leader whose save fails waited for the whole promise.
#[test]
fn r05_a_stopped_node_is_through_with_what_it_offered() {
    let mut a = Solo::new();
    a.follow("b", 3);
    a.hear("b", 3, leading(3), crate::solo::offer(5));
    a.commit();
    assert_eq!(a.promised_to().map(|(to, number, _)| (to, number)), Some((id("b"), epoch(5))));
    a.hear("b", 3, PeerState::Stopped(epoch(5)), beat());
    assert_eq!(a.promised_to(), None);
    // Its next life may find that its save took effect, or not: it may offer the same epoch.
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 2 });
    a.hear("b", 3, PeerState::Promised, beat());
    a.clear().pass(ms(1));
    assert_eq!(a.hear_offer("b", 5), None, "what exceeded its durable epoch was that life's");
}

#[test]
fn r05_a_node_that_stops_names_what_it_offered_last() {
    let mut a = Solo::new();
    a.lead().hear("c", 5, PeerState::Promised, beat());
    a.pass(INTERVAL);
    assert_eq!(a.offered(), Some(6), "a re-offer");
    let gate = a.gate.take().expect("its vote for itself");
    a.disk.fails = true;
    let failed = gate.commit(&mut a.disk, &a.fence);
    a.clear().step(|elector, now| elector.on_gated(failed, now));
    let last = a.last_to("b").header;
    assert_eq!((last.epoch, last.state), (epoch(1), PeerState::Stopped(epoch(6))));
}

#[test]
fn r19_an_epoch_that_a_quorum_needs_counts_in_full() {
    let mut a = Solo::new();
    a.hear("b", 1 << 26, PeerState::Free, beat());
    assert_eq!(a.offered(), Some((1 << 26) + 1), "without b there is no quorum");

    let mut a = Solo::new();
    a.hear("c", 1 << 31, PeerState::Promised, beat());
    a.hear_free("b", 3);
    assert_eq!(a.offered(), Some((1 << 20) + 1), "b is enough, so that c's is a hint");
}

#[test]
fn r19_a_leader_goes_above_a_voter_that_has_said_twice_how_far_it_is() {
    let mut a = Solo::new();
    a.lead();
    a.hear("c", 1 << 31, PeerState::Promised, beat());
    a.hear_acknowledgement("b", 1);
    a.pass(INTERVAL).commit();
    assert!(a.offered().is_some_and(|number| number <= (1 << 21)), "one frame may be broken");
    a.hear("c", 1 << 31, PeerState::Promised, beat());
    a.hear_acknowledgement("b", 1);
    a.clear().pass(INTERVAL);
    assert_eq!(a.offered(), Some((1 << 31) + 1));
    assert!(a.holds_lease() && LEASE > INTERVAL);
}

#[test]
fn r15_a_promise_of_centuries_is_a_broken_record() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let centuries = std::time::Duration::from_nanos(u64::MAX);
    let record = Record { detection_max: centuries, ..Record::first_boot(&config) };
    let refused = elect_core::Elector::new(config.clone(), record, elect_core::Time::ZERO).err();
    assert!(matches!(refused, Some(StartRefused::DetectionTooLong { .. })), "{refused:?}");
    let hour = std::time::Duration::from_hours(1);
    let record = Record { detection_max: hour, ..Record::first_boot(&config) };
    assert!(elect_core::Elector::new(config, record, elect_core::Time::ZERO).is_ok());
}

#[test]
fn r60_a_later_frame_of_a_life_may_tell_what_it_began_with() {
    let mut a = Solo::new();
    assert_eq!(a.hear("b", 5, PeerState::Promised, beat()), None);
    a.births.insert(id("b"), born(1, 0, None));
    a.hear("b", 5, PeerState::Promised, beat());
    // What it tells after that is not looked at any more.
    a.births.insert(id("b"), born(9, 0, None));
    a.hear("b", 5, PeerState::Promised, beat());
    next_life(&mut a, born(1, 3, None));
    a.hear_free("b", 3);
    assert_eq!(said_went_back(&a), Some((5, None)));
}

#[test]
fn r60_a_life_that_lacks_nothing_is_no_warning_and_neither_is_a_replacement() {
    let warned = |a: &Solo| a.saw(|notice| matches!(notice, Notice::EntriesLost { .. }));
    let asynchronous = |position| Birth { log: LogSync::Asynchronous, ..born(1, 5, position) };
    let mut a = knows_b_at(at(5, 9));
    next_life(&mut a, asynchronous(at(5, 9)));
    assert_eq!(a.hear_free("b", 5), None);
    assert!(!warned(&a));
    let mut a = knows_b_at(at(5, 9));
    next_life(&mut a, asynchronous(at(5, 1)));
    assert_eq!(a.hear("b", 5, PeerState::Replaced, beat()), None);
    assert!(!warned(&a), "its log is being filled");
}

#[test]
fn r60_a_node_believes_only_what_is_said_of_this_life_and_never_as_a_replacement() {
    let mut a = Solo::from_record(config(), Record { epoch: epoch(3), ..Record::first_boot(&config()) });
    let rejected = Incarnation { counter: 7, random: 7 };
    let of_another = Body::WentBack { rejected, epoch: epoch(9), offset: None };
    assert_eq!(
        a.hear("b", 9, PeerState::Promised, of_another),
        Some(Ignored::DeadIncarnation(rejected)),
        "another life"
    );
    assert!(a.duties.is_empty());
    let mut a = Solo::from_record(config(), Record::replacement(&config()));
    told_that_it_held(&mut a, 9, None);
    assert!(a.duties.is_empty(), "its storage is another one");
}

#[test]
fn r61_a_life_is_distant_beyond_two_to_the_twentieth() {
    let life = |counter| Incarnation { counter, random: 3 };
    for (counter, is_distant) in [((1 << 20) + 1, false), ((1 << 20) + 2, true)] {
        let mut a = Solo::new();
        a.hear("b", 0, PeerState::Promised, beat());
        a.lives.insert(id("b"), life(counter));
        a.clear().pass(INTERVAL);
        let ignored = a.hear("b", 0, PeerState::Promised, beat());
        assert_eq!(ignored, is_distant.then_some(Ignored::FarIncarnation(life(counter))));
        // Its sender is answered: the next frame is the second one.
        assert_eq!(
            a.last_to("b").header.echo.map(|echo| echo.incarnation.counter),
            Some(if is_distant { 1 } else { counter })
        );
    }
}

#[test]
fn r61_a_replacement_obeys_no_counter_beyond_the_end_of_all() {
    let own = |a: &Solo| a.disk.record.incarnation;
    let reject =
        |a: &Solo, counter| Body::Reject { rejected: own(a), known: Incarnation { counter, random: 3 } };
    let replacement = || Solo::from_record(config(), Record::replacement(&config()));
    let mut a = replacement();
    for _ in 0..3 {
        let body = reject(&a, 1 << 31);
        a.pass(ms(1)).hear("b", 0, PeerState::Promised, body);
    }
    assert!(a.gate.is_none());
    let mut a = replacement();
    for _ in 0..2 {
        let body = reject(&a, (1 << 31) - 1);
        a.pass(ms(1)).hear("b", 0, PeerState::Promised, body);
    }
    a.commit();
    assert_eq!(own(&a).counter, 1 << 31);
    // A counter that is near is obeyed at once; at the very limit too.
    for (distance, obeyed) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let mut a = replacement();
        let body = reject(&a, own(&a).counter + distance);
        a.hear("b", 0, PeerState::Promised, body);
        assert_eq!(a.gate.is_some(), obeyed, "{distance}");
    }
}

#[test]
fn r02_a_new_life_has_said_nothing_yet() {
    let mut a = Solo::new();
    a.hear("b", 0, PeerState::Promised, beat_at(at(0, 9)));
    let position =
        |a: &Solo| a.elector.status(a.now).peers.iter().find(|peer| peer.node == id("b")).unwrap().position;
    assert_eq!(position(&a), at(0, 9));
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 2 });
    a.hear("b", 0, stands(1), offer(1));
    assert_eq!(position(&a), None);
}
