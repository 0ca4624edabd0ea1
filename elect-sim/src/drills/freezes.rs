//! The drill in which failover is frozen.

use std::time::Duration;

use elect_core::Health;

use super::Steady;
use crate::action::Action;
use crate::campaign::Run;
use crate::ids::NodeIndex;
use crate::input::Request;
use crate::liveness::Liveness;

/// Longer than any drill.
const FREEZE: Duration = Duration::from_mins(10);

impl Run {
    /// L1, R62: while failover is frozen nobody replaces the leader, and it leads again when it is back.
    pub(super) fn frozen_leader(&mut self, mut steady: Steady) {
        let leader = steady.leader;
        let asked = self.another(&mut steady, |_| true);
        let at = if steady.random.below(2) == 0 { leader } else { asked };
        self.world.perform(Action::Ask(at, Request::Freeze(FREEZE)));
        // The request, its answer, and an answer to that.
        let told = self.world.now() + 3 * steady.heartbeat + 4 * steady.delay;
        self.world.run_until(told);
        self.world.restart_stopwatches();
        let restarts = steady.random.below(2) == 0;
        if restarts {
            self.world.perform(Action::Crash(leader));
        } else {
            self.world.perform(Action::Ask(leader, Request::Health(Health::Unfit)));
            self.world.cut_off(leader, true, true);
        }
        self.nobody_replaces(leader, self.world.now() + 2 * steady.timeout);
        // Whoever restarts alone learns of the freeze from those who do not.
        let follower = self.another(&mut steady, |_| true);
        let rests = self.world.node_count() > 3 && steady.random.below(2) == 0;
        if rests {
            self.world.perform(Action::Crash(follower));
            self.world.perform(Action::Start(follower));
            self.nobody_replaces(leader, self.world.now() + 2 * steady.timeout);
        }
        self.frozen_leader_returns(leader, restarts, &steady);
        self.world.perform(Action::Ask(leader, Request::Health(Health::Healthy)));
        self.world.perform(Action::Ask(asked, Request::Thaw));
    }

    fn frozen_leader_returns(&mut self, leader: NodeIndex, restarts: bool, steady: &Steady) {
        self.world.restart_stopwatches();
        let begin = self.world.now();
        if restarts {
            self.world.perform(Action::Start(leader));
        } else {
            self.world.heal_links();
        }
        let until = begin + 4 * steady.timeout;
        let leads = |world: &crate::world::World| world.leader().is_some_and(|(node, _)| node == leader);
        match self.wait_until(until, leads) {
            Some(led) => self.measure(Liveness::LeadsAgain, led - begin, 2 * steady.timeout),
            None => self.never(Liveness::LeadsAgain),
        }
    }

    fn nobody_replaces(&mut self, leader: NodeIndex, until: u64) {
        self.wait_until(until, |world| world.stopwatches().elected().is_some());
        if let Some((node, _)) = self.world.stopwatches().elected().filter(|&(node, _)| node != leader) {
            let words = format!("{node} is elected while {leader} is kept in office");
            self.fail(Liveness::LeadsAgain.checker(), &words);
        }
    }
}
