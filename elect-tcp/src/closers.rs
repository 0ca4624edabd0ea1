//! Every stream that a thread may be blocked on, so that shutdown can wake them all.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::transport::Close;

/// The open streams of a node. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Closers(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    closed: bool,
    next: u64,
    streams: HashMap<u64, Arc<dyn Close>>,
}

impl Closers {
    /// Adds a stream for as long as the registration lives. `None`: the node is ending, and the stream is closed.
    pub(crate) fn register(&self, stream: Arc<dyn Close>) -> Option<Registration> {
        let mut open = self.lock();
        if open.closed {
            stream.close();
            return None;
        }
        let number = open.next;
        open.next += 1;
        open.streams.insert(number, Arc::clone(&stream));
        Some(Registration { closers: self.clone(), number, stream })
    }

    /// Closes every stream, and every later one as soon as it is registered.
    pub(crate) fn close_all(&self) {
        let mut open = self.lock();
        open.closed = true;
        for stream in open.streams.values() {
            stream.close();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Closers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closers").field("open", &self.lock().streams.len()).finish()
    }
}

/// A stream's place in the list. Closes the stream at its end, so that every thread on it ends.
pub(crate) struct Registration {
    closers: Closers,
    number: u64,
    stream: Arc<dyn Close>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.closers.lock().streams.remove(&self.number);
        self.stream.close();
    }
}
