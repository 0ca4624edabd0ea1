//! What an input produced and a step has not handed out yet.

use alloc::vec::Vec;

use crate::event::{Event, Loss};
use crate::frame::Frame;
use crate::name::NodeId;
use crate::step::Gate;

/// Its collections keep their capacity: the steady state allocates nothing.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) losses: Vec<Loss>,
    pub(crate) frames: Vec<(NodeId, Frame)>,
    pub(crate) gate: Option<Gate>,
    pub(crate) events: Vec<Event>,
}

impl Outbox {
    pub(crate) fn new(members: usize) -> Self {
        Self {
            losses: Vec::with_capacity(2),
            frames: Vec::with_capacity(members * 2),
            gate: None,
            events: Vec::with_capacity(8),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.losses.is_empty() && self.frames.is_empty() && self.gate.is_none() && self.events.is_empty()
    }

    pub(crate) fn happened(&mut self, event: Event) {
        self.events.push(event);
    }
}
