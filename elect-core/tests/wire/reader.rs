//! A second reader, written from the tables in the documentation of `elect_core::wire`, sharing no code with it.
//!
//! It trusts its bytes, and panics where they are wrong: what it has to show is that the tables say all there is.

use core::time::Duration;
use std::sync::Arc;

use elect_core::{
    Address, Birth, Body, ClusterId, Digest, Epoch, Frame, Genesis, Header, Heartbeat, Holder, HostData,
    Incarnation, Lead, LogSync, NodeId, Nonce, PauseNumber, PauseStamp, PeerState, Position, Profile,
    PromiseKind, Record, Refusal, SavedGenesis, Storage, Time, ToldGenesis,
};

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn integer(&mut self, bytes: usize) -> u64 {
        self.take(bytes).iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn half(&mut self) -> u32 {
        self.integer(4).try_into().unwrap()
    }

    fn epoch(&mut self) -> Epoch {
        Epoch::new(self.integer(8))
    }

    fn text(&mut self) -> &'a str {
        let length = self.byte();
        std::str::from_utf8(self.take(length.into())).unwrap()
    }

    fn node(&mut self) -> NodeId {
        NodeId::new(self.text()).unwrap()
    }

    fn incarnation(&mut self) -> Incarnation {
        Incarnation { counter: self.half(), random: self.half() }
    }

    fn nonce(&mut self) -> Nonce {
        Nonce { incarnation: self.incarnation(), sent: Time::from_nanos(self.integer(8)) }
    }

    fn birth(&mut self) -> Birth {
        let (first_life, epoch, detection_min, log) = (self.half(), self.epoch(), self.micros(), self.byte());
        assert!(log < 4, "log {log}");
        let position = (log & 1 == 1).then(|| Position { epoch: self.epoch(), offset: self.integer(8) });
        let log = if log & 2 == 0 { LogSync::Synchronous } else { LogSync::Asynchronous };
        Birth { first_life, epoch, position, log, detection_min }
    }

    fn profile(&mut self) -> Profile {
        let version = self.half();
        let length = self.byte();
        let data = HostData::new(self.take(length.into())).unwrap();
        Profile { version, data, address: Address::new(self.text()).unwrap() }
    }

    fn micros(&mut self) -> Duration {
        Duration::from_micros(self.integer(4))
    }

    fn millis(&mut self) -> Duration {
        Duration::from_millis(self.integer(4))
    }

    /// The epoch that follows if bit `bit` of the tag says so, else the durable one.
    fn epoch_or(&mut self, tag: u64, bit: u32, durable: Epoch) -> Epoch {
        if tag >> bit & 1 == 1 { self.epoch() } else { durable }
    }

    fn position(&mut self, tag: u64, durable: Epoch) -> Option<Position> {
        (tag >> 5 & 1 == 1)
            .then(|| Position { epoch: self.epoch_or(tag, 14, durable), offset: self.integer(8) })
    }

    fn pause(&mut self) -> PauseStamp {
        let number = PauseNumber { epoch: self.epoch(), count: self.half() };
        PauseStamp { number, remaining: self.millis() }
    }

    fn pause_if(&mut self, tag: u64) -> Option<PauseStamp> {
        (tag >> 11 & 1 == 1).then(|| self.pause())
    }

    fn heartbeat(&mut self, tag: u64, durable: Epoch) -> Heartbeat {
        Heartbeat {
            position: self.position(tag, durable),
            eligible: tag >> 6 & 1 == 1,
            healthy: tag >> 7 & 1 == 1,
            priority: self.byte(),
            application: self.half(),
            detection_max: self.micros(),
            lead: (tag >> 8 & 1 == 1).then(|| Lead { detection: self.micros() }),
            pause: self.pause_if(tag),
        }
    }

    fn end(self) {
        assert!(self.0.is_empty(), "left over: {:?}", self.0);
    }
}

/// Reads a frame of version 1.
pub(crate) fn frame(bytes: &[u8]) -> Frame {
    let mut rest = Bytes(bytes);
    assert_eq!((rest.byte(), rest.byte()), (0xec, 1), "magic and version");
    let kind = rest.byte();
    assert_eq!(rest.integer(2), bytes.len() as u64, "length");
    let (group, members, epoch) = (rest.half(), Digest::from_bits(rest.integer(8)), rest.epoch());
    let tag = rest.integer(2);
    let state = state(&mut rest, tag, epoch);
    let nonce = rest.nonce();
    let echo = (tag >> 4 & 1 == 1).then(|| rest.nonce());
    let genesis = (tag >> 9 & 1 == 1)
        .then(|| ToldGenesis { genesis: Genesis::from_bits(rest.integer(8)), is_final: tag >> 10 & 1 == 1 });
    let birth = (tag >> 12 & 1 == 1).then(|| Arc::new(rest.birth()));
    let profile = (tag >> 15 & 1 == 1).then(|| Arc::new(rest.profile()));
    let body = body(&mut rest, kind, tag, epoch);
    rest.end();
    Frame { header: Header { group, members, epoch, state, nonce, echo, genesis }, birth, profile, body }
}

