//! The drills that cost an election.

use elect_core::MemberKind;

use super::Steady;
use crate::action::Action;
use crate::campaign::Run;
use crate::clock::{MICRO, MILLI, Real, SECOND};
use crate::ids::NodeIndex;
use crate::input::Request;
use crate::liveness::Liveness;
use crate::random::Random;
use crate::rule::{Kind, Rule, Treatment};
use crate::world::World;

/// How long a lost connection takes until the next attempt, at most.
const REDIALLED: Real = 100 * MILLI;

impl Run {
    /// L7: everybody is free as soon as it hears so; L9: then somebody is elected.
    pub(super) fn resignation(&mut self, steady: &Steady) {
        let followers = self.world.followers_of(steady.leader);
        self.world.perform(Action::Ask(steady.leader, Request::Resign));
        let Some((_, lost)) = self.world.stopwatches().first_loss() else { return };
        let all_free =
            |world: &World| followers.iter().all(|&node| world.stopwatches().freed(node).is_some());
        if self.wait_until(lost + 4 * steady.timeout, all_free).is_none() {
            return self.never(Liveness::FreeAtOnce);
        }
        let freed = followers.iter().filter_map(|&node| self.world.stopwatches().freed(node)).max();
        let seen = freed.unwrap_or(lost).saturating_sub(lost);
        self.measure(Liveness::FreeAtOnce, seen, steady.delay);
        let Some((_, elected)) = self.successor(Liveness::Elects, steady) else { return };
        if self.in_one_round() {
            self.measure(Liveness::Elects, elected - lost, steady.election());
        }
    }

    /// L7: who missed the announcement learns of the leader from the next heartbeat.
    pub(super) fn lost_announcement(&mut self, mut steady: Steady) {
        let deaf = self.another(&mut steady, |_| true);
        for from in self.world.members().filter(|&from| from != deaf) {
            let rule = Rule { from, to: deaf, kind: Kind::Announce, left: 1, treatment: Treatment::Lose };
            self.world.add_rule(rule);
        }
        self.world.perform(Action::Ask(steady.leader, Request::Resign));
        if self.world.stopwatches().first_loss().is_none() {
            return;
        }
        let Some((leader, elected)) = self.successor(Liveness::Elects, &steady) else { return };
        if leader == deaf {
            return;
        }
        let until = elected + 4 * steady.timeout;
        self.wait_until(until, |world| world.stopwatches().followed(deaf).is_some());
        match self.world.stopwatches().followed(deaf) {
            Some((followed, at)) if followed == leader => {
                let heartbeat = self.world.under(leader, &steady).heartbeat;
                let bound = heartbeat + steady.delay + steady.save;
                self.measure(Liveness::LearnsLeader, at - elected, bound);
            }
            _ => self.never(Liveness::LearnsLeader),
        }
    }

    /// S9, L9: the target leads as soon as the old leader has let go.
    pub(super) fn handover(&mut self, mut steady: Steady) {
        let target = self.another(&mut steady, |kind| kind == MemberKind::Voter);
        if !self.world.able_to_lead().contains(&target) {
            return; // R65: no quorum can carry its lease.
        }
        self.world.perform(Action::Ask(steady.leader, Request::Handover(Some(target.id()))));
        let until = self.world.now() + 2 * SECOND;
        self.wait_until(until, |world| world.stopwatches().first_loss().is_some());
        let Some((_, lost)) = self.world.stopwatches().first_loss() else { return };
        let Some((winner, elected)) = self.successor(Liveness::HandsOver, &steady) else { return };
        if winner != target {
            return self.never(Liveness::HandsOver);
        }
        if self.in_one_round() {
            self.measure(Liveness::HandsOver, elected - lost, steady.election());
        }
    }

    /// Only silence tells that the leader is gone; it returns and follows.
    pub(super) fn silence(&mut self, steady: &Steady) {
        let begin = self.world.now();
        self.world.perform(Action::PowerOff(steady.leader));
        let Some(new) = self.silent_failover(begin, steady) else { return };
        self.returns(steady.leader, new.leader, &new);
        self.undisturbed(&new, 2);
    }

