//! What a peer last said in this group.

#[cfg(feature = "explore")]
use core::time::Duration;

use crate::address::Address;
#[cfg(feature = "explore")]
use crate::config::Config;
#[cfg(feature = "explore")]
use crate::describe::{StateSink, describe_bytes, describe_position, describe_state, option, words};
use crate::epoch::{Epoch, Position};
use crate::frame::{Header, Heartbeat};
use crate::peer_state::PeerState;
use crate::preference::Preference;
use crate::profile::{HostData, Profile};

/// What a peer last said in this group.
#[derive(Clone, Debug)]
pub(crate) struct View {
    told: ToldEpoch,
    state: PeerState,
    position: Option<Position>,
    eligible: bool,
    healthy: bool,
    priority: u8,
    application: u32,
    host_data: HostData,
    address: Address,
    /// The newest version of its host that this node's host was told of, whatever its life.
    told_of: u32,
    preference: Preference,
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

impl Default for View {
    fn default() -> Self {
        Self {
            told: ToldEpoch::default(),
            state: PeerState::Promised,
            position: None,
            eligible: false,
            healthy: false,
            priority: 0,
            application: 0,
            host_data: HostData::default(),
            told_of: 0,
            address: Address::default(),
            preference: Preference::default(),
        }
    }
}

impl View {
    /// Another life begins, which has said nothing yet.
    pub(crate) fn begin_life(&mut self) {
        *self = Self { told_of: self.told_of, ..Self::default() };
    }

    /// A frame came whose header says this; returns the peer's state before.
    #[inline]
    pub(crate) fn note_header(&mut self, header: &Header, is_another_frame: bool) -> PeerState {
        self.told.note(header.epoch, is_another_frame);
        core::mem::replace(&mut self.state, header.state)
    }

    #[inline]
    pub(crate) fn note_heartbeat(&mut self, heartbeat: &Heartbeat) {
        self.position = heartbeat.position;
        self.eligible = heartbeat.eligible;
        self.healthy = heartbeat.healthy;
        self.priority = heartbeat.priority;
        self.application = heartbeat.application;
    }

    /// What its host says of itself. Whether this node's, at version `own`, is told of it now.
    pub(crate) fn note_profile(&mut self, profile: &Profile, own: u32) -> bool {
        self.host_data = profile.data;
        let is_news = profile.is_news(own, self.told_of);
        if is_news {
            self.told_of = profile.version;
        }
        is_news
    }

    /// Where clients reach it; `false` if that was known.
    pub(crate) fn note_address(&mut self, address: &Address) -> bool {
        let is_news = self.address != *address;
        if is_news {
            self.address = address.clone();
        }
        is_news
    }

    /// The durable epochs that it told.
    #[inline]
    pub(crate) const fn told(&self) -> ToldEpoch {
        self.told
    }

    /// Its state, as it last told it.
    #[inline]
    pub(crate) const fn state(&self) -> PeerState {
        self.state
    }

    /// Its last durable entry.
    #[inline]
    pub(crate) const fn position(&self) -> Option<Position> {
        self.position
    }

    /// Whether it may lead at all.
    pub(crate) const fn eligible(&self) -> bool {
        self.eligible
    }

    /// Whether its host reports itself fit for office.
    pub(crate) const fn healthy(&self) -> bool {
        self.healthy
    }

    pub(crate) const fn priority(&self) -> u8 {
        self.priority
    }

    /// Its host's version number.
    pub(crate) const fn application(&self) -> u32 {
        self.application
    }

    /// The bytes that belong to this version.
    pub(crate) const fn host_data(&self) -> HostData {
        self.host_data
    }

    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) const fn preference(&self) -> &Preference {
        &self.preference
    }

    pub(crate) fn preference_mut(&mut self) -> &mut Preference {
        &mut self.preference
    }
}

#[cfg(feature = "explore")]
impl View {
    pub(crate) fn describe(
        &self,
        sink: &mut impl StateSink,
        config: &Config,
        contradiction_window: Duration,
    ) {
        let Self {
            told,
            state,
            position,
            eligible,
            healthy,
            priority,
            application,
            host_data,
            address,
            told_of,
            preference,
        } = self;
        words(sink, [told.epoch().number(), told.twice().number()]);
        describe_state(sink, config.members(), *state);
        describe_position(sink, *position);
        words(sink, [u64::from(*eligible), u64::from(*healthy), u64::from(*priority)]);
        words(sink, [u64::from(*application), u64::from(*told_of)]);
        describe_bytes(sink, host_data.as_bytes());
        describe_bytes(sink, address.as_str().as_bytes());
        sink.word(u64::from(preference.contradicts()));
        option(sink, preference.handed_at().as_ref(), |sink, at| sink.since(*at, contradiction_window));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_twice_was_told_by_two_frames() {
        let mut told = ToldEpoch::default();
        told.note(Epoch::new(5), true);
        told.note(Epoch::new(5), false);
        assert_eq!((told.epoch(), told.twice()), (Epoch::new(5), Epoch::ZERO), "a copy");
        told.note(Epoch::new(3), true);
        assert_eq!(told.twice(), Epoch::new(3), "the lower of the newest two");
        told.note(Epoch::new(9), true);
        assert_eq!(told.twice(), Epoch::new(3));
    }
}
