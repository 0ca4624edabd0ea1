//! The end: every node in turn is the primary, and is asked for everything; then the whole history is judged.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::Value;

use super::bend::BENDS;
use super::check::{Verdict, check};
use super::cluster::{Cluster, NAMES};
use super::dialog::{Dialog, Outcome, key};
use super::history::{Clock, Entry, History, around, millis};
use super::network::NODES;
use super::operation::{Answer, KEYS, Operation, State, shown};
use super::random::Random;

/// How long a node may take to become the primary, and for an answer.
const BOUND: Duration = Duration::from_secs(30);
/// The client that looks at what the first node holds; the next two follow.
const AUDITOR: usize = 100;

/// Reads all groups from every node. The answers go into the history; what is no answer is what is returned.
pub(crate) fn read_all(
    cluster: &Cluster,
    clock: Clock,
    groups: usize,
    history: &mut History,
) -> Result<Vec<String>, Box<dyn Error>> {
    let (mut wrong, mut held) = (Vec::new(), Vec::new());
    for (node, name) in NAMES.iter().enumerate() {
        make_primary(cluster, node)?;
        let mut dialog = Dialog::open(cluster.client_ports()[node], BOUND)?;
        let mut found = BTreeSet::new();
        for group in 0..u32::try_from(groups)? {
            let operation = Operation::GetMany((0..KEYS).collect());
            let invoked = clock.now();
            let values = match dialog.run(group, &operation, || {}) {
                Outcome::Answered(answer) => answer,
                other => {
                    return Err(format!("{name} does not say what group {group} holds: {other:?}").into());
                }
            };
            if let Answer::Values(values) = &values {
                let there = (0..KEYS).filter(|place| values[*place].is_some());
                found.extend(there.map(|place| (key(group, place), values[place])));
            }
            let answered = Some((clock.now(), values));
            history.add(group, Entry { client: AUDITOR + node, operation, invoked, answered });
        }
        let keys: BTreeSet<_> = dialog.keys()?.into_iter().collect();
        let known: BTreeSet<_> = found.iter().map(|(key, _)| key.clone()).collect();
        for stray in keys.symmetric_difference(&known) {
            wrong.push(format!("{name}: KEYS and MGET do not agree about {stray}"));
        }
        held.push(found);
    }
    for node in 1..NODES {
        for (key, value) in held[0].symmetric_difference(&held[node]) {
            let value = value.unwrap_or_default();
            wrong.push(format!("only one of {} and {} holds {key} = {value}", NAMES[0], NAMES[node]));
        }
    }
    Ok(wrong)
}

fn make_primary(cluster: &Cluster, node: usize) -> Result<(), Box<dyn Error>> {
    let deadline = Instant::now() + BOUND;
    loop {
        if cluster.health()?.primary == Some(node) {
            return Ok(());
        }
        let handed_over = cluster.command(node, &["handover", NAMES[node]]);
        if Instant::now() > deadline {
            return Err(format!("{} does not become the primary: {handed_over:?}", NAMES[node]).into());
        }
    }
}

/// Judges groups. What is wrong is told with what was around it.
pub(crate) fn judge<'a>(
    groups: impl Iterator<Item = (u32, &'a [Entry])>,
    cluster: &Cluster,
    clock: Clock,
) -> Vec<String> {
    groups
        .filter_map(|(group, entries)| match check(entries) {
            Verdict::Linearizable => None,
            Verdict::Undecided => Some(format!("group {group}: too many operations are open to judge it")),
            Verdict::Violation(violation) => {
                Some(tell(group, entries, violation.entry, &violation.states, cluster, clock))
            }
        })
        .collect()
}

/// Times in milliseconds of the campaign.
fn tell(
    group: u32,
    entries: &[Entry],
    index: usize,
    states: &[State],
    cluster: &Cluster,
    clock: Clock,
) -> String {
    let entry = &entries[index];
    let (at, answer) =
        entry.answered.as_ref().map_or((0, "?".to_owned()), |(at, answer)| (*at, answer.to_string()));
    let possible: Vec<_> = states.iter().take(8).map(|state| shown(state)).collect();
    format!(
        "group {group} is not linearizable: client {} was told {answer} to {} at {} ms; before it, the keys can have held {}\n{}{}",
        entry.client,
        entry.operation,
        millis(at),
        possible.join(" or "),
        around(entries, index),
        events(cluster, clock, entry.invoked, at)
    )
}

/// What the nodes told of themselves around a time.
fn events(cluster: &Cluster, clock: Clock, from: u64, until: u64) -> String {
    let started = clock.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let started = u64::try_from(started).unwrap_or(0);
    let (from, until) = (from.saturating_sub(5_000_000_000), until + 1_000_000_000);
    let mut told = Vec::new();
    for (node, name) in NAMES.iter().enumerate() {
        let Ok(file) = cluster.events(node) else { continue };
        for line in BufReader::new(file).lines().map_while(Result::ok) {
            let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
            let at = event["unix_ns"].as_u64().unwrap_or(0).saturating_sub(started);
            if (from..until).contains(&at) {
                let text = event["text"].as_str().unwrap_or_default();
                told.push((at, format!("  {:>12}  {name}: {text}\n", millis(at))));
            }
        }
    }
    told.sort();
    told.into_iter().map(|(_, line)| line).collect()
}

/// Bends so many copies of this very history: how many there were, and how many the checker noticed.
pub(crate) fn bend(history: &History, seed: u64, copies: usize) -> (usize, usize) {
    let (mut random, mut bent, mut noticed) = (Random::new(seed, 3), 0, 0);
    let groups: Vec<_> = history.groups().collect();
    for copy in 0..copies {
        let (_, entries) = random.pick(&groups);
        let Some(entries) = BENDS[copy % BENDS.len()].of(entries, &mut random) else { continue };
        bent += 1;
        noticed += usize::from(matches!(check(&entries), Verdict::Violation(_)));
    }
    (bent, noticed)
}
