//! Drills: one deliberate trouble at a time in a group that is at rest, and how long it takes to get over it.
//!
//! The bounds are those of PROTOCOL.md with this group's own δ, S and D, not with the configured ones, which
//! leave room.

mod failovers;
mod freezes;

use elect_core::{Epoch, MemberKind, Time};

use crate::action::Action;
use crate::campaign::Run;
use crate::clock::{MICRO, MILLI, Real};
use crate::drill::Drill;
use crate::ids::NodeIndex;
use crate::liveness::Liveness;
use crate::node::Process;
use crate::random::Random;
use crate::sabotage::Sabotage;
use crate::world::World;

/// A group at rest, and the spans that its bounds are made of.
#[derive(Debug)]
pub(super) struct Steady {
    pub(super) leader: NodeIndex,
    /// δ: the longest delay of this network.
    pub(super) delay: Real,
    /// What rank steps go by: the configured round trip, or a longer one that this network has, or that some node still
    /// remembers of a slower one (R32).
    pub(super) round_trip: Real,
    /// S: the longest save, with the time that its news takes to the elector.
    pub(super) save: Real,
    /// The leader's own.
    pub(super) heartbeat: Real,
    /// One election timeout.
    pub(super) timeout: Real,
    pub(super) random: Random,
}

impl Steady {
    /// 3δ + S.
    pub(super) fn election(&self) -> Real {
        3 * self.delay + self.save
    }

    /// Two heartbeats and a round trip; the saves that lie on the way are the disk's.
    pub(super) fn return_of(&self) -> Real {
        2 * self.heartbeat + 2 * self.delay + 2 * self.save
    }
}

impl Run {
    /// Plays the drills that the options name, each in a group at rest.
    pub(crate) fn drills(&mut self) {
        // R65: where one voter leaves another out, cutting off a third may take the leader's quorum, lawfully: what a
        // drill demands of the rest of the group does not follow.
        if !self.world.leaves_nobody_out() {
            return;
        }
        self.world.network_mut().keep_order();
        for (number, drill) in (0u64..).zip(self.world.options().drills.clone()) {
            let mut random = Random::stream(self.world.options().seed, 1_000 + number);
            self.world.let_clients_rest(random.below(2) == 0);
            let Some(steady) = self.steady(random) else { return };
            // Positions reach everybody, if they are at rest.
            let rested = self.world.now() + steady.timeout + self.world.options().reports;
            self.world.run_until(rested);
            self.world.note_network(&format!("DRILL {}", drill.name()));
            self.world.restart_stopwatches();
            self.drill(drill, steady);
            self.world.clear_rules();
            self.world.let_clients_rest(false);
        }
    }

    fn drill(&mut self, drill: Drill, steady: Steady) {
        match drill {
            Drill::Resign => self.resignation(&steady),
            Drill::LoseAnnounce => self.lost_announcement(steady),
            Drill::HandOver => self.handover(steady),
            Drill::PowerOffLeader => self.silence(&steady),
            Drill::KillLeader => self.kill(&steady),
            Drill::IsolateLeader => self.isolated_leader(steady),
            Drill::IsolateFollower => self.isolated_follower(steady),
            Drill::HigherEpoch => self.higher_epoch(steady),
            Drill::CutOffCandidate => self.cut_off_candidate(&steady),
            Drill::PowerCut => self.power_cut(&steady, None),
            Drill::PowerCutWithoutLeader => self.power_cut(&steady, Some(steady.leader)),
            Drill::FreezeLeader => self.frozen_leader(steady),
        }
    }

    /// Waits until everybody runs and follows a leader in office; `None` if that takes too long, as where a
    /// lost disk is still being rebuilt.
    pub(super) fn steady(&mut self, random: Random) -> Option<Steady> {
        let timeout = self.world.election_timeout();
        let until = self.world.now() + 4 * timeout;
        self.wait_until(until, |world| world.leader_at_rest().is_some())?;
        let leader = self.world.leader_at_rest()?;
        Some(self.world.spans(leader, timeout, random))
    }

    // What does not cost an election.

