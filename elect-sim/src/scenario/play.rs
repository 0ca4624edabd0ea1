//! Playing a scenario.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use elect_core::Health;

use super::{Name, Override, Scenario, State, Step, When};
use crate::action::Action;
use crate::campaign::Run;
use crate::clock::MILLI;
use crate::counts::Counts;
use crate::ids::NodeIndex;
use crate::input::Request;
use crate::network::Quality;
use crate::rule::Rule;
use crate::trace::Detail;
use crate::trigger::{Strike, Trigger};
use crate::world::World;

/// What came of a scenario.
#[derive(Debug)]
pub struct Report {
    /// The world at the end.
    pub world: World,
    /// The first expectation or checker that did not hold.
    pub failure: Option<String>,
}

pub(super) struct Player {
    pub(super) run: Run,
    leader: Option<NodeIndex>,
    pub(super) mark: Counts,
}

impl Scenario {
    /// Plays it to its end or to the first expectation that does not hold.
    pub fn play(&self, detail: Detail) -> Report {
        let run = Run::of(World::new(self.options.clone(), detail));
        let mut player = Player { run, leader: None, mark: Counts::default() };
        let mut failure = None;
        for (line, step) in &self.steps {
            // After a panic only the time and the trace are looked at, as in a swarm.
            match catch_unwind(AssertUnwindSafe(|| player.step(step))) {
                Ok(Ok(())) => {}
                Ok(Err(why)) => failure = Some(format!("line {line}: {why}")),
                Err(payload) => player.run.panicked(payload.as_ref()),
            }
            if let Some(violation) = player.run.world.violation() {
                failure = Some(format!("line {line}: {violation}"));
            }
            if failure.is_some() {
                break;
            }
        }
        Report { world: player.run.world, failure }
    }
}

impl Player {
    pub(super) fn node(&self, name: Name) -> Result<NodeIndex, String> {
        match name {
            Name::Node(node) if node.place() < self.run.world.node_count() => Ok(node),
            Name::Node(node) => Err(format!("there is no node {node}")),
            Name::Leader => self.leader.ok_or_else(|| "nobody led at the last `until leader`".into()),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Wait(span) => {
                let until = self.run.world.now() + span;
                self.run.world.run_until(until);
                Ok(())
            }
            Step::Until(ref state, span) => self.until(state, span),
            Step::Expect(ref state) => self.expect(state),
            Step::Mark => {
                self.mark = self.run.world.counts();
                Ok(())
            }
            Step::Calm(span) => {
                self.run.demand(span);
                Ok(())
            }
            _ => self.act(step),
        }
    }

    fn until(&mut self, state: &State, span: u64) -> Result<(), String> {
        let until = self.run.world.now() + span;
        loop {
            if self.holds(state)? {
                if let Some((node, _)) = self.run.world.leader() {
                    self.leader = Some(node);
                }
                return Ok(());
            }
            let world = &mut self.run.world;
            if world.now() >= until || world.violation().is_some() {
                let span = Duration::from_nanos(span);
                return Err(format!("{state:?} did not come within {span:?}{}", self.said(state)));
            }
            let next = world.now() + MILLI / 10;
            world.run_until(next);
        }
    }

    fn expect(&mut self, state: &State) -> Result<(), String> {
        if self.holds(state)? {
            Ok(())
        } else {
            Err(format!("expected {state:?}; {}{}", self.situation(), self.said(state)))
        }
    }

    /// What a node said instead.
    fn said(&self, state: &State) -> String {
        let node = match *state {
            State::Explains(name, _) | State::Refused(name, _) => self.node(name),
            _ => return String::new(),
        };
        node.map(|node| format!("; it says: {}", self.explanation(node))).unwrap_or_default()
    }

    fn situation(&self) -> String {
        let (world, mark) = (&self.run.world, self.mark);
        let counts = world.counts();
        let (elections, losses) = (counts.elections - mark.elections, counts.losses - mark.losses);
        format!("{:?} leads, {elections} elections and {losses} step-downs since the mark", world.leader())
    }

