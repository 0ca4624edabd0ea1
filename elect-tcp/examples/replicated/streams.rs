//! How nodes tell each other their logs: two messages, over streams of their own.

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use elect_core::{Position, RebuiltTo, Stamp};
use serde::{Deserialize, Serialize};

use super::log::{ENTRIES_MAX, Entries, Entry, LINE_BYTES_MAX};
use super::{Host, State};

pub(crate) type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A stream that is silent for so long is given up; a leader without news speaks every `QUIET`.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_millis(100);
/// A peer that does not listen, or has not adopted the epoch yet, is dialled again so much later.
const RETRY: Duration = Duration::from_millis(20);
/// JSON may take six bytes for one.
const MESSAGE_BYTES_MAX: u64 = (ENTRIES_MAX * (6 * LINE_BYTES_MAX + 64)) as u64;

/// Whoever leads dials and says one of them; the other is the answer.
#[derive(Serialize, Deserialize)]
enum Message {
    /// These follow `after`. A replaced node that is shown a proof has everything again.
    Append { stamp: Stamp, after: Position, entries: Vec<Entry>, proof: Option<Position> },
    /// My log ends with `held`. From a winner, who may lack something: what follows?
    Ack { stamp: Stamp, held: Position, counts: bool },
}

impl Host {
    /// Answers whoever the fence lets pass: the leader, or somebody on the way there.
    pub(super) fn serve(&self, stream: TcpStream) -> Fallible<()> {
        let mut stream = Stream::new(stream)?;
        loop {
            let answer = match stream.receive()? {
                Message::Append { stamp, after, entries, proof } => {
                    let held = self.change(stamp, |log| log.merge(after, entries))?;
                    if proof.is_some() {
                        // Refused while it is too early: it will be shown again.
                        let _ = self.node.on_rebuilt(RebuiltTo { entry: proof });
                    }
                    let counts = !self.state().is_replaced;
                    // The last act before an acknowledgement: every position told from now on includes it.
                    self.fence.ack(stamp)?;
                    Message::Ack { stamp, held, counts }
                }
                Message::Ack { stamp, held, .. } => {
                    let (after, entries) = self.fence.apply(stamp, |log| log.after(held))?;
                    Message::Append { stamp, after, entries, proof: None }
                }
            };
            stream.send(&answer)?;
        }
    }

    /// Talks with a peer whenever this node leads, in office or on its way.
    pub(super) fn talk_for_ever(&self, peer: usize, address: SocketAddr) {
        loop {
            let idle = |state: &mut State| state.led.or(state.catches_up_from(peer)).is_none();
            drop(self.changed.wait_while(self.state(), idle));
            let _ = self.talk(peer, address);
            if self.state().catches_up_from(peer).is_some() {
                self.node.on_source_lost();
            }
            thread::sleep(RETRY);
        }
    }

    fn talk(&self, peer: usize, address: SocketAddr) -> Fallible<()> {
        let mut stream = Stream::new(TcpStream::connect_timeout(&address, PATIENCE)?)?;
        let mut known = self.fence.inspect(Entries::last);
        loop {
            stream.send(&self.next_message(peer, known)?)?;
            match stream.receive()? {
                Message::Ack { stamp, held, counts } => {
                    self.on_ack(peer, stamp, held, counts)?;
                    known = held;
                }
                Message::Append { stamp, after, entries, .. } => {
                    self.change(stamp, |log| log.merge(after, entries))?;
                    let mut state = self.state();
                    self.catch_up(&mut state);
                    self.count(&mut state);
                }
            }
        }
    }

    fn on_ack(&self, peer: usize, stamp: Stamp, held: Position, counts: bool) -> Fallible<()> {
        let mut state = self.state();
        if state.led != Some(stamp) || !self.fence.inspect(|log| log.holds(held)) {
            return Ok(());
        }
        if counts {
            (state.held[peer], state.proofs[peer]) = (held.offset, None);
        } else if state.proofs[peer].is_none() {
            // Written after its return, and committed without it.
            state.proofs[peer] = Some(self.change(stamp, |log| log.append(stamp.epoch(), ""))?);
        }
        self.count(&mut state);
        Ok(())
    }

    /// A question to the source, or what the peer lacks, as soon as it lacks something.
    fn next_message(&self, peer: usize, known: Position) -> Fallible<Message> {
        let state = self.state();
        if let Some(stamp) = state.catches_up_from(peer) {
            return Ok(Message::Ack { stamp, held: self.fence.inspect(Entries::last), counts: false });
        }
        let stamp = state.led.ok_or("this node does not lead")?;
        let has_all =
            |state: &mut State| state.led == Some(stamp) && self.fence.inspect(Entries::last) == known;
        let waited = self.changed.wait_timeout_while(state, QUIET, has_all);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let safe = known.offset.min(state.committed);
        let proof = state.proofs[peer].filter(|proof| proof.offset <= safe);
        // Through the fence: what leaves is the log of this very leadership.
        let (after, entries) = self.fence.apply(stamp, |log| log.after(known))?;
        Ok(Message::Append { stamp, after, entries, proof })
    }
}

/// One JSON object a line.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn send(&mut self, message: &Message) -> Fallible<()> {
        let line = serde_json::to_string(message)? + "\n";
        Ok(self.0.get_mut().write_all(line.as_bytes())?)
    }

    fn receive(&mut self) -> Fallible<Message> {
        let mut line = String::new();
        self.0.by_ref().take(MESSAGE_BYTES_MAX).read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}
