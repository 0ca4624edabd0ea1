//! The way into office: being elected is not being allowed to serve.
//!
//! [`Elected`] → caught up → [`CaughtUp`], which stamps the leader's own entry → that entry on a write
//! quorum → [`Office`]. Each type knows only what its state may do, so a step that is skipped does not
//! compile:
//!
//! ```compile_fail
//! # use elect_core::{Elected, Time};
//! fn serve_at_once(elected: Elected, now: Time) {
//!     let _ = elected.stamp(now); // no such method: an elected node is not yet in office
//! }
//! ```
//!
//! ```compile_fail
//! # use elect_core::{CaughtUp, Time};
//! fn serve_before_own_entry(caught_up: CaughtUp, now: Time) {
//!     let _ = caught_up.finish_read("value", || now); // reads wait for the own entry too
//! }
//! ```

use core::fmt;

use crate::authority::Authority;
use crate::epoch::{Epoch, Position, Stamp};
use crate::name::NodeId;
use crate::time::Time;

/// This node leads an epoch and must now find its way into office before the deadline.
///
/// Not `Clone`: an election is won once.
#[derive(Debug)]
#[must_use = "an elected node that does not enter office by the deadline resigns"]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct Elected {
    #[cfg_attr(feature = "wire", serde(skip))]
    authority: Authority,
    epoch: Epoch,
    source: Option<Source>,
}

/// The voter that holds more than the winner, as its ACCEPT reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct Source {
    /// The voter to pull from.
    pub peer: NodeId,
    /// Its last durable entry at the time of its accept.
    pub position: Position,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} up to {}", self.peer, self.position)
    }
}

/// A winner's log does not hold what an accept reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log must hold exactly {needed}, it holds {held:?}")]
pub struct NotCaughtUp {
    /// The position that the source reported.
    pub needed: Position,
    /// The position that the host named.
    pub held: Option<Position>,
}

/// A host named an entry that is not the leader's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the own entry must be of epoch {led}, this one is {entry}")]
pub struct NotOwnEntry {
    /// The epoch led.
    pub led: Epoch,
    /// The entry that the host named.
    pub entry: Position,
}

/// Why a stamp or a read was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotInOffice {
    /// The lease ran out, or another leadership came: the request must not take effect. The epoch in which office
    /// began.
    #[error("the office that began in epoch {0} is over")]
    LeaseOver(Epoch),
    /// The leader has raised its own epoch since the write was stamped: it must be acknowledged under the new stamp.
    #[error("the write was stamped in epoch {stamp}, and this node leads epoch {led} by now")]
    Raised {
        /// Epoch of the stamp.
        stamp: Epoch,
        /// The epoch led.
        led: Epoch,
    },
    /// A handover is draining: what began may finish, nothing new may start.
    #[error("epoch {0} is being handed over: nothing new is admitted")]
    Draining(Epoch),
}

impl fmt::Display for Elected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this node is elected in epoch {}", self.epoch)?;
        match self.source {
            Some(Source { peer, position }) => write!(f, ", and has to catch up with {peer}, to {position}"),
            None => Ok(()),
        }
    }
}

impl Elected {
    pub(crate) fn new(authority: Authority, epoch: Epoch, source: Option<Source>) -> Self {
        Self { authority, epoch, source }
    }

    /// The epoch led.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whom to pull from before anything else, if a voter of the accepting quorum is ahead.
    pub const fn catch_up_from(&self) -> Option<Source> {
        self.source
    }

    /// The stamp under which to *ask the source* for entries. It serves no client.
    pub const fn catch_up_stamp(&self) -> Stamp {
        Stamp::received(self.epoch)
    }

    /// R53: the log now ends with `held`: with a source, this must be the very position that its accept reported.
    ///
    /// On a mismatch the election is handed back: pull again, or report the source as lost.
    pub fn caught_up(self, held: Option<Position>) -> Result<CaughtUp, (Self, NotCaughtUp)> {
        match self.source {
            Some(source) if held != Some(source.position) => {
                let needed = source.position;
                Err((self, NotCaughtUp { needed, held }))
            }
            _ => Ok(CaughtUp { authority: self.authority, epoch: self.epoch }),
        }
    }

