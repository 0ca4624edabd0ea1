//! A client that writes through failovers, and tells when who has acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redis::Connection;

use super::Outcome;
use super::client::{self, BOUND};

/// How long it waits after every node has refused it.
const RETRY: Duration = Duration::from_millis(1);

/// The client, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Probe {
    ends: Arc<AtomicBool>,
    /// Each change of who acknowledges: since when, and the node.
    changes: Receiver<(Instant, usize)>,
    thread: Option<JoinHandle<()>>,
}

impl Probe {
    pub(crate) fn start(ports: Vec<u16>) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (sender, changes) = channel();
        let writer = Writer { connections: ports.iter().map(|_| None).collect(), ports, at: 0 };
        let (thread_ends, span) = (ends.clone(), RETRY);
        let thread = std::thread::spawn(move || writer.run(&thread_ends, span, &sender));
        Self { ends, changes, thread: Some(thread) }
    }

    /// The last node that acknowledged, if it has changed since.
    pub(crate) fn latest(&self) -> Option<usize> {
        self.changes.try_iter().last().map(|(_, node)| node)
    }

    /// Waits for the next node that acknowledges, other than the one before.
    pub(crate) fn next(&self) -> Outcome<(Instant, usize)> {
        self.changes.recv_timeout(BOUND).map_err(|_| "no write was acknowledged any more".into())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // It ends after its write; a panic of its has been told already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Writer {
    ports: Vec<u16>,
    connections: Vec<Option<Connection>>,
    /// The node that it asks.
    at: usize,
}

impl Writer {
    fn run(mut self, ends: &AtomicBool, pace: Duration, changes: &Sender<(Instant, usize)>) {
        let (mut last, mut refused) = (None, 0);
        while !ends.load(Ordering::Relaxed) {
            match self.write() {
                Ok(()) => {
                    refused = 0;
                    if last != Some(self.at) {
                        last = Some(self.at);
                        let _ = changes.send((Instant::now(), self.at));
                    }
                    std::thread::sleep(pace);
                }
                Err(error) => {
                    self.go_on_after(&error);
                    refused += 1;
                    // Whoever was named is asked at once.
                    if refused >= self.ports.len() {
                        refused = 0;
                        std::thread::sleep(RETRY);
                    }
                }
            }
        }
    }

    fn write(&mut self) -> redis::RedisResult<()> {
        let connection = match &mut self.connections[self.at] {
            Some(connection) => connection,
            place => place.insert(client::connect(self.ports[self.at])?),
        };
        redis::cmd("SET").arg("probe").arg(1).exec(connection)
    }

    /// The node that was named, or the next one.
    fn go_on_after(&mut self, error: &redis::RedisError) {
        if error.is_unrecoverable_error() || error.is_io_error() {
            self.connections[self.at] = None;
        }
        let named = error.redirect_node().and_then(|(address, _)| address.rsplit(':').next()?.parse().ok());
        let named = named.and_then(|port: u16| self.ports.iter().position(|known| *known == port));
        self.at = named.filter(|node| *node != self.at).unwrap_or((self.at + 1) % self.ports.len());
    }
}
