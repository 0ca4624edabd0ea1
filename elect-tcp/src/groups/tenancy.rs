//! Which numbers of groups are taken in this process, and until when.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

/// The numbers that are taken. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers(Arc<Mutex<BTreeSet<u32>>>);

/// A group has this number until the last of its parts is gone, its vote store among them.
pub(super) struct Tenancy {
    number: u32,
    numbers: Numbers,
    /// Its end tells those who wait for the end of the group.
    _ending: Sender<()>,
}

impl Numbers {
    /// Takes a number, unless it is taken; and what is disconnected as soon as it is free again.
    pub(super) fn take(&self, number: u32) -> Option<(Arc<Tenancy>, Receiver<()>)> {
        if !self.lock().insert(number) {
            return None;
        }
        let (ending, ended) = bounded(0);
        Some((Arc::new(Tenancy { number, numbers: self.clone(), _ending: ending }), ended))
    }

    pub(super) fn all(&self) -> Vec<u32> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tenancy {
    fn drop(&mut self) {
        self.numbers.lock().remove(&self.number);
    }
}
