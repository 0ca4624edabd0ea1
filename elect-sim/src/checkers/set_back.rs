//! S13: a machine that was set back to an older copy of its disk counts for nothing at whoever knows that it held more.
//!
//! Who knows is not asked of an elector. It is what the frames said that its present life heard, and that counted
//! there.

use elect_core::{
    Birth, Body, Epoch, Frame, Header, Incarnation, PeerState, Position, Record, Storage, Time,
};

use super::{Checker, Checkers, Real, Sent};
use crate::ids::{Life, NODES_MAX, NodeIndex};

/// What the newest life of one peer has told.
#[derive(Clone, Copy, Debug)]
struct Told {
    incarnation: Incarnation,
    birth: Option<Birth>,
    sent: Time,
    epoch: Epoch,
    position: Option<Position>,
    is_replaced: bool,
}

/// What a process has heard of each peer.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard([Option<Told>; NODES_MAX]);

/// Who knows that a machine was set back: each, and in which life.
pub(super) type Knowers = Vec<(NodeIndex, Life)>;

impl Told {
    /// Whether a life that begins with this record and log lacks what this one held: R2 by its counter, R60 by what it
    /// holds.
    fn disproves(&self, record: &Record, position: Option<Position>) -> bool {
        if self.incarnation.counter > record.incarnation.counter {
            return true;
        }
        let is_same_storage = self.birth.is_some_and(|birth| birth.first_life == record.first_life);
        let held = self.position.filter(|held| held.epoch == self.epoch && self.epoch == record.epoch);
        let lacks_entries = held.zip(position).is_some_and(|(held, begins)| begins < held);
        is_same_storage && !self.is_replaced && (record.epoch < self.epoch || lacks_entries)
    }
}

impl Checkers {
    /// A frame of `peer` counted at `node`.
    pub(crate) fn hears(&mut self, node: NodeIndex, peer: NodeIndex, frame: &Frame) {
        let Header { nonce, epoch, state, .. } = frame.header;
        let birth = frame.birth.as_deref().copied();
        let heard = &mut self.at(node).heard.0[peer.place()];
        let before = heard.filter(|told| told.incarnation == nonce.incarnation);
        if before.is_some_and(|told| nonce.sent < told.sent) {
            return;
        }
        *heard = Some(Told {
            incarnation: nonce.incarnation,
            birth: before.and_then(|told| told.birth).or(birth),
            sent: nonce.sent,
            epoch,
            position: match &frame.body {
                Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => heartbeat.position,
                _ => before.and_then(|told| told.position),
            },
            is_replaced: state == PeerState::Replaced,
        });
    }

    /// The running processes that would know better if a machine began its next life with this record, and a log that
    /// ends there.
    pub(crate) fn would_disprove(
        &self,
        node: NodeIndex,
        record: &Record,
        position: Option<Position>,
    ) -> Vec<NodeIndex> {
        let member = self.member(node);
        let knows = |&peer: &NodeIndex| {
            let watched = &self.nodes[peer];
            let told = watched.heard.0[member.place()];
            self.member(peer) != member
                && watched.running
                && told.is_some_and(|told| told.disproves(record, position))
        };
        NodeIndex::all(self.nodes.len()).filter(knows).collect()
    }

    /// The disk of a machine goes back, and these processes know better.
    pub(crate) fn set_back(&mut self, node: NodeIndex, knowers: &[NodeIndex]) {
        // A twin is no reason to refuse its original.
        self.at(node).touched.meddle();
        let knowers = knowers.iter().map(|&peer| (peer, self.nodes[peer].life)).collect();
        self.at(node).set_back = Some(knowers);
    }

    /// Whether it was set back, and runs with what it was set back to.
    pub(crate) fn is_set_back(&self, node: NodeIndex) -> bool {
        self.nodes[node].set_back.is_some()
    }

    /// The machines that were set back, as somebody knows whose process is at its end.
    pub(crate) fn known_to(&self, knower: NodeIndex) -> Vec<NodeIndex> {
        let knows = |&node: &NodeIndex| {
            let knowers = self.nodes[node].set_back.as_ref();
            knowers.is_some_and(|knowers| knowers.iter().any(|&(peer, _)| peer == knower))
        };
        NodeIndex::all(self.nodes.len()).filter(knows).collect()
    }

    /// Its storage is replaced.
    pub(crate) fn no_longer_set_back(&mut self, node: NodeIndex) {
        self.at(node).set_back = None;
    }

    /// Whoever knows better sends no nonce back to a life that was set back: that is how it would count.
    pub(super) fn takes_for_whole(&mut self, sent: &Sent<'_>) {
        let Sent { at, node, to, frame, .. } = *sent;
        let Some(echo) = frame.header.echo else { return };
        let addressee = self.machine(to, echo.incarnation);
        let (watched, life) = (&self.nodes[addressee], self.nodes[node].life);
        let knows = watched.set_back.as_ref().is_some_and(|knowers| knowers.contains(&(node, life)));
        // A copy from before the genesis makes itself a replacement where a peer is the first to tell of it: that life is
        // heard, and counts for nothing.
        let is_replaced = watched.durable.is_some_and(|record| record.storage == Storage::Replaced);
        if knows && !is_replaced && watched.spoke == Some(echo.incarnation) {
            self.counts_what_went_back(at, node, addressee);
        }
    }

    fn counts_what_went_back(&mut self, at: Real, node: NodeIndex, peer: NodeIndex) {
        self.fail(Checker::SetBackCounts, at, node, || {
            format!(
                "counts {peer}, which runs with an old copy of its disk, although it knows that it held more"
            )
        });
    }
}
