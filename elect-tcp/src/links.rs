//! The state of every link, as the orchestrator keeps it.

use std::collections::BTreeMap;

use elect_core::{Address, Incarnation, LinkState, NodeId, Time};

use crate::handshake::HandshakeRefusal;
use crate::link::{Link, LinkEnd, RefusedDialler};

/// The links to the peers. Its methods give the link where it changed for the host.
#[derive(Debug)]
pub(crate) struct Links {
    links: BTreeMap<NodeId, Link>,
    /// Since which change of streams each peer is heard, and the number of the stream.
    heard_on: BTreeMap<NodeId, (u64, u64)>,
}

impl Links {
    pub(crate) fn new(peers: impl Iterator<Item = NodeId>, now: Time) -> Self {
        let links = peers.map(|peer| (peer, Link::down(peer, now))).collect();
        Self { links, heard_on: BTreeMap::new() }
    }

    /// Sorted by name. Each names the last of `refused` that claimed its peer's name, also where the host was not told.
    pub(crate) fn all(&self, refused: &[RefusedDialler]) -> Vec<Link> {
        let mut links: Vec<_> = self.links.values().cloned().collect();
        for link in &mut links {
            if let Some(last) = refused.iter().rfind(|refused| refused.claimed == Some(link.peer)) {
                link.refused = Some(last.clone());
            }
        }
        links
    }

    pub(crate) fn on_outbound(
        &mut self,
        peer: NodeId,
        state: LinkState,
        reason: Option<String>,
        now: Time,
    ) -> Option<&Link> {
        let link = self.links.get_mut(&peer)?;
        match state {
            LinkState::Up => link.outbound = LinkEnd::up(now),
            LinkState::Closed => link.outbound = LinkEnd::down(now, reason),
            LinkState::Refused { .. } => {
                // It repeats with every attempt: only the first is news.
                let text = "the connection is refused";
                if link.outbound.reason.as_deref() == Some(text) {
                    return None;
                }
                link.outbound.explain(text.into(), None);
            }
            // It says nothing of the link.
            LinkState::Ended { .. } => return None,
        }
        Some(link)
    }

    /// A peer that is not connected cannot be, for a new reason.
    pub(crate) fn on_unreachable(
        &mut self,
        peer: NodeId,
        reason: String,
        refusal: Option<HandshakeRefusal>,
    ) -> Option<&Link> {
        let link = self.links.get_mut(&peer)?;
        link.outbound.explain(reason, refusal);
        Some(link)
    }

    pub(crate) fn on_greeted(&mut self, peer: NodeId, incarnation: Incarnation, address: Address) {
        if let Some(link) = self.links.get_mut(&peer) {
            (link.incarnation, link.address) = (Some(incarnation), Some(address));
            if !link.inbound.is_up {
                link.inbound.explain("it has greeted, and no frame of it has counted yet".into(), None);
            }
        }
    }

    /// A frame on this stream has counted. The threads that read streams may tell it in another order than that in which
    /// the streams took each other's place, which `change` counts.
    pub(crate) fn on_heard(&mut self, peer: NodeId, stream: u64, change: u64, now: Time) -> Option<&Link> {
        let link = self.links.get_mut(&peer)?;
        if self.heard_on.get(&peer).is_some_and(|(later, _)| *later > change) {
            return None;
        }
        self.heard_on.insert(peer, (change, stream));
        if link.inbound.is_up {
            return None;
        }
        link.inbound = LinkEnd::up(now);
        Some(link)
    }

    /// The stream has ended. One in whose place another is heard is no news.
    pub(crate) fn on_unheard(
        &mut self,
        peer: NodeId,
        stream: u64,
        reason: String,
        now: Time,
    ) -> Option<&Link> {
        let link = self.links.get_mut(&peer)?;
        if link.inbound.is_up && self.heard_on.get(&peer).is_some_and(|(_, heard)| *heard == stream) {
            link.inbound = LinkEnd::down(now, Some(reason));
            return Some(link);
        }
        if link.inbound.is_up || link.inbound.reason.as_ref() == Some(&reason) {
            return None;
        }
        link.inbound.explain(reason, None);
        Some(link)
    }

    /// Somebody who claimed to be a peer was refused.
    pub(crate) fn on_refused(&mut self, refused: &RefusedDialler) {
        if let Some(link) = refused.claimed.and_then(|claimed| self.links.get_mut(&claimed)) {
            link.refused = Some(refused.clone());
        }
    }
}

impl LinkEnd {
    fn up(now: Time) -> Self {
        Self { is_up: true, since: now, reason: None, refusal: None }
    }

    fn down(now: Time, reason: Option<String>) -> Self {
        Self { is_up: false, since: now, reason, refusal: None }
    }

    fn explain(&mut self, reason: String, refusal: Option<HandshakeRefusal>) {
        (self.reason, self.refusal) = (Some(reason), refusal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::id;

    const NOW: Time = Time::from_nanos(5);

    fn links() -> Links {
        Links::new([id("b")].into_iter(), Time::ZERO)
    }

    fn inbound(links: &Links) -> LinkEnd {
        links.all(&[]).remove(0).inbound
    }

    #[test]
    fn the_end_of_a_stream_that_another_has_replaced_is_no_news() {
        let mut links = links();
        assert!(links.on_heard(id("b"), 1, 1, NOW).is_some());
        assert!(links.on_heard(id("b"), 2, 2, NOW).is_none(), "it was heard, and is");
        assert!(links.on_unheard(id("b"), 1, "displaced".into(), NOW).is_none());
        assert!(inbound(&links).is_up);
        assert!(links.on_unheard(id("b"), 2, "closed".into(), NOW).is_some());
        assert_eq!(inbound(&links), LinkEnd::down(NOW, Some("closed".into())));
    }

    #[test]
    fn streams_that_take_each_others_place_may_be_told_in_any_order() {
        let mut links = links();
        assert!(links.on_heard(id("b"), 2, 2, NOW).is_some());
        assert!(links.on_heard(id("b"), 1, 1, NOW).is_none());
        assert!(links.on_unheard(id("b"), 1, "displaced".into(), NOW).is_none());
        assert!(inbound(&links).is_up, "stream 2 lives");
        assert!(links.on_unheard(id("b"), 2, "closed".into(), NOW).is_some());
        assert!(links.on_heard(id("b"), 1, 1, NOW).is_none(), "it is over");
        assert!(!inbound(&links).is_up);
    }

    #[test]
    fn a_stream_on_which_nothing_counted_leaves_its_reason_once() {
        let mut links = links();
        let since = inbound(&links).since;
        assert!(links.on_unheard(id("b"), 1, "garbage".into(), NOW).is_some());
        assert!(links.on_unheard(id("b"), 2, "garbage".into(), NOW).is_none());
        let end = inbound(&links);
        assert_eq!((end.is_up, end.since, end.reason.as_deref()), (false, since, Some("garbage")));
    }

    #[test]
    fn nobody_else_has_a_link() {
        let mut links = links();
        assert!(links.on_heard(id("x"), 1, 1, NOW).is_none());
        assert!(links.on_outbound(id("x"), LinkState::Up, None, NOW).is_none());
        assert_eq!(links.all(&[]).len(), 1);
    }
}
