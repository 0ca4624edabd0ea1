//! A stream that carries the frames of many groups: first each is introduced, then they follow, mixed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{bounded, select};
use elect_core::{Address, Frame, NodeId};

use super::slots::Guest;
use super::{End, InboundConnections};
use crate::frames::Frames;
use crate::handshake::{self, Greeting, HandshakeError, HandshakeRefusal, MANY_GROUPS};
use crate::judgement::{Claim, Judgement, Sample};
use crate::link::InboundFailure;
use crate::orchestrator::Input;
use crate::roster::Many;
use crate::transport::Stream;

/// What a stream has brought of each group.
struct Heard {
    groups: HashMap<u32, Hearing>,
    /// See [`Rosters::restarts`](crate::roster::Rosters::restarts).
    restarts: u64,
    /// Since a frame of some group has counted the stream is that of its peer: the number of that change.
    change: Option<u64>,
}

#[derive(Default)]
struct Hearing {
    received: u64,
    is_heard: bool,
}

impl InboundConnections {
    /// Lets groups in until the dialler says that their frames follow, then reads them.
    pub(super) fn read_groups<S: Stream>(
        &self,
        mut stream: S,
        guest: &Guest,
        greeting: &Greeting,
        from: &Address,
        many: &Many,
    ) -> End {
        loop {
            match self.introduced(&mut stream, greeting, from, many) {
                Ok(true) => break,
                Ok(false) => {}
                Err(end) => return end,
            }
        }
        if stream.set_timeouts(None, None).is_err() {
            return End::Closed("it is closed".into());
        }
        let is_proven = stream.proven().is_some();
        let (mut frames, mut heard) =
            (Frames::new(stream), Heard { groups: HashMap::new(), restarts: 0, change: None });
        loop {
            if let Err(error) = frames.fill() {
                return End::of(&error);
            }
            self.counters.reader_wakes.add(1);
            loop {
                let frame = match frames.buffered() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(error) => return End::Failed(InboundFailure::Unreadable(error.to_string())),
                };
                self.counters.frames_received.add(1);
                heard.forget_if_begun(&many.restarts);
                let sample = Sample { frame, is_proven };
                if !self.on_group_frame(sample, &mut heard, guest, greeting, from) {
                    return End::ending();
                }
            }
        }
    }

    /// Takes one introduction; whether it was the last one.
    fn introduced<S: Stream>(
        &self,
        stream: &mut S,
        process: &Greeting,
        from: &Address,
        many: &Many,
    ) -> Result<bool, End> {
        let accepted = handshake::accept(stream, self.handshake_timeout, |greeting| {
            self.let_in(greeting, process, from, many)
        });
        match accepted {
            Ok(greeting) => Ok(greeting.group == MANY_GROUPS),
            // Another group may be welcome.
            Err((HandshakeError::Refused(_), _)) => Ok(false),
            Err((HandshakeError::Ending, _)) => Err(End::ending()),
            Err((HandshakeError::Io(_), _)) => Err(End::Asked),
            Err((HandshakeError::Foreign(what), _)) => Err(End::Failed(InboundFailure::Foreign(what))),
        }
    }

    /// Decides about one group.
    fn let_in(
        &self,
        greeting: &Greeting,
        process: &Greeting,
        from: &Address,
        many: &Many,
    ) -> Result<Greeting, HandshakeError> {
        if greeting.node != process.node {
            return Err(HandshakeRefusal::Identity { claimed: greeting.node, proven: process.node }.into());
        }
        if greeting.group == MANY_GROUPS {
            return Ok(self.introduction.to(greeting.node));
        }
        let (answer, answered) = bounded(1);
        let input = Input::Introduces { greeting: Box::new(greeting.clone()), from: from.clone(), answer };
        self.inbox.send(input).map_err(|_| HandshakeError::Ending)?;
        select! {
            recv(answered) -> answer => Ok(answer.map_err(|_| HandshakeError::Ending)??),
            recv(many.stop) -> _ => Err(HandshakeError::Ending),
        }
    }

    /// Passes a frame on; false where this node ends. The first one of some group that counts makes the stream the
    /// peer's. Seldom for a group whose frames do not count: each question is waited for.
    fn on_group_frame(
        &self,
        sample: Sample,
        heard: &mut Heard,
        guest: &Guest,
        greeting: &Greeting,
        from: &Address,
    ) -> bool {
        let claim = claim(guest.peer, &sample.frame);
        let hearing = heard.groups.entry(claim.group).or_default();
        hearing.received += 1;
        if hearing.is_heard || !hearing.received.is_power_of_two() {
            let Sample { frame, is_proven } = sample;
            return self.inbox.send(Input::Frame { from: guest.peer, frame, is_proven }).is_ok();
        }
        // Without an answer there is no such group, or this node ends: the next frame finds out.
        if !matches!((self.judge)(claim, Some(sample)), Some(Judgement::Known)) {
            return true;
        }
        hearing.is_heard = true;
        if heard.change.is_none() {
            heard.change = self.slots().hear(guest);
            (self.learn)(guest.peer, &greeting.listen, from);
        }
        let Some(change) = heard.change else { return true };
        let input = Box::new(Input::Heard { peer: guest.peer, stream: guest.number, change });
        self.inbox.send(Input::Of { group: claim.group, input }).is_ok()
    }
}

impl Heard {
    /// A group that has begun anew in this process has heard nobody.
    fn forget_if_begun(&mut self, restarts: &AtomicU64) {
        let now = restarts.load(Ordering::SeqCst);
        if self.restarts != now {
            (self.restarts, self.groups) = (now, HashMap::new());
        }
    }
}

fn claim(peer: NodeId, frame: &Frame) -> Claim {
    Claim { peer, group: frame.header.group, incarnation: frame.header.nonce.incarnation, birth: None }
}
