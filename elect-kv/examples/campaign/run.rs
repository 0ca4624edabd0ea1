//! One campaign, from the first start to the last look.

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::audit;
use super::clients::{Clients, Told};
use super::cluster::{Cluster, NAMES};
use super::faults::{self, Fault, Spans};
use super::findings::{Episode, Findings};
use super::history::{Clock, History, millis};
use super::network::NODES;
use super::random::Random;

/// How long a cluster may take until everything is well again.
const WELL_WITHIN: Duration = Duration::from_mins(1);
/// How often an operator asks whether it is.
const ASK: Duration = Duration::from_millis(100);
/// How often the progress is told.
const PROGRESS: Duration = Duration::from_secs(10);
/// A group that nobody has worked on for so long has no operation under way.
const AT_REST: u64 = 10_000_000_000;
/// Copies of the history that are bent.
const COPIES: usize = 300;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Takes the arguments of elect-kv.
    pub(crate) program: PathBuf,
    /// Where the nodes' files are.
    pub(crate) directory: PathBuf,
    /// Acknowledged operations.
    pub(crate) operations: usize,
    pub(crate) seed: u64,
    /// How long a fault lasts.
    pub(crate) spans: Spans,
    /// In milliseconds, what the cluster gets between two episodes at most.
    pub(crate) quiet_ms: u64,
    /// Of a hundred times so many are worked in.
    pub(crate) duty: usize,
    /// Who must hold a write: that key of the nodes' files.
    pub(crate) acknowledge: String,
}

/// A campaign under way.
struct Campaign<'a> {
    plan: &'a Plan,
    cluster: Cluster,
    clock: Clock,
    clients: Clients,
    told: Receiver<Told>,
    history: History,
    findings: Findings,
    judged: BTreeSet<u32>,
    progress: &'a mut dyn FnMut(&str),
    told_at: Instant,
    now: String,
}

