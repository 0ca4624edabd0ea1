//! SIGSTOP of the primary: it comes back with a lease that is over, and must not act on it.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::figures::{Figures, millis};
use crate::findings::Findings;
use crate::group::{Group, Launch, Plan};
use crate::leases::{self, Unfinished};

/// For how long, in milliseconds, one after the other.
const SPANS: [u64; 8] = [100, 300, 600, 1_000, 2_000, 5_000, 10_000, 30_000];

/// Stops the primary `count` times, for at most `longest`.
pub(crate) fn run(
    plan: &Plan,
    count: usize,
    longest: Duration,
    directory: &Path,
    launch: &Launch,
    mut progress: impl FnMut(usize),
) -> Result<Findings, Box<dyn Error>> {
    let mut group = Group::start(plan, directory, launch)?;
    let (mut elected, mut told_late, mut kept) = (Figures::default(), Figures::default(), 0_usize);
    let spans: Vec<_> = SPANS.into_iter().filter(|span| u128::from(*span) <= longest.as_millis()).collect();
    if spans.is_empty() {
        return Err(format!("no stop is as short as {longest:?}").into());
    }
    for (number, span) in (0..count).zip(spans.iter().cycle()) {
        let leader = group.settle(&[])?;
        let mark = group.told.len();
        let stopped = group.signal(leader, Signal::STOP)?;
        group.listen(Duration::from_millis(*span));
        let resumed = group.signal(leader, Signal::CONT)?;
        // Longer than a promise lasts: the others have not waited for it.
        if *span > 2 * plan.detection_ms {
            let office = group.wait("other primary", mark, |_, told| {
                let other = |told: &&_| is_office_of_another(told, leader);
                told.iter().find(other).map(|told| told.at)
            })?;
            elected.note(office - stopped);
            let lost = group.wait("loss of the stopped one", mark, |_, told| {
                told.iter().find(|told| told.is(leader, "lost")).map(|told| told.at)
            })?;
            told_late.note(lost.saturating_sub(resumed));
        }
        kept += usize::from(group.settle(&[])? == leader);
        progress(number + 1);
    }
    let offices = group.end();
    let intervals = leases::checked(directory, Unfinished::ToItsEnd, &offices)?;
    let lines = vec![
        format!("stop to office     {}", elected.line()),
        format!("continue to loss   {}", told_late.line()),
        format!(
            "{count} stops, after {kept} of them the same node leads; {} leases, no two overlap",
            intervals.len()
        ),
        format!(
            "the longest stop was {}",
            millis(spans.iter().take(count).max().copied().unwrap_or_default() * 1_000_000)
        ),
    ];
    let json = json!({
        "stops": count, "kept": kept, "leases": intervals.len(), "stop_to_office_nanos": elected.json(),
        "continue_to_loss_nanos": told_late.json(),
    });
    Ok(Findings { lines, json, wrong: Vec::new() })
}

fn is_office_of_another(told: &crate::group::Told, leader: usize) -> bool {
    told.what == "office" && told.node != leader
}
