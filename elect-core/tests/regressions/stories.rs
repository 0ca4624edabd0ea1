//! How several stories begin, and what they count.

use elect_core::{Epoch, Holder, PromiseKind};

use crate::harness::{Group, Seen, id, ms};

/// Everybody runs, and `a` has led for a second.
pub(crate) fn led_by_a(names: &[&str]) -> Group {
    calm(Group::voters(names))
}

/// The same with a group of its own making.
pub(crate) fn calm(mut group: Group) -> Group {
    group.start_all();
    assert_eq!(group.run_to_leader(ms(500)), id("a"), "{}", group.story());
    group.run(ms(1_000));
    group
}

/// `name` is down, with a record that names an epoch far above its group's.
pub(crate) fn kill_and_raise(group: &mut Group, name: &str, epoch: u64) {
    group.kill(name);
    let record = &mut group.node_mut(name).disk.record;
    record.epoch = Epoch::new(epoch);
    record.holder = Some(Holder { node: id(name), how: PromiseKind::Voted });
}

/// How many events of `name` begin with `text`.
pub(crate) fn events(group: &Group, name: &str, text: &str) -> usize {
    group.count(name, |seen| matches!(seen, Seen::Other(event) if event.starts_with(text)))
}
