//! S13, L1: a node whose storage nobody touched is never told that its life is over.

use elect_core::{Body, Incarnation, Stopped};

use super::{Checker, Checkers, NodeIndex, Real, Sent, node_name};

impl Checkers {
    /// Somebody put another state on the storage under this name, or took it away, or it lied: from then on peers may
    /// refuse who bears the name, and not only until they know its next life.
    pub(crate) fn meddled(&mut self, node: NodeIndex) {
        let member = self.member(node);
        for machine in (0..).take(self.nodes.len()) {
            if self.member(machine) == member {
                self.at(machine).meddled = true;
            }
        }
    }

    /// The disk is lost, and with it its votes. One for itself that nobody followed elects nobody any more: its life
    /// is over. Its replacement may give it anew, because nobody can tell it of that one.
    pub(crate) fn lost_disk(&mut self, node: NodeIndex) {
        self.meddled(node);
        let member = self.member(node);
        let own =
            self.votes.iter().filter(|&(&(voter, _), &candidate)| voter == member && candidate == member);
        let epochs: Vec<_> = own.map(|(&(_, epoch), _)| epoch).collect();
        for epoch in epochs {
            let votes =
                self.votes.iter().filter(|&(&(_, of), &candidate)| of == epoch && candidate == member);
            if votes.count() == 1 && !self.led.contains_key(&epoch) {
                self.votes.remove(&(member, epoch));
            }
        }
    }

    /// The elector stops for good for this reason.
    pub(crate) fn stops_for(&mut self, at: Real, node: NodeIndex, reason: &Stopped) {
        let is_of_its_storage = !matches!(reason, Stopped::StorageFailed(_));
        if is_of_its_storage && !self.at(node).meddled {
            self.fail(Checker::HealthyNotRefused, at, node, || {
                format!("stops although nobody touched its storage: {reason}")
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
                let to = node_name(sent.to);
                format!("refuses {to}, whose storage nobody touched: {:?}", sent.frame.body)
            });
        }
    }

    /// Whether this is the present life of a node whose storage nobody touched.
    fn is_healthy(&self, node: NodeIndex, life: Incarnation) -> bool {
        let watched = &self.nodes[usize::from(node)];
        watched.running && !watched.meddled && watched.spoke == Some(life)
    }
}