    /// The process is killed: its connections close, and its address refuses new ones.
    pub(super) fn kill(&mut self, steady: &Steady) {
        let (old, begin) = (steady.leader, self.world.now());
        self.world.perform(Action::Crash(old));
        let new = if self.world.options().crash_evidence {
            self.evident_failover(begin, steady)
        } else {
            self.silent_failover(begin, steady)
        };
        let Some(new) = new else { return };
        self.returns(old, new.leader, &new);
        self.undisturbed(&new, 2);
    }

    fn evident_failover(&mut self, begin: Real, steady: &Steady) -> Option<Steady> {
        let (leader, elected) = self.successor(Liveness::DetectsByEvidence, steady)?;
        // The close, a new attempt and its refusal; another attempt where a frame overtook the close.
        let noticed = steady.delay + MILLI + 2 * steady.delay;
        let bound = noticed + REDIALLED + 2 * steady.delay + steady.election();
        if self.in_one_round() {
            self.measure(Liveness::DetectsByEvidence, elected - begin, bound);
        }
        Some(self.world.under(leader, steady))
    }

    /// L3, L4: the leader gives up in time and counts no epochs up; L2: its return disturbs nobody.
    pub(super) fn isolated_leader(&mut self, mut steady: Steady) {
        let (old, begin) = (steady.leader, self.world.now());
        let before = self.world.durable_epoch(old);
        self.world.cut_off_somehow(old, &mut steady.random);
        let until = begin + 4 * steady.timeout;
        self.wait_until(until, |world| world.stopwatches().first_loss().is_some());
        match self.world.stopwatches().first_loss() {
            Some((node, lost)) if node == old => {
                let bound = self.world.longest_lease(old);
                self.measure(Liveness::StepsDown, lost - begin, bound);
            }
            _ => return self.never(Liveness::StepsDown),
        }
        let Some(new) = self.silent_failover(begin, &steady) else { return };
        self.undisturbed(&new, 2);
        self.adds(Liveness::EpochsAlone, old, before, 0);
        self.rejoins(old, new.leader, &new);
        self.undisturbed(&new, 2);
    }

    /// L4: a candidate that is cut off adds one epoch at most; L1: the others elect; L2: it disturbs nobody.
    pub(super) fn cut_off_candidate(&mut self, steady: &Steady) {
        let epochs: Vec<_> = self.world.members().map(|node| self.world.durable_epoch(node)).collect();
        self.world.perform(Action::Ask(steady.leader, Request::Resign));
        let until = self.world.now() + steady.timeout;
        while self.world.stopwatches().stood().is_none() && self.world.now() < until {
            let next = self.world.now() + 10 * MICRO;
            self.world.run_until(next);
        }
        let Some((candidate, ..)) = self.world.stopwatches().stood() else { return };
        let cut = self.world.now();
        self.world.cut_off(candidate, true, true);
        let Some((leader, elected)) = self.successor(Liveness::Settles, steady) else { return };
        if leader == candidate {
            return; // What it needed was under way before the cut.
        }
        self.measure(Liveness::Settles, elected - cut, 4 * steady.timeout);
        let new = self.world.under(leader, steady);
        self.undisturbed(&new, 2);
        self.adds(Liveness::EpochsOfCutOffCandidate, candidate, epochs[candidate], 1);
        self.rejoins(candidate, leader, &new);
        self.undisturbed(&new, 2);
    }

