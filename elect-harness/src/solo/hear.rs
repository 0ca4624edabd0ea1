//! What the peers of a lone elector say.

use std::sync::Arc;
use std::time::Duration;

use elect_core::{
    Body, Elector, Frame, Header, Heartbeat, Ignored, Incarnation, Lead, NodeId, Nonce, Notice, PeerState,
    Time,
};

use super::Solo;
use crate::frames::{D, FIVE, accept, beat, completed, epoch, follows, lead, leading, offer, stands};
use crate::{builder, id};

impl Solo {
    /// A frame of `from` that echoes the newest frame it got.
    pub fn frame(&mut self, from: &str, durable: u64, state: PeerState, body: Body) -> Frame {
        let from = id(from);
        self.peers_clock = self.now.max(Time::from_nanos(self.peers_clock.as_nanos() + 1));
        let life = self.lives.get(&from).copied().unwrap_or(Incarnation { counter: 1, random: 1 });
        let header = Header {
            group: 0,
            members: self.elector.config().digest(),
            epoch: epoch(durable),
            state,
            nonce: Nonce { incarnation: life, sent: self.peers_clock },
            echo: self.received.get(&from).copied(),
            genesis: self.geneses.get(&from).copied(),
        };
        let profile = self.profiles.get(&from).cloned().map(Arc::new);
        let birth = self.births.get(&from).copied().map(Arc::new);
        Frame { body: self.answered(from, state, body), header, birth, profile }
    }

    /// What a test leaves open, as an honest peer says it.
    fn answered(&self, from: NodeId, state: PeerState, body: Body) -> Body {
        let own = self.elector.config().detection().ceiling();
        let longest = self.maxima.get(&from).copied().unwrap_or(own);
        let asked = self.asked.get(&from).copied().unwrap_or(longest);
        let mut body = completed(body, longest, asked);
        if let Body::Heartbeat(Heartbeat { detection_max, lead, .. }) = &mut body
            && matches!(state, PeerState::Follower(leader, _) if leader == id("a"))
            && asked != *detection_max
        {
            lead.get_or_insert(Lead { detection: asked });
        }
        body
    }

    /// The frame arrives. Why it counted for nothing, if it did.
    pub fn deliver(&mut self, from: &str, frame: &Frame) -> Option<Ignored> {
        let from = id(from);
        let before = self.notices.len();
        self.step(|elector, now| elector.on_message(from, frame, now));
        self.notices[before..].iter().find_map(|notice| match notice {
            Notice::Ignored { reason, .. } => Some(*reason),
            _ => None,
        })
    }

    /// A fresh frame of `from` arrives.
    pub fn hear(&mut self, from: &str, durable: u64, state: PeerState, body: Body) -> Option<Ignored> {
        let frame = self.frame(from, durable, state, body);
        self.deliver(from, &frame)
    }

    /// `from` is connected and free.
    pub fn hear_free(&mut self, from: &str, durable: u64) -> Option<Ignored> {
        self.hear(from, durable, PeerState::Free, beat())
    }

    /// `from` says that it leads.
    pub fn hear_leader(&mut self, from: &str, number: u64) -> Option<Ignored> {
        self.hear(from, number, leading(number), lead(D))
    }

    /// `from` offers itself.
    pub fn hear_offer(&mut self, from: &str, number: u64) -> Option<Ignored> {
        self.hear(from, number - 1, stands(number), offer(number))
    }

    /// `from` accepts the open offer.
    pub fn hear_accept(&mut self, from: &str, number: u64) -> Option<Ignored> {
        self.hear(from, number, PeerState::Promised, accept(number))
    }

    /// `from` acknowledges this node as the leader of `number`.
    pub fn hear_acknowledgement(&mut self, from: &str, number: u64) -> Option<Ignored> {
        self.hear(from, number, follows("a", number), beat())
    }

    /// This node follows `leader` in epoch `number`.
    pub fn follow(&mut self, leader: &str, number: u64) -> &mut Self {
        assert_eq!(self.hear_leader(leader, number), None);
        self.commit();
        assert_eq!(self.leader(), Some((id(leader), epoch(number))));
        self
    }

    /// This node has accepted `candidate` in epoch `number`.
    pub fn give_word(&mut self, candidate: &str, number: u64) -> &mut Self {
        assert_eq!(self.hear_offer(candidate, number), None);
        self.commit();
        self
    }

    /// This node campaigns: `b` is free and connected.
    pub fn stand(&mut self) -> u64 {
        self.hear_free("b", 0);
        self.offered().expect("it stands")
    }

    /// A candidate of epoch 1 among five, whose own vote is not durable yet.
    pub fn candidate_of_five() -> Self {
        let mut a = Self::with(builder("a", &FIVE));
        a.hear_free("b", 0);
        a.hear_free("c", 0);
        assert_eq!(a.offered(), Some(1));
        a
    }

    /// A leader of epoch 1 that has handed over to `b` and stepped down.
    pub fn handed_over() -> Self {
        let mut a = Self::new();
        a.lead();
        a.hear_acknowledgement("b", 1);
        a.request(|elector, now| elector.request_handover(Some(id("b")), now)).unwrap();
        a.clear().step(Elector::on_drained);
        assert_eq!(a.losses.len(), 1);
        a
    }

    /// This node leads epoch 1 by the accept of `b`, and its host serves.
    pub fn lead(&mut self) -> &mut Self {
        let number = self.stand();
        // A moment later, so that the lease is bounded by the grant and not by the own clock.
        self.pass(Duration::from_millis(1)).commit();
        assert_eq!(self.hear_accept("b", number), None);
        self.enter_office();
        assert_eq!(self.leader(), Some((id("a"), epoch(number))));
        self.clear()
    }
}
