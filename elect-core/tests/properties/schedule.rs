//! What four bytes of a script do to the world.

use std::time::Duration;

use elect_core::{Elector, Health, LinkState, Position, RebuiltTo, Record};

use crate::books::Digest;
use crate::forge;
use crate::member::Disk;
use crate::world::{CALM, DETECTION, Frames, MS, Network, Shape, World};

/// Plays a script from the first boot on and gives a digest of everything that was said and done.
pub(crate) fn play(shape: Shape, frames: Frames, seed: u64, script: &[[u8; 4]]) -> Digest {
    let mut world = World::new(shape, frames, seed);
    for &action in script {
        act(&mut world, action);
    }
    if frames == Frames::Honest && !world.wiped {
        recover(&mut world);
    }
    world.books.digest
}

fn act(world: &mut World, [what, who, whom, much]: [u8; 4]) {
    let count = world.members.len();
    let (who, whom) = (usize::from(who) % count, usize::from(whom) % count);
    let amount = u64::from(much);
    match what % 32 {
        0..=5 => world.run((amount + 1) * MS / 4),
        6..=8 => world.run((amount + 1) * MS),
        9 => {
            let loss = if whom == 0 { 0 } else { much / 2 };
            world.network = Network { loss, duplication: much, delay_max: MS / 2 + (amount % 16) * MS };
        }
        10 => world.network = Network { loss: 0, duplication: 64, delay_max: amount * MS },
        11 => world.network = CALM,
        12 | 13 => world.cut[who][whom] = true,
        14 => isolate(world, who, much % 3),
        15 => world.cut.iter_mut().for_each(|row| row.fill(false)),
        16 => world.crash(who, much.is_multiple_of(2)),
        17 | 18 => world.start(who),
        19 => {
            world.crash(who, much.is_multiple_of(2));
            world.run(amount % 8 * MS / 4);
            world.start(who);
        }
        20 => world.members[who].paused_until = world.now + amount * MS,
        21 => change_disk(world, who, much),
        22 => link(world, who, whom, much),
        23 => ask(world, who, whom, much),
        24 => host(world, who, amount, whom),
        25 if frames_are_forged(world) || much.is_multiple_of(8) => wipe(world, who),
        26 => rebuild(world, who),
        _ if frames_are_forged(world) => forge::inject(world, who, whom, [what, much]),
        _ if world.frames == Frames::Geneses => forge::inject_genesis(world, who, whom, much),
        _ => world.run((amount + 1) * MS / 8),
    }
}

fn frames_are_forged(world: &World) -> bool {
    world.frames == Frames::Forged
}

/// It hears nobody, or is heard by nobody, or both.
fn isolate(world: &mut World, who: usize, how: u8) {
    for other in 0..world.members.len() {
        if how != 1 {
            world.cut[other][who] = true;
        }
        if how != 0 {
            world.cut[who][other] = true;
        }
    }
}

fn change_disk(world: &mut World, who: usize, much: u8) {
    let member = &mut world.members[who];
    let (from, to) = (
        member.disk,
        match much % 8 {
            0 => Disk::Hangs,
            1 | 2 => Disk::Slow,
            3 => Disk::FailsWithOld,
            4 => Disk::FailsWithNew,
            _ => Disk::Works,
        },
    );
    member.disk = to;
    if from == Disk::Hangs && to != Disk::Hangs && member.gate.is_some() {
        member.gate_due = world.now;
    }
}

fn link(world: &mut World, who: usize, whom: usize, much: u8) {
    if who == whom {
        return;
    }
    let peer = world.members[whom].id;
    let now = world.local(who);
    let state = match much % 4 {
        // Evidence is only ever true: nobody listens because nobody runs.
        0 | 1 if world.members[whom].elector.is_none() => LinkState::Refused { attempt_began: now },
        0 => LinkState::Closed,
        _ => LinkState::Up,
    };
    world.input(who, |elector, now| elector.on_link(peer, state, now));
}

