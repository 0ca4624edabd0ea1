//! What belongs to two nodes, whatever the groups between them: the life of the peer, and what it echoed.

use core::time::Duration;

use crate::birth::{Birth, Telling};
#[cfg(feature = "explore")]
use crate::describe::{StateSink, describe_birth, describe_incarnation, option, words};
use crate::detection::PairTerms;
use crate::epoch::Epoch;
use crate::frame::Header;
use crate::nonce::{Incarnation, Nonce};
use crate::pace::RoundTrip;
use crate::peer_state::PeerState;
use crate::this_life::FarLife;
use crate::time::Time;

/// Whether the transport has a connection to the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Link {
    /// As far as is known. Transports without connections never say otherwise.
    #[default]
    Open,
    Closed,
}

/// Liveness between this node and one other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pair {
    link: Link,
    /// The peer's life, once heard of, and when its first frame came.
    incarnation: Option<(Incarnation, Time)>,
    /// What that life began with, once it has told.
    birth: Option<Birth>,
    /// What it allows promises to last, and what was promised to it.
    terms: PairTerms,
    /// A later life that is too far above to count yet.
    far: FarLife,
    /// Whether it knows what this node says of itself.
    telling: Telling,
    /// That life is over by crash evidence.
    dead: bool,
    /// The newest nonce received from it.
    newest: Option<Nonce>,
    /// The newest nonce of it that this node's promise covers: all that it may echo to its leader.
    covered: Option<Nonce>,
    /// Send time of the newest own nonce that it has echoed.
    echoed: Option<Time>,
    /// Since when it has been connected without interruption, as of the frame that was looked at last.
    connected_since: Option<Time>,
    /// How long a nonce takes to it and its echo back.
    round_trip: RoundTrip,
    /// When its last frame came.
    heard_at: Option<Time>,
    /// When a frame last left only because this one was not connected.
    answered_at: Option<Time>,
    ended: Ended,
}

impl Pair {
    /// The peer's life, once heard of, and when its first frame came.
    #[inline]
    pub(crate) const fn life(&self) -> Option<(Incarnation, Time)> {
        self.incarnation
    }

    /// Another life begins. Forgets what belonged to an earlier life, if there was one: from `telling` on this node
    /// tells it of itself again. Epochs that are over stay over.
    pub(crate) fn begin_life(
        &mut self,
        incarnation: Incarnation,
        birth: Option<Birth>,
        telling: Telling,
        now: Time,
    ) {
        if self.incarnation.is_some() {
            self.telling = telling;
        }
        self.incarnation = Some((incarnation, now));
        self.birth = birth;
        self.terms.begin_life();
        self.dead = false;
        self.newest = None;
        self.covered = None;
        self.echoed = None;
        self.ended.in_this_life = Epoch::ZERO;
    }