    /// L8: everybody loses power; all but one, if one is `away`, come back at once.
    pub(super) fn power_cut(&mut self, steady: &Steady, away: Option<NodeIndex>) {
        let nodes = self.world.members();
        for node in nodes.clone() {
            self.world.perform(Action::PowerOff(node));
        }
        let dark = self.world.now() + 100 * MILLI;
        self.world.run_until(dark);
        self.world.restart_stopwatches();
        for node in nodes.filter(|&node| Some(node) != away) {
            self.world.perform(Action::Start(node));
        }
        let Some(away) = away else { return self.boots(Liveness::PowerCut, steady) };
        let begin = self.world.now();
        let Some((leader, elected)) = self.successor(Liveness::PowerCutWithoutLeader, steady) else { return };
        if self.in_one_round() {
            self.measure(Liveness::PowerCutWithoutLeader, elected - begin, steady.timeout);
        }
        let new = self.world.under(leader, steady);
        self.returns(away, leader, &new);
        self.undisturbed(&new, 2);
    }

    /// L8: from a connected quorum to a leader.
    pub(super) fn boots(&mut self, what: Liveness, steady: &Steady) {
        let Some((leader, elected)) = self.successor(what, steady) else { return };
        let Some(connected) = self.world.quorum_connected() else { return };
        let rank = match self.world.stopwatches().stood() {
            Some((node, rank, _)) if node == leader => u64::from(rank),
            _ => 0,
        };
        let bound = 4 * steady.delay + steady.save + rank * self.world.rank_step(steady);
        if self.in_one_round_of(Liveness::FurtherCampaignsAtBoot) {
            self.measure(what, elected.saturating_sub(connected), bound);
        }
    }

    /// A group that is at peace from its first boot on: L8, and where a leader is preferred, how it comes back.
    pub(crate) fn peace(&mut self) {
        self.world.network_mut().keep_order();
        let (random, timeout) = (Random::stream(self.world.options().seed, 7), self.world.election_timeout());
        let first = self.world.spans(NodeIndex::default(), timeout, random);
        self.boots(Liveness::FirstBoot, &first);
        let Some(preferred) = self.world.options().preferred else { return };
        // R65: where nodes are configured differently, no quorum may be able to carry its lease.
        if !self.world.able_to_lead().contains(&preferred) {
            return;
        }
        self.fails_back(preferred, &first);
        let random = Random::stream(self.world.options().seed, 8);
        let Some(steady) = self.steady(random).filter(|steady| steady.leader == preferred) else { return };
        self.world.restart_stopwatches();
        self.world.perform(Action::Crash(preferred));
        let Some(_) = self.successor(Liveness::Detects, &steady) else { return };
        let after = self.world.now() + timeout;
        self.world.run_until(after);
        self.world.perform(Action::Start(preferred));
        self.fails_back(preferred, &steady);
    }

    /// The preferred node is fit from now on, or soon.
    fn fails_back(&mut self, preferred: NodeIndex, steady: &Steady) {
        let begin = self.world.now();
        let cooldown = u64::try_from(self.world.options().cooldown.as_nanos()).unwrap_or(u64::MAX);
        let bound = cooldown + steady.timeout;
        let leads = |world: &World| world.in_office() == Some(preferred);
        let Some(at) = self.wait_until(begin + bound + 4 * steady.timeout, leads) else {
            return self.never(Liveness::FailsBack);
        };
        self.measure(Liveness::FailsBack, (at - begin).saturating_sub(cooldown), steady.timeout);
    }

    /// The old leader fell silent at `begin`: the group under the new one.
    fn silent_failover(&mut self, begin: Real, steady: &Steady) -> Option<Steady> {
        let (leader, elected) = self.successor(Liveness::Detects, steady)?;
        if self.in_one_round() {
            self.measure(Liveness::Detects, elected - begin, steady.timeout);
            if let Some(free) = self.world.quorum_free(steady.leader) {
                // A better candidate is waited for also where it hears nobody, or where its own promise runs on.
                let is_awaited =
                    self.world.is_heard(steady.leader) || self.world.another_is_bound(steady.leader, leader);
                let (what, delays) = if self.world.do_clients_rest() && !is_awaited {
                    (Liveness::ElectsAfterSilence, 0)
                } else {
                    let steps = self.world.steps_awaited(leader);
                    (Liveness::ElectsBehindAnother, steps * self.world.rank_step(steady))
                };
                // The best candidate's own promise may end last.
                let free = free.max(self.world.stopwatches().freed(leader).unwrap_or(0));
                self.measure(what, elected.saturating_sub(free), steady.election() + delays);
            }
        }
        let after = self.world.now() + steady.timeout;
        self.world.run_until(after);
        Some(self.world.under(leader, steady))
    }
}

