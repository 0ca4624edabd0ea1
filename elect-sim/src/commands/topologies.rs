//! `elect-sim topologies`: every set of cut links.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use elect_sim::{Case, Detail, Fate, NodeIndex, Verdict};

use super::progress::Progress;
use super::{Exit, default_jobs, in_parallel, jobs};

/// Every set of directed link cuts in a steady group.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Voters in the group
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(3..=5))]
    nodes: u8,
    /// Only the first node leads at first; the default for five nodes: under another, only its own place among the
    /// names differs
    #[arg(long)]
    one_leader: bool,
    /// Only one link is flipped after each set, going round with the sets; the default for five nodes
    #[arg(long)]
    one_flip: bool,
    /// Play only this set, and show what happened: one bit for each directed link, a→b first
    #[arg(long)]
    set: Option<u64>,
    /// Who leads at first, with --set: 0 for a
    #[arg(long, default_value_t = 0, requires = "set")]
    leader: usize,
    /// The link that is flipped, with --set: its bit
    #[arg(long, requires = "set")]
    flip: Option<usize>,
    /// Threads; as many as there are processors if not given
    #[arg(long, value_parser = jobs)]
    jobs: Option<usize>,
    /// The table as JSON
    #[arg(long)]
    json: bool,
}

/// How often what became of a leader.
#[derive(Debug, Default, serde::Serialize)]
struct Table {
    cases: u64,
    after_cuts: BTreeMap<Fate, u64>,
    after_one_flip: BTreeMap<Fate, u64>,
    /// In thousandths of an election timeout.
    worst_without_a_leader: u64,
    worst_case: String,
    failed: Vec<String>,
    seconds: f64,
    times_real_time: f64,
}

impl Table {
    fn add(&mut self, case: &Case, verdict: &Verdict) {
        self.cases += 1;
        *self.after_cuts.entry(verdict.cut).or_default() += 1;
        if let Some(fate) = verdict.flipped {
            *self.after_one_flip.entry(fate).or_default() += 1;
        }
        if verdict.worst > self.worst_without_a_leader {
            self.worst_without_a_leader = verdict.worst;
            self.worst_case = case.describe();
        }
        if let Some(violation) = &verdict.violation {
            let Case { nodes, cuts, leader, flip } = case;
            let flip = flip.map_or(String::new(), |bit| format!(" --flip {bit}"));
            let replay =
                format!("elect-sim topologies --nodes {nodes} --set {cuts} --leader {leader:?}{flip}");
            let violation = violation.to_string();
            let violation = violation.lines().next().unwrap_or_default();
            self.failed.push(format!("{}: {violation}\n  replay it: {replay}", case.describe()));
        }
    }

    fn print(&self) {
        println!("{} cases in {:.1} s, {:.0} × real time", self.cases, self.seconds, self.times_real_time);
        println!("{:>16} {:>10} {:>10} {:>14}", "", "stayed", "moved", "rightly none");
        for (name, fates) in [("after the cuts", &self.after_cuts), ("after one flip", &self.after_one_flip)]
        {
            let count = |fate| fates.get(&fate).copied().unwrap_or(0);
            let [stayed, moved, none] = [Fate::Stayed, Fate::Moved, Fate::RightlyNone].map(count);
            println!("{name:>16} {stayed:>10} {moved:>10} {none:>14}");
        }
        let (worst, case) = (self.worst_without_a_leader, &self.worst_case);
        println!("longest time to a leader: {worst} thousandths of an election timeout ({case})");
        for failed in self.failed.iter().take(20) {
            println!("FAILS {failed}");
        }
        let failed = self.failed.len();
        println!("{}", if failed == 0 { "everything held".into() } else { format!("{failed} FAILED") });
    }
}

/// The cases, numbered.
#[derive(Clone, Copy)]
struct Plan {
    nodes: usize,
    /// How many nodes lead at first, one after the other.
    leaders: u64,
    /// How many links are flipped after each set, one after the other.
    flips: u64,
}

