//! Every set of directed link cuts in a steady group, and what becomes of its leader.

use crate::campaign::Run;
use crate::checkers::{Checker, Violation};
use crate::clock::{MILLI, Real, SECOND};
use crate::ids::{Link, NodeIndex};
use crate::input::{Input, Request};
use crate::options::Options;
use crate::trace::Detail;
use crate::world::World;

/// One case: a steady group under this leader, whose links of this set are cut, healed but for one, and healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// How many voters.
    pub nodes: usize,
    /// Who leads at first.
    pub leader: NodeIndex,
    /// The directed links that are cut, one bit each.
    pub cuts: u64,
    /// The one link that is flipped (cut or healed) once the group is steady again.
    pub flip: Option<usize>,
}

/// What became of the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// The same node led on without interruption.
    Stayed,
    /// Another node leads, or the same one after an interruption.
    Moved,
    /// Nobody leads, and nobody can.
    RightlyNone,
}

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// After the cuts.
    pub cut: Fate,
    /// After the one flip, if there was one.
    pub flipped: Option<Fate>,
    /// Longest time without a leader that should have been there, in thousandths of an election timeout.
    pub worst: u64,
    /// What did not hold.
    pub violation: Option<Violation>,
    /// Simulated time.
    pub simulated: Real,
}

impl Case {
    /// How many directed links a group has.
    pub const fn links(nodes: usize) -> usize {
        nodes * (nodes - 1)
    }

    /// How many sets of cuts there are.
    pub const fn sets(nodes: usize) -> u64 {
        1 << Self::links(nodes)
    }

    /// The directed links that are cut: from, to.
    pub fn cut_links(&self) -> Vec<Link> {
        Link::all(self.nodes)
            .enumerate()
            .filter(|(bit, _)| self.cuts >> bit & 1 == 1)
            .map(|(_, link)| link)
            .collect()
    }

    /// The case as text: `a→b c→a`.
    pub fn describe(&self) -> String {
        let cuts: Vec<_> = self.cut_links().iter().map(ToString::to_string).collect();
        let flip = self.flip.and_then(|bit| Link::all(self.nodes).nth(bit));
        let flip = flip.map_or(String::new(), |link| format!(", then {link} flipped"));
        format!("{} leads, cut {}{flip}", self.leader, cuts.join(" "))
    }

    /// Plays the case.
    pub fn play(&self, detail: Detail) -> (Verdict, World) {
        let options = Options {
            client_every: 200 * MILLI,
            ..Options::quiet(self.cuts ^ u64::from(self.leader.number()) << 40, self.nodes)
        };
        let mut play = Play::new(World::new(options, detail));
        let verdict = play.verdict(self);
        (verdict, play.run.world)
    }
}

struct Play {
    run: Run,
    timeout: Real,
    worst: u64,
}

impl Play {
    fn new(world: World) -> Self {
        let timeout = world.election_timeout();
        Self { run: Run::of(world), timeout, worst: 0 }
    }

    fn verdict(&mut self, case: &Case) -> Verdict {
        self.settle_at_first(case.leader);
        let cut = self.change(&case.cut_links());
        let flipped = case.flip.map(|bit| {
            let flipped = Case { cuts: case.cuts ^ 1 << bit, ..*case };
            self.change(&flipped.cut_links())
        });
        self.change(&[]);
        let world = &self.run.world;
        Verdict {
            cut,
            flipped,
            worst: self.worst,
            violation: world.violation().cloned(),
            simulated: world.now(),
        }
    }

    fn settle_at_first(&mut self, leader: NodeIndex) {
        // By then every process runs, every connection stands, and somebody is in office.
        self.run.world.run_until(SECOND);
        // A handover may go to another node when its message is overtaken: then it is asked for again.
        for _ in 0..10 {
            let Some(first) = self.run.world.in_office().filter(|&first| first != leader) else {
                break;
            };
            let to = Some(self.run.world.node(leader).id());
            self.run.world.input(first, Input::Request(Request::Handover(to)));
            let until = self.run.world.now() + SECOND;
            self.run.world.run_until(until);
        }
        if self.run.world.in_office() != Some(leader) {
            self.run.fail(Checker::Serves, &format!("node {leader:?} should have led at first"));
        }
        let steady = self.run.world.now() + 300 * MILLI;
        self.run.world.run_until(steady);
    }

    /// Sets the cuts, waits until the group is steady and says what became of its leader.
    fn change(&mut self, cuts: &[Link]) -> Fate {
        let begin = self.run.world.now();
        let before = self.run.world.leader();
        let losses = self.run.world.counts().losses;
        self.run.world.set_cuts(cuts);
        let able = self.run.world.able_to_lead();
        let stays = before.is_some_and(|(node, _)| able.contains(&node));
        if able.is_empty() {
            self.run.world.run_until(begin + 2 * self.timeout);
            if let Some((node, epoch)) = self.run.world.leader() {
                let detail = format!("node {node:?} leads {epoch} although it cannot reach a quorum");
                self.run.fail(Checker::RightlyNoLeader, &detail);
            }
            return Fate::RightlyNone;
        }
        self.led_in_time(begin, cuts.is_empty());
        let lost = self.run.world.counts().losses > losses;
        if stays && lost {
            self.run.fail(Checker::Stays, "a leader with a quorum was displaced");
        }
        if lost || before.is_none() { Fate::Moved } else { Fate::Stayed }
    }

    /// L1: somebody who can lead leads in time; L2: and then stays.
    fn led_in_time(&mut self, begin: Real, full_mesh: bool) {
        let bound = self.timeout * if full_mesh { 2 } else { 4 };
        let led = self.run.wait_until(begin + bound, |world| {
            world.leader().is_some_and(|(node, _)| world.able_to_lead().contains(&node))
        });
        let Some(led) = led else {
            self.run.fail(Checker::Settles, "nobody leads in time although somebody could");
            return;
        };
        self.worst = self.worst.max((led - begin) * 1_000 / self.timeout);
        // What was under way at the change has passed by now.
        self.run.world.run_until(led + 2 * self.timeout);
        let losses = self.run.world.counts().losses;
        self.run.world.run_until(led + 3 * self.timeout);
        if self.run.world.counts().losses > losses {
            self.run.fail(Checker::Stays, "a leader lost its authority although nothing changed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_numbered_link_by_link() {
        let case = Case { nodes: 3, leader: NodeIndex::new(0), cuts: 0b10_0001, flip: Some(1) };
        assert_eq!(case.describe(), "a leads, cut a→b c→b, then a→c flipped");
        assert_eq!((Case::sets(3), Case::sets(4), Case::sets(5)), (64, 4_096, 1_048_576));
    }

    #[test]
    fn fates_are_told_apart() {
        let fate = |cuts| Case { nodes: 3, leader: NodeIndex::new(0), cuts, flip: None }.play(Detail::Hash).0;
        assert_eq!(fate(0).cut, Fate::Stayed);
        assert_eq!(fate(0b00_0011).cut, Fate::Moved, "the leader is not heard");
        assert_eq!(fate(0b11_1111).cut, Fate::RightlyNone);
    }
}
