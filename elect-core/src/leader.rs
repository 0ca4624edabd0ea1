//! What a leader keeps: its lease and who carries it, its detector, its way into office.

use alloc::boxed::Box;
use core::time::Duration;

use crate::config::Config;
#[cfg(feature = "explore")]
use crate::describe::{StateSink, describe_position, option, words};
use crate::detector::Detector;
use crate::epoch::{Epoch, Position};
use crate::handover::Handover;
use crate::members::MemberIndex;
use crate::offer::Offer;
use crate::progress::Progress;
use crate::time::Time;
#[cfg(feature = "explore")]
use crate::time::nanos;

/// Leads an epoch.
#[derive(Clone, Debug)]
pub(crate) struct Leader {
    epoch: Epoch,
    /// The first nonce of this epoch's offer: an acknowledgement that echoes an earlier one is of an earlier
    /// leadership.
    first: Time,
    lease_end: Time,
    /// One a member; this node's own stays empty.
    led: Box<[Led]>,
    /// The longest promise that it asks for now: of each member no more than that allows (R65).
    detection: Duration,
    detector: Detector,
    way: WayIntoOffice,
    /// A re-offer, repeated or replaced, never given up: what ends the leadership ends it too.
    re_offer: Option<Offer>,
    /// A voter is above: a re-offer is due at the next heartbeat.
    wants_epoch: bool,
    /// The catch-up source is lost: likewise, unless one is open already. Until a raise has brought them.
    wants_positions: bool,
    handover: Option<Handover>,
    /// The host's position at the last two heartbeats, the newer first: what a peer that keeps up has by now.
    positions: [Option<Position>; 2],
}

/// What a leader keeps of one member.
#[derive(Clone, Debug, Default)]
struct Led {
    /// Until when its promise carries the lease.
    grant: Time,
    /// Send time of the newest frame of this leadership that it has acknowledged.
    acknowledged: Option<Time>,
    /// It has acknowledged an announcement of this leadership.
    is_announced: bool,
    /// Since when it has been fit to take over without interruption.
    fit_since: Option<Time>,
    progress: Progress,
}

/// How far a leader's host has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WayIntoOffice {
    /// It finds its way into office.
    Begun,
    /// It did not serve by the deadline, in a pause (R64).
    Overdue,
    /// It serves.
    Done,
}

impl Leader {
    /// Leads the epoch of an offer that was won: its ballots become grants. The host is at `position`.
    pub(crate) fn new(won: &Offer, detection: Duration, lease_end: Time, position: Option<Position>) -> Self {
        Self {
            epoch: won.epoch(),
            first: won.first(),
            lease_end,
            led: won.grants().map(|grant| Led { grant, ..Led::default() }).collect(),
            detection,
            detector: Detector::new(),
            way: WayIntoOffice::Begun,
            re_offer: None,
            wants_epoch: false,
            wants_positions: false,
            handover: None,
            positions: [position; 2],
        }
    }

    /// R27: leads the epoch of its re-offer, which was won and has brought fresh positions.
    pub(crate) fn raise(&mut self, won: &Offer, lease_end: Time) {
        self.epoch = won.epoch();
        self.first = won.first();
        self.lease_end = lease_end;
        self.wants_positions = false;
        for (led, grant) in self.led.iter_mut().zip(won.grants()) {
            led.grant = grant;
        }
    }

    #[inline]
    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    #[inline]
    pub(crate) const fn lease_end(&self) -> Time {
        self.lease_end
    }

    /// R22: whether an answer in `epoch` that echoes the nonce of `sent` is one to this leadership.
    pub(crate) fn is_answered_by(&self, epoch: Epoch, sent: Time) -> bool {
        epoch == self.epoch && sent >= self.first
    }

    /// The longest promise that its frames ask for now.
    #[inline]
    pub(crate) const fn detection(&self) -> Duration {
        self.detection
    }

