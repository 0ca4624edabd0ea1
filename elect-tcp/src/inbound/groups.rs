//! A stream that carries the frames of many groups: first each is introduced, then they follow, mixed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{bounded, select};
use elect_core::{Address, Frame, NodeId};

use super::slots::Guest;
use super::{End, InboundConnections};
use crate::handshake::{self, Greeting, HandshakeError, HandshakeRefusal, MANY_GROUPS};
use crate::judgement::{Claim, Judgement, Sample};
use crate::link::InboundFailure;
use crate::orchestrator::Input;
use crate::roster::Many;
use crate::transport::Stream;

/// What a stream has brought of each group that runs here.
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
        let mut heard = Heard { groups: HashMap::new(), restarts: 0, change: None };
        self.read_frames(stream, |sample| {
            heard.forget_if_begun(&many.restarts);
            self.on_group_frame(sample, &mut heard, guest, greeting, from)
        })
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
            Err((HandshakeError::Gone(group), _)) => {
                let gone = Input::Gone { peer: process.node, group };
                self.inbox.send(gone).map(|()| false).map_err(|_| End::ending())
            }
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

    /// Passes a frame on. The first one of some group that counts makes the stream the peer's.
    fn on_group_frame(
        &self,
        sample: Sample,
        heard: &mut Heard,
        guest: &Guest,
        greeting: &Greeting,
        from: &Address,
    ) -> Result<(), End> {
        let claim = claim(guest.peer, &sample.frame);
        if !heard.is_to_be_asked(claim.group) {
            return self.pass_on(guest.peer, sample);
        }
        match (self.judge)(claim, Some(sample)) {
            Some(Judgement::Known) => {}
            Some(_) => return Ok(()),
            // There is no such group, or this node ends: the next frame finds out.
            None => {
                heard.groups.remove(&claim.group);
                return Ok(());
            }
        }
        heard.groups.entry(claim.group).or_default().is_heard = true;
        if heard.change.is_none() {
            heard.change = self.slots().hear(guest);
            (self.learn)(guest.peer, &greeting.listen, from);
        }
        let Some(change) = heard.change else { return Ok(()) };
        let input = Box::new(Input::Heard { peer: guest.peer, stream: guest.number, change });
        self.inbox.send(Input::Of { group: claim.group, input }).map_err(|_| End::ending())
    }
}

impl Heard {
    /// Whether a frame of that group is one to ask about: seldom where frames do not count, since each question is waited
    /// for. Of a group that does not run here nothing is kept, whatever numbers a peer makes up.
    fn is_to_be_asked(&mut self, group: u32) -> bool {
        let hearing = self.groups.entry(group).or_default();
        hearing.received += 1;
        !hearing.is_heard && hearing.received.is_power_of_two()
    }

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

#[cfg(all(test, unix))]
mod tests;
