//! What a node's step asks for, and what its host does with it.

use elect_core::{
    Duty, Elector, Epoch, Frame, Gate, Gated, NodeId, Position, Raised, Step, StorageFailed, Time,
};

use super::time::Due;
use super::{Group, Seen};
use crate::collected::{Collected, Told};
use crate::id;

impl Group {
    pub(super) fn input_to(&mut self, id: NodeId, input: impl FnOnce(&mut Elector, Time) -> Step<'_>) {
        let now = self.now;
        let mut collected = Collected::default();
        let Some(elector) = self.nodes.get_mut(&id).and_then(|node| node.elector.as_mut()) else { return };
        input(elector, now).resolve(&mut collected);
        self.carry_out(id, collected);
    }

    pub(super) fn carry_out(&mut self, from: NodeId, collected: Collected) {
        let now = self.now;
        let node = self.nodes.get_mut(&from).unwrap();
        for loss in collected.losses {
            node.office = None;
            node.elected = None;
            node.seen.push((now, Seen::Lost(loss.epoch, loss.reason)));
            // What is lost may be office alone: a leadership that is not in office yet may follow at once.
            let lease = node.elector.as_ref().unwrap().authority().lease(now);
            assert!(lease.is_none_or(|lease| lease.epoch > loss.epoch), "the lease cell falls first");
        }
        for (to, frame) in collected.frames {
            self.post(from, to, frame);
        }
        if let Some(gate) = collected.gate {
            self.begin_save(from, gate);
        }
        for told in collected.told {
            self.note(from, told);
        }
    }

    fn post(&mut self, from: NodeId, to: NodeId, frame: Frame) {
        let durable = self.nodes[&from].disk.record.epoch;
        assert!(
            frame.header.epoch <= durable,
            "S3: {from} claims {} above its durable {durable}",
            frame.header.epoch
        );
        if self.record_traffic {
            self.sent.push((self.now, from, to, frame.clone()));
        }
        if self.cut.contains(&(from, to)) {
            return;
        }
        let due = self.now + self.delay;
        self.enqueue(due, Due::Frame { from, to, frame });
    }

    fn begin_save(&mut self, id: NodeId, gate: Gate) {
        let life = self.lives.get(&id).copied().unwrap_or_default();
        let node = self.nodes.get_mut(&id).unwrap();
        node.gate = Some(gate);
        if !node.hangs {
            let at = self.now + self.save;
            self.enqueue(at, Due::Save { node: id, life });
        }
    }

    /// A hanging save goes on.
    pub fn unhang(&mut self, name: &str) -> &mut Self {
        let node = self.nodes.get_mut(&id(name)).unwrap();
        node.hangs = false;
        let life = self.lives.get(&id(name)).copied().unwrap_or_default();
        let at = self.now + self.save;
        self.enqueue(at, Due::Save { node: id(name), life });
        self
    }

    pub(super) fn finish_save(&mut self, id: NodeId, life: u32) {
        if self.lives.get(&id).copied().unwrap_or_default() != life {
            return;
        }
        let node = self.nodes.get_mut(&id).unwrap();
        let Some(gate) = node.gate.take() else { return };
        let result: Result<Gated, StorageFailed> = gate.commit(&mut node.disk, &*node.fence);
        self.input_to(id, |elector, now| elector.on_gated(result, now));
    }

    fn note(&mut self, id: NodeId, told: Told) {
        let now = self.now;
        match told {
            Told::Duty(Duty::Elected(elected)) => {
                self.note_leader(id, elected.epoch());
                let node = self.nodes.get_mut(&id).unwrap();
                node.seen.push((now, Seen::Elected(elected.epoch())));
                node.elected = Some(elected);
                if node.serves {
                    self.serve(id);
                }
            }
            Told::Duty(Duty::EpochRaised { from, raised }) => {
                let epoch = raised.epoch();
                self.note_leader(id, epoch);
                let node = self.nodes.get_mut(&id).unwrap();
                node.seen.push((now, Seen::Raised(from, epoch)));
                match raised {
                    Raised::InOffice(_) => assert!(node.office.is_some(), "it goes on"),
                    Raised::OnTheWay(elected) => (node.office, node.elected) = (None, Some(elected)),
                }
                if node.serves && node.office.is_none() {
                    self.serve(id);
                }
            }
            Told::Duty(other) => self.see(id, format!("{other:?}")),
            Told::Notice(notice) => self.see(id, format!("{notice:?}")),
        }
    }

    fn see(&mut self, id: NodeId, what: String) {
        let now = self.now;
        self.nodes.get_mut(&id).unwrap().seen.push((now, Seen::Other(what)));
    }

    fn note_leader(&mut self, id: NodeId, epoch: Epoch) {
        let earlier = self.leaders.insert(epoch, id);
        assert!(earlier.is_none() || self.members_lie, "S1: {id} leads {epoch}, which {earlier:?} led");
    }

    /// The host enters office: catches up, writes its own entry, reports.
    pub fn serve(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).unwrap();
        let Some(elected) = node.elected.take() else { return };
        let epoch = elected.epoch();
        if let Some(source) = elected.catch_up_from() {
            *node.tail.0.borrow_mut() = Some(source.position);
        }
        let held = *node.tail.0.borrow();
        let caught_up = elected.caught_up(held).unwrap();
        let own = Position::new(epoch, held.map_or(1, |position| position.offset.saturating_add(1)));
        *node.tail.0.borrow_mut() = Some(own);
        let office = caught_up.own_entry_committed(own).unwrap();
        node.office = Some(office.clone());
        self.input_to(id, |elector, now| elector.set_position(Some(own), now));
        self.input_to(id, |elector, now| elector.on_office(&office, now));
    }
}
