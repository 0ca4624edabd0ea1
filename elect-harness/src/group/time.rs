//! Time passes: frames arrive, saves end, timers fall due.

use std::time::Duration;

use elect_core::{Elector, Frame, NodeId, Time};

use super::Group;
use crate::ms;

/// Something that is under way.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "frames are what most of them are")]
pub(super) enum Due {
    Frame { from: NodeId, to: NodeId, frame: Frame },
    Save { node: NodeId, life: u32 },
}

impl Group {
    /// Runs until `span` has passed.
    pub fn run(&mut self, span: Duration) -> &mut Self {
        let end = self.now + span;
        while self.step_until(end) {}
        self.now = end;
        self
    }

    /// Runs until `done`, at most `bound`. Returns how long it took.
    pub fn run_until(&mut self, bound: Duration, mut done: impl FnMut(&Self) -> bool) -> Option<Duration> {
        let (start, end) = (self.now, self.now + bound);
        loop {
            if done(self) {
                return Some(self.now.since(start));
            }
            if !self.step_until(end) {
                self.now = end;
                return None;
            }
        }
    }

    fn step_until(&mut self, end: Time) -> bool {
        let timer = self
            .nodes
            .values()
            .filter(|node| !node.paused)
            .filter_map(|node| node.elector.as_ref().map(|elector| (elector.deadline(), node.id)))
            .min();
        let queued = self.queue.first_key_value().map(|(key, _)| *key);
        match (timer, queued) {
            (timer, Some(key)) if key.0 <= end && timer.is_none_or(|(at, _)| key.0 <= at) => {
                self.now = self.now.max(key.0);
                let due = self.queue.remove(&key).unwrap();
                self.deliver(due);
            }
            (Some((at, node)), _) if at <= end => {
                self.now = self.now.max(at);
                self.input_to(node, Elector::tick);
            }
            _ => return false,
        }
        self.check();
        true
    }

    pub(super) fn enqueue(&mut self, at: Time, due: Due) {
        self.order += 1;
        self.queue.insert((at, self.order), due);
    }

    fn deliver(&mut self, due: Due) {
        match due {
            Due::Frame { from, to, frame } => {
                if self.nodes[&to].paused {
                    // It waits in the socket's buffer.
                    let at = self.now + ms(1);
                    self.enqueue(at, Due::Frame { from, to, frame });
                } else {
                    self.input_to(to, |elector, now| elector.on_message(from, &frame, now));
                }
            }
            Due::Save { node, life } => self.finish_save(node, life),
        }
    }

    /// S5 on one clock: never two valid leases.
    fn check(&self) {
        let holders: Vec<_> = self.lease_holders();
        assert!(holders.len() <= 1 || self.members_lie, "two leases at {:?}: {holders:?}", self.now);
    }
}
