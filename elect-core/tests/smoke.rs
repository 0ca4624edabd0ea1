//! The shortest stories: boot, failover, return.

use elect_harness::{Group, ms};

#[test]
fn three_nodes_boot_and_elect() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.start_all();
    let leader = group.run_to_leader(ms(2000));
    group.run(ms(10_000));
    assert_eq!(group.leader(), Some(leader), "{}", group.story());
    assert_eq!(group.leaders.len(), 1, "{}", group.story());
}

#[test]
fn a_killed_leader_is_replaced() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.start_all();
    let first = group.run_to_leader(ms(2000)).to_string();
    group.run(ms(1000)).kill(&first);
    let took = group.run_until(ms(5000), |group| group.leader().is_some()).unwrap();
    assert!(took < ms(520), "{took:?} {}", group.story());
    group.restart(&first).run(ms(5000));
    assert_eq!(group.leaders.len(), 2, "{}", group.story());
}