    /// R41: the detection time follows the network, where that is worth it. Each answer says what its frame carried, so
    /// any number of them may be under way.
    pub(crate) fn adapt_detection(&mut self, config: &Config) {
        let wanted = self.detector.detection(config);
        if wanted.abs_diff(self.detection) > self.detection / 20 {
            self.detection = wanted;
        }
    }

    /// R41: at `now` a peer acknowledged the frame that left at `sent`.
    pub(crate) fn note_acknowledgement(
        &mut self,
        peer: MemberIndex,
        sent: Time,
        now: Time,
        ceiling: Duration,
    ) {
        let acknowledged = &mut self.led[peer.get()].acknowledged;
        self.detector.note_acknowledgement(acknowledged, sent, now, ceiling);
    }

    /// R21: a member's promise carries the lease until `until`; whether that can move the lease's end: only a grant
    /// that crosses it can.
    pub(crate) fn note_grant(&mut self, peer: MemberIndex, until: Time) -> bool {
        let grant = &mut self.led[peer.get()].grant;
        let was = core::mem::replace(grant, until.max(*grant));
        was <= self.lease_end && until > self.lease_end
    }

    pub(crate) fn grant(&self, peer: MemberIndex) -> Time {
        self.led[peer.get()].grant
    }

    /// The lease lasts until `end`, if that is later than it lasted: whether it is.
    pub(crate) fn extend_lease(&mut self, end: Time) -> bool {
        let is_later = end > self.lease_end;
        self.lease_end = self.lease_end.max(end);
        is_later
    }

    /// R37: nobody has acknowledged an announcement of the epoch led now.
    pub(crate) fn announce_again(&mut self) {
        for led in &mut self.led {
            led.is_announced = false;
        }
    }

    pub(crate) fn note_announced(&mut self, peer: MemberIndex) {
        self.led[peer.get()].is_announced = true;
    }

    pub(crate) fn is_announced(&self, peer: MemberIndex) -> bool {
        self.led[peer.get()].is_announced
    }

    /// The connection to `peer` closed: it is announced to anew, and its fitness is interrupted.
    pub(crate) fn note_disconnect(&mut self, peer: MemberIndex) {
        let led = &mut self.led[peer.get()];
        led.is_announced = false;
        led.fit_since = None;
    }

    /// Another life of `peer` begins. Its grant stays: a restart is a promise too (R15).
    pub(crate) fn note_new_life(&mut self, peer: MemberIndex) {
        self.note_disconnect(peer);
        self.led[peer.get()].progress = Progress::default();
    }

    /// The host serves.
    pub(crate) fn enter_office(&mut self) {
        self.way = WayIntoOffice::Done;
    }

    pub(crate) fn is_in_office(&self) -> bool {
        self.way == WayIntoOffice::Done
    }

    /// R64: the host did not serve by the deadline, in a pause.
    pub(crate) fn note_overdue(&mut self) {
        self.way = WayIntoOffice::Overdue;
    }

    pub(crate) fn is_overdue(&self) -> bool {
        self.way == WayIntoOffice::Overdue
    }

    /// R27: a voter is at `epoch`: if that is above all that this leader leads or offers, it wants to go above it.
    pub(crate) fn note_voter_at(&mut self, epoch: Epoch) {
        let own = self.re_offer.as_ref().map_or(self.epoch, Offer::epoch);
        self.wants_epoch |= epoch > own;
    }

    /// R30: the catch-up source is lost: fresh positions are wanted.
    pub(crate) fn want_positions(&mut self) {
        self.wants_positions = true;
    }

    /// Whether a re-offer is due at the next heartbeat.
    pub(crate) fn wants_re_offer(&self) -> bool {
        self.wants_epoch || (self.wants_positions && self.re_offer.is_none())
    }

    /// A re-offer begins, with ballots of its own: those of an earlier one count for nothing.
    pub(crate) fn begin_re_offer(&mut self, offer: Offer) {
        self.wants_epoch = false;
        self.re_offer = Some(offer);
    }

