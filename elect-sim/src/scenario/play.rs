//! Playing a scenario.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use elect_core::{
    Address, Body, Epoch, Frame, Header, Health, Heartbeat, Incarnation, Lead, Nonce, Standing, Storage,
};

use super::{Forged, Name, Scenario, State, Step};
use crate::campaign::Run;
use crate::checkers::node_name;
use crate::clock::MILLI;
use crate::counts::Counts;
use crate::deed::Deed;
use crate::process::Request;
use crate::queue::NodeIndex;
use crate::rule::Rule;
use crate::trace::Detail;
use crate::world::{World, id_of, index_from};

/// What came of a scenario.
#[derive(Debug)]
pub struct Report {
    /// The world at the end.
    pub world: World,
    /// The first expectation or checker that did not hold.
    pub failure: Option<String>,
}

struct Player {
    run: Run,
    leader: Option<NodeIndex>,
    mark: Counts,
}

impl Scenario {
    /// Plays it to its end or to the first expectation that does not hold.
    pub fn play(&self, detail: Detail) -> Report {
        let run = Run::of(World::new(self.options.clone(), detail));
        let mut player = Player { run, leader: None, mark: Counts::default() };
        let mut failure = None;
        for &(line, step) in &self.steps {
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
    fn node(&self, name: Name) -> Result<NodeIndex, String> {
        match name {
            Name::Node(node) if usize::from(node) < self.run.world.nodes.len() => Ok(node),
            Name::Node(node) => Err(format!("there is no node {}", node_name(node))),
            Name::Leader => self.leader.ok_or_else(|| "nobody led at the last `until leader`".into()),
        }
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Wait(span) => {
                let until = self.run.world.now() + span;
                self.run.world.run_until(until);
                Ok(())
            }
            Step::Until(state, span) => self.until(state, span),
            Step::Expect(state) => self.expect(state),
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

    fn until(&mut self, state: State, span: u64) -> Result<(), String> {
        let until = self.run.world.now() + span;
        loop {
            if self.holds(state)? {
                if let Some((node, _)) = self.run.world.leader() {
                    self.leader = Some(index_from(node));
                }
                return Ok(());
            }
            let world = &mut self.run.world;
            if world.now() >= until || world.violation().is_some() {
                return Err(format!("{state:?} did not come within {:?}", Duration::from_nanos(span)));
            }
            let next = world.now() + MILLI / 10;
            world.run_until(next);
        }
    }

    fn expect(&mut self, state: State) -> Result<(), String> {
        if self.holds(state)? { Ok(()) } else { Err(format!("expected {state:?}; {}", self.situation())) }
    }

    fn situation(&self) -> String {
        let (world, mark) = (&self.run.world, self.mark);
        let counts = world.counts();
        let (elections, losses) = (counts.elections - mark.elections, counts.losses - mark.losses);
        format!("{:?} leads, {elections} elections and {losses} step-downs since the mark", world.leader())
    }

    fn holds(&self, state: State) -> Result<bool, String> {
        let world = &self.run.world;
        let leader = world.leader().map(|(node, _)| index_from(node));
        let counts = world.counts();
        let storage = |name| -> Result<_, String> {
            let node = world.node(self.node(name)?);
            Ok(node.process.as_ref().and_then(|_| node.disk.record()).map(|record| record.storage))
        };
        Ok(match state {
            State::Leads(None) => leader.is_some(),
            State::Leads(Some(name)) => leader == Some(self.node(name)?),
            State::LeadsNot(name) => leader.is_some() && leader != Some(self.node(name)?),
            State::InOffice(name) => world.in_office() == Some(self.node(name)?),
            State::Nobody => leader.is_none(),
            State::Stopped(name) => world.checks.is_stopped(self.node(name)?),
            State::Replaced(name) => storage(name)? == Some(Storage::Replaced),
            State::Intact(name) => storage(name)? == Some(Storage::Intact),
            State::EpochAtMost(name, epoch) => {
                let record = world.node(self.node(name)?).disk.record();
                record.is_some_and(|record| record.epoch <= Epoch::new(epoch))
            }
            State::Elections(count) => counts.elections - self.mark.elections == count,
            State::Losses(count) => counts.losses - self.mark.losses == count,
            State::Acknowledged(count) => counts.acknowledged - self.mark.acknowledged >= count,
        })
    }

    fn act(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Cut(from, to) => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.note(&format!("cut {}→{}", node_name(from), node_name(to)));
                self.run.world.act(Deed::Cut(from, to));
            }
            Step::Heal(from, to) => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.note(&format!("heal {}→{}", node_name(from), node_name(to)));
                self.run.world.act(Deed::Heal(from, to));
            }
            Step::HealAll => {
                self.note("heal");
                self.run.world.network.heal_all();
            }
            Step::Isolate(name) => {
                let node = self.node(name)?;
                self.note(&format!("isolate {}", node_name(node)));
                for peer in (0..index_from(self.run.world.nodes.len())).filter(|&peer| peer != node) {
                    self.run.world.act(Deed::Cut(node, peer));
                    self.run.world.act(Deed::Cut(peer, node));
                }
            }
            Step::Clog(from, to) => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.run.world.act(Deed::Clog(from, to));
            }
            Step::Unclog(from, to) => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.run.world.act(Deed::Unclog(from, to));
            }
            Step::Close(node, peer) => {
                let (node, peer) = (self.node(node)?, self.node(peer)?);
                self.run.world.act(Deed::Close(node, peer));
            }
            Step::Rule(from, to, rule) => {
                let (from, to) = (self.node(from)?, self.node(to)?);
                self.run.world.rules.push(Rule { from, to, ..rule });
            }
            Step::Forge(from, to, forged) => {
                let to = self.node(to)?;
                self.forge(from, to, forged);
            }
            _ => self.act_on_node(step)?,
        }
        Ok(())
    }

    fn act_on_node(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Crash(name) => {
                let node = self.node(name)?;
                self.run.world.act(Deed::Crash(node));
            }
            Step::PowerOff(name) => {
                let node = self.node(name)?;
                self.run.world.act(Deed::PowerOff(node));
            }
            Step::Start(name) => {
                let node = self.node(name)?;
                self.run.world.act(Deed::Start(node));
            }
            Step::Wipe(name, wiped) => {
                let node = self.node(name)?;
                if self.run.world.node(node).process.is_some() {
                    return Err("only the disk of a dead node is wiped".into());
                }
                self.run.world.act(Deed::Wipe(node, wiped));
            }
            Step::Pause(name, span) => {
                let node = self.node(name)?;
                self.run.world.act(Deed::Pause(node, span));
            }
            Step::Interrupt(name, after, interrupt) => {
                let node = self.node(name)?;
                self.run.world.act(Deed::Interrupt(node, after, interrupt));
            }
            Step::Rate(name, ppm) => {
                let node = self.node(name)?;
                self.run.world.act(Deed::Rate(node, ppm));
            }
            Step::Mood(name, mood) => {
                let node = self.node(name)?;
                self.note(&format!("the disk of {} is {mood:?}", node_name(node)));
                self.run.world.act(Deed::Disk(node, mood));
            }
            Step::NextSave(name, outcome) => {
                let node = self.node(name)?;
                self.run.world.act(Deed::NextSave(node, outcome));
            }
            Step::Resign(name) => self.request(name, Request::Resign)?,
            Step::Handover(name, target) => {
                let target = target.map(|target| self.node(target)).transpose()?.map(id_of);
                self.request(name, Request::Handover(target))?;
            }
            Step::Unfit(name) => self.request(name, Request::Health(Health::Unfit))?,
            Step::Fit(name) => self.request(name, Request::Health(Health::Healthy))?,
            Step::Freeze(name, span) => self.request(name, Request::Freeze(Duration::from_nanos(span)))?,
            Step::Thaw(name) => self.request(name, Request::Thaw)?,
            _ => return Err(format!("{step:?} is not for a node")),
        }
        Ok(())
    }

    fn request(&mut self, name: Name, request: Request) -> Result<(), String> {
        let node = self.node(name)?;
        self.run.world.act(Deed::Ask(node, request));
        Ok(())
    }

    fn note(&mut self, text: &str) {
        self.run.world.note_network(text);
    }

    /// Hands a frame that no elector wrote to `to`, as the transport would if `from` were its sender.
    fn forge(&mut self, from: u8, to: NodeIndex, forged: Forged) {
        let world = &mut self.run.world;
        let now = world.local(to);
        let echo =
            world.node(to).disk.record().map(|record| Nonce { incarnation: record.incarnation, sent: now });
        let incarnation = match world.nodes.get(usize::from(from)).and_then(|node| node.disk.record()) {
            Some(record) => record.incarnation,
            None => Incarnation { counter: 1, random: 1 },
        };
        let nonce = Nonce {
            incarnation,
            sent: world.clocks.get(usize::from(from)).unwrap_or(&world.clocks[0]).read(world.now),
        };
        let detection = Duration::from_millis(500);
        let (standing, epoch, body) = forged_body(forged, detection);
        let header = Header { group: 0, members: world.config(to, 0).digest(), epoch, standing, nonce, echo };
        world.note(Some(to), || format!("forged from {}: {standing:?} {body:?}", node_name(from)));
        world.elector(to, now, |elector| Ok(elector.on_message(id_of(from), &Frame { header, body }, now)));
    }
}

fn forged_body(forged: Forged, detection: Duration) -> (Standing, Epoch, Body) {
    let beat = |lead| Heartbeat {
        position: None,
        eligible: true,
        healthy: true,
        priority: 100,
        application: 0,
        lead,
    };
    match forged {
        Forged::Accept(epoch) => {
            let epoch = Epoch::new(epoch);
            (Standing::Bound, epoch, Body::Accept { epoch, position: None })
        }
        Forged::Announce(epoch) => {
            let epoch = Epoch::new(epoch);
            let heartbeat = beat(Some(Lead { detection, paused_for: Duration::ZERO }));
            (Standing::Leading(epoch), epoch, Body::Announce { heartbeat, address: Address::default() })
        }
        Forged::Offer(epoch) => {
            let epoch = Epoch::new(epoch);
            (Standing::Standing(epoch), Epoch::ZERO, Body::Offer { epoch, detection })
        }
        Forged::Heartbeat(epoch) => (Standing::Free, Epoch::new(epoch), Body::Heartbeat(beat(None))),
    }
}