    fn act(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Cut(from, to) => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.note(&format!("cut {from}→{to}"));
                self.run.world.act(Action::Cut(from, to));
            }
            Step::Heal(from, to) => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.note(&format!("heal {from}→{to}"));
                self.run.world.act(Action::Heal(from, to));
            }
            Step::HealAll => {
                self.note("heal");
                self.run.world.network_mut().heal_all();
                self.run.world.mark_links();
            }
            Step::Isolate(name) => {
                let node = self.node(name)?;
                self.note(&format!("isolate {node}"));
                for peer in self.run.world.machines().filter(|&peer| peer != node) {
                    self.run.world.act(Action::Cut(node, peer));
                    self.run.world.act(Action::Cut(peer, node));
                }
            }
            Step::Clog(from, to) => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.run.world.act(Action::Clog(from, to));
            }
            Step::Unclog(from, to) => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.run.world.act(Action::Unclog(from, to));
            }
            Step::Close(node, peer) => {
                let (node, peer) = (self.node(node)?, self.node(peer)?);
                self.run.world.act(Action::Close(node, peer));
            }
            Step::Rule(from, to, rule) => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.run.world.act(Action::Rule(Rule { from, to, ..rule }));
            }
            Step::CutData(from, to) => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.run.world.act(Action::CutData(from, to));
            }
            Step::HealData(from, to) => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.run.world.act(Action::HealData(from, to));
            }
            Step::Slower(extra) => self.run.world.act(Action::Slower(extra)),
            Step::Forge(from, to, forged, echo) => {
                let to = self.node(to)?;
                self.forge(from, to, forged, echo);
            }
            Step::Delays(min, max) => {
                self.note(&format!(
                    "delays of {:?} to {:?}",
                    Duration::from_nanos(min),
                    Duration::from_nanos(max)
                ));
                self.run.world.network_mut().set_quality(Quality::calm(min, max));
            }
            _ => self.act_on_node(step)?,
        }
        Ok(())
    }

    fn act_on_node(&mut self, step: &Step) -> Result<(), String> {
        if let Some(action) = self.action(step)? {
            self.run.world.act(action);
        } else if let Some((name, request)) = self.asked(step)? {
            self.request(name, request)?;
        } else {
            self.change_node(step)?;
        }
        Ok(())
    }

    /// A step that a storm can take as well.
    fn action(&self, step: &Step) -> Result<Option<Action>, String> {
        Ok(Some(match *step {
            Step::Crash(name) => Action::Crash(self.node(name)?),
            Step::PowerOff(name) => Action::PowerOff(self.node(name)?),
            Step::Start(name) => Action::Start(self.node(name)?),
            Step::Pause(name, span) => Action::Pause(self.node(name)?, span),
            Step::Interrupt(name, after, interrupt) => Action::Interrupt(self.node(name)?, after, interrupt),
            Step::Rate(name, ppm) => Action::Rate(self.node(name)?, ppm),
            Step::RaiseRecord(name, by) => Action::RaiseRecord(self.node(name)?, by),
            Step::On(name, peer, trigger) => {
                let node = self.node(name)?;
                let peer = peer.map(|peer| self.node(peer)).transpose()?.unwrap_or(node);
                let strike = match trigger.strike {
                    Strike::CutTo(_, time) => Strike::CutTo(peer, time),
                    Strike::CutFrom(_, time) => Strike::CutFrom(peer, time),
                    other => other,
                };
                Action::On(Trigger { node, strike, ..trigger })
            }
            Step::TwinIfKnown(name) => Action::TwinIfKnown(self.node(name)?),
            Step::NextSave(name, outcome) => Action::NextSave(self.node(name)?, outcome),
            _ => return Ok(None),
        }))
    }

    /// What an operator, or the host, asks of a node.
    fn asked(&self, step: &Step) -> Result<Option<(Name, Request)>, String> {
        Ok(Some(match *step {
            Step::Resign(name) => (name, Request::Resign),
            Step::Handover(name, target) => {
                let target = target.map(|target| self.node(target)).transpose()?.map(NodeIndex::id);
                (name, Request::Handover(target))
            }
            Step::Unfit(name) => (name, Request::Health(Health::Unfit)),
            Step::Fit(name) => (name, Request::Health(Health::Healthy)),
            Step::Vouch(name, span) => (name, Request::Vouch(Duration::from_nanos(span))),
            Step::Freeze(name, span) => (name, Request::Freeze(Duration::from_nanos(span))),
            Step::Thaw(name) => (name, Request::Thaw),
            Step::Move(name, number) => (name, Request::Move(number)),
            Step::Upgrade(name, version) => (name, Request::Upgrade(version)),
            _ => return Ok(None),
        }))
    }

    fn change_node(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Wipe(name, wiped) => {
                let node = self.node(name)?;
                if self.run.world.node(node).has_process() {
                    return Err("only the disk of a dead node is wiped".into());
                }
                self.run.world.act(Action::Wipe(node, wiped));
            }
            Step::Init(name, when) => {
                let node = self.node(name)?;
                if self.run.world.node(node).record().is_some() {
                    return Err("only a wiped disk is given a first boot".into());
                }
                match when {
                    When::Always => self.run.world.init(node),
                    When::Noticed => self.run.world.act(Action::InitIfFinal(node)),
                }
            }
            Step::Override(node, Override::Detection(detection)) => {
                self.run.world.act(Action::Configure(node, detection));
            }
            Step::Override(node, ref setting) => {
                setting.apply(self.run.world.overrides_mut(node));
            }
            Step::CopyDisk(from, to) => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.run.world.copy_disk(from, to)?;
            }
            Step::BackUp(name) => {
                let node = self.node(name)?;
                self.run.world.back_up(node);
            }
            Step::Restore(name, when) => {
                let node = self.node(name)?;
                match when {
                    When::Always => self.run.world.restore(node)?,
                    When::Noticed => self.run.world.act(Action::RestoreIfKnown(node)),
                }
            }
            Step::Setup(name, setup) => {
                let node = self.node(name)?;
                self.run.world.node_mut(node).set_setup(setup);
            }
            Step::DiskState(name, state) => {
                let node = self.node(name)?;
                self.note(&format!("the disk of {node} is {state:?}"));
                self.run.world.act(Action::Disk(node, state));
            }
            Step::ClaimRebuilt(name) => {
                let node = self.node(name)?;
                self.run.world.claim_rebuilt(node);
            }
            _ => return Err(format!("{step:?} is not for a node")),
        }
        Ok(())
    }

    fn request(&mut self, name: Name, request: Request) -> Result<(), String> {
        let node = self.node(name)?;
        self.run.world.act(Action::Ask(node, request));
        Ok(())
    }

    fn note(&mut self, text: &str) {
        self.run.world.note_network(text);
    }
}
