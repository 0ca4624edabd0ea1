//! S1 to S5, S8, S11 and L3: who leads, what is durable, what frames claim, when authority ends.

use elect_core::{Body, Epoch, Frame, Incarnation, PeerState, PromiseKind, Record, SteppedDown, Time};

use super::{Checker, Checkers, Real, ended};
use crate::clocks::Clocks;
use crate::ids::{Life, NodeIndex};

/// The largest step that one offer may raise an epoch by, and the hint beside it (S3).
const EPOCH_STEP_MAX: u64 = (1 << 32) + (1 << 20) + 1;

/// A frame at the moment when its elector lets it go.
pub(crate) struct Sent<'a> {
    pub(crate) at: Real,
    pub(crate) node: NodeIndex,
    pub(crate) to: NodeIndex,
    pub(crate) frame: &'a Frame,
    /// Whether the node's lease runs at this moment.
    pub(crate) lease_runs: bool,
    /// Every node's clock.
    pub(crate) clocks: &'a Clocks,
}

impl Checkers {
    /// The disk of `node` now holds `record`.
    pub(crate) fn saved(&mut self, at: Real, node: NodeIndex, record: &Record) {
        let before = self.at(node).durable.replace(*record);
        if let Some(before) = before {
            let floor = before.epoch.number();
            let rise = record.epoch.number().wrapping_sub(floor);
            if record.epoch < before.epoch || rise > EPOCH_STEP_MAX {
                self.fail(Checker::EpochNeverFalls, at, node, || {
                    format!("a save takes the durable epoch from {floor} to {}", record.epoch)
                });
            }
        }
        let Some(holder) = record.holder else { return };
        let Some(candidate) = NodeIndex::of(holder.node) else { return };
        // What a disk that went back votes counts for nothing: whoever is elected must be so without it.
        if self.is_set_back(node) {
            return;
        }
        if holder.how == PromiseKind::Voted {
            self.voted(at, node, record.epoch, candidate);
        }
    }

    /// The highest epoch in which anybody ever voted.
    pub(crate) fn highest_vote(&self) -> Epoch {
        self.votes.keys().map(|&(_, epoch)| epoch).max().unwrap_or(Epoch::ZERO)
    }

    fn voted(&mut self, at: Real, node: NodeIndex, epoch: Epoch, candidate: NodeIndex) {
        let voter = self.member(node);
        let earlier = *self.votes.entry((voter, epoch)).or_insert(candidate);
        if earlier != candidate {
            self.fail(Checker::OneAcceptPerEpoch, at, node, || {
                let (earlier, candidate) = (earlier, candidate);
                format!("its vote of epoch {epoch} went to {earlier} and is saved for {candidate}")
            });
        }
    }

    /// A gate with `record` comes out of an elector.
    pub(crate) fn saving(&mut self, at: Real, node: NodeIndex, record: &Record) {
        let Some(leading) = self.leading(node) else { return };
        let foreign = record.holder.and_then(|holder| NodeIndex::of(holder.node)) != Some(self.member(node));
        if foreign && record.epoch > leading {
            self.fail(Checker::StepDownOnce, at, node, || {
                format!("saves another's epoch {} before it steps down from {leading}", record.epoch)
            });
        }
    }

    /// The node leads `epoch`: by an event, a frame or its lease.
    pub(crate) fn leads(&mut self, at: Real, node: NodeIndex, epoch: Epoch) {
        let watched = self.at(node);
        if watched.led == Some(epoch) {
            return;
        }
        watched.led = Some(epoch);
        let life = watched.life;
        let (first, first_life): (NodeIndex, Life) = *self.led.entry(epoch).or_insert((node, life));
        if first != node {
            self.fail(Checker::OneLeaderPerEpoch, at, node, || {
                format!("leads epoch {epoch}, which {first} led")
            });
        } else if first_life != life {
            self.fail(Checker::NotLedAgain, at, node, || {
                format!("leads epoch {epoch}, which it led in an earlier life")
            });
        }
        let member = self.member(node);
        if self.votes.get(&(member, epoch)) != Some(&member) {
            self.fail(Checker::DurableBeforeSent, at, node, || {
                format!("leads epoch {epoch} although no vote for itself was ever saved")
            });
        }
    }

