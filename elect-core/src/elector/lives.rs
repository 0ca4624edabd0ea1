//! The lives of a peer: which of them count, and what becomes of a node that is told that its own does not.

use crate::birth::{Birth, Durable, Telling};
use crate::elector::{Elector, Lifecycle, Role};
use crate::epoch::Position;
use crate::event::{Ignored, LeaderLost, Notice, Stopped};
use crate::frame::{Body, Frame, Header};
use crate::members::MemberIndex;
use crate::name::NodeId;
use crate::nonce::{Incarnation, Nonce};
use crate::peer_state::PeerState;
use crate::promise::Promise;
use crate::step::Step;
use crate::time::Time;

/// R61: a life whose counter is further above the one known counts only from its second frame on.
const LIFE_DISTANCE_MAX: u32 = 1 << 20;
/// R61: a replacement takes no counter from this one on, whoever names it.
const TAUGHT_COUNTER_END: u32 = 1 << 31;

impl Elector {
    /// R2: a lower incarnation, or an equal one with another random part, is a restored or cloned disk, or a
    /// frame of an earlier life. Its sender is told so, and R16 silences a life that is known to be dead.
    #[inline]
    pub(super) fn check_incarnation(&mut self, peer: MemberIndex, frame: &Frame) -> Result<(), Ignored> {
        let incarnation = frame.header.nonce.incarnation;
        let pair = self.state.peers.pair_mut(peer);
        match pair.life() {
            Some((known, _)) if incarnation == known => {
                pair.note_birth(frame.birth.as_deref());
                if pair.is_dead() { Err(Ignored::DeadIncarnation(incarnation)) } else { Ok(()) }
            }
            _ => self.check_other_life(peer, frame),
        }
    }

    fn check_other_life(&mut self, peer: MemberIndex, frame: &Frame) -> Result<(), Ignored> {
        let header = &frame.header;
        let incarnation = header.nonce.incarnation;
        let is_replaced = header.state == PeerState::Replaced;
        let birth = frame.birth.as_deref().copied();
        if let Some(rejection) = self.rejection(peer, incarnation, birth.filter(|_| !is_replaced)) {
            if self.may_answer(peer) {
                self.send(peer, rejection);
            }
            return Err(Ignored::DeadIncarnation(incarnation));
        }
        self.check_life_distance(peer, header.nonce)?;
        if let Some(began) = birth.filter(|_| !is_replaced) {
            self.note_lost_entries(peer, began);
        }
        self.begin_life(peer, header, birth);
        Ok(())
    }

    /// R61: a life that no honest node gets to so soon counts once another frame bears it too: one forged greeting, or
    /// one flipped bit, locks nobody out.
    fn check_life_distance(&mut self, peer: MemberIndex, nonce: Nonce) -> Result<(), Ignored> {
        let incarnation = nonce.incarnation;
        let pair = self.state.peers.pair_mut(peer);
        let known = pair.life().map_or(0, |(known, _)| known.counter);
        let is_far = incarnation.counter.saturating_sub(known) > LIFE_DISTANCE_MAX;
        if is_far && !pair.is_borne_again(incarnation, nonce) {
            self.answer(peer);
            return Err(Ignored::FarIncarnation(incarnation));
        }
        Ok(())
    }

    fn begin_life(&mut self, peer: MemberIndex, header: &Header, birth: Option<Birth>) {
        let incarnation = header.nonce.incarnation;
        let (now, next_nonce) = (self.state.now, self.state.nonces.last().next());
        let pair = self.state.peers.pair_mut(peer);
        pair.begin_life(incarnation, birth, Telling::begin(next_nonce), now);
        self.state.peers.view_mut(peer).begin_life();
        if let Role::Leader(leader) = &mut self.state.role {
            leader.note_new_life(peer);
        }
        // A replacement proves nothing of the life it replaces, which may be cut off and hold a lease.
        if header.state != PeerState::Replaced {
            self.end_promise_to_earlier_life(peer);
        }
    }

    /// R5: a later life of a node proves that the earlier one is over: it leads and campaigns no more, and what the
    /// later one wants it must win anew. Whatever life is known has a lower counter. The promise of a restart stays: nobody
    /// knows to which life it was given.
    fn end_promise_to_earlier_life(&mut self, peer: MemberIndex) {
        let to_earlier = |promise: &Promise| promise.to == peer && promise.life.is_some();
        if self.promise().is_some_and(to_earlier) {
            self.end_promise(LeaderLost::Ended);
        }
    }

    /// What this node answers to a life of `peer` that does not count. `began` is `None` where it was not told, or
    /// where the storage is marked as replaced.
    fn rejection(&self, peer: MemberIndex, rejected: Incarnation, began: Option<Birth>) -> Option<Body> {
        let (known, _) = self.state.peers.pair(peer).life()?;
        if rejected == known {
            return None;
        }
        if rejected.counter <= known.counter {
            return Some(Body::Reject { rejected, known });
        }
        let (began, known) = (began?, self.known_before(peer, began?)?);
        let offset = known.position.map(|position| position.offset);
        began.is_disproved_by(known).then_some(Body::WentBack { rejected, epoch: known.epoch, offset })
    }

