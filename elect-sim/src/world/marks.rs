//! What a run notes down, to be read and to be drawn.

use elect_core::{Frame, Lease};

use super::World;
use crate::ids::NodeIndex;
use crate::network::Fate;
use crate::rule::Kind;
use crate::trace::{Detail, Marked};

impl World {
    pub(crate) fn note(&mut self, node: Option<NodeIndex>, text: impl FnOnce() -> String) {
        self.book.note(self.clocks.now(), node, text);
    }

    /// A change of the network, to be read and drawn.
    pub(crate) fn note_network(&mut self, text: &str) {
        self.note(None, || text.to_owned());
        if self.book.wants(Detail::Events) {
            self.book.mark(self.clocks.now(), None, Marked::Network(text.to_owned()), String::new());
        }
    }

    /// Something to draw, with what the node says of itself.
    pub(crate) fn mark(&mut self, node: NodeIndex, what: Marked) {
        if self.book.wants(Detail::Events) {
            let why = match self.node(node).process() {
                Some(process) => process.explain(self.local(node)).to_string(),
                None => String::new(),
            };
            self.book.mark(self.clocks.now(), Some(node), what, why);
        }
    }

    /// The links that changed.
    pub(crate) fn mark_links(&mut self) {
        if self.book.wants(Detail::Events) {
            for link in self.all_links() {
                self.book.mark_link(self.clocks.now(), link, self.wires.links().trouble(link.from, link.to));
            }
        }
    }

    pub(crate) fn mark_lease(&mut self, node: NodeIndex, lease: Lease) {
        if self.book.wants(Detail::Events) {
            let end = self.clocks.reaches(node, lease.end).unwrap_or(self.clocks.now());
            let what = Marked::Lease(lease.epoch.number(), end);
            self.book.mark(self.clocks.now(), Some(node), what, String::new());
        }
    }

    pub(crate) fn mark_message(&mut self, from: NodeIndex, to: NodeIndex, frame: &Frame, fate: Fate) {
        let kind = Kind::of(&frame.body);
        if kind == Kind::Heartbeat {
            return;
        }
        let arrives = match fate {
            Fate::Arrives(arrivals) if !arrivals.times().is_empty() => arrivals.times().first().copied(),
            _ => None,
        };
        self.book.mark(
            self.clocks.now(),
            Some(from),
            Marked::Message { to, kind: kind.name(), arrives },
            String::new(),
        );
    }
}