    /// The first frame of its present life that told what that began with.
    #[inline]
    pub(crate) fn note_birth(&mut self, birth: Option<&Birth>) {
        if self.birth.is_none() {
            self.birth = birth.copied();
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
        if let PeerState::Stopped(offered) = header.state {
            self.ended.in_this_life = self.ended.in_this_life.max(offered);
        }
    }

    /// What the peer's present life began with, once it has told.
    pub(crate) const fn birth(&self) -> Option<Birth> {
        self.birth
    }

    /// R61: a frame with this nonce bears a life that is too far above. Whether another frame did so before.
    pub(crate) fn is_borne_again(&mut self, life: Incarnation, nonce: Nonce) -> bool {
        self.far.is_borne_again(life, nonce)
    }

    /// Whether the peer knows what this node says of itself.
    #[inline]
    pub(crate) const fn telling(&self) -> Telling {
        self.telling
    }

    /// What this node says of itself has changed: the peer does not know it, until it has echoed this nonce or a later
    /// one.
    pub(crate) fn tell_again(&mut self, from: Time) {
        self.telling = Telling::begin(from);
    }

    /// R17: whether its link is up, and its life not known to be over.
    #[inline]
    pub(crate) fn is_reachable(&self) -> bool {
        self.link == Link::Open && !self.dead
    }

    pub(crate) fn open_link(&mut self) {
        self.link = Link::Open;
    }

    /// R17: a closed connection ends *connected* at once.
    pub(crate) fn close_link(&mut self) {
        self.link = Link::Closed;
        self.echoed = None;
    }

    /// R16: its present life is over by crash evidence.
    pub(crate) fn note_death(&mut self) {
        self.dead = true;
    }

    #[inline]
    pub(crate) const fn is_dead(&self) -> bool {
        self.dead
    }

    /// R16: whether the life that sent `nonce` may still go on, as far as is known.
    pub(crate) fn is_alive(&self, nonce: Nonce) -> bool {
        !self.dead && self.incarnation.is_some_and(|(incarnation, _)| incarnation == nonce.incarnation)
    }

    /// A frame with this nonce came, and echoed what left at `echoed`.
    #[inline]
    pub(crate) fn note_receipt(&mut self, nonce: Nonce, echoed: Option<Time>, now: Time) {
        self.newest = Some(nonce);
        self.heard_at = Some(now);
        self.echoed = self.echoed.max(echoed);
        self.telling.note_echo(echoed);
    }

    /// The newest nonce received from it.
    #[inline]
    pub(crate) const fn newest(&self) -> Option<Nonce> {
        self.newest
    }

    /// The newest nonce of it that this node's promise covers: all that it may echo to its leader.
    #[inline]
    pub(crate) const fn covered(&self) -> Option<Nonce> {
        self.covered
    }

    /// R23: the promise covers the frame that bore this nonce. R21: it runs for `detection` from its receipt.
    #[inline]
    pub(crate) fn cover(&mut self, nonce: Nonce, detection: Duration) {
        self.covered = Some(nonce);
        self.terms.note_promised(detection);
    }

    /// What the peer allows promises to last, and what was promised to it.
    #[inline]
    pub(crate) const fn terms(&self) -> &PairTerms {
        &self.terms
    }

    #[inline]
    pub(crate) fn terms_mut(&mut self) -> &mut PairTerms {
        &mut self.terms
    }

    /// Send time of the newest own nonce that it has echoed.
    #[inline]
    pub(crate) const fn echoed(&self) -> Option<Time> {
        self.echoed
    }

    /// A frame came from a peer that was not connected before it: whether it is now.
    pub(crate) fn note_connected(&mut self, is_connected: bool, now: Time) {
        self.connected_since = is_connected.then_some(now);
    }

    /// Since when it has been connected, if it still is.
    pub(crate) const fn connected_since(&self) -> Option<Time> {
        self.connected_since
    }

    /// When its last frame came.
    pub(crate) const fn heard_at(&self) -> Option<Time> {
        self.heard_at
    }

    /// How long a nonce takes to it and its echo back.
    #[inline]
    pub(crate) const fn round_trip(&self) -> &RoundTrip {
        &self.round_trip
    }

    pub(crate) fn round_trip_mut(&mut self) -> &mut RoundTrip {
        &mut self.round_trip
    }

    /// Whether an answer that is owed only to its not being connected may leave now: at most one each `pause`.
    pub(crate) fn may_answer(&mut self, pause: Duration, now: Time) -> bool {
        if self.answered_at.is_some_and(|at| now.since(at) < pause) {
            return false;
        }
        self.answered_at = Some(now);
        true
    }
}

#[cfg(feature = "explore")]
impl Pair {
    /// Of member `index`, at member `own`, which is in its life `life`; it answers each `pause`.
    pub(crate) fn describe(
        &self,
        sink: &mut impl StateSink,
        [index, own]: [usize; 2],
        life: Incarnation,
        pause: Duration,
    ) {
        let Self {
            link,
            // Since when a life is known only crash evidence asks.
            incarnation,
            birth,
            terms,
            far,
            telling,
            dead,
            newest,
            covered,
            echoed,
            round_trip: _,
            // Only for status.
            heard_at: _,
            connected_since: _,
            answered_at,
            ended,
        } = self;
        words(sink, [u64::from(*link == Link::Open), u64::from(*dead)]);
        words(sink, [ended.for_ever.number(), ended.in_this_life.number()]);
        words(sink, terms.parts());
        option(sink, incarnation.as_ref(), |sink, (incarnation, _)| describe_incarnation(sink, *incarnation));
        option(sink, birth.as_ref(), describe_birth);
        option(sink, far.life().as_ref(), |sink, life| describe_incarnation(sink, *life));
        option(sink, telling.from().as_ref(), |sink, from| sink.floor(own, *from));
        for nonce in [newest, covered] {
            option(sink, nonce.as_ref(), |sink, nonce| sink.nonce(index, own, *nonce));
        }
        option(sink, echoed.as_ref(), |sink, sent| {
            sink.echoed(own, index, Nonce { incarnation: life, sent: *sent });
        });
        option(sink, answered_at.as_ref(), |sink, at| sink.since(*at, pause));
    }
}

/// The highest epochs in which a peer never acts again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ended {
    for_ever: Epoch,
    in_this_life: Epoch,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::Digest;

    fn nonce(counter: u32, sent: u64) -> Nonce {
        Nonce { incarnation: Incarnation { counter, random: 1 }, sent: Time::from_nanos(sent) }
    }

    fn alive() -> Pair {
        let mut pair = Pair::default();
        pair.begin_life(nonce(1, 0).incarnation, None, Telling::default(), Time::ZERO);
        pair.note_receipt(nonce(1, 5), Some(Time::from_nanos(3)), Time::from_nanos(6));
        pair.cover(nonce(1, 5), Duration::from_millis(500));
        pair
    }

    #[test]
    fn another_life_has_said_nothing_that_is_covered_or_echoed() {
        let mut pair = alive();
        pair.begin_life(nonce(2, 0).incarnation, None, Telling::default(), Time::from_nanos(9));
        assert_eq!((pair.newest(), pair.covered(), pair.echoed()), (None, None, None));
        assert_eq!(pair.terms().promised(), Duration::ZERO);
    }

    #[test]
    fn r05_a_node_that_has_stopped_is_through_with_the_most_that_it_said() {
        let stopped = |number| Header {
            group: 0,
            members: Digest::from_bits(1),
            epoch: Epoch::ZERO,
            state: PeerState::Stopped(Epoch::new(number)),
            nonce: Nonce::default(),
            echo: None,
            genesis: None,
        };
        let mut pair = alive();
        for (number, ended) in [(5, 5), (3, 5), (7, 7)] {
            pair.note_ended(&stopped(number));
            assert_eq!(pair.ended(), Epoch::new(ended));
        }
    }

    #[test]
    fn a_life_that_is_over_is_not_reachable_until_the_next_one() {
        let mut pair = alive();
        assert!(pair.is_reachable() && pair.is_alive(nonce(1, 7)) && !pair.is_alive(nonce(2, 7)));
        pair.note_death();
        assert!(!pair.is_reachable() && !pair.is_alive(nonce(1, 7)));
        pair.begin_life(nonce(2, 0).incarnation, None, Telling::default(), Time::from_nanos(9));
        assert!(pair.is_reachable() && pair.is_alive(nonce(2, 7)));
        pair.close_link();
        assert!(!pair.is_reachable());
    }
}