    fn isolated_follower(&mut self, mut steady: Steady) {
        let node = self.another(&mut steady, |_| true);
        let before = self.world.durable_epoch(node);
        self.world.cut_off_somehow(node, &mut steady.random);
        self.undisturbed(&steady, 2);
        self.plant_epoch(node);
        self.adds(Liveness::EpochsAlone, node, before, 0);
        self.rejoins(node, steady.leader, &steady);
        self.undisturbed(&steady, 2);
    }

    /// L2, L6: the leader passes the higher epoch without a gap, and the node follows.
    fn higher_epoch(&mut self, mut steady: Steady) {
        let node = self.another(&mut steady, |kind| kind == MemberKind::Voter);
        self.world.perform(Action::Crash(node));
        self.undisturbed(&steady, 1);
        let ahead = 1 + steady.random.below(3);
        self.world.raise_record(node, ahead);
        self.returns(node, steady.leader, &steady);
        self.undisturbed(&steady, 2);
    }

    // Parts of drills.

    /// A node of such a kind other than the leader.
    pub(super) fn another(&self, steady: &mut Steady, fits: impl Fn(MemberKind) -> bool) -> NodeIndex {
        let nodes = self.world.members();
        let others: Vec<_> =
            nodes.filter(|&node| node != steady.leader && fits(self.world.node(node).kind())).collect();
        others[steady.random.index(others.len())]
    }

    /// L2: the leader's lease runs on for so many election timeouts, and nothing is lost.
    pub(super) fn undisturbed(&mut self, steady: &Steady, timeouts: u64) {
        let losses = self.world.counts().losses;
        let until = self.world.now() + timeouts * steady.timeout;
        while self.world.now() < until && self.world.violation().is_none() {
            let next = self.world.now() + MILLI;
            self.world.run_until(next);
            let leader = self.world.leader().map(|(node, _)| node);
            if leader != Some(steady.leader) {
                let words = format!("{leader:?} leads in place of {}", steady.leader);
                self.fail(Liveness::Undisturbed.checker(), &words);
            }
        }
        self.measure(Liveness::Undisturbed, self.world.counts().losses - losses, 0);
    }

    /// L4: how far the durable epoch of `node` has risen above its own and what the others have.
    pub(super) fn adds(&mut self, what: Liveness, node: NodeIndex, before: Epoch, bound: u64) {
        let others = self.world.members().filter(|&other| other != node);
        let known = others.map(|other| self.world.durable_epoch(other)).fold(before, Epoch::max);
        let added = self.world.durable_epoch(node).number().saturating_sub(known.number());
        self.measure(what, added, bound);
    }

    /// L6: the dead `node` starts, and follows `leader`.
    pub(super) fn returns(&mut self, node: NodeIndex, leader: NodeIndex, steady: &Steady) {
        self.world.restart_stopwatches();
        self.world.perform(Action::Start(node));
        self.follows(Liveness::FollowsAgain, node, leader, steady);
    }

    /// L6: the cuts heal, and `node` follows `leader`.
    pub(super) fn rejoins(&mut self, node: NodeIndex, leader: NodeIndex, steady: &Steady) {
        self.world.restart_stopwatches();
        self.world.note_network("cuts heal");
        self.world.heal_links();
        self.follows(Liveness::Rejoins, node, leader, steady);
    }

    fn follows(&mut self, what: Liveness, node: NodeIndex, leader: NodeIndex, steady: &Steady) {
        let begin = self.world.now();
        let is_there = move |world: &World| {
            world.stopwatches().followed(node).is_some() || world.follows(node) == Some(leader)
        };
        let Some(_) = self.wait_until(begin + 4 * steady.timeout, is_there) else {
            return self.never(what);
        };
        let stopwatches = self.world.stopwatches();
        // Whoever never ceased to follow is there at once.
        let Some((_, followed)) = stopwatches.followed(node) else { return };
        let saved = stopwatches.first_save(node).unwrap_or(0);
        let ready = match what {
            Liveness::FollowsAgain => saved.max(stopwatches.talking(node, leader)),
            _ => 0,
        };
        // Both speak by their own intervals to whom they are not connected with.
        let heartbeat = steady.heartbeat.max(self.world.under(node, steady).heartbeat);
        let bound = Steady { heartbeat, random: steady.random.clone(), ..*steady }.return_of();
        self.measure(what, followed.saturating_sub(ready.max(begin)), bound);
    }

