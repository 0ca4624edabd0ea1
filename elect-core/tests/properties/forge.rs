//! Frames that no elector would send, under the names of members.

use std::sync::Arc;
use std::time::Duration;

use elect_core::{
    Address, Body, Digest, Epoch, Frame, Genesis, Header, Heartbeat, HostData, Incarnation, Lead, Nonce,
    PauseNumber, PauseStamp, PeerState, Position, Profile, Refusal, Time, ToldGenesis,
};

use crate::world::World;

/// Delivers a forged frame from `from` to `to`; the case's chance fills it in.
pub(crate) fn inject(world: &mut World, from: usize, to: usize, [what, much]: [u8; 2]) {
    if from == to {
        return;
    }
    let frame = Frame {
        header: header(world, from, to, much),
        birth: None,
        profile: profile(world),
        body: body(world, from, to, what),
    };
    world.deliver(from, to, &frame);
}

/// Delivers the last frame from `from` to `to` once more, with another genesis; as often as two frames that prove it.
pub(crate) fn inject_genesis(world: &mut World, from: usize, to: usize, much: u8) {
    let genesis = genesis(world, from, to);
    for number in 0..=u64::from(much % 3) {
        let Some(mut frame) = world.members[from].copies[to].clone() else { return };
        // Within what σ allows it is another frame.
        frame.header.nonce.sent = frame.header.nonce.sent + Duration::from_nanos(number);
        frame.header.genesis = genesis;
        world.books.copied(from, &frame);
        world.deliver(from, to, &frame);
    }
}

fn genesis(world: &mut World, from: usize, to: usize) -> Option<ToldGenesis> {
    let held = |member: usize| world.members[member].store.record.genesis.map(|saved| saved.genesis);
    let any = [held(from), held(to), None, Some(Genesis::from_bits(1)), Some(Genesis::from_bits(2))];
    let genesis = any[usize::try_from(world.draw(5)).unwrap()]?;
    Some(ToldGenesis { genesis, is_final: world.draw(3) > 0 })
}

fn epoch(world: &mut World, near: usize) -> Epoch {
    let durable = world.members[near].store.record.epoch.number();
    let wild = [
        0,
        1,
        2,
        3,
        durable + 1,
        durable + 2,
        durable + (1 << 20),
        durable.saturating_add(1 << 32),
        u64::MAX,
    ];
    let tame = [durable.saturating_sub(1), durable, durable, durable + 1, durable + 1, durable + 2];
    let index = usize::try_from(world.draw(1 << 16)).unwrap();
    Epoch::new(if world.draw(4) == 0 { wild[index % wild.len()] } else { tame[index % tame.len()] })
}

fn position(world: &mut World, near: usize) -> Option<Position> {
    let offset = [0, 1, 9, u64::MAX][usize::try_from(world.draw(4)).unwrap()];
    (world.draw(3) > 0).then(|| Position::new(epoch(world, near), offset))
}

fn nonce(world: &mut World, of: usize, to: usize) -> Nonce {
    let now = world.local(of);
    let real = world.members[of].store.record.incarnation;
    let last = world.members[of].said[to].map_or(Time::ZERO, |nonce| nonce.sent);
    let sent = [now, now, now, last, last, Time::ZERO, now + Duration::from_secs(1), Time::NEVER];
    let wild = Incarnation {
        counter: [0, 1, real.counter, u32::MAX][usize::try_from(world.draw(4)).unwrap()],
        random: u32::try_from(world.draw(3)).unwrap(),
    };
    let incarnation = if world.draw(32) == 0 { wild } else { real };
    // A clock that stands at the end of time ends a life, so it is rare.
    let most = if world.draw(16) == 0 { 8 } else { 6 };
    Nonce { incarnation, sent: sent[usize::try_from(world.draw(most)).unwrap()] }
}

