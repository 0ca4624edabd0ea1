//! One file per command.

pub(crate) mod bench;
pub(crate) mod check;
mod line;
pub(crate) mod mutants;
pub(crate) mod progress;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod scenario;
pub(crate) mod shrink;
mod summary;
pub(crate) mod timeline;
pub(crate) mod topologies;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use clap::Args;
use elect_sim::{CorpusSeed, Options, Real, SCENARIOS, SECOND, Sabotage, Scenario};

/// Whether everything held, or what about the input made it impossible to say.
pub(crate) type Exit = Result<bool, String>;

/// A scenario of the repository by its name, or one in a file.
pub(crate) fn scenario(name: &str) -> Result<Scenario, String> {
    let text = match SCENARIOS.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => (*text).to_owned(),
        None => std::fs::read_to_string(name).map_err(|error| {
            format!(
                "{name} is neither a scenario (see `scenario --list`) nor a file that can be read: {error}"
            )
        })?,
    };
    Scenario::parse(&text).map_err(|error| format!("{name}: {error}"))
}

/// Whether it can be written there: known before long work begins, not after it.
pub(crate) fn writable(output: &std::path::Path) -> Result<(), String> {
    let is_new = !output.exists();
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(output).map(drop);
    let tried = if is_new && opened.is_ok() { std::fs::remove_file(output) } else { opened };
    tried.map_err(|error| format!("{}: {error}", output.display()))
}

pub(crate) fn write(output: &std::path::Path, text: &str) -> Result<(), String> {
    std::fs::write(output, text).map_err(|error| format!("{}: {error}", output.display()))
}

/// How large and how long one simulated group is.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Group {
    /// Members of each group; drawn from 3 to 7 if not given
    #[arg(long, value_parser = clap::value_parser!(u8).range(3..=7))]
    pub(crate) nodes: Option<u8>,
    /// Simulated minutes, two thirds of them stormy
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=120))]
    pub(crate) minutes: u32,
    /// Simulated seconds instead of minutes
    #[arg(long, conflicts_with = "minutes", value_parser = clap::value_parser!(u32).range(3..=7_200))]
    pub(crate) seconds: Option<u32>,
    /// Clocks far outside the configured bound: everything that may not use clocks must still hold
    #[arg(long)]
    pub(crate) wild_clocks: bool,
    /// Plant a bug around the elector, to see a checker fail: no-fence, lying-disk, …
    #[arg(long, value_parser = sabotage)]
    pub(crate) sabotage: Option<Sabotage>,
}

impl Group {
    fn length(self) -> Real {
        u64::from(self.seconds()) * SECOND
    }

    fn seconds(self) -> u32 {
        self.seconds.unwrap_or(self.minutes * 60)
    }

    /// How a kept seed is run.
    pub(crate) fn of(kept: &CorpusSeed) -> Self {
        let seconds = u32::try_from(kept.seconds).unwrap_or(u32::MAX);
        let whole_minutes = seconds.is_multiple_of(60);
        Self {
            nodes: kept.nodes.and_then(|nodes| u8::try_from(nodes).ok()),
            minutes: seconds / 60,
            seconds: (!whole_minutes).then_some(seconds),
            wild_clocks: kept.wild_clocks,
            sabotage: None,
        }
    }

    /// One seed of such groups, as the list of kept seeds has it.
    pub(crate) fn corpus_seed(self, seed: u64) -> CorpusSeed {
        CorpusSeed {
            seed,
            nodes: self.nodes.map(usize::from),
            seconds: u64::from(self.seconds()),
            wild_clocks: self.wild_clocks,
            why: String::new(),
        }
    }

    /// What one seed of such groups is made of.
    pub(crate) fn options(self, seed: u64) -> Options {
        let draw = if self.wild_clocks { Options::wild } else { Options::swarm };
        Options { sabotage: self.sabotage, ..draw(seed, self.nodes.map(usize::from), self.length()) }
    }

    /// The options that repeat this group, as typed.
    pub(crate) fn typed(self) -> String {
        let nodes = self.nodes.map(|nodes| format!(" --nodes {nodes}")).unwrap_or_default();
        let nodes = if self.wild_clocks { nodes + " --wild-clocks" } else { nodes };
        let nodes = match self.sabotage {
            Some(sabotage) => format!("{nodes} --sabotage {}", sabotage.name()),
            None => nodes,
        };
        match self.seconds {
            Some(seconds) => format!("{nodes} --seconds {seconds}"),
            None if self.minutes == 1 => nodes,
            None => format!("{nodes} --minutes {}", self.minutes),
        }
    }
}

fn sabotage(word: &str) -> Result<Sabotage, String> {
    let names: Vec<_> = Sabotage::ALL.iter().map(|sabotage| sabotage.name()).collect();
    word.parse().map_err(|_| format!("one of {}", names.join(", ")))
}

/// How many threads: none at all would do nothing and find nothing.
pub(crate) fn jobs(word: &str) -> Result<usize, String> {
    word.parse().ok().filter(|jobs| (1..=1_024).contains(jobs)).ok_or("must be 1 to 1024".into())
}

/// Does `work` for every number of a range on `jobs` threads and hands the results to `take` as they come;
/// `take` may end it. `idle` is called about twice a second.
pub(crate) fn in_parallel<T: Send>(
    range: std::ops::Range<u64>,
    jobs: usize,
    work: impl Fn(u64) -> T + Sync,
    mut take: impl FnMut(T) -> bool,
    mut idle: impl FnMut(),
) {
    let next = AtomicU64::new(range.start);
    std::thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for _ in 0..jobs {
            let (sender, next, work, end) = (sender.clone(), &next, &work, range.end);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end || sender.send(work(number)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        loop {
            match results.recv_timeout(Duration::from_millis(500)) {
                Ok(result) => {
                    if !take(result) {
                        next.store(range.end, Ordering::Relaxed);
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            idle();
        }
    });
}

/// As many threads as there are processors.
pub(crate) fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_at_least_one_thread() {
        assert_eq!((jobs("1"), jobs("1024")), (Ok(1), Ok(1_024)));
        for word in ["0", "1025", "-1", "two", ""] {
            assert!(jobs(word).unwrap_err().contains("1 to 1024"), "{word}");
        }
    }
}
