//! One group among many: its seat, and what it knows of the streams that it shares with the others.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use elect_core::{Address, Body, Gate, Incarnation, LinkState, NodeId, Position, Time};

use super::savers::{Commit, GroupKey, Job, Savers};
use super::tenancy::Tenancy;
use crate::clock;
use crate::event::Ended;
use crate::handshake::{Greeting, HandshakeRefusal};
use crate::inbound::kind_of;
use crate::judgement::{Claim, Judgement};
use crate::link::InboundFailure;
use crate::orchestrator::{Input, Outcome, Seat};
use crate::outbox::Outbox;

/// A peer is asked for one group no more often because its frames say so.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// So many lives of a peer are remembered with their addresses.
const HOMES_MAX: usize = 4;

/// A group that runs.
pub(super) struct Group {
    pub(super) key: GroupKey,
    pub(super) seat: Seat,
    pub(super) links: BTreeMap<NodeId, GroupLink>,
    pub(super) gates: Receiver<Gate>,
    /// `None` while a thread saves.
    pub(super) vault: Option<Box<dyn Commit>>,
    pub(super) positions: Receiver<Option<Position>>,
    pub(super) position_waits: Arc<AtomicBool>,
    /// What the handles look at.
    pub(super) ended: Arc<AtomicBool>,
    pub(super) ending: Option<Ended>,
    pub(super) leaving: Option<Time>,
    /// A peer whose frame says that this life of this node is over.
    pub(super) doubted: Option<NodeId>,
    /// Its end tells callers that no answer will come.
    pub(super) _answering: Sender<()>,
    pub(super) _tenancy: Arc<Tenancy>,
}

/// What one group knows of the streams to one peer.
#[derive(Debug, Default)]
pub(super) struct GroupLink {
    /// The peer lets this life of this node in.
    pub(super) is_welcome: bool,
    /// The elector was told that the link is up, and not that it is down.
    is_up: bool,
    was_up: bool,
    /// Why it is not, as the host was told.
    said: Option<String>,
    asked: Option<Time>,
    /// Where the peer's last lives were seen.
    homes: VecDeque<(Incarnation, Address)>,
}

impl GroupLink {
    /// Whether the peer may be asked because of what a frame, or a greeting, says.
    pub(super) fn may_ask(&mut self, now: Time) -> bool {
        let may = self.asked.is_none_or(|asked| now.since(asked) >= AGAIN_AFTER);
        if may {
            self.asked = Some(now);
        }
        may
    }

    fn home(&self, life: Incarnation) -> Address {
        let home = self.homes.iter().find(|(seen, _)| *seen == life);
        home.map(|(_, home)| home.clone()).unwrap_or_default()
    }
}

impl Group {
    /// When it is to be looked at without an input.
    pub(super) fn wakes_at(&self) -> Time {
        self.seat.elector.deadline().min(self.leaving.unwrap_or(Time::NEVER))
    }

    pub(super) fn on_input(&mut self, input: Input) {
        match self.seat.on_input(input) {
            None => {}
            Some(Outcome::Doubted(peer)) => self.doubted = Some(peer),
            Some(Outcome::Ended(ended)) => self.ending = Some(ended),
        }
    }

