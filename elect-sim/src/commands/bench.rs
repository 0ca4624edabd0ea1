//! `elect-sim bench`: how fast the simulator itself is, on one core.

use std::time::{Duration, Instant};

use clap::Args;
use elect_sim::{Detail, Options, Run, SECOND, World};

const EXAMPLES: &str = "\
Examples:
  elect-sim bench                     five seconds of each figure
  elect-sim bench --seconds 60        steadier ones
  elect-sim bench --json | jq .       for machines

Times are CPU time of the one thread that measures, so that what else runs on the machine disturbs little; where the
system does not tell it (anything but Linux), they are wall-clock time, and the report says so.

A heartbeat counts when it has gone the whole way: built by an elector, encoded to its real bytes, carried by the
virtual network with a delay of 0.2 to 2 ms, decoded, and handled by the elector that gets it. Ticks, host and agenda
are included in its time. Swarm runs are the seeds 0, 1, 2, ... of `elect-sim run --nodes 5`, with all that a storm brings.";

/// Measures how fast the simulator is, on one thread.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How long each figure is measured, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Figures as JSON instead of text
    #[arg(long)]
    json: bool,
}

/// What was measured.
#[derive(Debug, serde::Serialize)]
struct Figures {
    /// "cpu" or "wall": the time that the rates refer to.
    clock: &'static str,
    /// Simulated seconds per second: swarm runs of five nodes, all checkers.
    times_real_time: f64,
    /// Heartbeats handled per second in a quiet group of three, all checkers.
    heartbeats_per_second: f64,
    /// Likewise, without checkers and without the hash of the trace.
    heartbeats_per_second_unchecked: f64,
}

pub(crate) fn run(arguments: &Arguments) -> bool {
    let span = Duration::from_secs(arguments.seconds);
    let figures = Figures {
        clock: if cpu_time().is_some() { "cpu" } else { "wall" },
        times_real_time: rate(span, swarm()) / 1e9,
        heartbeats_per_second: rate(span, heartbeats(World::new)),
        heartbeats_per_second_unchecked: rate(span, heartbeats(World::unchecked)),
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&figures).expect("figures are plain data"));
        return true;
    }
    let Figures { clock, times_real_time, heartbeats_per_second, heartbeats_per_second_unchecked } = figures;
    println!("per second of {clock} time on one core");
    println!("  swarm, 5 nodes, all checkers                  {times_real_time:>10.0} simulated seconds");
    println!("  quiet, 3 nodes, all checkers                  {heartbeats_per_second:>10.0} heartbeats");
    println!(
        "  quiet, 3 nodes, no checkers, no trace hash    {heartbeats_per_second_unchecked:>10.0} heartbeats"
    );
    true
}

/// How much `work` gets done per second: each call does some and says how much.
#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn rate(span: Duration, mut work: impl FnMut() -> u64) -> f64 {
    let watch = Stopwatch::start();
    let mut done = 0;
    loop {
        done += work();
        let took = watch.elapsed();
        if took >= span {
            return done as f64 / took.as_secs_f64();
        }
    }
}

/// One whole swarm run per call; simulated nanoseconds.
fn swarm() -> impl FnMut() -> u64 {
    let mut seeds = 0..;
    move || {
        let seed = seeds.next().expect("seeds do not run out");
        Run::new(Options::swarm(seed, Some(5), 60 * SECOND), Detail::Hash).outcome().simulated
    }
}

/// A simulated minute per call of a group in which nothing but heartbeats happens; those that were handled.
fn heartbeats(make: fn(Options, Detail) -> World) -> impl FnMut() -> u64 {
    let mut world = quiet(make, Detail::Hash);
    move || {
        let before = world.counts().handled;
        world.run_until(world.now() + 60 * SECOND);
        world.counts().handled - before
    }
}

/// Three nodes whose leader is long in office, and no client: every frame is a heartbeat.
fn quiet(make: fn(Options, Detail) -> World, detail: Detail) -> World {
    let options = Options { client_every: 1 << 60, ..Options::quiet(1, 3) };
    let mut world = make(options, detail);
    world.run_until(10 * SECOND);
    world
}

/// Measures CPU time of this thread where the system tells it, else wall-clock time.
struct Stopwatch {
    cpu: Option<Duration>,
    wall: Instant,
}

impl Stopwatch {
    fn start() -> Self {
        Self { cpu: cpu_time(), wall: Instant::now() }
    }

    fn elapsed(&self) -> Duration {
        let cpu = self.cpu.and_then(|before| cpu_time()?.checked_sub(before));
        cpu.unwrap_or_else(|| self.wall.elapsed())
    }
}

/// How long this thread has run so far.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_of_the_quiet_group_is_a_heartbeat_that_is_handled() {
        let mut world = quiet(World::new, Detail::Frames);
        let (lines, before) = (world.trace().lines().len(), world.counts());
        world.run_until(world.now() + 60 * SECOND);
        let (lines, after) = (&world.trace().lines()[lines..], world.counts());
        let sent = lines.iter().filter(|line| line.text.starts_with('→')).count() as u64;
        let beats = lines.iter().filter(|line| line.text.contains("Heartbeat(")).count() as u64;
        assert_eq!((sent, beats), (after.frames - before.frames, sent), "only heartbeats");
        let handled = after.handled - before.handled;
        // What is on its way at the ends is at most one frame per link.
        assert!(handled.abs_diff(sent) <= 6 && handled > 60 * 20 * 4, "{handled} handled, {sent} sent");
        assert_eq!((after.elections, world.violation()), (before.elections, None));
    }

    #[test]
    fn the_same_happens_with_and_without_checkers() {
        let mut figures = [World::new, World::unchecked].map(heartbeats);
        let [checked, unchecked] = figures.each_mut().map(|minute| minute());
        assert_eq!(checked, unchecked);
    }

    #[test]
    fn a_swarm_run_counts_its_simulated_time() {
        let mut swarm = swarm();
        assert!((0..2).all(|_| (60 * SECOND..600 * SECOND).contains(&swarm())));
    }

    #[test]
    fn a_rate_is_what_was_done_per_second() {
        let mut calls = 0;
        let rate = rate(Duration::from_millis(20), || {
            calls += 1;
            1_000
        });
        assert!(rate > 0.0 && rate <= f64::from(calls) * 1_000.0 / 0.02, "{rate} after {calls} calls");
    }
}