    /// For a host that keeps no log: enters office at once. Nothing proves that earlier writes are still
    /// there, hence the name.
    pub fn serve_without_log_forgetting_earlier_writes(self) -> Office {
        Office { authority: self.authority, began_in: self.epoch }
    }
}

/// The log holds everything that an earlier leader may have acknowledged; now it needs an entry of this epoch.
#[derive(Debug)]
#[must_use = "the own entry must reach a write quorum before the deadline"]
pub struct CaughtUp {
    authority: Authority,
    epoch: Epoch,
}

impl CaughtUp {
    /// The stamp for the own entry and for what must be replicated before it.
    pub const fn stamp(&self) -> Stamp {
        Stamp::received(self.epoch)
    }

    /// R53: the own entry is durable on a write quorum: office.
    ///
    /// Without an entry of its own epoch a leader cannot know which earlier entries are safe (Raft's figure 8).
    pub fn own_entry_committed(self, entry: Position) -> Result<Office, (Self, NotOwnEntry)> {
        if entry.epoch == self.epoch {
            Ok(Office { authority: self.authority, began_in: self.epoch })
        } else {
            let led = self.epoch;
            Err((self, NotOwnEntry { led, entry }))
        }
    }
}

/// The right to serve, as long as the lease runs. Shared by the write and the read path. It follows its own leader
/// through a raise of the epoch, where nobody else led in between; an election that comes later needs a new one.
///
/// A host that is slow to demote is harmless: its stamps are refused here and at every fence, and its
/// reads do not finish.
#[derive(Clone, Debug)]
pub struct Office {
    authority: Authority,
    began_in: Epoch,
}

impl Office {
    /// The epoch in which this office began. It goes on, under later stamps, while its leader raises its own epoch.
    pub const fn began_in(&self) -> Epoch {
        self.began_in
    }

    /// The stamp for one write that begins at `now`: of the epoch that is led at this moment.
    ///
    /// Between two calls the leader may have raised its own epoch ([`Duty::EpochRaised`](crate::Duty::EpochRaised)). A
    /// fence that finds a stamp stale although this office goes on asks for the next one.
    pub fn stamp(&self, now: Time) -> Result<Stamp, NotInOffice> {
        let led = self.led(now)?;
        if self.authority.is_draining() {
            return Err(NotInOffice::Draining(led));
        }
        Ok(Stamp::received(led))
    }

    /// R53: finishes a read: `value` was taken from acknowledged state *before* this call, and `clock` is read
    /// after it. Only a value that the lease covers comes back (S7).
    pub fn finish_read<T>(&self, value: T, clock: impl FnOnce() -> Time) -> Result<T, NotInOffice> {
        self.check(clock()).map(|()| value)
    }

    /// Whether the lease still runs at `now`, in whatever epoch.
    pub fn check(&self, now: Time) -> Result<(), NotInOffice> {
        self.led(now).map(|_| ())
    }

    /// R53: the last act before the primary acknowledges a write: the lease must still run at `now`, in the very epoch
    /// of the write's stamp. After a raise only what a write quorum acknowledges under the new stamp counts.
    ///
    /// The host's fence must be passed as well: see [`Fence::ack`](crate::Fence::ack).
    pub fn check_write(&self, stamp: Stamp, now: Time) -> Result<(), NotInOffice> {
        let led = self.led(now)?;
        if stamp.epoch() == led { Ok(()) } else { Err(NotInOffice::Raised { stamp: stamp.epoch(), led }) }
    }

