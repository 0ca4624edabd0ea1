//! What the benchmarks measure with: a driver that costs next to nothing.

use elect_core::{Driver, Duty, Frame, Gate, NodeId, Nonce, Notice, SteppedDown};

/// Counts the frames that a step hands out, and keeps no more than the last one's nonce.
#[derive(Debug, Default)]
pub struct Count {
    /// How many there were.
    pub frames: usize,
    /// The last one's nonce, to be echoed.
    pub nonce: Option<Nonce>,
}

impl Driver for Count {
    fn lost(&mut self, _: SteppedDown) {}

    fn send(&mut self, _: NodeId, frame: &Frame) {
        self.frames += 1;
        self.nonce = Some(frame.header.nonce);
    }

    fn save(&mut self, _: Gate) {}

    fn act(&mut self, _: Duty) {}

    fn happened(&mut self, _: Notice) {}
}
