//! Explaining why there is a leader, or why there is none.

use alloc::format;
use alloc::vec::Vec;

use crate::detection::DetectionTerms;
use crate::elector::{Elector, Lifecycle, Role};
use crate::explain::{Explanation, Hearing, OtherHistory};
use crate::genesis::PeerHistory;
use crate::members::MemberIndex;
use crate::name::NodeId;
use crate::time::Time;

impl Elector {
    /// Explains who leads, or why nobody does, as of `now`. Allocates; not for the hot path.
    pub fn explain(&self, now: Time) -> Explanation {
        let now = self.state.now.max(now);
        let until = match &self.state.role {
            Role::Leader(leader) => Some(leader.lease_end()),
            _ => self.followed().and(self.promise()).map(|promise| promise.until),
        };
        Explanation {
            node: self.config.node(),
            now,
            pause: self.pause_status(now),
            leader: self.leader(),
            until,
            promised_to: self
                .promise()
                .map(|promise| (self.config.members().id(promise.to), promise.epoch, promise.until)),
            genesis: self.genesis_status(),
            peers: self.hearings(now),
            detections: self.differing_detections(),
            slow: self.slow_round_trip(),
            blocker: self.blocker(),
            stopped: match &self.state.lifecycle {
                Lifecycle::Stopped(reason) => Some(format!("{reason}")),
                _ => None,
            },
        }
    }

    fn differing_detections(&self) -> Vec<(NodeId, DetectionTerms)> {
        let terms =
            self.other_members().map(|peer| (self.config.members().id(peer), self.detection_terms(peer)));
        terms.filter(|(_, terms)| terms.differ()).collect()
    }

    fn hearings(&self, now: Time) -> Vec<Hearing> {
        let hearing = |peer: MemberIndex| Hearing {
            node: self.config.members().id(peer),
            connected: self.is_connected(peer),
            heard_ago: self.state.peers.pair(peer).heard_at().map(|at| now.since(at)),
            says: self.state.peers.view(peer).state(),
            history: match self.state.genesis.history_of(peer) {
                PeerHistory::One | PeerHistory::Unclear(_) => None,
                PeerHistory::Replaced => Some(OtherHistory::CountsAsReplaced),
                PeerHistory::Other(genesis) => Some(OtherHistory::TwoGroups(genesis)),
            },
        };
        self.other_members().map(hearing).collect()
    }
}
