//! S13, L1: a node whose storage nobody touched is never told that its life is over.

use elect_core::{Body, Incarnation, Stopped};

use super::{Checker, Checkers, Real, Sent};
use crate::ids::NodeIndex;

/// What befell the storage under a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Touched {
    #[default]
    Never,
    /// Somebody restored, copied or took away what is on it, once.
    Once,
    /// It was lost, and what took its place has not earned its vote back.
    Lost,
}

impl Touched {
    pub(super) fn meddle(&mut self) {
        *self = if *self == Self::Lost { Self::Lost } else { Self::Once };
    }
}

impl Checkers {
    /// Somebody put another state on the storage under this name, or took it away, or it lied: from then on peers may
    /// refuse who bears the name, and not only until they know its next life.
    pub(crate) fn meddled(&mut self, node: NodeIndex) {
        let member = self.member(node);
        for machine in NodeIndex::all(self.nodes.len()) {
            if self.member(machine) == member {
                self.at(machine).touched.meddle();
            }
        }
    }

    /// The disk is lost, and with it the memory of its votes.
    pub(crate) fn lost_disk(&mut self, node: NodeIndex) {
        self.meddled(node);
        self.at(node).touched = Touched::Lost;
    }

    /// The storage that took the place of a lost one has earned its vote back. The votes that were lost elect nobody
    /// any more: the leases that they could have made are over (R45), so they may be given anew in epochs that nobody
    /// led.
    pub(crate) fn rebuilt(&mut self, node: NodeIndex) {
        if self.at(node).touched == Touched::Lost {
            self.at(node).touched = Touched::Once;
            let member = self.member(node);
            let led = &self.led;
            self.votes.retain(|&(voter, epoch), _| voter != member || led.contains_key(&epoch));
        }
    }

    /// The elector stops for good for this reason.
    pub(crate) fn stops_for(&mut self, at: Real, node: NodeIndex, reason: &Stopped) {
        let is_of_its_storage = !matches!(reason, Stopped::StorageFailed(_));
        if is_of_its_storage && self.at(node).touched == Touched::Never {
            self.fail(Checker::HealthyNotRefused, at, node, || {
                format!("stops although nobody touched its storage: {reason}")
            });
        }
    }

    /// By what `teller` holds, the storage of `peer` is not the one that the group has held: `node` says so.
    pub(crate) fn counts_as_replaced(
        &mut self,
        at: Real,
        node: NodeIndex,
        teller: NodeIndex,
        peer: NodeIndex,
    ) {
        if self.at(peer).touched == Touched::Never {
            self.fail(Checker::HealthyNotRefused, at, node, || {
                format!("{peer}, whose storage nobody touched, counts as replaced by what {teller} holds")
            });
        }
    }

    /// A frame that says that a life of its addressee does not count.
    pub(super) fn refuses(&mut self, sent: &Sent<'_>) {
        let (Body::Reject { rejected, .. } | Body::WentBack { rejected, .. }) = sent.frame.body else {
            return;
        };
        if self.is_healthy(sent.to, rejected) {
            self.fail(Checker::HealthyNotRefused, sent.at, sent.node, || {
                let to = sent.to;
                format!("refuses {to}, whose storage nobody touched: {:?}", sent.frame.body)
            });
        }
    }

    /// Whether this is the present life of a node whose storage nobody touched.
    fn is_healthy(&self, node: NodeIndex, life: Incarnation) -> bool {
        let watched = &self.nodes[node];
        watched.running && watched.touched == Touched::Never && watched.spoke == Some(life)
    }
}
