//! Freezing failover: requests that outlive their reason.

use elect_core::Elector;

use crate::harness::{Group, builder, id, ms};
use crate::stories::{calm, events};

/// A thaw that was asked for without a leader was kept by the node that became leader, and repeated when it
/// followed again: it undid a freeze that the operator had asked for since.
#[test]
fn an_old_thaw_does_not_undo_a_later_freeze() {
    let names = ["a", "b", "c"];
    let freeze = ms(600_000);
    let mut group = calm(Group::with(names.map(|name| builder(name, &names).fail_back_cooldown(freeze))));
    group.request("a", |elector, now| elector.pause(freeze, now)).unwrap();
    group.run(ms(200)).isolate("a").run(ms(1_000));
    assert_eq!(group.leader(), None, "frozen");
    group.request("b", Elector::resume).unwrap();
    assert_eq!(group.run_to_leader(ms(3_000)), id("b"), "{}", group.story());
    group.heal().run(ms(60_000));
    assert_eq!(group.leader(), Some(id("b")));
    // The next maintenance is asked for at the leader, which is then cut off for two seconds.
    group.request("b", |elector, now| elector.pause(freeze, now)).unwrap();
    group.run(ms(1_000));
    group.node_mut("c").seen.clear();
    group.isolate("b").run(ms(2_000));
    assert_eq!(group.leader(), None, "frozen");
    group.heal().run(ms(3_000));
    assert_eq!(events(&group, "c", "Resumed"), 0, "{}", group.story());
}
