//! Replaced storage: what a replacement proves about the life that it replaces, which is nothing.

use elect_core::{Body, Duty, Incarnation, PeerState, Record, Stopped};

use crate::harness::{builder, id, ms};
use crate::solo::{Solo, beat, epoch};
use crate::stories::led_by_a;

/// The first frame of a replacement ended the promises to the life before, like a restart from the same disk; but
/// that life may be cut off and hold a lease.
#[test]
fn a_replacement_ends_no_promise_to_the_life_that_it_replaces() {
    let mut a = Solo::new();
    a.follow("b", 5);
    let bound = a.promised_to();
    a.pass(ms(5));
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 9 });
    a.hear("b", 0, PeerState::Replaced, beat());
    assert_eq!(a.promised_to(), bound);
    assert_eq!(bound.map(|(to, number, _)| (to, number)), Some((id("b"), epoch(5))));
}

/// An operator replaced a leader that was only cut off: the followers were freed and elected another within the
/// old one's lease.
#[test]
fn a_replacement_beside_a_living_leader_makes_no_second_lease() {
    let names = ["a", "b", "c"];
    let mut group = led_by_a(&names);
    group.isolate("a");
    group.record_traffic = true;
    let config = builder("a", &names).seed(99).build().unwrap();
    let record = Record::replacement(&config);
    let mut twin = Solo::starting(config, record);
    for _ in 0..6 {
        twin.now = group.now;
        twin.tick();
        if twin.gate.is_some() {
            twin.commit();
        }
        group.sent.clear();
        for (to, frame) in &twin.frames {
            group.inject("a", &to.to_string(), frame);
        }
        twin.clear();
        let answers: Vec<_> = group.sent.iter().filter(|sent| sent.2 == id("a")).cloned().collect();
        for (_, from, _, answer) in answers {
            twin.deliver(&from.to_string(), &answer);
        }
        group.run(ms(30));
    }
    assert!(twin.disk.record.incarnation.counter > 1, "its peers have taught it the lost counter");
    // The group checks at every step that there is one lease.
    assert_eq!(group.leader(), Some(id("a")), "{}", group.story());
    group.run(ms(600));
    assert_ne!(group.leader(), Some(id("a")), "the others go on once its lease is over");
    assert!(group.leader().is_some(), "{}", group.story());
}

/// Two processes that both replaced one node took a higher counter in turns for ever, each with a save.
#[test]
fn two_replacements_of_one_node_stop() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let record = Record::replacement(&config);
    let mut a = Solo::from_record(config, record);
    let stopped = |a: &Solo| a.must(|duty| matches!(duty, Duty::Stopped { reason: Stopped::Cloned { .. } }));
    for round in 0.. {
        assert!(round <= 3, "one life for each of three members, and no more");
        let rejected = a.disk.record.incarnation;
        let known = Incarnation { counter: rejected.counter + 1, random: 77 };
        a.hear("b", 0, PeerState::Free, Body::Reject { rejected, known });
        if stopped(&a) {
            break;
        }
        a.commit();
        assert_eq!(a.disk.record.incarnation.counter, known.counter + 1);
    }
    assert!(a.gate.is_none());
}
