//! Members may be configured with different detection times: what each pair of them makes of that (R65).
//!
//! A leader or candidate has one D of its own. What it sends to a member is the smaller of that and the longest that
//! the member allows, so nobody promises more than its configuration says; and what it counts is what the answer says
//! was promised. So the two never have to know each other's configuration to be safe, only to be useful.

use core::time::Duration;

use crate::config::{DETECTION_MAX, DETECTION_MIN};
use crate::frame::{Body, Heartbeat};

/// What the present life of a peer has told of its detection times, and what this node has promised it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PairTerms {
    /// The longest promise that its configuration allows, once it has told.
    longest: Option<Duration>,
    /// How long the promise runs from receipt of the frame that is echoed to it.
    promised: Duration,
    /// What the host was told of the two.
    told: Warned,
}

/// Whose promise one of two members leaves out, because the promise that it allows is too short to lead with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Warned {
    /// This node leaves the peer's out.
    leaves_out: bool,
    /// The peer leaves this node's out.
    is_left_out: bool,
}

impl Warned {
    #[inline]
    pub(crate) const fn new(leaves_out: bool, is_left_out: bool) -> Self {
        Self { leaves_out, is_left_out }
    }

    /// Of which the host was not told before: that this node leaves the peer's promise out, that the peer leaves this
    /// node's.
    pub(crate) const fn beyond(self, told: Self) -> (bool, bool) {
        (self.leaves_out && !told.leaves_out, self.is_left_out && !told.is_left_out)
    }
}

/// The detection times of two members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct DetectionTerms {
    /// How long a promise of the peer to this node lasts, or would last if this node led.
    #[cfg_attr(feature = "wire", serde(rename = "to_this_node_ms", serialize_with = "crate::millis::span"))]
    pub to_this_node: Duration,
    /// The longest promise that the peer's configuration allows; none until it has told.
    #[cfg_attr(
        feature = "wire",
        serde(rename = "peer_max_ms", serialize_with = "crate::millis::maybe_span")
    )]
    pub peer_max: Option<Duration>,
    /// The shortest promise that the peer can lead with; none until it has told.
    #[cfg_attr(
        feature = "wire",
        serde(rename = "peer_min_ms", serialize_with = "crate::millis::maybe_span")
    )]
    pub peer_min: Option<Duration>,
    /// The longest promise that this node's configuration allows.
    #[cfg_attr(feature = "wire", serde(rename = "own_max_ms", serialize_with = "crate::millis::span"))]
    pub own_max: Duration,
    /// The shortest promise that this node can lead with.
    #[cfg_attr(feature = "wire", serde(rename = "own_min_ms", serialize_with = "crate::millis::span"))]
    pub own_min: Duration,
    /// The peer's promise carries no lease of this node, because what it allows is too short.
    pub leaves_out: bool,
    /// This node's promise carries no lease of the peer, for the same reason.
    pub is_left_out: bool,
}

impl DetectionTerms {
    /// Whether the two are configured differently, as far as is known, in what each asks of the other.
    pub fn differ(&self) -> bool {
        self.leaves_out || self.is_left_out || self.peer_max.is_some_and(|allowed| allowed != self.own_max)
    }
}

impl PairTerms {
    /// The smaller of `own` and what the peer allows.
    #[inline]
    pub(crate) fn limit(&self, own: Duration) -> Duration {
        self.longest.map_or(own, |longest| longest.min(own))
    }

    /// The longest promise that the peer allows, once it has told.
    #[inline]
    pub(crate) const fn longest(&self) -> Option<Duration> {
        self.longest
    }

    /// Its present life tells what it allows. No configuration allows less or more than these, whatever a frame says.
    #[inline]
    pub(crate) fn note_longest(&mut self, longest: Duration) {
        self.longest = Some(longest.clamp(DETECTION_MIN, DETECTION_MAX));
    }

    /// Whether the promise that the peer allows is long enough for whoever needs `shortest`. One that has not told
    /// counts.
    #[inline]
    pub(crate) fn suffices(&self, shortest: Duration) -> bool {
        self.longest.is_none_or(|longest| longest >= shortest)
    }

    /// How long the promise runs that goes with the echo to the peer.
    #[inline]
    pub(crate) const fn promised(&self) -> Duration {
        self.promised
    }

    /// What the host was told of the two.
    #[inline]
    pub(crate) const fn warned(&self) -> Warned {
        self.told
    }

    /// The host is told so.
    pub(crate) fn note_warned(&mut self, warned: Warned) {
        self.told = warned;
    }

    /// This node has promised for `detection` from receipt of the frame that it will echo.
    #[inline]
    pub(crate) fn note_promised(&mut self, detection: Duration) {
        self.promised = detection;
    }

    /// All that the next frame of the peer is judged by.
    #[cfg(feature = "explore")]
    pub(crate) fn parts(&self) -> [u64; 4] {
        let Self { longest, promised, told: Warned { leaves_out, is_left_out } } = *self;
        let longest = longest.map_or(0, crate::time::nanos);
        [longest, crate::time::nanos(promised), leaves_out.into(), is_left_out.into()]
    }

    /// A later life may be configured differently.
    pub(crate) fn begin_life(&mut self) {
        *self = Self::default();
    }
}

/// The longest promise that the sender's configuration allows, if this body tells it.
#[inline]
pub(crate) fn longest_in(body: &Body) -> Option<Duration> {
    match body {
        Body::Heartbeat(Heartbeat { detection_max, .. })
        | Body::Announce { heartbeat: Heartbeat { detection_max, .. }, .. }
        | Body::Offer { detection_max, .. }
        | Body::Refuse { detection_max, .. } => Some(*detection_max),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r65_a_host_is_told_of_what_it_was_not_told_before() {
        let cases = [[false, false], [false, true], [true, false], [true, true]];
        for [leaves_out, is_left_out] in cases {
            for told in cases {
                let beyond = Warned::new(leaves_out, is_left_out).beyond(Warned::new(told[0], told[1]));
                assert_eq!(beyond, (leaves_out && !told[0], is_left_out && !told[1]));
            }
        }
    }

    #[test]
    fn r65_no_configuration_allows_less_or_more_than_there_is() {
        let mut terms = PairTerms::default();
        let asked = Duration::from_secs(100_000_000);
        for (told, counts) in [(Duration::ZERO, DETECTION_MIN), (Duration::MAX, DETECTION_MAX)] {
            terms.note_longest(told);
            assert_eq!((terms.longest(), terms.limit(asked)), (Some(counts), counts));
        }
    }

    #[test]
    fn r65_members_differ_in_what_each_asks_of_the_other() {
        let span = Duration::from_millis(500);
        let same = DetectionTerms {
            to_this_node: span,
            peer_max: Some(span),
            peer_min: None,
            own_max: span,
            own_min: span,
            leaves_out: false,
            is_left_out: false,
        };
        assert!(!same.differ() && !DetectionTerms { peer_max: None, ..same }.differ());
        assert!(DetectionTerms { leaves_out: true, ..same }.differ());
        assert!(DetectionTerms { is_left_out: true, ..same }.differ());
        assert!(DetectionTerms { peer_max: Some(span * 2), ..same }.differ());
    }
}
