//! `elect-sim topologies`: every set of cut links.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use elect_sim::{Case, Detail, Fate, Verdict};

use super::progress::Progress;
use super::{default_jobs, in_parallel};

/// Every set of directed link cuts in a steady group.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Voters in the group
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(3..=5))]
    nodes: u8,
    /// Only the first node leads at first; the default for five nodes, whose sets cover the others by renaming
    #[arg(long)]
    one_leader: bool,
    /// Play only this set, and show what happened
    #[arg(long)]
    set: Option<u64>,
    /// Who leads at first, with --set
    #[arg(long, default_value_t = 0, requires = "set")]
    leader: usize,
    /// Threads; as many as there are processors if not given
    #[arg(long)]
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
            let (nodes, set, leader) = (case.nodes, case.cuts, case.leader);
            let replay = format!("elect-sim topologies --nodes {nodes} --set {set} --leader {leader}");
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

fn case_of(number: u64, nodes: usize, leaders: u64) -> Case {
    let cuts = number / leaders;
    // The flipped link goes round with the sets.
    let flip = usize::try_from(cuts.wrapping_mul(7) % Case::links(nodes) as u64).ok();
    Case { nodes, leader: usize::try_from(number % leaders).unwrap_or(0), cuts, flip }
}

pub(crate) fn run(arguments: &Arguments) -> bool {
    let nodes = usize::from(arguments.nodes);
    let leaders = if arguments.one_leader || nodes == 5 { 1 } else { nodes as u64 };
    if let Some(set) = arguments.set {
        let case = Case { leader: arguments.leader, ..case_of(set * leaders, nodes, leaders) };
        return show(&case);
    }
    let total = Case::sets(nodes) * leaders;
    let progress = std::cell::RefCell::new(Progress::new(total));
    let mut table = Table::default();
    let work = |number| {
        let case = case_of(number, nodes, leaders);
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
    table.failed.is_empty()
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