    /// The stream to a peer came up or went down, for all groups.
    pub(super) fn on_link(&mut self, peer: NodeId, state: LinkState, reason: Option<String>) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        match state {
            LinkState::Up if link.is_welcome && !link.is_up => {
                (link.is_up, link.was_up, link.said) = (true, true, None);
            }
            LinkState::Up => return,
            LinkState::Closed => {
                link.is_welcome = false;
                if !std::mem::take(&mut link.is_up) {
                    return;
                }
            }
            // It proves something only of a life that was reached before.
            LinkState::Refused { .. } if !link.was_up => {
                return self.tell_reason(peer, "nobody listens there".into(), None);
            }
            LinkState::Refused { .. } => link.said = None,
            LinkState::Ended { .. } => {}
        }
        self.on_input(Input::Link { peer, state, reason });
    }

    /// The peer lets this life in.
    pub(super) fn on_welcome(&mut self, peer: NodeId, outbox: &Arc<Outbox>, is_up: bool) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.is_welcome = true;
        self.seat.effects.outboxes.insert(peer, Arc::clone(outbox));
        if is_up {
            self.on_link(peer, LinkState::Up, None);
        }
    }

    /// The peer does not: nothing is sent to it in this group. The others go on.
    pub(super) fn on_refused(&mut self, peer: NodeId, refusal: HandshakeRefusal) {
        self.seat.effects.outboxes.remove(&peer);
        self.on_link(peer, LinkState::Closed, Some("the peer no longer lets this group in".into()));
        if let Some(said) = refusal.rejection() {
            self.on_input(Input::Rejected { peer, said });
        }
        let reason = format!("the handshake was refused: {refusal}; {}", refusal.advice());
        self.tell_reason(peer, reason, Some(refusal));
    }

    /// Tells why there is no link, unless that is known.
    pub(super) fn tell_reason(&mut self, peer: NodeId, reason: String, refusal: Option<HandshakeRefusal>) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        let kind = refusal.as_ref().map_or_else(|| reason.clone(), |refusal| refusal.kind().to_string());
        if link.said.as_ref() == Some(&kind) {
            return;
        }
        link.said = Some(kind);
        self.on_input(Input::Unreachable { peer, reason, refusal: refusal.map(Box::new) });
    }

    /// A peer that dialled says what it is in this group: what this node says to that.
    pub(super) fn let_in(
        &mut self,
        greeting: &Greeting,
        from: &Address,
    ) -> Result<Greeting, HandshakeRefusal> {
        let judged = self.judge(greeting, from);
        let peer = greeting.node;
        match &judged {
            Ok(_) => {
                let home = if greeting.listen.as_str().is_empty() { from } else { &greeting.listen };
                if let Some(link) = self.links.get_mut(&peer) {
                    link.homes.retain(|(life, _)| *life != greeting.incarnation);
                    link.homes.push_front((greeting.incarnation, home.clone()));
                    link.homes.truncate(HOMES_MAX);
                }
                let (incarnation, address) = (greeting.incarnation, greeting.address.clone());
                self.on_input(Input::Greeted { peer, incarnation, address });
            }
            Err(refusal) => {
                let failure = InboundFailure::Refused(refusal.clone());
                self.seat.counters.handshakes_failed.add(1);
                self.seat.counters.measures.on_handshake_refused(kind_of(&failure));
                let refusals = &self.seat.effects.refusals;
                if let Some(refused) = refusals.note(from.clone(), Some(peer), failure, clock::now()) {
                    self.on_input(Input::Refused(Box::new(refused)));
                }
            }
        }
        judged
    }

    fn judge(&self, greeting: &Greeting, from: &Address) -> Result<Greeting, HandshakeRefusal> {
        let (peer, group, incarnation, birth) =
            (greeting.node, greeting.group, greeting.incarnation, greeting.birth);
        let own = self.seat.introduction.to(peer);
        greeting.check(&own)?;
        let link = self.links.get(&peer).ok_or(HandshakeRefusal::UnknownName(peer))?;
        greeting.check_members(&own)?;
        let claim = Claim { peer, group, incarnation, birth };
        match Judgement::of(&self.seat.elector, &claim, clock::now()) {
            Judgement::Known | Judgement::Possible => Ok(own),
            Judgement::Over(Body::Reject { rejected, known }) => {
                let known_at = link.home(known);
                Err(HandshakeRefusal::Life { rejected, known, dialler: from.clone(), known_at })
            }
            Judgement::Over(Body::WentBack { rejected, epoch, offset }) => {
                Err(HandshakeRefusal::WentBack { rejected, epoch, offset })
            }
            Judgement::Over(_) | Judgement::Stopped => Err(HandshakeRefusal::Stopped(own.node)),
        }
    }

    /// The newest position, which the host has set.
    pub(super) fn take_position(&mut self) {
        // First, so that one that is set from now on is told anew.
        self.position_waits.store(false, Ordering::SeqCst);
        if let Ok(position) = self.positions.try_recv() {
            self.seat.step(|elector, now| elector.set_position(position, now));
        }
    }

    /// What must be saved, if nothing is being saved.
    pub(super) fn save(&mut self, savers: &Savers) {
        if self.vault.is_some()
            && let Ok(gate) = self.gates.try_recv()
            && let Some(vault) = self.vault.take()
        {
            savers.submit(Job { vault, save: Some((self.key, gate)) });
        }
    }

    /// Whether it has nothing to wait for any more.
    pub(super) fn look_whether_done(&mut self) {
        if self.ending.is_none() && self.seat.is_done_leaving(self.leaving, clock::now()) {
            self.ending = Some(Ended::Shutdown);
        }
    }
}
