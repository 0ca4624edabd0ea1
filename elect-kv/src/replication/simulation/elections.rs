//! Elections, as the elector's gate makes them: a quorum raises its fences and reports durable positions, and each host
//! hears of the result later.

use elect_core::{Epoch, Position, Source};

use super::Mutant;
use super::cluster::{Cluster, ElectorEvent, name};

impl Cluster {
    /// A quorum adopts a new epoch and reports its durable positions; the hosts hear of it later.
    pub(super) fn elect(&mut self, candidate: usize, mask: usize) {
        let voters: Vec<_> = self.quorum_with(candidate, mask);
        if voters.len() < self.quorum() {
            return;
        }
        self.epoch += 1;
        let epoch = Epoch::new(self.epoch);
        let mut best: Option<Source> = None;
        let by_length = self.mutant == Mutant::LengthBeatsEpoch;
        let exceeds =
            |one: Position, other: Position| if by_length { one.offset > other.offset } else { one > other };
        for &voter in &voters {
            let host = &mut self.hosts[voter];
            host.disk.floor = epoch;
            host.disk.kept = None;
            let position = host.disk.durable;
            if voter != candidate && best.is_none_or(|best| exceeds(position, best.position)) {
                best = Some(Source { peer: name(voter), position });
            }
        }
        let own = self.hosts[candidate].disk.durable;
        let source = best.filter(|best| exceeds(best.position, own) && self.mutant != Mutant::NoCatchUp);
        self.winners.insert(epoch, candidate);
        for voter in voters {
            let event = if voter == candidate {
                ElectorEvent::Elected(epoch, source)
            } else {
                ElectorEvent::Follow(name(candidate), epoch)
            };
            self.hosts[voter].elector_events.extend([ElectorEvent::Lost, event]);
        }
    }

    /// A leader offers itself again under a higher epoch: its followers keep its old stamps.
    pub(super) fn reoffer(&mut self, leader: usize, mask: usize) {
        let Some((old, in_office)) = self.hosts[leader].leads else { return };
        if self.hosts[leader].disk.floor != old {
            return;
        }
        let follows = |node: &usize| self.hosts[*node].disk.floor == old;
        let voters: Vec<_> = self.quorum_with(leader, mask).into_iter().filter(follows).collect();
        if voters.len() < self.quorum() {
            return;
        }
        self.epoch += 1;
        let epoch = Epoch::new(self.epoch);
        let mut best: Option<Source> = None;
        for &voter in &voters {
            let host = &mut self.hosts[voter];
            host.disk.floor = epoch;
            host.disk.kept = (voter != leader).then_some(old);
            let position = host.disk.durable;
            if voter != leader && best.is_none_or(|best| position > best.position) {
                best = Some(Source { peer: name(voter), position });
            }
            if voter != leader {
                host.elector_events.push_back(ElectorEvent::Follow(name(leader), epoch));
            }
        }
        let own = self.hosts[leader].disk.durable;
        let source = best.filter(|best| best.position > own);
        self.winners.insert(epoch, leader);
        let event =
            if in_office { ElectorEvent::Raised(epoch) } else { ElectorEvent::Elected(epoch, source) };
        self.hosts[leader].elector_events.push_back(event);
    }

    pub(super) fn quorum_with(&self, candidate: usize, mask: usize) -> Vec<usize> {
        let chosen = |node: &usize| *node == candidate || mask & (1 << node) != 0;
        let alive = |node: &usize| self.hosts[*node].replica.is_some();
        if !alive(&candidate) {
            return Vec::new();
        }
        (0..self.hosts.len()).filter(chosen).filter(alive).collect()
    }

    /// A node that took no part in the last election hears of its winner.
    pub(super) fn adopt(&mut self, node: usize) {
        let Some((&epoch, &winner)) = self.winners.last_key_value() else { return };
        let host = &mut self.hosts[node];
        if host.replica.is_some() && node != winner && host.disk.floor < epoch {
            host.disk.floor = epoch;
            host.disk.kept = None;
            host.elector_events.extend([ElectorEvent::Lost, ElectorEvent::Follow(name(winner), epoch)]);
        }
    }

    pub(super) fn take_elector_event(&mut self, node: usize) {
        let Some(event) = self.hosts[node].elector_events.pop_front() else { return };
        let host = &mut self.hosts[node];
        match event {
            ElectorEvent::Lost => {
                host.leads = None;
                host.waiting.clear();
                self.with(node, |replica, _| replica.stand_aside());
            }
            ElectorEvent::Follow(leader, epoch) => {
                if host.disk.kept.is_some_and(|_| host.disk.floor == epoch) {
                    host.disk.kept = None;
                }
                self.with(node, |replica, _| replica.follow(leader, epoch));
            }
            ElectorEvent::Elected(epoch, source) => {
                host.leads = Some((epoch, false));
                self.with(node, |replica, _| replica.elected(epoch, source));
            }
            ElectorEvent::Raised(epoch) => {
                host.leads = Some((epoch, true));
                self.with(node, |replica, disk| replica.raise(epoch, disk));
            }
        }
    }
}
