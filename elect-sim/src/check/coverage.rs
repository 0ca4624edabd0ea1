//! What an exploration came across: a model in which nothing happens proves nothing.

use super::action::Action;
use super::bounds::{Model, NODES};
use super::world::{Turn, World};

/// How many states, or steps, show what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Coverage {
    /// States in which somebody's lease runs.
    pub with_a_leader: u64,
    /// States in which nobody ever led.
    pub before_the_first_leader: u64,
    /// States after the lead of one, two, three and more epochs.
    pub epochs_led: [u64; 3],
    /// States after which more than one node has led.
    pub after_a_change_of_leader: u64,
    /// States in which one node knows that it leads and another still thinks so.
    pub with_a_deposed_leader_unaware: u64,
    /// States in which somebody's process is dead.
    pub with_a_dead_process: u64,
    /// States after somebody's crash.
    pub after_a_crash: u64,
    /// States in which somebody's save is under way.
    pub with_a_save_under_way: u64,
    /// States after the highest epoch was made durable by somebody.
    pub in_the_highest_epoch: u64,
    /// Steps: crashes that undid a save under way.
    pub crashes_before_a_save: u64,
    /// Steps: crashes between a save and what waited for it.
    pub crashes_after_a_save: u64,
    /// Steps: frames that arrived late, or as copies.
    pub strays_arrived: u64,
    /// Steps: frames that arrived in turn.
    pub deliveries: u64,
}

impl Coverage {
    /// A state that was not there before.
    pub(super) fn note_state(&mut self, world: &World, model: &Model) {
        let led = world.history.led.iter().flatten();
        let epochs = led.clone().count();
        let leaders = led.clone().map(|(node, _)| node).collect::<std::collections::BTreeSet<_>>().len();
        let nodes = || world.nodes.iter();
        let count = |holds: bool| u64::from(holds);
        self.with_a_leader += count((0..NODES).any(|node| world.lease(node, model).is_some()));
        match epochs.checked_sub(1) {
            Some(more) => self.epochs_led[more.min(2)] += 1,
            None => self.before_the_first_leader += 1,
        }
        self.after_a_change_of_leader += count(leaders > 1);
        self.with_a_deposed_leader_unaware +=
            count(nodes().filter(|node| node.leading.is_some()).count() > 1);
        self.with_a_dead_process += count(nodes().any(|node| node.elector.is_none()));
        self.after_a_crash += count(nodes().any(|node| node.crashes > 0));
        self.with_a_save_under_way += count(nodes().any(|node| node.gate.is_some()));
        let highest = model.bounds.epochs;
        self.in_the_highest_epoch += count(nodes().any(|node| node.disk.epoch.number() == highest));
    }

    /// A step, to a new state or a known one.
    pub(super) fn note_step(&mut self, world: &World, action: Action, turn: Option<Turn>) {
        match action {
            Action::Crash(node) if world.nodes[usize::from(node)].gate.is_some() => {
                self.crashes_before_a_save += 1;
            }
            Action::CrashAfterSave(_) => self.crashes_after_a_save += 1,
            Action::Arrive(_) => self.strays_arrived += 1,
            Action::Proceed if matches!(turn, Some(Turn::Frame(_))) => self.deliveries += 1,
            _ => {}
        }
    }
}
