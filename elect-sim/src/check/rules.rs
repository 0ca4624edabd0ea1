//! What must hold.
//!
//! The same properties as in [`checkers`](crate::checkers), told of one step and one state wherever that says as
//! much, since everything that is remembered makes states differ:
//!
//! * one accept per voter and epoch: an accept names what the disk holds, and no save puts a vote into an epoch in
//!   which the disk already held a word for somebody else;
//! * leases disjoint: only the node that led the highest epoch ever led holds a lease, and in that epoch;
//! * promises kept: what a voter granted is remembered until its leader cannot act on it any more.

use elect_core::{Body, Epoch, Frame, PeerState, PromiseKind, Record};

use super::bounds::{LEASE, Model, NODES, index, name, node_id};
use super::node::{Gain, Node, Output};
use super::world::World;
use crate::checkers::{Checker, Violation, ended};

impl World {
    /// What a save may do: S2, S3, S6, S13.
    pub(super) fn check_save(&self, node: usize, before: &Record, floor: Epoch) -> Result<(), Violation> {
        let after = &self.nodes[node].disk;
        let fail = |checker, detail| Err(self.violation(checker, node, detail));
        if after.epoch < before.epoch {
            let detail = format!("a save takes the durable epoch from {} to {}", before.epoch, after.epoch);
            return fail(Checker::EpochNeverFalls, detail);
        }
        if floor < self.nodes[node].floor || floor < after.epoch {
            let was = self.nodes[node].floor;
            let detail =
                format!("its fence goes from {was} to {floor}, its durable epoch is {}", after.epoch);
            return fail(Checker::FenceAtApply, detail);
        }
        if after.incarnation != before.incarnation && after.incarnation.counter <= before.incarnation.counter
        {
            let detail = format!("{} follows {}", after.incarnation, before.incarnation);
            return fail(Checker::IncarnationFirst, detail);
        }
        if let (Some(earlier), Some(holder)) = (before.holder, after.holder)
            && before.epoch == after.epoch
            && holder != earlier
            && holder.how == PromiseKind::Voted
        {
            let detail = format!("in epoch {} {earlier:?} becomes {holder:?}", after.epoch);
            return fail(Checker::OneAcceptPerEpoch, detail);
        }
        Ok(())
    }

    /// What may come out of an input: S1 to S3, S5, S8, S11, S13.
    pub(super) fn check_output(
        &mut self,
        node: usize,
        output: &Output,
        model: &Model,
    ) -> Result<(), Violation> {
        self.check_authority(node, output)?;
        for (to, frame) in &output.frames {
            self.check_frame(node, *to, frame, model)?;
        }
        if output.stopped {
            self.set_node(node, |node| node.stopped = true);
        }
        let node_state = &self.nodes[node];
        let record = node_state.gate.as_ref().and_then(elect_core::Gate::record);
        if let (Some(record), Some(leading)) = (record, node_state.leading)
            && record.epoch > leading
            && record.holder.is_some_and(|holder| index(holder.node) != node)
        {
            let detail =
                format!("saves another's epoch {} before it steps down from {leading}", record.epoch);
            return Err(self.violation(Checker::StepDownOnce, node, detail));
        }
        Ok(())
    }

    fn check_authority(&mut self, node: usize, output: &Output) -> Result<(), Violation> {
        for loss in &output.losses {
            let leading = self.nodes[node].leading;
            if leading != Some(loss.epoch) {
                let detail = format!("steps down from {} while leading {leading:?}", loss.epoch);
                return Err(self.violation(Checker::StepDownOnce, node, detail));
            }
            self.set_node(node, |node| node.leading = None);
        }
        for gain in &output.gains {
            let leading = self.nodes[node].leading;
            let (from, to) = match *gain {
                Gain::Elected(epoch) => (None, epoch),
                Gain::Raised(from, to) => (Some(from), to),
            };
            if leading != from || from.is_some_and(|from| from >= to) {
                let detail = format!("leads {to} after {from:?} while its host knows of {leading:?}");
                return Err(self.violation(Checker::StepDownOnce, node, detail));
            }
            self.set_node(node, |node| node.leading = Some(to));
            self.leads(node, to)?;
        }
        Ok(())
    }

    /// S1: one node in one life; S2: its own vote is durable.
    fn leads(&mut self, node: usize, epoch: Epoch) -> Result<(), Violation> {
        let Node { crashes, disk, .. } = *self.nodes[node];
        let own = (u8::try_from(node).expect("few nodes"), crashes);
        let slot = usize::try_from(epoch.number()).expect("few epochs");
        match self.history.led[slot] {
            Some(led) if led == own => return Ok(()),
            Some((first, life)) => {
                let checker = if first == own.0 { Checker::NotLedAgain } else { Checker::OneLeaderPerEpoch };
                let first = name(first.into());
                let detail = format!("leads epoch {epoch}, which {first} led in its life {life}");
                return Err(self.violation(checker, node, detail));
            }
            None => self.history.led[slot] = Some(own),
        }
        let voted =
            disk.holder.is_some_and(|holder| holder.how == PromiseKind::Voted && index(holder.node) == node);
        if disk.epoch != epoch || !voted {
            let detail = format!("leads epoch {epoch}, its disk holds {:?} in {}", disk.holder, disk.epoch);
            return Err(self.violation(Checker::DurableBeforeSent, node, detail));
        }
        Ok(())
    }