impl World {
    fn followers_of(&self, leader: NodeIndex) -> Vec<NodeIndex> {
        self.members().filter(|&node| node != leader).collect()
    }

    /// *D, each pair its own*: nobody grants a leader more than its own configuration asks for.
    fn longest_lease(&self, leader: NodeIndex) -> Real {
        let process = self.node(leader).process();
        let detection = process.map(|process| process.elector().config().detection().ceiling());
        u64::try_from(detection.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Whether a node that runs reaches somebody.
    fn is_heard(&self, node: NodeIndex) -> bool {
        let peers = self.members().filter(|&peer| peer != node);
        self.node(node).has_process() && peers.into_iter().any(|peer| !self.network().is_cut(node, peer))
    }

    /// Whether `elected` stood behind somebody, and a voter that it hears was still bound to `old` when it stood.
    fn another_is_bound(&self, old: NodeIndex, elected: NodeIndex) -> bool {
        let Some((_, _, stood)) =
            self.stopwatches().stood().filter(|&(node, rank, _)| node == elected && rank > 0)
        else {
            return false;
        };
        let is_bound = |&node: &NodeIndex| {
            let follows_on = self.options().kinds[node] == MemberKind::Voter
                && self.stopwatches().freed(node).is_none_or(|freed| freed > stood);
            follows_on && self.node(node).has_process() && !self.network().is_cut(node, elected)
        };
        let others = self.members().filter(|&node| node != old && node != elected);
        others.filter(is_bound).count() > 0
    }

    /// How many steps the winner waits behind better candidates whose promises run on. Promises end together, and nobody
    /// waits for more than one; where supervisors tell of an end, some hear it long before the others.
    fn steps_awaited(&self, winner: NodeIndex) -> u64 {
        let rank =
            self.stopwatches().stood().filter(|&(node, ..)| node == winner).map_or(0, |(_, rank, _)| rank);
        if self.options().supervised { u64::from(rank).max(1) } else { 1 }
    }

    /// The longest step of rank delays, by the slowest round trip that anybody goes by.
    fn rank_step(&self, steady: &Steady) -> Real {
        let save = u64::try_from(self.options().save.as_nanos()).unwrap_or(u64::MAX);
        2 * (steady.round_trip + save)
    }

    /// When the promises of a quorum to the old leader had ended.
    fn quorum_free(&self, old: NodeIndex) -> Option<Real> {
        let mut freed: Vec<_> = self
            .members()
            .filter(|&node| node != old && self.node(node).kind().votes())
            .filter_map(|node| self.stopwatches().freed(node))
            .collect();
        freed.sort_unstable();
        freed.get(self.quorum() - 1).copied()
    }

    /// When some voter that started anew first campaigned connected with a quorum of others that did.
    fn quorum_connected(&self) -> Option<Real> {
        let stopwatches = self.stopwatches();
        let with = |node: NodeIndex| {
            let mut times: Vec<_> = self
                .members()
                .filter(|&peer| self.node(peer).kind().votes())
                .filter_map(|peer| {
                    let both = stopwatches.first_save(node)?.max(stopwatches.first_save(peer)?);
                    if peer == node {
                        return Some(both);
                    }
                    Some(both.max(stopwatches.link_up(node, peer)?).max(stopwatches.link_up(peer, node)?))
                })
                .collect();
            times.sort_unstable();
            times.get(self.quorum() - 1).copied()
        };
        self.members().filter(|&node| self.node(node).kind() == MemberKind::Voter).filter_map(with).min()
    }
}