fn state(world: &mut World, from: usize, to: usize) -> PeerState {
    let claimed = epoch(world, from);
    let member = usize::try_from(world.draw(world.members.len() as u64)).unwrap();
    let leader = if world.draw(2) == 0 { to } else { member };
    match world.draw(13) {
        0..=2 => PeerState::Leader(claimed),
        3 => PeerState::Candidate(claimed),
        4..=6 => PeerState::Follower(world.members[leader].id, claimed),
        7 => PeerState::Promised,
        8 | 9 => PeerState::Free,
        10 => PeerState::Replaced,
        11 => PeerState::Reserved(world.members[leader].id),
        _ => PeerState::Stopped(Epoch::ZERO),
    }
}

fn header(world: &mut World, from: usize, to: usize, much: u8) -> Header {
    let echo = if much.is_multiple_of(8) { None } else { Some(nonce(world, to, from)) };
    let digest = world.members[to].config.digest();
    Header {
        group: u32::from(much == 255),
        members: if much == 254 { Digest::from_bits(1) } else { digest },
        epoch: epoch(world, from),
        state: state(world, from, to),
        nonce: nonce(world, from, to),
        echo: if much % 4 == 1 { world.members[to].said[from] } else { echo },
        genesis: None,
    }
}

fn profile(world: &mut World) -> Option<Arc<Profile>> {
    let version = u32::try_from(world.draw(8)).unwrap();
    let address = Address::new(["", "x:1", "x:2"][usize::try_from(world.draw(3)).unwrap()]).unwrap();
    (version < 3).then(|| Arc::new(Profile { version, data: HostData::default(), address }))
}

fn span(world: &mut World) -> Duration {
    let spans = [0, 1, 60_000, 60_000, 60_000, 120_000, u64::MAX / 2_000];
    Duration::from_micros(spans[usize::try_from(world.draw(7)).unwrap()])
}

fn pause(world: &mut World, near: usize) -> PauseStamp {
    let count = [0, 1, 2, u32::MAX][usize::try_from(world.draw(4)).unwrap()];
    PauseStamp { number: PauseNumber { epoch: epoch(world, near), count }, remaining: span(world) }
}

fn heartbeat(world: &mut World, from: usize) -> Heartbeat {
    let pause = if world.draw(16) == 0 { Some(pause(world, from)) } else { None };
    Heartbeat {
        position: position(world, from),
        eligible: world.draw(4) > 0,
        healthy: world.draw(4) > 0,
        priority: u8::try_from(world.draw(256)).unwrap(),
        application: u32::try_from(world.draw(3)).unwrap(),
        detection_max: span(world),
        lead: if world.draw(4) > 0 { Some(Lead { detection: span(world) }) } else { None },
        pause,
    }
}

fn body(world: &mut World, from: usize, to: usize, what: u8) -> Body {
    let near = if world.draw(2) == 0 { from } else { to };
    match world.draw(16) {
        0..=4 => Body::Heartbeat(heartbeat(world, from)),
        5..=7 => {
            Body::Offer { epoch: epoch(world, near), detection: span(world), detection_max: span(world) }
        }
        8..=10 => {
            let pause = if world.draw(8) == 0 { Some(pause(world, near)) } else { None };
            Body::Accept {
                epoch: epoch(world, to),
                detection: span(world),
                position: position(world, near),
                pause,
                genesis_epoch: Epoch::ZERO,
            }
        }
        11 => Body::Refuse { epoch: epoch(world, to), refusal: Refusal::Paused, detection_max: span(world) },
        12 => Body::Announce { heartbeat: heartbeat(world, from), address: Address::new("x:1").unwrap() },
        13 => {
            let target = usize::try_from(world.draw(world.members.len() as u64)).unwrap();
            Body::Release { epoch: epoch(world, near), target: world.members[target].id }
        }
        14 => {
            let PauseStamp { number: after, remaining } = pause(world, near);
            Body::Pause { after, remaining }
        }
        _ => {
            let own = world.members[to].store.record.incarnation;
            let known = if what.is_multiple_of(3) { own.counter.wrapping_add(1) } else { own.counter };
            Body::Reject { rejected: own, known: Incarnation { counter: known, random: own.random } }
        }
    }
}
