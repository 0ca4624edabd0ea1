//! The thread that commits gates, so that no sync ever campaigns in the orchestrator's way.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use elect_core::{Floor, Gate, Gated, StorageFailed, VoteStore};

use crate::counters::Counters;

/// Commits gates, one at a time.
pub(crate) struct Saver<S, F> {
    pub(crate) store: S,
    pub(crate) floor: Arc<F>,
    pub(crate) gates: Receiver<Gate>,
    pub(crate) saved: Sender<Result<Gated, StorageFailed>>,
    pub(crate) counters: Arc<Counters>,
}

impl<S: VoteStore, F: Floor> Saver<S, F> {
    /// The thread: ends with the orchestrator's end of either channel.
    pub(crate) fn run(mut self) {
        for gate in &self.gates {
            let began = Instant::now();
            let result = gate.commit(&mut self.store, &self.floor);
            self.counters.measures.on_save(began.elapsed(), result.is_err());
            self.counters.gates_committed.add(1);
            if self.saved.send(result).is_err() {
                return;
            }
        }
    }
}
