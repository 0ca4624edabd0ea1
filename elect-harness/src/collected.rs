//! What a step hands out, kept in its order.

use elect_core::{Driver, Duty, Frame, Gate, NodeId, Notice, SteppedDown};

/// Keeps what steps hand out, to be carried out or looked at afterwards.
#[derive(Debug, Default)]
pub struct Collected {
    /// What this node lost.
    pub losses: Vec<SteppedDown>,
    /// Frames, with their addressees.
    pub frames: Vec<(NodeId, Frame)>,
    /// What must be saved.
    pub gate: Option<Gate>,
    /// What the host was told.
    pub told: Vec<Told>,
    /// The kinds of outputs, in the order of [`elect_core::Step::resolve`].
    pub order: Vec<&'static str>,
}

/// What a host is told, in its order.
#[derive(Debug)]
pub enum Told {
    /// It must act.
    Duty(Duty),
    /// It may want to know.
    Notice(Notice),
}

impl Driver for Collected {
    fn lost(&mut self, loss: SteppedDown) {
        assert!(self.told.is_empty(), "S8: a loss comes before anything that the host is told");
        self.losses.push(loss);
        self.order.push("lost");
    }

    fn send(&mut self, to: NodeId, frame: &Frame) {
        self.frames.push((to, frame.clone()));
        self.order.push("sent");
    }

    fn save(&mut self, gate: Gate) {
        assert!(self.gate.replace(gate).is_none(), "one gate at a time");
        self.order.push("save");
    }

    fn act(&mut self, duty: Duty) {
        self.told.push(Told::Duty(duty));
        self.order.push("act");
    }

    fn happened(&mut self, notice: Notice) {
        self.told.push(Told::Notice(notice));
        self.order.push("happened");
    }
}
