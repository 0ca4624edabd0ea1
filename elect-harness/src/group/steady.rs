//! A group in its steady state, for benchmarks.

use std::time::Duration;

use elect_core::{Elector, Frame, NodeId, Step, Time};

use super::Group;
use crate::collected::Collected;
use crate::frames::INTERVAL;
use crate::{builder, ms};

impl Group {
    /// So many voters with names of eight bytes, frames and saves that take no time, and a leader for three seconds.
    pub fn steady(count: usize) -> Self {
        let names: Vec<_> = (0..count).map(|number| format!("node-{number:03}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut group =
            Self::with(names.iter().map(|name| builder(name, &names).heartbeat_interval(INTERVAL)));
        (group.delay, group.save) = (Duration::ZERO, Duration::ZERO);
        group.nodes.values_mut().for_each(|node| node.serves = false);
        group.start_all().run(ms(3000));
        assert!(group.leader().is_some(), "{}", group.story());
        group
    }

    /// Somebody who does not lead.
    pub fn follower(&self) -> NodeId {
        *self.nodes.keys().find(|id| self.leader() != Some(**id)).expect("a group has followers")
    }

    /// The elector of a node that runs, to be driven by hand.
    pub fn elector_mut(&mut self, id: NodeId) -> &mut Elector {
        self.nodes.get_mut(&id).and_then(|node| node.elector.as_mut()).expect("it runs")
    }

    /// A heartbeat of the leader as `follower` receives it next: its steady input.
    pub fn leader_heartbeat(&mut self, follower: NodeId) -> Frame {
        let leader = self.leader().expect("somebody leads");
        self.now = self.now.max(self.elector_mut(leader).deadline());
        self.frame(leader, follower, Elector::tick)
    }

    /// `follower`'s answer to that heartbeat, as the leader receives it next.
    pub fn acknowledgement(&mut self, follower: NodeId) -> Frame {
        let leader = self.leader().expect("somebody leads");
        let heartbeat = self.leader_heartbeat(follower);
        self.frame(follower, leader, |elector, now| elector.on_message(leader, &heartbeat, now))
    }

    /// What `input` makes one elector send to another.
    fn frame(
        &mut self,
        from: NodeId,
        to: NodeId,
        input: impl FnOnce(&mut Elector, Time) -> Step<'_>,
    ) -> Frame {
        let (now, mut collected) = (self.now, Collected::default());
        input(self.elector_mut(from), now).resolve(&mut collected);
        collected.frames.into_iter().find(|(addressee, _)| *addressee == to).expect("a frame goes to it").1
    }
}
