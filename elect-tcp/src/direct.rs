//! The short way of a frame: from the orchestrator into the socket, without a thread in between.
//!
//! It is open while a stream stands that can send without blocking, and nothing waits for it. As soon as the socket does
//! not take a frame, or not all of it, the way is closed, and what follows goes through the peer's thread, which may
//! block; it opens the way again when nothing waits any more. So frames leave in the order in which they were made.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use elect_core::Frame;
use elect_core::wire::{self, FRAME_BYTES_MAX};

use crate::transport::TrySend;

/// Shared by the orchestrator and the thread of one peer. Cheap to clone. Nobody blocks while holding it.
#[derive(Clone, Default)]
pub(crate) struct Direct(Arc<Mutex<Way>>);

/// Whether the way is open, and what of a frame the socket did not take.
#[derive(Default)]
pub(crate) struct Way {
    open: Option<Arc<dyn TrySend>>,
    rest: Vec<u8>,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Whole,
    /// The peer's thread must send the rest.
    Partly,
    /// It must go the long way.
    No,
}

impl Direct {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Way> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Way {
    /// Sends a frame if the way is open.
    pub(crate) fn send(&mut self, frame: &Frame) -> Sent {
        let Some(sender) = &self.open else { return Sent::No };
        let mut buffer = [0; FRAME_BYTES_MAX];
        let length = wire::encode(frame, &mut buffer);
        let bytes = &buffer[..length];
        let sent = loop {
            match sender.try_send(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Whatever is wrong, the peer's thread finds out.
                other => break other.unwrap_or(0),
            }
        };
        if sent == length {
            return Sent::Whole;
        }
        self.open = None;
        if sent == 0 {
            return Sent::No;
        }
        self.rest.extend_from_slice(&bytes[sent..]);
        Sent::Partly
    }

    /// Opens the way: nothing waits.
    pub(crate) fn open(&mut self, sender: Arc<dyn TrySend>) {
        self.open = Some(sender);
    }

    /// Closes it, because the peer's thread will write: first of all, what this adds to `bytes`.
    pub(crate) fn close_into(&mut self, bytes: &mut Vec<u8>) {
        self.open = None;
        bytes.append(&mut self.rest);
    }

    /// Closes it, because the stream has ended.
    pub(crate) fn end(&mut self) {
        self.open = None;
        self.rest.clear();
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").field("is_open", &self.lock().open.is_some()).finish_non_exhaustive()
    }
}