impl Plan {
    fn of(arguments: &Arguments) -> Self {
        let nodes = usize::from(arguments.nodes);
        let leaders = if arguments.one_leader || nodes == 5 { 1 } else { nodes as u64 };
        let flips = if arguments.one_flip || nodes == 5 { 1 } else { Case::links(nodes) as u64 };
        Self { nodes, leaders, flips }
    }

    fn cases(self) -> u64 {
        Case::sets(self.nodes) * self.leaders * self.flips
    }

    fn case(self, number: u64) -> Case {
        let (number, leader) = (number / self.leaders, number % self.leaders);
        let (cuts, flip) = (number / self.flips, number % self.flips);
        // Where only one link is flipped, it goes round with the sets.
        let flip = cuts.wrapping_mul(7).wrapping_add(flip) % Case::links(self.nodes) as u64;
        Case { nodes: self.nodes, leader: NodeIndex::at(index(leader)), cuts, flip: Some(index(flip)) }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("fewer than there are links")
}

/// The one case that was asked for, or what is wrong with it.
fn asked(arguments: &Arguments, set: u64) -> Result<Case, String> {
    let nodes = usize::from(arguments.nodes);
    let (sets, links) = (Case::sets(nodes), Case::links(nodes));
    let leader = NodeIndex::at(arguments.leader);
    let flip = arguments.flip.unwrap_or(index(set.wrapping_mul(7) % links as u64));
    if set >= sets {
        Err(format!("--set {set}: {nodes} nodes have the sets 0 to {}", sets - 1))
    } else if leader.place() >= nodes {
        Err(format!("--leader {leader:?}: {nodes} nodes are 0 to {}", nodes - 1))
    } else if flip >= links {
        Err(format!("--flip {flip}: {nodes} nodes have the links 0 to {}", links - 1))
    } else {
        Ok(Case { nodes, leader, cuts: set, flip: Some(flip) })
    }
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    if let Some(set) = arguments.set {
        return asked(arguments, set).map(|case| show(&case));
    }
    let plan = Plan::of(arguments);
    let total = plan.cases();
    let progress = std::cell::RefCell::new(Progress::new(total));
    let mut table = Table::default();
    let work = |number| {
        let case = plan.case(number);
        (case, case.play(Detail::Hash).0)
    };
    let take = |(case, verdict): (Case, Verdict)| {
        progress.borrow_mut().advance(Duration::from_nanos(verdict.simulated));
        table.add(&case, &verdict);
        true
    };
    in_parallel(0..total, arguments.jobs.unwrap_or_else(default_jobs), work, take, || {
        progress.borrow_mut().show();
    });
    let progress = progress.into_inner();
    progress.clear();
    (table.seconds, table.times_real_time) = (progress.elapsed().as_secs_f64(), progress.speed());
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&table).expect("a table is plain data"));
    } else {
        table.print();
    }
    Ok(table.failed.is_empty())
}

fn show(case: &Case) -> bool {
    let (verdict, world) = case.play(Detail::Events);
    print!("{}", world.trace().to_text());
    println!("\n{}: {:?}, then {:?}", case.describe(), verdict.cut, verdict.flipped);
    if let Some(violation) = &verdict.violation {
        println!("VIOLATION {violation}");
    }
    verdict.violation.is_none()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_set_leader_and_flip_is_a_case_once() {
        let plan = Plan { nodes: 3, leaders: 3, flips: 6 };
        let cases = (0..plan.cases()).map(|number| plan.case(number));
        let all: BTreeSet<_> = cases.map(|case| (case.cuts, case.leader, case.flip)).collect();
        assert_eq!((all.len(), plan.cases()), (64 * 3 * 6, 64 * 3 * 6));
    }

    #[test]
    fn a_single_flip_goes_round() {
        let plan = Plan { nodes: 5, leaders: 1, flips: 1 };
        let flips: BTreeSet<_> = (0..20).map(|number| plan.case(number).flip).collect();
        assert_eq!((flips.len(), plan.cases()), (20, 1 << 20));
    }
}
