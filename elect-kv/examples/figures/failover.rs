//! kill −9 of the primary, again and again: how long a client waits for the next one.

use std::time::{Duration, Instant};

use super::Outcome;
use super::figure::{Figure, Target, Unit};
use super::group::Group;
use super::probe::Probe;
use super::setting::Setting;
use super::spans::Spans;

const DETECTION_MS: f64 = 500.0;
const RUNS: usize = 200;
/// What the group gets between two kills: links stand again, and the client writes as before.
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    let runs = setting.runs.unwrap_or(setting.either(RUNS, 1));
    let mut figures = Vec::new();
    // Without evidence each run lasts as long as the detection time: fewer are enough.
    for (evidence, runs, bound) in [(false, runs.div_ceil(4), DETECTION_MS + 20.0), (true, runs, 20.0)] {
        let spans = kills(setting, evidence, runs)?;
        let with = if evidence { "with crash evidence" } else { "without crash evidence" };
        let what = format!("kill −9 to the next acknowledged write, {with}");
        let target = Target::AtMost(bound);
        let figure = |name: &str, part| {
            Figure::new(format!("{what}, {name} of {runs}"), spans.millis(part), Unit::Milliseconds)
        };
        figures.extend([figure("median", 0.5), figure("p99", 0.99).should(target), figure("slowest", 1.0)]);
    }
    Ok(figures)
}

fn kills(setting: &Setting, evidence: bool, runs: usize) -> Outcome<Spans> {
    let keys = format!("detection_ms = {DETECTION_MS}\nheartbeat_ms = 50\ncrash_evidence = {evidence}\n");
    let (mut group, _) = Group::start(setting, &format!("failover-{evidence}"), 3, &keys)?;
    let probe = Probe::start((0..group.voters()).map(|node| group.port(node)).collect());
    let mut spans = Spans::default();
    let mut primary = probe.next()?.1;
    for _ in 0..runs {
        std::thread::sleep(PAUSE);
        // On a busy machine it may have changed by itself.
        primary = probe.latest().unwrap_or(primary);
        let began = Instant::now();
        group.kill(primary)?;
        let (at, next) = probe.next()?;
        spans.note(at.saturating_duration_since(began));
        group.start_node(primary)?;
        primary = next;
        group.wait_level()?;
    }
    Ok(spans)
}
