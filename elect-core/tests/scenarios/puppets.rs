//! Real electors among puppets: members whose frames the story writes by hand.

use elect_core::{Body, Epoch, Frame, Header, Incarnation, Nonce, PeerState};

use crate::harness::solo::completed;
pub(crate) use crate::harness::solo::{D, accept, beat, epoch as e, offer};
use crate::harness::{Group, Seen, id, ms, told_genesis};

/// Only `name` is real; it has saved its incarnation and sent its first heartbeats.
pub(crate) fn alone(name: &str, names: &[&str]) -> Group {
    let mut group = Group::voters(names);
    start_alone(&mut group, name);
    group
}

pub(crate) fn start_alone(group: &mut Group, name: &str) {
    group.record_traffic = true;
    group.start(name).run(ms(2));
}

/// The nonce of the last frame from `from` to `to`.
pub(crate) fn last_nonce(group: &Group, from: &str, to: &str) -> Option<Nonce> {
    let (from, to) = (id(from), id(to));
    group.sent.iter().rev().find(|sent| sent.1 == from && sent.2 == to).map(|sent| sent.3.header.nonce)
}

/// A frame of the puppet `from`, which echoes the last frame that it got.
pub(crate) fn frame(group: &Group, from: &str, to: &str, epoch: u64, state: PeerState, body: Body) -> Frame {
    let incarnation = Incarnation { counter: 1, random: 1 };
    let header = Header {
        group: 0,
        members: group.node(to).config.digest(),
        epoch: e(epoch),
        state,
        nonce: Nonce { incarnation, sent: group.now },
        echo: last_nonce(group, to, from),
        genesis: told_genesis(&group.node(to).disk.record),
    };
    Frame { header, birth: None, profile: None, body: completed(body, D, D) }
}

pub(crate) fn says(group: &mut Group, from: &str, to: &str, epoch: u64, state: PeerState, body: Body) {
    let frame = frame(group, from, to, epoch, state, body);
    group.inject(from, to, &frame);
}

/// The last frame from `from` to `to` that `is` picks.
pub(crate) fn last_sent(group: &Group, from: &str, to: &str, is: impl Fn(&Frame) -> bool) -> Option<Frame> {
    let (from, to) = (id(from), id(to));
    group
        .sent
        .iter()
        .rev()
        .find(|sent| sent.1 == from && sent.2 == to && is(&sent.3))
        .map(|sent| sent.3.clone())
}

pub(crate) fn accepted(group: &Group, from: &str, to: &str) -> Option<Frame> {
    last_sent(group, from, to, |frame| matches!(frame.body, Body::Accept { .. }))
}

/// Whether `name` reported an event whose text holds `text`.
pub(crate) fn reported(group: &Group, name: &str, text: &str) -> bool {
    group.count(name, |seen| matches!(seen, Seen::Other(event) if event.contains(text))) > 0
}

pub(crate) fn losses(group: &Group, name: &str) -> usize {
    group.count(name, |seen| matches!(seen, Seen::Lost(..)))
}

/// Whom `name` follows or that it leads, and in which epoch.
pub(crate) fn leader_of(group: &Group, name: &str) -> Option<(String, Epoch)> {
    let leader = group.elector(name).explain(group.now).leader?;
    Some((leader.0.to_string(), leader.1))
}

/// Everybody runs, and `a` leads.
pub(crate) fn led_by_a(names: &[&str]) -> Group {
    let mut group = Group::voters(names);
    group.record_traffic = true;
    group.start_all();
    assert_eq!(group.run_to_leader(ms(500)), id("a"), "{}", group.story());
    group.run(ms(200));
    group
}
