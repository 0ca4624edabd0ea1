//! `kill -9` of the primary, again and again: how long until another is elected, and what that time is made of.

use std::error::Error;
use std::path::Path;

use serde_json::{Value, json};

use crate::figures::{Figures, millis};
use crate::group::{Group, Launch, Plan, Told};
use crate::leases;

/// What a failover is made of, in the order in which it happens, each with the time since the kill.
const PHASES: [&str; 6] = ["closed", "refused", "campaign", "saved", "accepted", "elected"];

/// One failover.
#[derive(Debug)]
pub(crate) struct Run {
    /// For each of [`PHASES`], since the kill; `None` where it did not happen or was not told.
    phases: [Option<u64>; PHASES.len()],
    office: u64,
    campaigns: usize,
    /// What survivors told of the dead one, and of campaigns.
    story: Vec<String>,
}

/// What all were.
#[derive(Debug, Default)]
pub(crate) struct Report {
    phases: [Figures; PHASES.len()],
    office: Figures,
    pub(crate) further_campaigns: usize,
    runs_with_further: usize,
    slowest: Vec<Run>,
    pub(crate) leases: usize,
}

/// How many of the slowest runs are told in full.
const SLOWEST: usize = 5;

/// Kills the primary `count` times.
pub(crate) fn run(
    plan: &Plan,
    count: usize,
    directory: &Path,
    launch: &Launch,
    mut progress: impl FnMut(usize),
) -> Result<Report, Box<dyn Error>> {
    let mut report = Report::default();
    let mut group = Group::start(plan, directory, launch)?;
    for number in 0..count {
        group.settle(&[])?;
        group.rest(plan.pause, number);
        let leader = group.settle(&[])?;
        report.note(fail_over(&mut group, leader)?);
        group.launch(leader)?;
        progress(number + 1);
    }
    group.settle(&[])?;
    let offices = group.end();
    let intervals = leases::checked(directory, plan.after_a_death(), &offices)?;
    report.leases = intervals.len();
    Ok(report)
}

/// Kills that primary and waits until another serves.
pub(crate) fn fail_over(group: &mut Group<'_>, leader: usize) -> Result<Run, Box<dyn Error>> {
    let mark = group.told.len();
    let killed = group.kill(leader)?;
    let office = group.wait("other primary", mark, |_, told| {
        told.iter().find(|told| told.what == "office" && told.node != leader && told.at > killed).cloned()
    })?;
    // Everybody follows it: campaigns that come too late are told by then.
    group.settle(&[])?;
    let name = group.name(leader).to_owned();
    Ok(Run::of(&group.told[mark..], killed, &name, &office))
}

impl Run {
    fn of(told: &[Told], killed: u64, dead: &str, office: &Told) -> Self {
        let (winner, epoch) = (office.node, office.word(0));
        let told: Vec<_> = told.iter().filter(|told| told.at >= killed && told.what != "notice").collect();
        let first = |wanted: &dyn Fn(&Told) -> bool| {
            told.iter().filter(|told| wanted(told)).map(|told| told.at - killed).min()
        };
        let link = |told: &Told| told.is(winner, "link") && told.word(0) == dead;
        let is_refusal = |told: &Told| told.word(1).contains("refused");
        let is_up = |told: &Told| told.word(1) == "up";
        let phases = [
            first(&|told| link(told) && !is_refusal(told) && !is_up(told)),
            first(&|told| link(told) && is_refusal(told)),
            first(&|told| told.is(winner, "campaign") && told.word(0) == epoch),
            first(&|told| told.is(winner, "saved") && told.word(0) == epoch),
            first(&|told| told.what == "accepted" && told.word(1) == epoch && told.node != winner),
            first(&|told| told.is(winner, "elected") && told.word(0) == epoch),
        ];
        let campaigns = told.iter().filter(|told| told.what == "campaign").count();
        let name = |node: usize| char::from(b'a' + u8::try_from(node).unwrap_or_default());
        let describe = |told: &&Told| {
            format!("{} {} {} {:?}", millis(told.at - killed), name(told.node), told.what, told.words)
        };
        let mut in_order = told.clone();
        in_order.sort_by_key(|told| told.at);
        let story = in_order.iter().map(describe).collect();
        Self { phases, office: office.at - killed, campaigns, story }
    }

    fn elected(&self) -> u64 {
        self.phases[PHASES.len() - 1].unwrap_or(self.office)
    }
}

impl Report {
    pub(crate) fn note(&mut self, run: Run) {
        for (figures, phase) in self.phases.iter_mut().zip(run.phases) {
            if let Some(phase) = phase {
                figures.note(phase);
            }
        }
        self.office.note(run.office);
        self.further_campaigns += run.campaigns.saturating_sub(1);
        self.runs_with_further += usize::from(run.campaigns > 1);
        self.slowest.push(run);
        self.slowest.sort_by_key(|run| std::cmp::Reverse((run.campaigns > 1, run.elected())));
        self.slowest.truncate(SLOWEST);
    }

    /// From the kill to the next leader.
    pub(crate) fn elected(&self) -> &Figures {
        &self.phases[PHASES.len() - 1]
    }

    pub(crate) fn lines(&self, plan: &Plan) -> Vec<String> {
        let mut lines: Vec<_> = PHASES
            .iter()
            .zip(&self.phases)
            .map(|(phase, figures)| format!("{phase:>9}  {}", figures.line()))
            .collect();
        lines.push(format!("{:>9}  {}", "office", self.office.line()));
        let (further, of) = (self.further_campaigns, self.runs_with_further);
        lines.push(format!(
            "further campaigns: {further}, in {of} runs; {} leases, no two overlap",
            self.leases
        ));
        if plan.stories {
            lines.extend(self.stories());
        }
        lines
    }

    /// The slowest runs, and those with further campaigns first.
    fn stories(&self) -> Vec<String> {
        self.slowest
            .iter()
            .flat_map(|run| {
                std::iter::once(format!("-- {} campaigns", run.campaigns)).chain(run.story.clone())
            })
            .collect()
    }

    pub(crate) fn json(&self) -> Value {
        let phases: serde_json::Map<_, _> = PHASES
            .iter()
            .zip(&self.phases)
            .map(|(phase, figures)| ((*phase).to_owned(), figures.json()))
            .collect();
        json!({
            "since_the_kill_nanos": phases, "office_nanos": self.office.json(),
            "further_campaigns": self.further_campaigns, "runs_with_further_campaigns": self.runs_with_further,
            "leases": self.leases,
        })
    }
}
