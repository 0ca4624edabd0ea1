//! What several parts of a state consist of.

use super::StateSink;
use crate::birth::Birth;
use crate::epoch::Position;
use crate::frame::{Body, Frame, Standing};
use crate::members::{MemberIndex, Members};
use crate::name::NodeId;
use crate::nonce::Incarnation;
use crate::promise::Promise;
use crate::time::nanos;

/// What a frame says, when it was sent and what it echoes aside.
pub(super) fn describe_words(sink: &mut impl StateSink, members: &Members, frame: &Frame) {
    sink.word(frame.header.epoch.number());
    describe_standing(sink, members, frame.header.standing);
    option(sink, frame.header.birth.as_ref(), describe_birth);
    match &frame.body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => {
            let is_announcement = matches!(frame.body, Body::Announce { .. });
            words(sink, [0, u64::from(is_announcement)]);
            describe_position(sink, heartbeat.position);
            words(sink, [u64::from(heartbeat.eligible), u64::from(heartbeat.healthy)]);
            words(sink, [u64::from(heartbeat.priority), u64::from(heartbeat.application)]);
            option(sink, heartbeat.lead.as_ref(), |sink, lead| {
                words(sink, [nanos(lead.detection), nanos(lead.paused_for)]);
            });
        }
        Body::Offer { epoch, detection } => words(sink, [1, epoch.number(), nanos(*detection)]),
        Body::Accept { epoch, position } => {
            words(sink, [2, epoch.number()]);
            describe_position(sink, *position);
        }
        Body::Refuse { epoch, refusal } => words(sink, [3, epoch.number(), *refusal as u64]),
        Body::Release { epoch, target } => {
            words(sink, [4, epoch.number()]);
            describe_node(sink, members, *target);
        }
        Body::Pause { remaining } => words(sink, [5, nanos(*remaining)]),
        Body::WentBack { rejected, epoch, offset } => {
            sink.word(7);
            describe_incarnation(sink, *rejected);
            words(sink, [epoch.number(), u64::from(offset.is_some()), offset.unwrap_or(0)]);
        }
        Body::Reject { rejected, known } => {
            sink.word(6);
            describe_incarnation(sink, *rejected);
            describe_incarnation(sink, *known);
        }
    }
}

pub(super) fn words<const N: usize>(sink: &mut impl StateSink, words: [u64; N]) {
    for word in words {
        sink.word(word);
    }
}

/// A mark whether there is something, and the thing.
pub(super) fn option<S: StateSink, T>(sink: &mut S, value: Option<&T>, describe: impl FnOnce(&mut S, &T)) {
    sink.word(u64::from(value.is_some()));
    if let Some(value) = value {
        describe(sink, value);
    }
}

pub(super) fn describe_standing(sink: &mut impl StateSink, members: &Members, standing: Standing) {
    match standing {
        Standing::Leading(epoch) => words(sink, [0, epoch.number()]),
        Standing::Standing(epoch) => words(sink, [1, epoch.number()]),
        Standing::Following(leader, epoch) => {
            words(sink, [2, epoch.number()]);
            describe_node(sink, members, leader);
        }
        Standing::Bound => sink.word(3),
        Standing::Free => sink.word(4),
        Standing::Replaced => sink.word(5),
        Standing::Stopped(epoch) => words(sink, [6, epoch.number()]),
    }
}

pub(super) fn describe_node(sink: &mut impl StateSink, members: &Members, node: NodeId) {
    let index = members.index(node).map_or(usize::MAX, MemberIndex::get);
    sink.word(index as u64);
}

pub(super) fn describe_incarnation(sink: &mut impl StateSink, incarnation: Incarnation) {
    words(sink, [u64::from(incarnation.counter), u64::from(incarnation.random)]);
}

pub(super) fn describe_birth(sink: &mut impl StateSink, birth: &Birth) {
    let Birth { first_life, epoch, position, log } = birth;
    words(sink, [u64::from(*first_life), epoch.number(), *log as u64]);
    describe_position(sink, *position);
}

pub(super) fn describe_position(sink: &mut impl StateSink, position: Option<Position>) {
    option(sink, position.as_ref(), |sink, Position { epoch, offset }| {
        words(sink, [epoch.number(), *offset]);
    });
}

pub(super) fn describe_promise(sink: &mut impl StateSink, promise: &Promise) {
    // When it was renewed last only crash evidence asks.
    let Promise { to, epoch, life, until, renewed_at: _ } = promise;
    words(sink, [to.get() as u64, epoch.number()]);
    option(sink, life.as_ref(), |sink, life| describe_incarnation(sink, *life));
    sink.until(*until);
}
