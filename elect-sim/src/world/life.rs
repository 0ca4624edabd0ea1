//! The life of a process: it starts, stops between two instructions, goes on, and dies.

use elect_core::{Elector, Record};

use super::World;
use crate::clock::{MILLI, SECOND};
use crate::counts::Counted;
use crate::host::Call;
use crate::ids::{Life, NodeIndex};
use crate::input::Input;
use crate::node::Stopped;
use crate::queue::Event;
use crate::trace::Marked;

impl World {
    pub(crate) fn start(&mut self, node: NodeIndex) {
        // Nothing is on a twin's machine but what was copied there.
        let is_empty = !self.is_member(node) && self.node(node).record().is_none();
        if !self.node(node).may_start() || is_empty {
            return;
        }
        let life = self.node(node).life() + 1;
        let (elector, record) = match self.load(node, life) {
            Ok(loaded) => loaded,
            Err(why) => {
                self.note(Some(node), || format!("does not start: {why}"));
                self.node_mut(node).refuse_start(why);
                self.start_refused(node);
                return;
            }
        };
        self.book.count(Counted::Start);
        self.note(Some(node), || {
            format!("starts, record {:?} {:?} {:?}", record.epoch, record.holder, record.storage)
        });
        self.book.checks_mut().started(node, life, record);
        self.node_mut(node).start(life, elector);
        self.call(node, Call::Started(record.storage));
        let member = self.member(node);
        for peer in self.members().filter(|&peer| peer != member) {
            // Without a spread all processes start at the same moment, and the first attempt finds them there.
            let at = self.clocks.now() + self.host_rng.below(MILLI.min(self.options.boot_spread)) + 1;
            self.queue.push(at, Event::Dial { from: node, to: peer, life });
        }
        self.mark(node, Marked::Starts);
        self.input(node, Input::Tick);
    }

    /// An elector from what the operator wrote and what the disk holds, or why they make none.
    fn load(&mut self, node: NodeIndex, life: Life) -> Result<(Elector, Record), String> {
        let config = self.written_config(node, life)?;
        let record = if let Some(record) = self.node(node).record() {
            *record
        } else {
            let record = Record::replacement(&config);
            self.node_mut(node).disk_mut().install(record);
            record
        };
        let elector = Elector::new(config, record, self.local(node)).map_err(|why| why.to_string())?;
        Ok((elector, record))
    }

    /// The process dies. With `wait` it starts again so much later.
    pub(crate) fn crash(&mut self, node: NodeIndex, wait: Option<u64>) {
        let now = self.clocks.now();
        let Some(process) = self.node_mut(node).end_process() else { return };
        self.note(Some(node), || "dies".into());
        self.mark(node, Marked::Dies);
        let ended = process.life_taken();
        let remains = self.node_mut(node).die(process);
        if let Some(record) = &remains.saved {
            self.book.checks_mut().saved(now, node, record);
        }
        for input in remains.inputs {
            self.drop_input(input);
        }
        self.book.checks_mut().died(node);
        self.break_connections(node);
        if let Some(incarnation) = ended {
            self.tell_end(node, incarnation);
        }
        self.take_old_copy_away(node);
        if let Some(wait) = wait {
            self.queue.push(now + wait, Event::Start { node });
        }
    }

    /// The machine loses power: nothing tells its peers.
    pub(crate) fn power_off(&mut self, node: NodeIndex) {
        self.node_mut(node).lose_power();
        self.crash(node, None);
        let origin = self.consequence_rng.below(10 * SECOND);
        self.clocks.reboot(node, origin);
    }

    pub(crate) fn pause(&mut self, node: NodeIndex, span: u64) {
        if !self.node(node).is_running() {
            return;
        }
        self.note(Some(node), || format!("stops for {:?}", std::time::Duration::from_nanos(span)));
        self.mark(node, Marked::Pauses);
        let (life, pause) = (self.node(node).life(), self.node_mut(node).pause());
        self.queue.push(self.clocks.now() + span, Event::Continue { node, life, pause });
    }

    pub(crate) fn go_on(&mut self, node: NodeIndex, life: Life, pause: u32) {
        if !self.node(node).is_in_pause(life, pause) {
            return;
        }
        self.note(Some(node), || "goes on".into());
        self.mark(node, Marked::GoesOn);
        let Some(Stopped { rest, held }) = self.node_mut(node).go_on() else { return };
        self.carry_out(node, rest);
        if let Some((input, now)) = held {
            self.handle(node, input, now);
        }
        // A host's threads wake up in any order: half of the time what they wait for comes before the elector's.
        if self.consequence_rng.below(2) == 0 {
            self.node_mut(node).let_host_go_first();
        }
        while self.node(node).is_running() {
            let Some(input) = self.node_mut(node).next_waiting() else { break };
            self.input(node, input);
        }
        self.schedule_tick(node);
    }
}
