//! `elect-sim run`: a campaign.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use elect_sim::{CORPUS, CorpusSeed, Detail, Outcome, Run, Violation};

use super::progress::Progress;
use super::summary::Summary;
use super::{Exit, Group, default_jobs, in_parallel, jobs, writable, write};

/// Runs many seeds.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    group: Group,
    /// Threads; as many as there are processors if not given
    #[arg(long, value_parser = jobs)]
    jobs: Option<usize>,
    /// Run the seeds that are kept for ever instead: those that failed once, and the worst that held
    #[arg(long, conflicts_with_all = ["seeds", "seed", "nodes", "minutes", "seconds", "wild_clocks"])]
    kept: bool,
    /// Do not stop at the first seed that fails
    #[arg(long)]
    keep_going: bool,
    /// A summary as JSON instead of text
    #[arg(long)]
    json: bool,
    /// Write the hash of each trace there, a line `seed hash` each: equal before and after a change that changes
    /// nothing
    #[arg(long, value_name = "FILE", conflicts_with = "kept")]
    hashes: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    // A panic is a violation, with its words: nothing is lost by keeping the terminal clean.
    std::panic::set_hook(Box::new(|_| {}));
    let Arguments { seeds, seed, group, jobs, kept, keep_going, json, ref hashes } = *arguments;
    hashes.as_deref().map_or(Ok(()), writable)?;
    let kept = if kept {
        CorpusSeed::parse(CORPUS).expect("the list is understood, a test says so")
    } else {
        Vec::new()
    };
    let numbers = if kept.is_empty() { seed..seed.saturating_add(seeds) } else { 0..kept.len() as u64 };
    let seeds = numbers.end - numbers.start;
    let of_number = |number: u64| match usize::try_from(number).ok().and_then(|index| kept.get(index)) {
        Some(kept) => (kept.clone(), Group::of(kept)),
        None => (group.corpus_seed(number), group),
    };
    let jobs = jobs.unwrap_or_else(default_jobs);
    let progress = std::cell::RefCell::new(Progress::new(seeds));
    let mut summary = Summary::default();
    let mut traces = Vec::new();
    let work = |number| {
        let (kept, group) = of_number(number);
        (Run::new(group.options(kept.seed), Detail::Hash).outcome(), kept, group)
    };
    let take = |(outcome, kept, group): (Outcome, CorpusSeed, Group)| {
        progress.borrow_mut().advance(Duration::from_nanos(outcome.simulated));
        let holds = outcome.violation.is_none();
        if let Some(violation) = outcome.violation.as_ref().filter(|_| !json) {
            progress.borrow().aside(|| report(outcome.seed, violation, &kept, &group));
        }
        if hashes.is_some() {
            traces.push((outcome.seed, outcome.hash.clone()));
        }
        summary.add(outcome);
        holds || keep_going
    };
    in_parallel(numbers, jobs, work, take, || {
        progress.borrow_mut().show();
    });
    let progress = progress.into_inner();
    progress.clear();
    if let Some(path) = hashes {
        write(path, &lines_of(traces))?;
    }
    summary.finish();
    summary.jobs = jobs;
    summary.seconds = progress.elapsed().as_secs_f64();
    summary.times_real_time = progress.speed();
    if json {
        println!("{}", serde_json::to_string_pretty(&summary).expect("a summary is plain data"));
    } else {
        summary.print();
        let failed = summary.failed.len();
        println!("{}", if failed == 0 { "everything held".into() } else { format!("{failed} FAILED") });
    }
    Ok(summary.failed.is_empty())
}

/// A seed that failed, with what to do about it.
fn report(seed: u64, violation: &Violation, kept: &CorpusSeed, group: &Group) {
    println!("seed {seed} FAILS {violation}");
    let typed = format!("{seed}{}", group.typed());
    println!("  replay it: elect-sim replay {typed}");
    println!("  shrink it: elect-sim shrink {typed} -o failing.txt");
    // What a planted bug does is not worth keeping.
    if group.sabotage.is_none() {
        let kept = CorpusSeed { why: format!("failed by {}: <the bug>", violation.checker), ..kept.clone() };
        println!("  keep it, in elect-sim/seeds/kept.txt: {}", kept.to_line());
    }
}

/// A line for each seed, in their order whichever thread was first.
fn lines_of(mut traces: Vec<(u64, String)>) -> String {
    traces.sort_unstable();
    traces.iter().fold(String::new(), |mut text, (seed, hash)| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{seed} {hash}");
        text
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn hashes_are_written_in_the_order_of_seeds() {
        let traces = vec![(10, "b".to_owned()), (9, "a".to_owned())];
        assert_eq!(super::lines_of(traces), "9 a\n10 b\n");
    }
}
