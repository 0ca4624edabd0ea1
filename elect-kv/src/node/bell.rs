//! Wakes a thread that sleeps in a `select`: rung any number of times, heard once.

use std::sync::Arc;
use std::task::{Wake, Waker};

use crossbeam_channel::{Receiver, Sender, bounded};

/// The end that rings. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Bell(Sender<()>);

impl Bell {
    /// A bell, and the end that hears it.
    pub(super) fn new() -> (Self, Receiver<()>) {
        let (bell, rung) = bounded(1);
        (Self(bell), rung)
    }

    pub(super) fn ring(&self) {
        // It is ringing already where there is no room, and nobody listens any more where the other end is gone.
        let _ = self.0.try_send(());
    }

    /// Rings when it is woken.
    pub(super) fn waker(&self) -> Waker {
        Arc::new(self.clone()).into()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}
