//! What any thread may read of a node without a lock, and wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use elect_core::{Address, Authority, Duty, Epoch, KnownLeader, Lease, NodeId, Notice};

use crate::clock;
use crate::leader_cell::LeaderCell;
use crate::own_address::OwnAddress;
use crate::role::{Role, RoleCell};
use crate::signal::{Listener, Signal};

/// The lease, who leads, and what this node is. Cheap to clone; written by the orchestrator alone.
#[derive(Clone, Debug)]
pub(crate) struct Cells {
    authority: Authority,
    leader: LeaderCell,
    role: RoleCell,
    signal: Signal,
    ended: Arc<AtomicBool>,
}

impl Cells {
    pub(crate) fn new(
        authority: Authority,
        own_name: NodeId,
        own_address: OwnAddress,
        ended: Arc<AtomicBool>,
    ) -> Self {
        let signal = Signal::default();
        Self {
            authority,
            leader: LeaderCell::new(own_name, own_address, signal.clone()),
            role: RoleCell::new(signal.clone()),
            signal,
            ended,
        }
    }

    /// The lease held at this moment.
    pub(crate) fn lease(&self) -> Option<Lease> {
        if self.has_ended() {
            return None;
        }
        self.authority.lease(clock::now())
    }

    /// When the lease held at this moment ends, on std's clock.
    pub(crate) fn lease_end(&self) -> Option<Instant> {
        let (lease, now) = (self.lease()?, Instant::now());
        now.checked_add(lease.end.since(clock::now()))
    }

    /// Who leads: this node only while it holds a lease.
    pub(crate) fn leader(&self) -> Option<Arc<KnownLeader>> {
        let known = self.leader.read()?;
        let is_so = if known.node == self.own_name() {
            // A new office is known there a moment after its lease.
            self.lease().is_some_and(|lease| lease.epoch == known.epoch)
        } else {
            !self.has_ended()
        };
        is_so.then_some(known)
    }

    pub(crate) fn role(&self) -> Role {
        self.role.read()
    }

    pub(crate) const fn own_name(&self) -> NodeId {
        self.leader.own_name()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    pub(crate) fn listen(&self) -> Listener {
        self.signal.listen()
    }

    /// The epoch that this node leads, as its host was told.
    pub(crate) fn led(&self) -> Option<Epoch> {
        self.role.led()
    }

    pub(crate) fn is_handing_over(&self) -> bool {
        self.role.is_handing_over()
    }

    pub(crate) fn on_lost(&self) {
        self.leader.on_lost();
        self.role.on_lost();
    }

    pub(crate) fn on_duty(&self, duty: &Duty) {
        self.leader.on_duty(duty);
        self.role.on_duty(duty);
    }

    pub(crate) fn on_notice(&self, notice: &Notice) {
        self.leader.on_notice(notice);
        self.role.on_notice(notice);
    }

    pub(crate) fn on_office(&self, is_so: bool) {
        self.role.on_office(is_so);
    }

    pub(crate) fn on_moved(&self, address: Address) {
        self.leader.on_moved(address);
    }

    /// The node has ended, as everybody sees who looks.
    pub(crate) fn on_ended(&self) {
        self.role.on_ended();
    }
}
