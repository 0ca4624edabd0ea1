//! What is known of a peer. [`Pair`] belongs to the two nodes, [`View`] to one group between them: many groups
//! could share the former.

use crate::birth::{Birth, Telling};
use crate::epoch::{Epoch, Position};
use crate::frame::{Address, Header, Heartbeat, Standing};
use crate::nonce::{Incarnation, Nonce};
use crate::pace::RoundTrip;
use crate::preference::Preference;
use crate::progress::Progress;
use crate::this_life::FarLife;
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
    /// What that life began with, once it has told.
    pub(crate) birth: Option<Birth>,
    /// A later life that is too far above to count yet.
    pub(crate) far: FarLife,
    /// Whether it knows what this node's life began with.
    pub(crate) telling: Telling,
    /// That life is over by crash evidence.
    pub(crate) dead: bool,
    /// The newest nonce received from it.
    pub(crate) newest: Option<Nonce>,
    /// The newest nonce of it that this node's promise covers: all that it may echo to its leader.
    pub(crate) covered: Option<Nonce>,
    /// Send time of the newest own nonce that it has echoed.
    pub(crate) echoed: Option<Time>,
    /// How long a nonce takes to it and its echo back.
    pub(crate) round_trip: RoundTrip,
    /// When its last frame came.
    pub(crate) heard_at: Option<Time>,
    /// When a frame last left only because this one was not connected.
    pub(crate) answered_at: Option<Time>,
    pub(crate) ended: Ended,
    /// Send time of the newest frame of this node's leadership that it has acknowledged.
    pub(crate) acknowledged: Option<Time>,
    /// Until when its word carries this node's lease.
    pub(crate) grant: Time,
}

impl Pair {
    /// Forgets what belonged to an earlier life. Epochs that are over stay over, and the grant stays: a
    /// restart is a promise too (R15).
    pub(crate) fn begin_incarnation(&mut self, incarnation: Incarnation, birth: Option<Birth>, now: Time) {
        self.incarnation = Some((incarnation, now));
        self.birth = birth;
        self.dead = false;
        self.newest = None;
        self.covered = None;
        self.echoed = None;
        self.ended.in_this_life = Epoch::ZERO;
    }

    /// The first frame of its present life that told what that began with.
    #[inline]
    pub(crate) fn note_birth(&mut self, birth: Option<Birth>) {
        if self.birth.is_none() {
            self.birth = birth;
        }
    }

    /// It never acts again in any epoch up to this, as long as its present life lasts.
    pub(crate) fn ended(&self) -> Epoch {
        self.ended.for_ever.max(self.ended.in_this_life)
    }

    /// R5: what follows from a frame of its present life. A node that has stopped is also through with what it offered
    /// without being able to save it; a later life may offer that again.
    #[inline]
    pub(crate) fn note_ended(&mut self, header: &Header) {
        self.ended.for_ever = self.ended.for_ever.max(header.ended());
        if let Standing::Stopped(offered) = header.standing {
            self.ended.in_this_life = self.ended.in_this_life.max(offered);
        }
    }

    #[cfg(feature = "explore")]
    pub(crate) fn ended_parts(&self) -> [u64; 2] {
        [self.ended.for_ever.number(), self.ended.in_this_life.number()]
    }
}

/// The highest epochs in which a peer never acts again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ended {
    for_ever: Epoch,
    in_this_life: Epoch,
}

/// What a peer last said in this group.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) told: ToldEpoch,
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
    pub(crate) progress: Progress,
    pub(crate) preference: Preference,
}

/// The durable epochs that a peer's newest two frames told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ToldEpoch {
    newest: Epoch,
    before: Epoch,
}

impl ToldEpoch {
    #[inline]
    pub(crate) fn note(&mut self, epoch: Epoch, is_another_frame: bool) {
        if is_another_frame {
            self.before = self.newest;
        }
        self.newest = epoch;
    }

    /// Its durable epoch, as it last said.
    #[inline]
    pub(crate) const fn epoch(self) -> Epoch {
        self.newest
    }

    /// What no single broken frame makes one believe.
    pub(crate) fn twice(self) -> Epoch {
        self.newest.min(self.before)
    }
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
            told: ToldEpoch::default(),
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
            progress: Progress::default(),
            preference: Preference::default(),
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
