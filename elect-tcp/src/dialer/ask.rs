//! Asking a peer in a handshake whether this life of this node is over, beside the stream that stands.
//!
//! A frame that says so proves nothing on a transport that does not prove who sends it: anybody could stop a node. What
//! the peer answers over a stream that this node dialled does, as far as its address leads to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use elect_core::NodeId;

use super::timeouts::Timeouts;
use crate::closers::Closers;
use crate::counters::Counters;
use crate::handshake::{self, HandshakeError};
use crate::introduction::Introduction;
use crate::orchestrator::Input;
use crate::roster::{Roster, Scope};
use crate::threads::Threads;
use crate::transport::{Stream, Transport};

/// A peer is asked no more often.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Asks one peer, on a thread of its own.
pub(crate) struct Asker<T> {
    pub(crate) peer: NodeId,
    pub(crate) transport: Arc<T>,
    pub(crate) introduction: Introduction,
    /// Whom to ask about, where many groups share the streams.
    pub(crate) roster: Option<Roster>,
    pub(crate) inbox: Sender<Input>,
    pub(crate) closers: Closers,
    pub(crate) threads: Threads,
    pub(crate) counters: Arc<Counters>,
    pub(crate) timeouts: Timeouts,
}

/// When the peer was asked last, and whether its answer is awaited.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    last: Option<Instant>,
    is_asking: Arc<AtomicBool>,
}

impl Asked {
    /// Whether the peer may be asked now.
    fn begin(&mut self, now: Instant, again_after: Duration) -> bool {
        let is_early = self.last.is_some_and(|last| now.saturating_duration_since(last) < again_after);
        if is_early || self.is_asking.swap(true, Ordering::SeqCst) {
            return false;
        }
        self.last = Some(now);
        true
    }
}

impl<T: Transport> Asker<T> {
    /// Asks, unless that was done just now.
    pub(crate) fn ask(&self, asked: &mut Asked) {
        // Where many groups share a thread, that thread sees to it that none of them asks too often.
        let again_after = if self.roster.is_some() { Duration::ZERO } else { AGAIN_AFTER };
        if !asked.begin(Instant::now(), again_after) {
            return;
        }
        let guard = Asking(Arc::clone(&asked.is_asking));
        let (peer, transport, introduction) =
            (self.peer, Arc::clone(&self.transport), self.introduction.clone());
        let roster = self.roster.clone();
        let (inbox, closers, timeouts) = (self.inbox.clone(), self.closers.clone(), self.timeouts);
        let panicked = {
            let inbox = inbox.clone();
            move |thread| drop(inbox.send(Input::Panicked { thread }))
        };
        self.counters.dials.add(1);
        // If no thread can be started, the next frame that says so is another reason to ask.
        let _ = self.threads.spawn(format!("ask {peer}"), panicked, move || {
            let _guard = guard;
            let Ok(mut stream) = transport.dial(peer, timeouts.dial) else { return };
            let Ok(closer) = stream.closer() else { return };
            let Some(_registration) = closers.register(closer) else { return };
            let greeting = introduction.to(peer);
            let answer = handshake::dial(&mut stream, &greeting, timeouts.handshake);
            if let (Some(roster), Ok(_)) = (&roster, &answer) {
                // What is not answered is asked again.
                let _ =
                    roster.introduce(&mut stream, Scope::Unsettled, &greeting, &inbox, timeouts.handshake);
            }
            if let Err(HandshakeError::Refused(refusal)) = answer
                && let Some(said) = refusal.rejection()
            {
                let _ = inbox.send(Input::Rejected { peer, said });
            }
        });
    }
}

/// Ends with the thread, or without one.
struct Asking(Arc<AtomicBool>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_asked_once_at_a_time_and_once_a_second() {
        let (mut asked, now) = (Asked::default(), Instant::now());
        assert!(asked.begin(now, AGAIN_AFTER));
        assert!(!asked.begin(now + AGAIN_AFTER * 5, AGAIN_AFTER), "it has not answered yet");
        drop(Asking(Arc::clone(&asked.is_asking)));
        assert!(!asked.begin(now + AGAIN_AFTER / 2, AGAIN_AFTER));
        assert!(asked.begin(now + AGAIN_AFTER, AGAIN_AFTER));
    }
}
