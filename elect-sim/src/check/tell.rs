//! A path for people to read.

use elect_core::{Body, Gate};

use super::action::Action;
use super::bounds::{Model, NODES, name};
use super::flight::{Flight, Kind};
use super::world::{Turn, World};

impl World {
    /// What an action means here, for people to read.
    pub(super) fn tell(&self, action: Action, model: &Model) -> String {
        let name = |node: u8| name(usize::from(node));
        match action {
            Action::Proceed => self.tell_turn(self.turn(model)),
            Action::Wait => format!("moment {} comes on every clock", self.moment + 1),
            Action::Stray => format!("goes astray: {}", self.tell_turn(self.turn(model))),
            Action::Copy => format!("and a copy goes astray: {}", self.tell_turn(self.turn(model))),
            Action::Delay => format!("is slow: {}", self.tell_turn(self.turn(model))),
            Action::Arrive(stray) => {
                format!("a stray frame: {}", tell_flight(&self.strays[usize::from(stray)]))
            }
            Action::Save(node) => format!("{}'s slow save is done", name(node)),
            Action::Crash(node) => format!("{} crashes", name(node)),
            Action::CrashAfterSave(node) => {
                let node = usize::from(node);
                format!("{}, and it crashes before it learns so", self.tell_turn(Some(Turn::Save(node))))
            }
            Action::Start(node) => format!("{} starts again", name(node)),
            Action::Sleep(node) => format!("{} stands still", name(node)),
            Action::Wake(node) => format!("{} goes on", name(node)),
            Action::Cut(from, to) => format!("the link from {} to {} breaks", name(from), name(to)),
            Action::Heal(from, to) => format!("the link from {} to {} heals", name(from), name(to)),
        }
    }

    fn tell_turn(&self, turn: Option<Turn>) -> String {
        match turn {
            Some(Turn::Deadline(index)) => format!("{} does what is due", name(index)),
            Some(Turn::Frame(place)) => {
                self.flights[place].as_ref().map(|flight| tell_flight(flight)).unwrap_or_default()
            }
            Some(Turn::Save(index)) => {
                let record = self.nodes[index].gate.as_ref().and_then(Gate::record);
                let holds = record.map(|record| (record.incarnation, record.epoch, record.holder));
                format!("{}'s save is done: {holds:?}", name(index))
            }
            None => "nothing".into(),
        }
    }

    /// Which node an action happens at, for a panic.
    pub(super) fn place_of(&self, action: Action, model: &Model) -> usize {
        match (action, self.turn(model)) {
            (Action::Arrive(stray), _) => self.strays[usize::from(stray)].to,
            (Action::Save(node) | Action::CrashAfterSave(node) | Action::Start(node), _) => node.into(),
            (_, Some(Turn::Deadline(index) | Turn::Save(index))) => index,
            (_, Some(Turn::Frame(place))) => place / Kind::COUNT % NODES,
            _ => 0,
        }
    }
}

fn tell_flight(flight: &Flight) -> String {
    let Flight { from, to, frame, .. } = flight;
    let (header, echo) = (&frame.header, frame.header.echo);
    let body = match &frame.body {
        Body::Heartbeat(_) => "HEARTBEAT".into(),
        Body::Announce { .. } => "ANNOUNCE".into(),
        other => format!("{other:?}"),
    };
    let (from, to) = (name(*from), name(*to));
    let (state, epoch, nonce) = (header.state, header.epoch, header.nonce);
    format!("{to} hears {from}: {body}, {state:?}, epoch {epoch}, nonce {nonce:?}, echo {echo:?}")
}