/// Runs it. The files stay where the plan says.
pub(crate) fn run(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Findings, Box<dyn Error>> {
    let mut cluster = Cluster::prepare(&plan.program, &plan.directory, &plan.acknowledge)?;
    (0..NODES).try_for_each(|node| cluster.start(node))?;
    let (sender, told) = channel();
    let clock = Clock::start();
    let clients = Clients::start(clock, plan.seed, plan.duty, cluster.client_ports(), &sender)?;
    drop(sender);
    let mut campaign = Campaign {
        plan,
        cluster,
        clock,
        clients,
        told,
        history: History::default(),
        findings: Findings::default(),
        judged: BTreeSet::new(),
        progress,
        told_at: Instant::now(),
        now: "begins".into(),
    };
    let ran = campaign.faults();
    campaign.clients.end();
    campaign.listen(Duration::ZERO);
    if let Err(error) = ran {
        campaign.findings.wrong.push(format!("{error}\n{}", campaign.cluster.table()));
    }
    campaign.finish()
}

impl Campaign<'_> {
    /// Episodes, until enough is acknowledged or something is wrong.
    fn faults(&mut self) -> Result<(), Box<dyn Error>> {
        let mut random = Random::new(self.plan.seed, 1);
        let mut primary = self.until_well("the first start", false)?;
        while self.history.acknowledged().0 < self.plan.operations && self.findings.wrong.is_empty() {
            self.now = "quiet".into();
            self.listen(random.millis(self.plan.quiet_ms / 4, self.plan.quiet_ms));
            let faults = faults::draw(&mut random, &self.cluster, primary);
            let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
            self.now = told.join(" and ");
            let began = self.clock.now();
            for fault in &faults {
                fault.begin(&mut self.cluster, &mut random)?;
            }
            let spans = faults.iter().map(|fault| fault.span(&mut random, self.plan.spans));
            let span = spans.max().unwrap_or_default();
            self.listen(span);
            for fault in faults.iter().rev() {
                fault.end(&mut self.cluster)?;
            }
            let what = self.now.clone();
            let may_end = faults.iter().any(|fault| matches!(fault, Fault::FullDisk(_)));
            primary = self.until_well(&what, may_end)?;
            let kinds = faults.iter().map(|fault| (fault.kind(), fault.to_string())).collect();
            self.findings.episodes.push(Episode { began, well: self.clock.now(), faults: kinds });
            self.judge_at_rest();
        }
        Ok(())
    }

    /// Waits until everything is well: who is the primary then. Nodes that have ended by themselves, as on a disk that is full
    /// they may, are started again.
    fn until_well(&mut self, after: &str, may_end: bool) -> Result<usize, Box<dyn Error>> {
        let deadline = Instant::now() + WELL_WITHIN;
        loop {
            for node in self.cluster.ended() {
                let name = NAMES[node];
                if !may_end {
                    return Err(format!("{name} has ended by itself after {after}").into());
                }
                self.cluster.start(node)?;
            }
            let health = self.cluster.health()?;
            if let (true, Some(primary)) = (health.is_well, health.primary) {
                return Ok(primary);
            }
            if Instant::now() > deadline {
                let span = WELL_WITHIN.as_secs();
                return Err(format!("the cluster is not well {span} s after {after}").into());
            }
            self.listen(ASK);
        }
    }

    /// Takes what clients tell, for so long.
    fn listen(&mut self, span: Duration) {
        let deadline = Instant::now() + span;
        loop {
            match self.told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Told::Entry(group, entry)) => self.history.add(group, entry),
                Ok(Told::Refused(code)) => *self.findings.refused.entry(code).or_default() += 1,
                Ok(Told::Wrong(what)) => self.findings.wrong.push(what),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
            if self.told_at.elapsed() > PROGRESS {
                self.told_at = Instant::now();
                let (acknowledged, _) = self.history.acknowledged();
                let (of, faults) = (self.plan.operations, self.findings.episodes.len());
                (self.progress)(&format!(
                    "{acknowledged} of {of} acknowledged, {faults} episodes; now: {}",
                    self.now
                ));
            }
        }
    }

    /// Groups that are done with: a violation ends the campaign while its files are fresh.
    fn judge_at_rest(&mut self) {
        let (now, current) = (self.clock.now(), self.clients.shared.groups.current());
        let is_at_rest = |group: &u32| {
            let last = self.history.group(*group).iter().map(|entry| entry.invoked).max();
            !current.contains(group) && last.is_some_and(|last| last + AT_REST < now)
        };
        let begun = u32::try_from(self.clients.shared.groups.begun()).unwrap_or(u32::MAX);
        let at_rest: Vec<_> =
            (0..begun).filter(|group| !self.judged.contains(group)).filter(is_at_rest).collect();
        let groups = at_rest.iter().map(|group| (*group, self.history.group(*group)));
        self.findings.wrong.extend(audit::judge(groups, &self.cluster, self.clock));
        self.judged.extend(at_rest);
    }

    /// The last look.
    fn finish(mut self) -> Result<Findings, Box<dyn Error>> {
        let faults_until = self.clock.now();
        self.findings.took = Duration::from_nanos(faults_until);
        self.cluster.network().heal();
        if self.findings.wrong.is_empty() {
            (self.progress)("every node in turn is asked for everything");
            let groups = self.clients.shared.groups.begun();
            let read = audit::read_all(&self.cluster, self.clock, groups, &mut self.history);
            self.findings.wrong.extend(read.unwrap_or_else(|error| vec![error.to_string()]));
        }
        self.findings.measure(&self.history, faults_until);
        let judged = audit::judge(self.history.groups(), &self.cluster, self.clock);
        if judged.is_empty() && self.findings.wrong.is_empty() {
            let (bent, noticed) = audit::bend(&self.history, self.plan.seed, COPIES);
            (self.findings.bent, self.findings.noticed) = (bent, noticed);
            if noticed < bent {
                self.findings.wrong.push(format!("the checker noticed {noticed} of {bent} bends"));
            }
        } else {
            self.findings.wrong.extend(judged);
        }
        if !self.findings.wrong.is_empty() {
            self.keep(&self.plan.directory)?;
        }
        Ok(self.findings)
    }

    /// What somebody needs who looks for the reason.
    fn keep(&self, directory: &Path) -> io::Result<()> {
        self.history.write(&directory.join("history"))?;
        let lines = self.findings.episodes.iter().flat_map(|episode| {
            let (began, well) = (millis(episode.began), millis(episode.well));
            episode.faults.iter().map(move |(_, told)| format!("{began:>12} {well:>12}  {told}\n"))
        });
        std::fs::write(directory.join("faults"), lines.collect::<String>())?;
        std::fs::write(directory.join("wrong"), self.findings.wrong.join("\n"))
    }
}