    fn check_frame(&mut self, node: usize, to: usize, frame: &Frame, model: &Model) -> Result<(), Violation> {
        let header = &frame.header;
        let Node { disk, leading, stopped, born, .. } = *self.nodes[node];
        let fail = |world: &Self, checker, detail: String| {
            Err(world.violation(checker, node, format!("{detail}: {frame:?}")))
        };
        let claimed = match header.state {
            PeerState::Leader(epoch) | PeerState::Follower(_, epoch) => header.epoch.max(epoch),
            _ => header.epoch,
        };
        if claimed > disk.epoch {
            let detail = format!("claims epoch {claimed}, its durable epoch is {}", disk.epoch);
            return fail(self, Checker::ClaimsDurable, detail);
        }
        if header.nonce.incarnation != disk.incarnation || disk.incarnation.counter <= born {
            let detail =
                format!("speaks as {}, its disk holds {}", header.nonce.incarnation, disk.incarnation);
            return fail(self, Checker::IncarnationFirst, detail);
        }
        if stopped && !matches!(header.state, PeerState::Stopped(_)) {
            return fail(self, Checker::SilentAfterStop, "has stopped".into());
        }
        if let PeerState::Leader(epoch) = header.state {
            self.leads(node, epoch)?;
            if leading != Some(epoch) {
                let detail = format!("claims to lead {epoch}, its host knows of {leading:?}");
                return fail(self, Checker::StepDownOnce, detail);
            }
            if self.lease(node, model) != Some(epoch) {
                return fail(self, Checker::SilentWithoutLease, format!("claims to lead {epoch}"));
            }
        }
        match frame.body {
            Body::Accept { epoch, .. } => {
                let holds = disk.holder.is_some_and(|holder| {
                    holder.how == PromiseKind::Voted && holder.node == node_id(to) && disk.epoch == epoch
                });
                if !holds {
                    let detail = format!("its disk holds {:?} in {}", disk.holder, disk.epoch);
                    return fail(self, Checker::DurableBeforeSent, detail);
                }
                self.check_promises(node, to, epoch, model)?;
            }
            Body::Offer { epoch, .. } => self.check_promises(node, node, epoch, model)?,
            _ => {}
        }
        self.note_grant(node, to, frame);
        let ended = ended(frame);
        self.set_node(node, |node| node.ended = ended);
        Ok(())
    }

    /// The epoch under which a node's lease runs at this moment.
    pub(super) fn lease(&self, node: usize, model: &Model) -> Option<Epoch> {
        let elector = self.nodes[node].elector.as_ref()?;
        elector.authority().lease(self.clock(node, model)).map(|lease| lease.epoch)
    }

    /// S5: whoever holds a lease leads the highest epoch that anybody ever led.
    pub(super) fn check_leases(&mut self, model: &Model) -> Result<(), Violation> {
        for node in 0..NODES {
            let Some(epoch) = self.lease(node, model) else { continue };
            self.leads(node, epoch)?;
            let Some((highest, leader)) = self.history.highest() else { continue };
            if (highest, usize::from(leader)) != (epoch, node) {
                let leader = name(leader.into());
                let detail = format!("its lease of epoch {epoch} runs although {leader} has led {highest}");
                return Err(self.violation(Checker::LeasesDisjoint, node, detail));
            }
            let leading = self.nodes[node].leading;
            if leading != Some(epoch) {
                let detail = format!("its lease of epoch {epoch} runs, its host knows of {leading:?}");
                return Err(self.violation(Checker::StepDownOnce, node, detail));
            }
        }
        self.forget_grants(model);
        Ok(())
    }

    /// A frame that grants something leaves a voter: an accept, or a follower's echo to its leader.
    fn note_grant(&mut self, voter: usize, to: usize, frame: &Frame) {
        let epoch = match (frame.header.state, &frame.body) {
            (_, Body::Accept { epoch, .. }) => *epoch,
            (PeerState::Follower(leader, epoch), _) => {
                self.history.follows(voter, index(leader), epoch);
                if index(leader) != to {
                    return;
                }
                epoch
            }
            _ => return,
        };
        let leader = &self.nodes[to];
        let Some(echo) = frame.header.echo else { return };
        // The frames of an earlier life carry nobody's lease.
        let lives = leader.elector.is_some() && leader.disk.incarnation.counter > leader.born;
        if !lives || echo.incarnation != leader.disk.incarnation {
            return;
        }
        self.history.grant(voter, to, epoch, echo.sent + LEASE);
    }

    /// Of a grant that nobody can act on any more nothing is remembered.
    fn forget_grants(&mut self, model: &Model) {
        for leader in 0..NODES {
            let now = self.clock(leader, model);
            let Node { elector, stopped, ended, .. } = &*self.nodes[leader];
            let runs = elector.is_some() && !stopped;
            self.history.forget(leader, |epoch, end| runs && *ended < epoch && now < end);
        }
    }

    /// S5: `voter` gives its promise to `candidate`: nobody else may still act on what it granted.
    fn check_promises(
        &mut self,
        voter: usize,
        candidate: usize,
        epoch: Epoch,
        model: &Model,
    ) -> Result<(), Violation> {
        self.forget_grants(model);
        let Some((leader, promised)) = self.history.granted_to_another(voter, candidate) else {
            return Ok(());
        };
        let (candidate, leader) = (name(candidate), name(leader));
        let detail = format!(
            "its promise goes to {candidate} in {epoch} while {leader} may act on its promise in {promised}"
        );
        Err(self.violation(Checker::PromisesKept, voter, detail))
    }
}
