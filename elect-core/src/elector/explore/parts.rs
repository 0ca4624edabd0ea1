//! What several parts of a state consist of.

use super::StateSink;
use crate::birth::Birth;
use crate::epoch::Position;
use crate::frame::{Body, Frame, FreezeStamp, Standing};
use crate::freeze::{Freeze, PauseRequest};
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
                sink.word(nanos(lead.detection));
            });
            describe_stamp(sink, heartbeat.freeze);
        }
        Body::Offer { epoch, detection } => words(sink, [1, epoch.number(), nanos(*detection)]),
        Body::Accept { epoch, position, freeze } => {
            words(sink, [2, epoch.number()]);
            describe_position(sink, *position);
            describe_stamp(sink, *freeze);
        }
        Body::Refuse { epoch, refusal } => words(sink, [3, epoch.number(), *refusal as u64]),
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
        Standing::Reserved(leader) => {
            sink.word(7);
            describe_node(sink, members, leader);
        }
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

fn describe_stamp(sink: &mut impl StateSink, stamp: Option<FreezeStamp>) {
    option(sink, stamp.as_ref(), |sink, FreezeStamp { number, remaining }| {
        words(sink, [number.epoch.number(), u64::from(number.count), nanos(*remaining)]);
    });
}

/// Who took a freeze, and who asked for it, only `explain` and the status say.
pub(super) fn describe_freeze(sink: &mut impl StateSink, freeze: &Freeze) {
    option(sink, freeze.number().as_ref(), |sink, number| {
        words(sink, [number.epoch.number(), u64::from(number.count)]);
    });
    option(sink, freeze.last_leader().as_ref(), |sink, last| {
        words(sink, [last.leader.get() as u64, last.epoch.number()]);
    });
    for point in [freeze.until(), freeze.favoured_until()] {
        option(sink, point.as_ref(), |sink, until| sink.until(*until));
    }
    option(sink, freeze.request().as_ref(), |sink, request| match *request {
        PauseRequest::Freeze { after, until, asks_until } => {
            words(sink, [0, after.epoch.number(), u64::from(after.count)]);
            sink.until(until);
            sink.until(asks_until);
        }
        PauseRequest::Thaw { asks_until } => {
            sink.word(1);
            sink.until(asks_until);
        }
    });
}