    /// The epoch led at `now`, if this office goes on. It follows its own authority through a raise.
    fn led(&self, now: Time) -> Result<Epoch, NotInOffice> {
        match self.authority.tenure(now) {
            Some(tenure) if tenure.began_in == self.began_in => Ok(tenure.lease.epoch),
            _ => Err(NotInOffice::LeaseOver(self.began_in)),
        }
    }

    /// Whether it is the right to serve that this elector's leadership of today gives.
    pub(crate) fn is_of(&self, authority: &Authority) -> bool {
        self.authority == *authority && authority.began_in() == self.began_in
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LED: Epoch = Epoch::new(7);

    fn elected(source: Option<Source>) -> (Authority, Elected) {
        let authority = Authority::new();
        authority.grant(LED, Time::from_nanos(100));
        (authority.clone(), Elected::new(authority, LED, source))
    }

    #[test]
    fn caught_up_means_the_very_position_that_was_reported() {
        let needed = Position::new(Epoch::new(6), 40);
        let source = Source { peer: NodeId::new("b").unwrap(), position: needed };
        let (_, elected) = elected(Some(source));
        let (elected, refused) = elected.caught_up(Some(Position::new(Epoch::new(6), 41))).unwrap_err();
        assert_eq!(refused.needed, needed);
        let (elected, _) = elected.caught_up(None).unwrap_err();
        let _ = elected.caught_up(Some(needed)).unwrap();
    }

    #[test]
    fn office_begins_with_an_entry_of_the_own_epoch() {
        let (_, elected) = elected(None);
        let caught_up = elected.caught_up(None).unwrap();
        let (caught_up, refused) =
            caught_up.own_entry_committed(Position::new(Epoch::new(6), 9)).unwrap_err();
        assert_eq!(refused.led, LED);
        let office = caught_up.own_entry_committed(Position::new(LED, 9)).unwrap();
        assert_eq!(office.stamp(Time::from_nanos(1)), Ok(Stamp::received(LED)));
    }

    #[test]
    fn an_office_ends_with_its_lease_and_admits_nothing_while_draining() {
        let (authority, elected) = elected(None);
        let office = elected.serve_without_log_forgetting_earlier_writes();
        let at = Time::from_nanos;
        authority.set_draining(true);
        assert_eq!(office.stamp(at(1)), Err(NotInOffice::Draining(LED)));
        assert_eq!(office.finish_read(5, || at(1)), Ok(5));
        assert_eq!(office.finish_read(5, || at(100)), Err(NotInOffice::LeaseOver(LED)));
        authority.grant(Epoch::new(8), at(200));
        assert_eq!(office.check(at(1)), Err(NotInOffice::LeaseOver(LED)));
    }

    #[test]
    fn an_office_follows_its_leader_through_a_raise_and_no_further() {
        let (authority, elected) = elected(None);
        let (office, at) = (elected.serve_without_log_forgetting_earlier_writes(), Time::from_nanos);
        let before = office.stamp(at(1)).unwrap();
        authority.set_draining(true);
        authority.raise(Epoch::new(9), at(90));
        assert_eq!(
            office.stamp(at(1)),
            Err(NotInOffice::Draining(Epoch::new(9))),
            "a raise ends no handover"
        );
        authority.set_draining(false);
        let after = office.stamp(at(1)).unwrap();
        assert_eq!((before.epoch(), after.epoch()), (LED, Epoch::new(9)));
        let raised = NotInOffice::Raised { stamp: LED, led: Epoch::new(9) };
        assert_eq!(
            office.check_write(before, at(1)),
            Err(raised),
            "its acknowledgements are of the epoch before"
        );
        assert_eq!(office.check_write(after, at(1)), Ok(()));
        assert_eq!(office.finish_read(5, || at(89)), Ok(5));
        assert_eq!(office.check(at(90)), Err(NotInOffice::LeaseOver(LED)));
        authority.revoke();
        authority.grant(Epoch::new(10), at(200));
        assert_eq!(office.check_write(after, at(1)), Err(NotInOffice::LeaseOver(LED)), "a later election");
    }
}
