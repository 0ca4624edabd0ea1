//! Pausing failover: requests that outlive their reason.

use elect_core::{Body, Elector, PeerState};

use crate::harness::{Group, builder, id, ms};
use crate::solo::{D, Solo, beat, epoch, lead, leading};
use crate::stories::{calm, events};

/// A resume that was asked for without a leader was kept by the node that became leader, and repeated when it
/// followed again: it undid a pause that the operator had asked for since.
#[test]
fn an_old_resume_does_not_undo_a_later_pause() {
    let names = ["a", "b", "c"];
    let pause = ms(600_000);
    let mut group = calm(Group::with(names.map(|name| builder(name, &names).fail_back_cooldown(pause))));
    group.request("a", |elector, now| elector.pause(pause, now)).unwrap();
    group.run(ms(200)).isolate("a").run(ms(1_000));
    assert_eq!(group.leader(), None, "paused");
    group.request("b", Elector::resume).unwrap();
    assert_eq!(group.run_to_leader(ms(3_000)), id("b"), "{}", group.story());
    group.heal().run(ms(60_000));
    assert_eq!(group.leader(), Some(id("b")));
    // The next maintenance is asked for at the leader, which is then cut off for two seconds.
    group.request("b", |elector, now| elector.pause(pause, now)).unwrap();
    group.run(ms(1_000));
    group.node_mut("c").seen.clear();
    group.isolate("b").run(ms(2_000));
    assert_eq!(group.leader(), None, "paused");
    group.heal().run(ms(3_000));
    assert_eq!(events(&group, "c", "Resumed"), 0, "{}", group.story());
}

/// The same from within: a leader decides itself, so what it asked for before is not asked of its successor.
#[test]
fn whoever_leads_forgets_what_it_asked_for_before() {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.request(|elector, now| elector.pause(ms(60_000), now)).unwrap();
    a.hear("b", 1, PeerState::Free, beat());
    assert!(a.offered().is_some());
    a.commit().hear_accept("b", 2);
    assert_eq!(a.leader(), Some((id("a"), epoch(2))));
    a.clear().hear("b", 9, leading(9), lead(D));
    a.commit();
    assert_eq!(a.leader(), Some((id("b"), epoch(9))));
    a.pass(D / 3);
    let asks = a.frames.iter().any(|(_, frame)| matches!(frame.body, Body::Pause { .. }));
    assert!(!asks, "{:?}", a.frames);
}
