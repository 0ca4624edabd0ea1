//! Whether a frame has counted, for the thread that reads the stream on which it came.

use elect_core::{Driver, Duty, Frame, Gate, Ignored, NodeId, Notice, SteppedDown};

/// Carries out the step of a frame, and remembers whether it was ignored.
pub(crate) struct Hearing<'a, D> {
    driver: &'a mut D,
    from: NodeId,
    ignored: Option<Ignored>,
}

impl<'a, D: Driver> Hearing<'a, D> {
    /// For a frame of that peer.
    pub(crate) fn new(driver: &'a mut D, from: NodeId) -> Self {
        Self { driver, from, ignored: None }
    }

    /// Whether the frame was heard as one of its peer: of this group, in the life that counts, and none that a newer one
    /// had overtaken. What it asked for may have had no effect all the same.
    pub(crate) fn has_counted(&self) -> bool {
        matches!(
            self.ignored,
            None | Some(
                Ignored::Ended(_)
                    | Ignored::NotFresh
                    | Ignored::Detection(_)
                    | Ignored::NoSuchOffer(_)
                    | Ignored::OldRequest
            )
        )
    }
}

impl<D: Driver> Driver for Hearing<'_, D> {
    fn lost(&mut self, loss: SteppedDown) {
        self.driver.lost(loss);
    }

    fn send(&mut self, to: NodeId, frame: &Frame) {
        self.driver.send(to, frame);
    }

    fn save(&mut self, gate: Gate) {
        self.driver.save(gate);
    }

    fn act(&mut self, duty: Duty) {
        self.driver.act(duty);
    }

    fn happened(&mut self, notice: Notice) {
        if let Notice::Ignored { from, reason } = &notice
            && *from == self.from
        {
            self.ignored = Some(*reason);
        }
        self.driver.happened(notice);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use elect_core::{Epoch, Incarnation};

    use super::*;
    use crate::testing::id;

    struct Idle;

    impl Driver for Idle {
        fn lost(&mut self, _: SteppedDown) {}
        fn send(&mut self, _: NodeId, _: &Frame) {}
        fn save(&mut self, _: Gate) {}
        fn act(&mut self, _: Duty) {}
        fn happened(&mut self, _: Notice) {}
    }

    #[test]
    fn a_frame_counts_if_it_is_one_of_its_peer_whatever_comes_of_what_it_asks() {
        let counts = |from, reason| {
            let mut idle = Idle;
            let mut hearing = Hearing::new(&mut idle, id("b"));
            hearing.happened(Notice::Ignored { from: id(from), reason });
            hearing.has_counted()
        };
        let life = Incarnation { counter: 1, random: 1 };
        for reason in [Ignored::OtherGroup, Ignored::DeadIncarnation(life), Ignored::FarIncarnation(life)] {
            assert!(!counts("b", reason), "{reason}");
            assert!(counts("c", reason), "it is another's");
        }
        for reason in [Ignored::NotFresh, Ignored::Detection(Duration::ZERO), Ignored::Ended(Epoch::new(1))] {
            assert!(counts("b", reason), "{reason}");
        }
        assert!(Hearing::new(&mut Idle, id("b")).has_counted());
    }
}
