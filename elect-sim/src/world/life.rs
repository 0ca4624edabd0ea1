//! The life of a process: it starts, stops between two instructions, goes on, and dies.

use elect_core::{Elector, Gate, Record, Time};

use super::World;
use crate::clock::{MILLI, SECOND};
use crate::counts::Counted;
use crate::host::Call;
use crate::ids::{Life, NodeIndex};
use crate::input::Input;
use crate::process::{Process, State};
use crate::queue::What;
use crate::trace::Marked;

impl World {
    pub(crate) fn start(&mut self, node: NodeIndex) {
        if self.node(node).process.is_some() || self.node(node).retired {
            return;
        }
        let life = self.node(node).life + 1;
        let (elector, record) = match self.load(node, life) {
            Ok(loaded) => loaded,
            Err(why) => {
                self.note(Some(node), || format!("does not start: {why}"));
                self.node_mut(node).refusal = Some(why);
                return;
            }
        };
        self.node_mut(node).life = life;
        self.node_mut(node).dark = false;
        self.node_mut(node).refusal = None;
        self.book.count(Counted::Start);
        self.note(Some(node), || {
            format!("starts, record {:?} {:?} {:?}", record.epoch, record.holder, record.storage)
        });
        self.book.checks_mut().started(node, life, record);
        let node_mut = self.node_mut(node);
        node_mut.state = State::Running;
        node_mut.connected = Default::default();
        node_mut.process = Some(Process {
            authority: elector.authority(),
            elector,
            following: None,
            saving: None,
            gated: None,
            rest: Vec::new(),
            held: None,
            tick_at: 0,
            tick_for: Time::ZERO,
            syncing: false,
            hung_save: false,
            hung_sync: false,
        });
        self.call(node, Call::Started(record.storage));
        let member = self.member(node);
        for peer in self.members().filter(|&peer| peer != member) {
            // Without a spread all processes start at the same moment, and the first attempt finds them there.
            let at = self.clocks.now() + self.chance.below(MILLI.min(self.options.boot_spread)) + 1;
            self.queue.push(at, What::Dial { from: node, to: peer, life });
        }
        self.mark(node, Marked::Starts);
        self.input(node, Input::Tick);
    }

    /// An elector from what the operator wrote and what the disk holds, or why they make none.
    fn load(&mut self, node: NodeIndex, life: Life) -> Result<(Elector, Record), String> {
        let config = self.written_config(node, life)?;
        let record = if let Some(record) = self.node(node).disk.record() {
            *record
        } else {
            let record = Record::replacement(&config);
            self.node_mut(node).disk.install(record);
            record
        };
        let elector = Elector::new(config, record, self.local(node)).map_err(|why| why.to_string())?;
        Ok((elector, record))
    }

    /// The process dies. With `wait` it starts again so much later.
    pub(crate) fn crash(&mut self, node: NodeIndex, wait: Option<u64>) {
        let now = self.clocks.now();
        let Some(process) = self.node_mut(node).process.take() else { return };
        self.note(Some(node), || "dies".into());
        self.mark(node, Marked::Dies);
        if let Some(record) = process.saving.as_ref().and_then(Gate::record) {
            self.node_mut(node).disk.crash_during(record);
            if self.node(node).disk.record() == Some(record) {
                self.book.checks_mut().saved(now, node, record);
            }
        }
        let landed = process.syncing && self.node_mut(node).disk.survives();
        let dead = self.node_mut(node);
        match &mut dead.host {
            Some(host) => host.as_host_mut().crashed(landed),
            None => dead.died = Some(landed),
        }
        dead.state = State::Down;
        dead.interrupt = None;
        let inbox = std::mem::take(&mut dead.inbox);
        inbox
            .into_iter()
            .chain(process.held.map(|(input, _)| input))
            .for_each(|input| self.drop_input(input));
        self.book.checks_mut().died(node);
        self.break_connections(node);
        if let Some(wait) = wait {
            self.queue.push(now + wait, What::Start { node });
        }
    }

    /// The machine loses power: nothing tells its peers.
    pub(crate) fn power_off(&mut self, node: NodeIndex) {
        self.node_mut(node).dark = true;
        self.crash(node, None);
        let origin = self.luck.below(10 * SECOND);
        self.clocks.reboot(node, origin);
    }

    pub(crate) fn pause(&mut self, node: NodeIndex, span: u64) {
        if self.node(node).state != State::Running {
            return;
        }
        self.note(Some(node), || format!("stops for {:?}", std::time::Duration::from_nanos(span)));
        self.mark(node, Marked::Pauses);
        let paused = self.node_mut(node);
        paused.state = State::Paused;
        paused.pause += 1;
        let (life, pause) = (paused.life, paused.pause);
        self.queue.push(self.clocks.now() + span, What::Continue { node, life, pause });
    }

    pub(crate) fn go_on(&mut self, node: NodeIndex, life: Life, pause: u32) {
        let stopped = self.node(node);
        if (stopped.life, stopped.pause, stopped.state) != (life, pause, State::Paused) {
            return;
        }
        self.note(Some(node), || "goes on".into());
        self.mark(node, Marked::GoesOn);
        self.node_mut(node).state = State::Running;
        let Some(process) = &mut self.node_mut(node).process else { return };
        let rest = std::mem::take(&mut process.rest);
        let held = process.held.take();
        self.carry_out(node, rest);
        if let Some((input, now)) = held {
            self.handle(node, input, now);
        }
        // A host's threads wake up in any order: half of the time what they wait for comes before the elector's.
        if self.luck.below(2) == 0 {
            let inbox = &mut self.node_mut(node).inbox;
            inbox.make_contiguous().sort_by_key(|input| {
                !matches!(
                    input,
                    Input::Host(_) | Input::Client | Input::Report | Input::Repair | Input::Message { .. }
                )
            });
        }
        while self.node(node).state == State::Running {
            let Some(input) = self.node_mut(node).inbox.pop_front() else { break };
            self.input(node, input);
        }
        self.schedule_tick(node);
    }
}
