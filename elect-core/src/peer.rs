//! What is known of a peer. [`Pair`] belongs to the two nodes, [`View`] to one group between them: many groups
//! could share the former.

use crate::epoch::{Epoch, Position};
use crate::frame::{Address, Heartbeat, Standing};
use crate::nonce::{Incarnation, Nonce};
use crate::time::Time;

#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) pair: Pair,
    pub(crate) view: View,
}

/// Whether the transport has a connection to the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Link {
    /// As far as is known. Transports without connections never say otherwise.
    #[default]
    Open,
    Closed,
}

/// Liveness between this node and one other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pair {
    pub(crate) link: Link,
    /// The peer's life, once heard of, and when its first frame came.
    pub(crate) incarnation: Option<(Incarnation, Time)>,
    /// That life is over by crash evidence.
    pub(crate) dead: bool,
    /// The newest nonce received from it.
    pub(crate) newest: Option<Nonce>,
    /// The newest nonce of it that this node's promise covers: all that it may echo to its leader.
    pub(crate) covered: Option<Nonce>,
    /// Send time of the newest own nonce that it has echoed.
    pub(crate) echoed: Option<Time>,
    /// When its last frame came.
    pub(crate) heard_at: Option<Time>,
    /// When a frame last left only because this one was not connected.
    pub(crate) answered_at: Option<Time>,
    /// It never acts again in any epoch up to this.
    pub(crate) ended: Epoch,
    /// Send time of the newest frame of this node's leadership that it has acknowledged.
    pub(crate) acknowledged: Option<Time>,
    /// Until when its word carries this node's lease.
    pub(crate) grant: Time,
}

impl Pair {
    /// Forgets what belonged to an earlier life. Epochs that are over stay over, and the grant stays: a
    /// restart is a promise too (R15).
    pub(crate) fn begin_incarnation(&mut self, incarnation: Incarnation, now: Time) {
        self.incarnation = Some((incarnation, now));
        self.dead = false;
        self.newest = None;
        self.covered = None;
        self.echoed = None;
    }
}

/// What a peer last said in this group.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) epoch: Epoch,
    pub(crate) standing: Standing,
    pub(crate) position: Option<Position>,
    pub(crate) eligible: bool,
    pub(crate) healthy: bool,
    pub(crate) priority: u8,
    pub(crate) application: u32,
    pub(crate) address: Address,
    /// Its accept of the offer that is open.
    pub(crate) ballot: Option<Ballot>,
    /// It has acknowledged an announcement of the current leadership.
    pub(crate) announced: bool,
    /// Since when it has been fit to take over without interruption.
    pub(crate) fit_since: Option<Time>,
}

/// An accept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ballot {
    pub(crate) grant: Time,
    pub(crate) position: Option<Position>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            epoch: Epoch::ZERO,
            standing: Standing::Bound,
            position: None,
            eligible: false,
            healthy: false,
            priority: 0,
            application: 0,
            address: Address::default(),
            ballot: None,
            announced: false,
            fit_since: None,
        }
    }
}

impl View {
    pub(crate) fn note(&mut self, heartbeat: &Heartbeat) {
        self.position = heartbeat.position;
        self.eligible = heartbeat.eligible;
        self.healthy = heartbeat.healthy;
        self.priority = heartbeat.priority;
        self.application = heartbeat.application;
    }
}