/// A request. A refused one still has to hand out what came due with it.
fn ask(world: &mut World, who: usize, whom: usize, much: u8) {
    let target = much.is_multiple_of(2).then_some(world.members[whom].id);
    let who = if much >= 128 { world.leader().map_or(who, |(leader, _)| leader) } else { who };
    match much % 16 {
        0..=7 => world.request(who, |elector, now| elector.request_handover(target, now)),
        8 | 9 => world.request(who, Elector::resign),
        10 | 11 => {
            let span = Duration::from_millis(u64::from(much) + 1);
            world.request(who, |elector, now| elector.pause(span, now));
        }
        12 | 13 => world.request(who, Elector::resume),
        _ => world.input(who, Elector::on_drained),
    }
}

/// What hosts report.
fn host(world: &mut World, who: usize, amount: u64, whom: usize) {
    match amount % 8 {
        0 => world.input(who, |elector, now| elector.set_health(Health::Unfit, now)),
        1 => world.input(who, |elector, now| elector.set_health(Health::Healthy, now)),
        2 => world.input(who, Elector::on_drained),
        3 => world.input(who, Elector::on_source_lost),
        4 => world.members[who].lazy = whom == 0,
        _ => advance_log(world, who, amount),
    }
}

/// The leader writes, and whoever follows gets it too.
fn advance_log(world: &mut World, who: usize, amount: u64) {
    let Some((leader, epoch)) = world.leader() else { return };
    let offset = world.members[leader].tail.0.get().map_or(0, |held| held.offset).saturating_add(amount);
    let position = Some(Position::new(epoch, offset));
    for index in [leader, who] {
        let fits = world.is_voter(index) && world.members[index].tail.0.get() <= position;
        // A fence lets no entry pass that is above the durable epoch.
        if fits && world.may_hold(index, position) && world.members[index].elector.is_some() {
            world.members[index].tail.0.set(position);
            world.input(index, |elector, now| elector.set_position(position, now));
        }
    }
}

/// The disk is lost, and an operator says so.
fn wipe(world: &mut World, who: usize) {
    world.crash(who, false);
    world.wiped = true;
    let member = &mut world.members[who];
    member.store.record = Record::replacement(&member.config);
    member.tail.0.set(None);
}

fn rebuild(world: &mut World, who: usize) {
    let entry = world.leader().map(|(leader, _)| world.members[leader].tail.0.get());
    let Some(entry) = entry else { return };
    if world.is_voter(who) && world.may_hold(who, entry) && world.members[who].elector.is_some() {
        world.members[who].tail.0.set(entry);
    }
    world.request(who, |elector, now| elector.on_rebuilt(RebuiltTo { entry }, now));
}

/// L1: once everything works again there is a leader in office within four election timeouts.
fn recover(world: &mut World) {
    world.network = CALM;
    world.cut.iter_mut().for_each(|row| row.fill(false));
    let ids: Vec<_> = world.members.iter().map(|member| member.id).collect();
    for index in 0..world.members.len() {
        let member = &mut world.members[index];
        member.disk = Disk::Works;
        member.lazy = false;
        member.paused_until = 0;
        member.gate_due = member.gate_due.min(world.now);
        if member.stopped {
            member.kill();
        }
        world.start(index);
        for &peer in ids.iter().filter(|&&peer| peer != ids[index]) {
            world.input(index, |elector, now| elector.on_link(peer, LinkState::Up, now));
        }
        world.input(index, |elector, now| elector.set_health(Health::Healthy, now));
    }
    // Frames still under way belong to the faults.
    world.run(260 * MS);
    for index in 0..world.members.len() {
        world.serve(index);
        world.request(index, Elector::resume);
    }
    let longest = world.members.iter().map(|member| member.config.election_timeout()).max().unwrap();
    let election_timeout = u64::try_from(longest.as_nanos()).unwrap();
    let end = world.now + 4 * election_timeout;
    while world.leader().is_none() {
        assert!(world.step_until(end), "L1: nobody leads\n{}", explain(world));
    }
    // L2: and it stays.
    let first = world.leader();
    world.run(u64::try_from(DETECTION.as_nanos()).unwrap());
    assert!(world.leader().is_some(), "L2: {first:?} did not stay\n{}", explain(world));
}

fn explain(world: &World) -> String {
    let lines = world.members.iter().enumerate().filter_map(|(index, member)| {
        Some(format!("{}: {}\n", member.id, member.elector.as_ref()?.explain(world.local(index))))
    });
    lines.collect()
}