    /// The elector says that an election was won.
    pub(crate) fn elected(&mut self, at: Real, node: NodeIndex, epoch: Epoch) {
        self.leads(at, node, epoch);
        if let Some(leading) = self.at(node).leading.replace(epoch) {
            self.fail(Checker::StepDownOnce, at, node, || {
                format!("elected in epoch {epoch} without a step-down from {leading}")
            });
        }
    }

    /// A node leads `epoch`: so many members must have voted for it, and durably.
    pub(crate) fn won(&mut self, at: Real, node: NodeIndex, epoch: Epoch, quorum: usize) {
        let member = self.member(node);
        let voted = |&voter: &NodeIndex| self.votes.get(&(voter, epoch)) == Some(&member);
        let count = NodeIndex::all(self.nodes.len()).filter(voted).count();
        if count < quorum {
            self.fail(Checker::LedByQuorum, at, node, || {
                format!("leads epoch {epoch} with {count} votes, a quorum is {quorum}")
            });
        }
    }

    /// The elector says that it raised its own epoch.
    pub(crate) fn raised(&mut self, at: Real, node: NodeIndex, from: Epoch, to: Epoch) {
        self.leads(at, node, to);
        let leading = self.at(node).leading.replace(to);
        if leading != Some(from) || to <= from {
            self.fail(Checker::StepDownOnce, at, node, || {
                format!("raised its epoch from {from} to {to} while leading {leading:?}")
            });
        }
    }

    /// The elector says that authority ended.
    pub(crate) fn lost(&mut self, at: Real, node: NodeIndex, loss: SteppedDown) {
        let leading = self.at(node).leading.take();
        if leading != Some(loss.epoch) {
            self.fail(Checker::StepDownOnce, at, node, || {
                format!("steps down from epoch {} while leading {leading:?}", loss.epoch)
            });
        }
    }

    /// No lease of the node runs at the moment of a step that is about to take effect.
    pub(crate) fn without_lease(&mut self, at: Real, node: NodeIndex) {
        if let Some(leading) = self.leading(node) {
            self.fail(Checker::StepDownOnce, at, node, || {
                format!("its lease of epoch {leading} is over, and this step does not tell its host so")
            });
        }
    }

    /// The elector says that it has stopped for good.
    pub(crate) fn stopped(&mut self, node: NodeIndex) {
        self.at(node).stopped = true;
    }

    /// The node's lease runs, and so do those of `others` (nodes and epochs).
    pub(crate) fn lease(
        &mut self,
        at: Real,
        node: NodeIndex,
        epoch: Epoch,
        others: impl Iterator<Item = (NodeIndex, Epoch)>,
    ) {
        self.leads(at, node, epoch);
        let leading = self.leading(node);
        if leading != Some(epoch) {
            self.fail(Checker::StepDownOnce, at, node, || {
                format!("its lease of epoch {epoch} runs while its host was told {leading:?}")
            });
        }
        if !self.clocks_are_sound {
            return;
        }
        for (other, other_epoch) in others {
            self.fail(Checker::LeasesDisjoint, at, node, || {
                format!("leases of {epoch} here and of {other_epoch} on {other} run at once")
            });
        }
        if epoch < self.lease_epoch {
            let higher = self.lease_epoch;
            self.fail(Checker::LeasesDisjoint, at, node, || {
                format!("its lease of epoch {epoch} runs after one of epoch {higher} ran")
            });
        }
        self.lease_epoch = self.lease_epoch.max(epoch);
    }

