//! What the state of an elector consists of, for a model checker: each part describes its own fields.

use core::time::Duration;

use crate::birth::Birth;
use crate::epoch::Position;
use crate::frame::{Body, Frame, PauseStamp};
use crate::members::{MemberIndex, Members};
use crate::name::NodeId;
use crate::nonce::{Incarnation, Nonce};
use crate::peer_state::PeerState;
use crate::profile::Profile;
use crate::time::{Time, nanos};

/// Takes a state in, part by part, always in the same order.
///
/// Points of time come by what an elector does with them, so that a sink can leave out what makes no difference:
/// where the clock stands, and by how many nanoseconds two frames of one moment differ.
pub trait StateSink {
    /// Anything but time.
    fn word(&mut self, word: u64);

    /// A point of the elector's clock of which is only asked whether it has come.
    fn until(&mut self, point: Time);

    /// A past point of the elector's clock of which is only asked how long ago it was, and that only up to `horizon`.
    fn since(&mut self, point: Time, horizon: Duration);

    /// A nonce of `owner`, seen by `owner` and `other` alone: its order among those of the pair, and its age up to the
    /// detection time.
    fn nonce(&mut self, owner: usize, other: usize, nonce: Nonce);

    /// The newest nonce of `owner` that `other` has echoed: as good as none once it is older than the detection time.
    fn echoed(&mut self, owner: usize, other: usize, nonce: Nonce);

    /// A point from which nonces of `owner` count, whoever echoes them: its order among them.
    fn floor(&mut self, owner: usize, from: Time);
}

/// What a frame says, when it was sent and what it echoes aside.
pub(crate) fn describe_words(sink: &mut impl StateSink, members: &Members, frame: &Frame) {
    sink.word(frame.header.epoch.number());
    describe_state(sink, members, frame.header.state);
    option(sink, frame.birth.as_deref(), describe_birth);
    option(sink, frame.header.genesis.as_ref(), |sink, told| {
        words(sink, [told.genesis.to_bits(), u64::from(told.is_final)]);
    });
    option(sink, frame.profile.as_ref(), |sink, profile| describe_profile(sink, profile));
    match &frame.body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => {
            let is_announcement = matches!(frame.body, Body::Announce { .. });
            words(sink, [0, u64::from(is_announcement)]);
            describe_position(sink, heartbeat.position);
            words(sink, [u64::from(heartbeat.eligible), u64::from(heartbeat.healthy)]);
            words(sink, [u64::from(heartbeat.priority), u64::from(heartbeat.application)]);
            sink.word(nanos(heartbeat.detection_max));
            option(sink, heartbeat.lead.as_ref(), |sink, lead| {
                sink.word(nanos(lead.detection));
            });
            describe_stamp(sink, heartbeat.pause);
        }
        Body::Offer { epoch, detection, detection_max } => {
            words(sink, [1, epoch.number(), nanos(*detection), nanos(*detection_max)]);
        }
        Body::Accept { epoch, detection, position, pause, genesis_epoch } => {
            words(sink, [2, epoch.number(), nanos(*detection), genesis_epoch.number()]);
            describe_position(sink, *position);
            describe_stamp(sink, *pause);
        }
        Body::Refuse { epoch, refusal, detection_max } => {
            words(sink, [3, epoch.number(), *refusal as u64, nanos(*detection_max)]);
        }
        Body::Release { epoch, target } => {
            words(sink, [4, epoch.number()]);
            describe_node(sink, members, *target);
        }
        Body::WentBack { rejected, epoch, offset } => {
            sink.word(7);
            describe_incarnation(sink, *rejected);
            words(sink, [epoch.number(), u64::from(offset.is_some()), offset.unwrap_or(0)]);
        }
        Body::Pause { after, remaining } => {
            words(sink, [5, after.epoch.number(), u64::from(after.count), nanos(*remaining)]);
        }
        Body::Reject { rejected, known } => {
            sink.word(6);
            describe_incarnation(sink, *rejected);
            describe_incarnation(sink, *known);
        }
    }
}

pub(crate) fn words<const N: usize>(sink: &mut impl StateSink, words: [u64; N]) {
    for word in words {
        sink.word(word);
    }
}

/// A mark whether there is something, and the thing.
pub(crate) fn option<S: StateSink, T>(sink: &mut S, value: Option<&T>, describe: impl FnOnce(&mut S, &T)) {
    sink.word(u64::from(value.is_some()));
    if let Some(value) = value {
        describe(sink, value);
    }
}

pub(crate) fn describe_state(sink: &mut impl StateSink, members: &Members, state: PeerState) {
    match state {
        PeerState::Leader(epoch) => words(sink, [0, epoch.number()]),
        PeerState::Candidate(epoch) => words(sink, [1, epoch.number()]),
        PeerState::Follower(leader, epoch) => {
            words(sink, [2, epoch.number()]);
            describe_node(sink, members, leader);
        }
        PeerState::Promised => sink.word(3),
        PeerState::Free => sink.word(4),
        PeerState::Replaced => sink.word(5),
        PeerState::Stopped(epoch) => words(sink, [6, epoch.number()]),
        PeerState::Reserved(leader) => {
            sink.word(7);
            describe_node(sink, members, leader);
        }
    }
}

pub(crate) fn describe_node(sink: &mut impl StateSink, members: &Members, node: NodeId) {
    let index = members.index(node).map_or(usize::MAX, MemberIndex::get);
    sink.word(index as u64);
}

pub(crate) fn describe_incarnation(sink: &mut impl StateSink, incarnation: Incarnation) {
    words(sink, [u64::from(incarnation.counter), u64::from(incarnation.random)]);
}

pub(crate) fn describe_birth(sink: &mut impl StateSink, birth: &Birth) {
    let Birth { first_life, epoch, position, log, detection_min } = birth;
    words(sink, [u64::from(*first_life), epoch.number(), *log as u64, nanos(*detection_min)]);
    describe_position(sink, *position);
}

pub(crate) fn describe_profile(sink: &mut impl StateSink, Profile { version, data, address }: &Profile) {
    sink.word(u64::from(*version));
    describe_bytes(sink, data.as_bytes());
    describe_bytes(sink, address.as_str().as_bytes());
}

pub(crate) fn describe_bytes(sink: &mut impl StateSink, bytes: &[u8]) {
    sink.word(bytes.len() as u64);
    for byte in bytes {
        sink.word(u64::from(*byte));
    }
}

pub(crate) fn describe_position(sink: &mut impl StateSink, position: Option<Position>) {
    option(sink, position.as_ref(), |sink, Position { epoch, offset }| {
        words(sink, [epoch.number(), *offset]);
    });
}

fn describe_stamp(sink: &mut impl StateSink, stamp: Option<PauseStamp>) {
    option(sink, stamp.as_ref(), |sink, PauseStamp { number, remaining }| {
        words(sink, [number.epoch.number(), u64::from(number.count), nanos(*remaining)]);
    });
}