    pub(crate) const fn re_offer(&self) -> Option<&Offer> {
        self.re_offer.as_ref()
    }

    pub(crate) fn re_offer_mut(&mut self) -> Option<&mut Offer> {
        self.re_offer.as_mut()
    }

    /// The re-offer, which is over as such: it was won.
    pub(crate) fn take_re_offer(&mut self) -> Option<Offer> {
        self.re_offer.take()
    }

    pub(crate) const fn handover(&self) -> Option<Handover> {
        self.handover
    }

    pub(crate) fn begin_handover(&mut self, handover: Handover) {
        self.handover = Some(handover);
    }

    /// The handover, which comes to nothing; its target's fitness counts anew.
    pub(crate) fn abort_handover(&mut self, now: Time) -> Option<Handover> {
        let handover = self.handover.take()?;
        self.led[handover.target.get()].fit_since = Some(now);
        Some(handover)
    }

    /// Everything that the host admitted before the handover is finished.
    pub(crate) fn note_drained(&mut self) {
        if let Some(handover) = &mut self.handover {
            handover.note_drained();
        }
    }

    /// The host's position two heartbeats ago.
    pub(crate) const fn past_position(&self) -> Option<Position> {
        self.positions[1]
    }

    /// A heartbeat is due, and the host is at `position`.
    pub(crate) fn note_position(&mut self, position: Option<Position>) {
        self.positions = [position, self.positions[0]];
    }

    /// R40: at a heartbeat, whether `peer` could take over; returns since when without interruption.
    pub(crate) fn note_fitness(&mut self, peer: MemberIndex, is_fit: bool, now: Time) -> Option<Time> {
        let fit_since = &mut self.led[peer.get()].fit_since;
        *fit_since = if is_fit { fit_since.or(Some(now)) } else { None };
        *fit_since
    }

    /// How fast the log of a peer grows that does not keep up.
    pub(crate) fn progress_mut(&mut self, peer: MemberIndex) -> &mut Progress {
        &mut self.led[peer.get()].progress
    }

    pub(crate) fn progress(&self, peer: MemberIndex) -> &Progress {
        &self.led[peer.get()].progress
    }
}

#[cfg(feature = "explore")]
impl Leader {
    /// Of member `own`.
    pub(crate) fn describe(&self, sink: &mut impl StateSink, own: usize, config: &Config) {
        let Self {
            epoch,
            first,
            lease_end,
            led,
            detection,
            // Only where the detection time adapts.
            detector: _,
            way,
            re_offer,
            wants_epoch,
            wants_positions,
            handover,
            positions,
        } = self;
        sink.word(epoch.number());
        sink.floor(own, *first);
        sink.until(*lease_end);
        sink.word(nanos(*detection));
        for led in led {
            led.describe(sink, config);
        }
        sink.word(*way as u64);
        option(sink, re_offer.as_ref(), |sink, offer| offer.describe(sink, own));
        words(sink, [u64::from(*wants_epoch), u64::from(*wants_positions)]);
        option(sink, handover.as_ref(), |sink, handover| {
            sink.word(handover.target.get() as u64);
            words(sink, [u64::from(handover.is_drained()), handover.cause as u64]);
        });
        for position in positions {
            describe_position(sink, *position);
        }
    }
}

#[cfg(feature = "explore")]
impl Led {
    fn describe(&self, sink: &mut impl StateSink, config: &Config) {
        // When it acknowledged last matters only where the detection time adapts.
        let Self { grant, acknowledged: _, is_announced, fit_since, progress } = self;
        sink.until(*grant);
        sink.word(u64::from(*is_announced));
        option(sink, fit_since.as_ref(), |sink, since| sink.since(*since, config.fail_back_cooldown()));
        for mark in progress.marks() {
            option(sink, mark.as_ref(), |sink, (at, position)| {
                sink.since(*at, config.heartbeat_interval() * 8);
                describe_position(sink, Some(*position));
            });
        }
    }
}

#[cfg(test)]
mod tests;
