//! What a test sees of a lone elector.

use elect_core::{Body, CampaignBlocker, Duty, Epoch, Frame, NodeId, Notice, Time};

use super::Solo;
use crate::id;

impl Solo {
    /// Whom it follows, or itself, and in which epoch.
    pub fn leader(&self) -> Option<(NodeId, Epoch)> {
        self.elector.explain(self.now).leader
    }

    /// Whom this node has promised, in which epoch, until when.
    pub fn promised_to(&self) -> Option<(NodeId, Epoch, Time)> {
        self.elector.explain(self.now).promised_to
    }

    /// What keeps it from campaigning.
    pub fn blocker(&self) -> Option<CampaignBlocker> {
        self.elector.explain(self.now).blocker
    }

    /// Whether it holds a lease.
    pub fn holds_lease(&self) -> bool {
        self.elector.authority().lease(self.now).is_some()
    }

    /// When its lease ends.
    pub fn lease_end(&self) -> Time {
        self.elector.authority().lease(self.now).expect("it holds a lease").end
    }

    /// The epoch of the newest offer that left.
    pub fn offered(&self) -> Option<u64> {
        self.frames.iter().rev().find_map(|(_, frame)| match frame.body {
            Body::Offer { epoch, .. } => Some(epoch.number()),
            _ => None,
        })
    }

    /// The frames to `peer` that left since the last [`clear`](Self::clear).
    pub fn sent_to(&self, peer: &str) -> impl DoubleEndedIterator<Item = &Frame> {
        let peer = id(peer);
        self.frames.iter().filter(move |(to, _)| *to == peer).map(|(_, frame)| frame)
    }

    /// The newest frame to `peer`.
    pub fn last_to(&self, peer: &str) -> &Frame {
        self.sent_to(peer).next_back().unwrap_or_else(|| panic!("nothing was sent to {peer}"))
    }

    /// Whether its host was told so.
    pub fn saw(&self, what: impl Fn(&Notice) -> bool) -> bool {
        self.notices.iter().any(what)
    }

    /// Whether the host was told to act so.
    pub fn must(&self, what: impl Fn(&Duty) -> bool) -> bool {
        self.duties.iter().any(what)
    }
}
