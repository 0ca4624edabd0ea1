//! How fast the links and the own disk really are: what follows from that for steps, campaigns and waits.

use core::time::Duration;

use crate::elector::Elector;
use crate::event::Notice;
use crate::members::MemberIndex;
use crate::nonce::Nonce;
use crate::pace::{EchoAge, Pacing, RoundTrip, SlowRoundTrip};
use crate::time::Time;

impl Elector {
    /// A frame of `peer` echoes a nonce of this node for the first time. R32: what that says of the round trip.
    #[inline]
    pub(super) fn note_echo(&mut self, peer: MemberIndex, nonce: Nonce, echoed: Option<Time>) {
        let pair = self.state.peers.pair(peer);
        let Some(sent) = echoed.filter(|_| echoed > pair.echoed()) else { return };
        let age = EchoAge::new(nonce, pair.newest(), sent, self.state.now);
        if self.measures(age) {
            self.note_echo_age(peer, age);
        }
    }

    /// Whether an echo says something of a round trip. Beyond D its sender, or this node, was away.
    #[inline]
    pub(super) fn measures(&self, age: EchoAge) -> bool {
        self.config.pacing() == Pacing::Measured && age.is_within(self.config.detection().ceiling())
    }

    fn note_echo_age(&mut self, peer: MemberIndex, age: EchoAge) {
        let configured = self.config.round_trip();
        let round_trip = self.state.peers.pair_mut(peer).round_trip_mut();
        round_trip.note(age, configured);
        if round_trip.becomes_slow(configured) {
            let measured = round_trip.taken(configured);
            let peer = self.config.members().id(peer);
            self.out.happened(Notice::SlowerThanConfigured(SlowRoundTrip { peer, measured, configured }));
        }
    }

    /// The round trips to the connected voters and witnesses.
    fn round_trips(&self) -> impl Iterator<Item = RoundTrip> + '_ {
        let connected = self.voting_peers().filter(|&peer| self.is_connected(peer));
        connected.map(|peer| *self.state.peers.pair(peer).round_trip())
    }

    /// The slowest round trip, if it is longer than configured.
    pub(super) fn slow_round_trip(&self) -> Option<SlowRoundTrip> {
        let configured = self.config.round_trip();
        let taken = |peer: MemberIndex| self.state.peers.pair(peer).round_trip().taken(configured);
        let peer =
            self.other_members().filter(|&peer| self.is_connected(peer)).max_by_key(|&peer| taken(peer))?;
        let slow = SlowRoundTrip { peer: self.config.members().id(peer), measured: taken(peer), configured };
        (slow.measured > configured).then_some(slow)
    }

    /// R32: twice a round trip and a save, as measured: at most the configured step, unless the round trip is longer
    /// than configured, and then within D. A step that was set by hand stays, since nothing is measured.
    pub(super) fn rank_step(&self) -> Duration {
        let (config, configured) = (&self.config, self.config.rank_step());
        let longest = self.round_trips().map(|round_trip| round_trip.taken(config.round_trip())).max();
        let Some(round_trip) = longest else { return configured };
        let step = (round_trip + self.state.durable.save_time().taken(config.save())) * 2;
        if round_trip > config.round_trip() {
            step.min(config.detection().ceiling()).max(configured)
        } else if self.round_trips().all(|round_trip| round_trip.is_known()) {
            // No timer is finer than the clock.
            step.max(config.clock_granularity()).min(configured)
        } else {
            configured
        }
    }

    /// R33: how long a campaign may take. Other disks may be slower than this node's, so it is never shorter than
    /// configured.
    pub(super) fn campaign_timeout(&self) -> Duration {
        let step = self.rank_step().max(self.config.rank_step());
        self.config.campaign_timeout(step, self.state.campaign.campaigns_lost())
    }

    /// R33: the longest wait after a lost campaign: it doubles with each campaign lost in a row, to at most 32 steps.
    /// Longer steps than the configured ones do not make it longer than D.
    pub(super) fn longest_wait(&self) -> Duration {
        let doublings = 2 << self.state.campaign.campaigns_lost().min(4);
        let (wait, configured) = (self.rank_step() * doublings, self.config.rank_step() * doublings);
        wait.min(configured.max(self.config.detection().ceiling()))
    }
}