    /// Waits for a new leader: who, and when.
    pub(super) fn successor(&mut self, what: Liveness, steady: &Steady) -> Option<(NodeIndex, Real)> {
        let until = self.world.now() + 4 * steady.timeout;
        if self.wait_until(until, |world| world.stopwatches().elected().is_some()).is_none() {
            self.never(what);
        }
        self.world.stopwatches().elected()
    }

    /// Whether the first candidacy was the only one: what "the first campaign does not split" means.
    pub(super) fn in_one_round(&mut self) -> bool {
        let rests = self.world.do_clients_rest();
        self.in_one_round_of(if rests {
            Liveness::FurtherCampaigns
        } else {
            Liveness::FurtherCampaignsAmidWrites
        })
    }

    pub(super) fn in_one_round_of(&mut self, what: Liveness) -> bool {
        let rounds = u64::from(self.world.stopwatches().rounds());
        self.measure(what, rounds.saturating_sub(1), u64::MAX);
        // R65: where one leaves another out, the best candidate may be one that cannot campaign, and the others wait
        // for it.
        rounds <= 1 && self.world.leaves_nobody_out()
    }

    fn plant_epoch(&mut self, node: NodeIndex) {
        if self.world.is_sabotaged(Sabotage::CountsAlone) {
            self.world.raise_record(node, 1);
        }
    }
}

impl World {
    pub(super) fn spans(&self, leader: NodeIndex, timeout: Real, random: Random) -> Steady {
        let nanos = |span: std::time::Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let (configured, delay) = (nanos(self.options().round_trip), self.options().calm.delay_max);
        let remembered = self.members().filter_map(|node| self.node(node).process());
        let remembered = remembered.filter_map(|process| process.explain(Time::ZERO).slow);
        let remembered = remembered.map(|slow| nanos(slow.measured)).max().unwrap_or(0);
        Steady {
            leader,
            delay,
            round_trip: configured.max(2 * delay).max(remembered),
            save: nanos(self.options().save) / 2 + 60 * MICRO,
            heartbeat: nanos(self.options().heartbeat_of(leader)),
            timeout,
            random,
        }
    }

    /// The same group under another leader.
    pub(super) fn under(&self, leader: NodeIndex, before: &Steady) -> Steady {
        let heartbeat = u64::try_from(self.options().heartbeat_of(leader).as_nanos()).unwrap_or(u64::MAX);
        Steady { leader, heartbeat, random: before.random.clone(), ..*before }
    }

    /// The leader, if everybody runs and follows it, and it is in office.
    fn leader_at_rest(&self) -> Option<NodeIndex> {
        let leader = self.in_office()?;
        let (_, epoch) = self.leases(None).next()?;
        let rests = |node: NodeIndex| {
            let process = self.node(node).process();
            let quiet = process.is_some_and(Process::is_at_rest);
            let follows = process.is_some_and(|process| process.following() == Some((leader, epoch)));
            quiet && self.is_intact(node) && (node == leader || follows)
        };
        self.members().all(rests).then_some(leader)
    }

    fn follows(&self, node: NodeIndex) -> Option<NodeIndex> {
        let process = self.node(node).process()?;
        process.following().map(|(leader, _)| leader)
    }

    /// Cuts a node off, in one direction or both.
    pub(super) fn cut_off_somehow(&mut self, node: NodeIndex, random: &mut Random) {
        let (out, inward) = [(true, true), (true, false), (false, true)][random.index(3)];
        self.cut_off(node, out, inward);
    }

    pub(super) fn cut_off(&mut self, node: NodeIndex, out: bool, inward: bool) {
        let directions = match (out, inward) {
            (true, true) => "in both directions",
            (true, false) => "from being heard",
            _ => "from hearing",
        };
        self.note_network(&format!("cuts {node} off {directions}"));
        for peer in self.members().filter(|&peer| peer != node) {
            if out {
                self.perform(Action::Cut(node, peer));
            }
            if inward {
                self.perform(Action::Cut(peer, node));
            }
        }
    }
}
