//! The client that writes the whole time, in a thread of its own, and keeps a ledger.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use elect_core::NodeId;
use redis_protocol::resp2::types::OwnedFrame as Reply;

use super::client::{AttemptResult, COUNTER, Client, Ledger, RETRY, key, value};
use super::clock::Clock;
use super::recorder::Recorder;
use super::trace::Acknowledged;

/// Writes start at least this far apart: often enough to measure by, and the machine stays free for the cluster.
const PACE: Duration = Duration::from_millis(2);

/// A client that writes in a thread of its own.
#[derive(Debug)]
pub(crate) struct Writer {
    thread: JoinHandle<Ledger>,
    stop: Arc<AtomicBool>,
}

impl Writer {
    /// Starts to write.
    pub(crate) fn start(
        nodes: Vec<(NodeId, SocketAddr)>,
        recorder: Arc<Recorder>,
        clock: Clock,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut writing = Writing {
            client: Client::new(nodes),
            ledger: Ledger::default(),
            stop: Arc::clone(&stop),
            recorder,
            clock,
        };
        let thread = thread::Builder::new().name("client".into()).spawn(move || {
            writing.run();
            writing.closed()
        })?;
        Ok(Self { thread, stop })
    }

    /// Stops after the write under way. Bounded: no reply takes longer than a second.
    pub(crate) fn stop(self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(ledger) => ledger,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

struct Writing {
    client: Client,
    ledger: Ledger,
    stop: Arc<AtomicBool>,
    recorder: Arc<Recorder>,
    clock: Clock,
}

impl Writing {
    /// Increments and keyed writes take turns: the one shows what was applied twice, the other what is gone.
    fn run(&mut self) {
        let mut number = 0;
        while !self.stopped() {
            let began = Instant::now();
            self.increment();
            thread::sleep(PACE.saturating_sub(began.elapsed()));
            let began = Instant::now();
            number += 1;
            self.write_key(number);
            thread::sleep(PACE.saturating_sub(began.elapsed()));
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// An increment is not repeated when its fate is unknown.
    fn increment(&mut self) {
        while !self.stopped() {
            match self.client.attempt(&["INCR", COUNTER]) {
                AttemptResult::Done(Reply::Integer(counter), by) => {
                    self.acknowledged(by);
                    self.ledger.counted.push(counter);
                    return;
                }
                AttemptResult::Done(..) | AttemptResult::InDoubt => {
                    self.ledger.increments_in_doubt += 1;
                    return;
                }
                AttemptResult::Redirected => {}
                AttemptResult::Refused => thread::sleep(RETRY),
            }
        }
    }

    /// A keyed write is repeated until it is acknowledged: it says the same each time.
    fn write_key(&mut self, number: u64) {
        let (key, value) = (key(number), value(number));
        while !self.stopped() {
            match self.client.attempt(&["SET", &key, &value]) {
                AttemptResult::Done(Reply::SimpleString(word), by) if word == b"OK" => {
                    self.acknowledged(by);
                    self.ledger.keys.push(number);
                    return;
                }
                AttemptResult::Redirected => {}
                AttemptResult::Done(..) | AttemptResult::Refused | AttemptResult::InDoubt => {
                    thread::sleep(RETRY);
                }
            }
        }
    }

    fn acknowledged(&self, by: NodeId) {
        self.recorder.record_write(Acknowledged { at: self.clock.now(), by });
    }

    fn closed(self) -> Ledger {
        let Client { redirects, refusals, reconnects, .. } = self.client;
        Ledger { redirects, refusals, reconnects, ..self.ledger }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::{LONG, Scripted, lines, listener};
    use crate::trace::tests::node;

    #[test]
    fn writer_keeps_a_ledger_of_what_was_acknowledged() {
        // The first increment is in doubt, and so is the second key at first; the script ends with the last key.
        let only = Scripted::start(listener(), lines(&["", "+OK\r\n", ":2\r\n", "$-1\r\n", "+OK\r\n"]));
        let recorder = Arc::new(Recorder::default());
        let nodes = vec![(node("n1"), only.address)];
        let writer = Writer::start(nodes, Arc::clone(&recorder), Clock::start()).expect("a thread");
        recorder
            .wait("three acknowledged writes", LONG, |state| (state.acknowledged.len() >= 3).then_some(()))
            .expect("the script answers");
        let heard = only.heard();
        let ledger = writer.stop();
        assert_eq!(
            (ledger.keys, ledger.counted, ledger.increments_in_doubt >= 1),
            (vec![1, 2], vec![2], true)
        );
        assert!(heard[3].contains("value-2") && heard[4] == heard[3]);
    }
}