    /// R60: what the life before one that began like this told last, if it was on the same storage. It was durable.
    fn known_before(&self, peer: MemberIndex, began: Birth) -> Option<Durable> {
        let (pair, view) = (self.state.peers.pair(peer), self.state.peers.view(peer));
        let is_same_storage = pair.birth().is_some_and(|before| before.first_life == began.first_life);
        // A record that is marked as replaced is never compared: its log is being filled.
        if !is_same_storage || view.state() == PeerState::Replaced {
            return None;
        }
        let epoch = view.told().epoch();
        Some(Durable { epoch, position: view.position().filter(|position| position.epoch == epoch) })
    }

    /// R60: where a host does not sync its log before it tells a position, a crash may take entries back: a warning.
    fn note_lost_entries(&mut self, peer: MemberIndex, began: Birth) {
        if let Some(known) = self.known_before(peer, began).filter(|&known| began.lacks(known).is_some()) {
            let node = self.config.members().id(peer);
            self.out.happened(Notice::EntriesLost { node, known, began: began.durable() });
        }
    }

    /// R2: a peer says that this life of this node does not count, and a node that is told so stops. R61: on a
    /// transport that authenticates nobody the frame alone is no proof of it.
    pub(super) fn on_rejection(
        &mut self,
        peer: MemberIndex,
        nonce: Nonce,
        said: &Body,
    ) -> Result<(), Ignored> {
        match self.reason_to_stop(peer, nonce, said)? {
            Some(_) if !self.config.transport_authenticates() => Err(Ignored::Unproven),
            Some(reason) => {
                self.stop(reason);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Whether this node's own record says the same as the peer; `None` where a replacement only learns from it.
    fn reason_to_stop(
        &mut self,
        peer: MemberIndex,
        nonce: Nonce,
        said: &Body,
    ) -> Result<Option<Stopped>, Ignored> {
        let own = self.state.durable.incarnation();
        let node = self.config.members().id(peer);
        match *said {
            Body::Reject { rejected, known } => {
                let is_other = known.counter > own.counter || (known.counter == own.counter && known != own);
                if rejected != own || !is_other {
                    return Err(Ignored::DeadIncarnation(rejected));
                }
                if self.is_replaced() && self.state.lives_taken <= self.state.peers.len() {
                    return self.take_life_above(known, nonce).map(|()| None);
                }
                Ok(Some(Stopped::Cloned { peer: node, known, own }))
            }
            Body::WentBack { rejected, epoch, offset } => {
                let position = offset.map(|offset| Position { epoch, offset });
                let (began, known) = (self.state.this_life.birth(), Durable { epoch, position });
                // R60: this node believes it if its own record says the same.
                if rejected != own || self.is_replaced() || !began.is_disproved_by(known) {
                    return Err(Ignored::DeadIncarnation(rejected));
                }
                Ok(Some(Stopped::WentBack { peer: node, known, began: began.durable() }))
            }
            _ => Err(Ignored::NotItsPlace),
        }
    }

    /// R45: a replacement asks its peers for the lost counter, and begins above it. Each peer can teach it once; after
    /// that there are two of it. R61: a counter that no honest node reached is obeyed once two frames name it.
    fn take_life_above(&mut self, known: Incarnation, nonce: Nonce) -> Result<(), Ignored> {
        let is_far =
            known.counter.saturating_sub(self.state.durable.incarnation().counter) > LIFE_DISTANCE_MAX;
        if is_far
            && (known.counter >= TAUGHT_COUNTER_END || !self.state.this_life.is_named_again(known, nonce))
        {
            return Err(Ignored::FarIncarnation(known));
        }
        if !self.state.durable.is_saving() {
            self.save_incarnation(Some(known.counter));
        }
        Ok(())
    }

    /// The peer said in the handshake of a connection that this node dialled itself that this life of it is over: the
    /// bodies REJECT and WENT BACK, as [`rejects`](Self::rejects) makes them there. Others are ignored.
    ///
    /// It counts as such a frame does on a transport that authenticates its peers. For one that does not
    /// ([`transport_authenticates`](crate::ConfigBuilder::transport_authenticates)) this is the only proof.
    pub fn on_rejected(&mut self, peer: NodeId, said: &Body, now: Time) -> Step<'_> {
        self.begin_input(now);
        let index = self.config.members().index(peer).filter(|&index| index != self.me);
        if let Some(index) = index.filter(|_| self.state.lifecycle == Lifecycle::Running) {
            let own = self.state.durable.incarnation();
            // The handshake is no frame of the peer: a replacement, which asks twice, counts each as another.
            let nonce = Nonce { incarnation: own, sent: self.renew_nonce() };
            let result = self.reason_to_stop(index, nonce, said);
            if let Ok(Some(reason)) = result {
                self.stop(reason);
            } else if let Err(reason) = result {
                self.out.happened(Notice::Ignored { from: peer, reason });
            }
        }
        self.end_input();
        Step::new(&mut self.out)
    }

    /// What a handshake answers to a life of `peer` that does not count here; `None` if it counts, or is not known to
    /// be over. `began` is what the peer tells of its birth, `None` where its storage is marked as replaced.
    pub fn rejects(&self, peer: NodeId, life: Incarnation, began: Option<Birth>) -> Option<Body> {
        // Of itself a node knows no life.
        self.rejection(self.config.members().index(peer)?, life, began)
    }

    /// What this life began with, for the handshakes of a transport; `None` until its incarnation is durable.
    pub fn birth(&self) -> Option<Birth> {
        (self.state.lifecycle != Lifecycle::Starting).then(|| self.state.this_life.birth())
    }
}