    /// A frame leaves an elector.
    pub(crate) fn sent(&mut self, sent: &Sent<'_>) {
        let Sent { at, node, frame, .. } = *sent;
        let header = &frame.header;
        let durable = self.at(node).durable.map_or(Epoch::ZERO, |record| record.epoch);
        let claimed = match header.state {
            PeerState::Leader(epoch) | PeerState::Follower(_, epoch) => header.epoch.max(epoch),
            _ => header.epoch,
        };
        if claimed > durable {
            self.fail(Checker::ClaimsDurable, at, node, || {
                format!("claims epoch {claimed}, its durable epoch is {durable}: {frame:?}")
            });
        }
        if let PeerState::Leader(epoch) = header.state {
            self.sent_as_leader(sent, epoch);
        }
        if self.at(node).stopped && !matches!(header.state, PeerState::Stopped(_)) {
            self.fail(Checker::SilentAfterStop, at, node, || format!("has stopped and sends {frame:?}"));
        }
        match frame.body {
            Body::Accept { epoch, .. } => self.accepted(sent, epoch),
            Body::Offer { epoch, .. } => self.promises_allow(sent, node, epoch),
            Body::Reject { .. } | Body::WentBack { .. } => self.refuses(sent),
            _ => {}
        }
        self.speaks(at, node, header.nonce.incarnation);
        self.sets_detection(node, sent.to, frame);
        self.takes_for_whole(sent);
        self.granted(sent);
        self.tells_freeze(sent);
        self.at(node).ended = ended(frame);
    }

    fn speaks(&mut self, at: Real, node: NodeIndex, incarnation: Incarnation) {
        let watched = self.at(node);
        if watched.spoke == Some(incarnation) {
            return;
        }
        watched.spoke = Some(incarnation);
        let (life, durable) = (watched.life, watched.durable.map(|record| record.incarnation));
        let key = (self.member(node), incarnation.counter, incarnation.random);
        let (machine, first) = *self.incarnations.entry(key).or_insert((node, life));
        if durable != Some(incarnation) || (machine, first) != (node, life) {
            self.fail(Checker::IncarnationFirst, at, node, || {
                                format!("life {life} speaks as {incarnation}, first used in life {first} of {machine}, the disk holds {durable:?}")
            });
        }
    }

    fn sent_as_leader(&mut self, sent: &Sent<'_>, epoch: Epoch) {
        let Sent { at, node, lease_runs, .. } = *sent;
        self.leads(at, node, epoch);
        let leading = self.leading(node);
        if leading != Some(epoch) {
            self.fail(Checker::StepDownOnce, at, node, || {
                format!("a frame claims to lead {epoch} while its host was told {leading:?}")
            });
        }
        if !lease_runs {
            self.fail(Checker::SilentWithoutLease, at, node, || {
                format!("claims to lead {epoch} without a lease")
            });
        }
    }

    fn accepted(&mut self, sent: &Sent<'_>, epoch: Epoch) {
        let Sent { at, node, to, frame, .. } = *sent;
        if self.is_set_back(node) {
            return;
        }
        let voter = self.member(node);
        let saved = self.votes.get(&(voter, epoch)).copied();
        if saved != Some(to) {
            let saved = saved.map(|saved| saved.to_string());
            self.fail(Checker::DurableBeforeSent, at, node, || {
                format!("accepts {to} in epoch {epoch}, its disk says {saved:?}")
            });
        }
        let earlier = *self.accepts.entry((voter, epoch)).or_insert(to);
        if earlier != to {
            self.fail(Checker::OneAcceptPerEpoch, at, node, || {
                format!("accepts {to} in epoch {epoch} after {earlier}")
            });
        }
        let candidate = frame.header.echo.map_or(to, |echo| self.machine(to, echo.incarnation));
        self.promises_allow(sent, candidate, epoch);
    }

    /// What a tick must do to the deadline.
    pub(crate) fn ticked(&mut self, at: Real, node: NodeIndex, now: Time, deadline: Time) {
        if deadline <= now {
            self.fail(Checker::DeadlineMoves, at, node, || {
                format!("after a tick at {now:?} the next one is due at {deadline:?}")
            });
        }
    }
}
