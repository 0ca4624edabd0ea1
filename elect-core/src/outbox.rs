//! What an input produced and a step has not handed out yet.

use alloc::vec::Vec;
use core::time::Duration;

use crate::duty::Duty;
use crate::epoch::Epoch;
use crate::event::{Notice, SteppedDown};
use crate::frame::{Body, Frame, Header, Heartbeat};
use crate::gate::Gate;
use crate::members::Digest;
use crate::name::NodeId;
use crate::nonce::Nonce;
use crate::peer_state::PeerState;

/// Its collections keep their capacity: the steady state allocates nothing.
#[derive(Debug)]
pub(crate) struct Outbox {
    losses: Vec<SteppedDown>,
    frames: Frames,
    gate: Option<Gate>,
    told: Vec<Told>,
}

/// What the host is told, in its order.
#[derive(Debug)]
pub(crate) enum Told {
    Duty(Duty),
    Notice(Notice),
}

impl Outbox {
    pub(crate) fn new(node: NodeId, members: usize) -> Self {
        Self {
            losses: Vec::with_capacity(2),
            frames: Frames::new(node, members * 2),
            gate: None,
            told: Vec::with_capacity(8),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.losses.is_empty() && self.frames.used == 0 && self.gate.is_none() && self.told.is_empty()
    }

    /// One frame and nothing else.
    pub(crate) fn holds_one_frame(&self) -> bool {
        self.frames.used == 1 && self.losses.is_empty() && self.gate.is_none() && self.told.is_empty()
    }

    pub(crate) fn lost(&mut self, loss: SteppedDown) {
        self.losses.push(loss);
    }

    pub(crate) fn act(&mut self, duty: Duty) {
        self.told.push(Told::Duty(duty));
    }

    pub(crate) fn happened(&mut self, notice: Notice) {
        self.told.push(Told::Notice(notice));
    }

    pub(crate) fn hand_out_gate(&mut self, gate: Gate) {
        self.gate = Some(gate);
    }

    pub(crate) fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    /// R44: what a node has queued before it stopped does not leave.
    pub(crate) fn take_back_frames_and_gate(&mut self) {
        self.frames.clear();
        self.gate = None;
    }

    /// The next slot for a frame. It holds an earlier frame, of which every field must be written.
    #[inline]
    pub(crate) fn next_frame(&mut self) -> &mut (NodeId, Frame) {
        self.frames.next_slot()
    }

    /// The frame that was queued last.
    pub(crate) fn last_frame_mut(&mut self) -> Option<&mut (NodeId, Frame)> {
        self.frames.last_mut()
    }

    /// The only frame of an earlier step once more, in a step that has no other.
    #[inline]
    pub(crate) fn same_frame_again(&mut self) -> &mut Frame {
        self.frames.again()
    }

    /// Keeps the queued frames that `keep` says to keep, in their order.
    pub(crate) fn retain_frames(&mut self, keep: impl Fn(&Frame) -> bool) {
        self.frames.retain(keep);
    }

    pub(crate) fn take_losses(&mut self) -> impl Iterator<Item = SteppedDown> + '_ {
        self.losses.drain(..)
    }

    pub(crate) fn frames(&self) -> &[(NodeId, Frame)] {
        self.frames.as_slice()
    }

    pub(crate) fn clear_frames(&mut self) {
        self.frames.clear();
    }

    pub(crate) fn take_gate(&mut self) -> Option<Gate> {
        self.gate.take()
    }

    pub(crate) fn take_told(&mut self) -> impl Iterator<Item = Told> + '_ {
        self.told.drain(..)
    }

    /// What the next [`same_frame_again`](Self::same_frame_again) would bring back.
    #[cfg(feature = "explore")]
    pub(crate) fn frame_to_repeat(&self) -> Option<&(NodeId, Frame)> {
        self.frames.slots.first()
    }
}

/// Frames in slots that are written over in place: a frame is large, and copying it would cost a good part of
/// handling a heartbeat.
#[derive(Debug)]
struct Frames {
    slots: Vec<(NodeId, Frame)>,
    used: usize,
    blank: NodeId,
}

impl Frames {
    fn new(blank: NodeId, capacity: usize) -> Self {
        Self { slots: Vec::with_capacity(capacity), used: 0, blank }
    }

    /// The next slot. It holds an earlier frame, of which every field must be written.
    #[inline]
    fn next_slot(&mut self) -> &mut (NodeId, Frame) {
        if self.used == self.slots.len() {
            self.slots.push((self.blank, blank_frame()));
        }
        self.used += 1;
        &mut self.slots[self.used - 1]
    }

    /// The only frame of an earlier step once more, in a step that has no other: the caller knows that no other was
    /// made since.
    #[inline]
    fn again(&mut self) -> &mut Frame {
        self.used = 1;
        &mut self.slots[0].1
    }

    fn last_mut(&mut self) -> Option<&mut (NodeId, Frame)> {
        self.slots[..self.used].last_mut()
    }

    fn as_slice(&self) -> &[(NodeId, Frame)] {
        &self.slots[..self.used]
    }

    fn clear(&mut self) {
        self.used = 0;
    }

    /// Keeps the frames that `keep` says to keep, in their order.
    fn retain(&mut self, keep: impl Fn(&Frame) -> bool) {
        let mut kept = 0;
        for index in 0..self.used {
            if keep(&self.slots[index].1) {
                self.slots.swap(kept, index);
                kept += 1;
            }
        }
        self.used = kept;
    }
}

fn blank_frame() -> Frame {
    Frame {
        header: Header {
            group: 0,
            members: Digest::from_bits(0),
            epoch: Epoch::ZERO,
            state: PeerState::Promised,
            nonce: Nonce::default(),
            echo: None,
            genesis: None,
        },
        birth: None,
        profile: None,
        body: Body::Heartbeat(Heartbeat {
            position: None,
            eligible: false,
            healthy: false,
            priority: 0,
            application: 0,
            detection_max: Duration::ZERO,
            lead: None,
            pause: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_kept_in_order_and_slots_are_reused() {
        let node = NodeId::new("a").unwrap();
        let mut frames = Frames::new(node, 1);
        for group in 0..5 {
            frames.next_slot().1.header.group = group;
        }
        frames.retain(|frame| frame.header.group % 2 == 0);
        let groups: Vec<_> = frames.as_slice().iter().map(|(_, frame)| frame.header.group).collect();
        assert_eq!(groups, [0, 2, 4]);
        frames.clear();
        assert!(frames.as_slice().is_empty());
        frames.next_slot().1.header.group = 9;
        assert_eq!(frames.slots.len(), 5, "no slot is made where one is free");
    }
}