fn state(rest: &mut Bytes<'_>, tag: u64, durable: Epoch) -> PeerState {
    match tag & 15 {
        0 => PeerState::Free,
        1 => PeerState::Promised,
        2 => {
            let epoch = rest.epoch_or(tag, 13, durable);
            PeerState::Follower(rest.node(), epoch)
        }
        3 => PeerState::Candidate(rest.epoch_or(tag, 13, durable)),
        4 => PeerState::Leader(rest.epoch_or(tag, 13, durable)),
        5 => PeerState::Replaced,
        6 => PeerState::Stopped(rest.epoch_or(tag, 13, durable)),
        7 => PeerState::Reserved(rest.node()),
        state => panic!("state {state}"),
    }
}

fn body(rest: &mut Bytes<'_>, kind: u8, tag: u64, durable: Epoch) -> Body {
    match kind {
        1 => Body::Heartbeat(rest.heartbeat(tag, durable)),
        2 => Body::Offer { epoch: rest.epoch(), detection: rest.micros(), detection_max: rest.micros() },
        3 => Body::Accept {
            epoch: rest.epoch(),
            detection: rest.micros(),
            position: rest.position(tag, durable),
            pause: rest.pause_if(tag),
            genesis_epoch: if tag >> 9 & 1 == 1 { rest.epoch() } else { Epoch::ZERO },
        },
        4 => {
            Body::Refuse { epoch: rest.epoch(), refusal: refusal(rest.byte()), detection_max: rest.micros() }
        }
        5 => Body::Announce {
            heartbeat: rest.heartbeat(tag, durable),
            address: Address::new(rest.text()).unwrap(),
        },
        6 => Body::Release { epoch: rest.epoch(), target: rest.node() },
        7 => {
            let PauseStamp { number: after, remaining } = rest.pause();
            Body::Pause { after, remaining }
        }
        8 => Body::Reject { rejected: rest.incarnation(), known: rest.incarnation() },
        9 => Body::WentBack {
            rejected: rest.incarnation(),
            epoch: rest.epoch(),
            offset: (tag >> 5 & 1 == 1).then(|| rest.integer(8)),
        },
        _ => panic!("kind {kind}"),
    }
}

fn refusal(reason: u8) -> Refusal {
    match reason {
        0 => Refusal::Promised,
        1 => Refusal::EpochTooLow,
        2 => Refusal::VoteSpent,
        3 => Refusal::OwnOffice,
        4 => Refusal::Paused,
        5 => Refusal::Replaced,
        6 => Refusal::DetectionTooLong,
        _ => panic!("reason {reason}"),
    }
}

/// Reads a record of version 1.
pub(crate) fn record(bytes: &[u8]) -> Record {
    let mut rest = Bytes(bytes);
    assert_eq!((rest.byte(), rest.byte()), (0xed, 1), "magic and version");
    assert_eq!(rest.integer(2), bytes.len() as u64, "length");
    let (members, incarnation) = (Digest::from_bits(rest.integer(8)), rest.incarnation());
    let first_life = rest.half();
    let (epoch, detection_max) = (rest.epoch(), Duration::from_nanos(rest.integer(8)));
    let tag = rest.byte();
    let (cluster, node) = (ClusterId::new(rest.text()).unwrap(), rest.node());
    let holder = match tag >> 1 & 3 {
        0 => None,
        1 => Some(Holder { node: rest.node(), how: PromiseKind::Followed }),
        3 => Some(Holder { node: rest.node(), how: PromiseKind::Voted }),
        _ => panic!("tag {tag}"),
    };
    let genesis = (tag >> 3 & 1 == 1).then(|| SavedGenesis {
        genesis: Genesis::from_bits(rest.integer(8)),
        epoch: rest.epoch(),
        is_final: tag >> 4 & 1 == 1,
    });
    rest.end();
    let storage = if tag & 1 == 1 { Storage::Replaced } else { Storage::Intact };
    Record { cluster, node, members, incarnation, first_life, epoch, holder, detection_max, storage, genesis }
}
