//! What an elector wants, carried out without waiting for anybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use crossbeam_channel::Sender;
use elect_core::{Driver, Duty, Frame, Gate, NodeId, Notice, SteppedDown, Time};

use crate::announcer::Announcer;
use crate::cells::Cells;
use crate::echoes::Echoes;
use crate::event::{HostEvent, NodeNotice};
use crate::link::Link;
use crate::links::Links;
use crate::outbox::Outbox;
use crate::refusals::Refusals;

/// Carries out steps.
#[derive(Debug)]
pub(crate) struct Effects {
    pub(crate) outboxes: BTreeMap<NodeId, Arc<Outbox>>,
    /// What the peers echo of what is sent to them.
    pub(crate) echoes: BTreeMap<NodeId, Echoes>,
    pub(crate) gates: Sender<Gate>,
    pub(crate) announcer: Announcer,
    pub(crate) links: Links,
    pub(crate) refusals: Refusals,
    /// Who leads and where, and what this node is, for every thread to read.
    pub(crate) cells: Cells,
    /// The time of the input whose step is carried out.
    pub(crate) now: Time,
}

impl Driver for Effects {
    fn lost(&mut self, loss: SteppedDown) {
        self.tell(HostEvent::Lost(loss));
    }

    fn send(&mut self, to: NodeId, frame: &Frame) {
        let Some(outbox) = self.outboxes.get(&to) else { return };
        outbox.put(frame, self.now);
        if self.echoes.get_mut(&to).is_some_and(|echoes| echoes.on_sent(frame.header.nonce.sent)) {
            outbox.renew();
        }
    }

    fn save(&mut self, gate: Gate) {
        // One gate at a time: the channel has room for it. A saver that is gone has said so by panicking.
        let _ = self.gates.try_send(gate);
    }

    fn act(&mut self, duty: Duty) {
        self.tell(HostEvent::Act(duty));
    }

    fn happened(&mut self, notice: Notice) {
        self.tell(HostEvent::Happened(NodeNotice::Elector(notice)));
    }
}

impl Effects {
    /// A frame of that peer has counted: it shows whether the stream to it is of use.
    #[inline]
    pub(crate) fn on_counted(&mut self, from: NodeId, frame: &Frame) {
        let Some(echoes) = self.echoes.get_mut(&from) else { return };
        let is_deaf = echoes.on_frame(frame.header.echo.map(|echo| echo.sent), self.now);
        if is_deaf && let Some(outbox) = self.outboxes.get(&from) {
            outbox.renew();
        }
    }

    /// Whoever looks sees it before whoever listens hears it.
    pub(crate) fn tell(&mut self, event: HostEvent) {
        match &event {
            HostEvent::Lost(_) => self.cells.on_lost(),
            HostEvent::Act(duty) => self.cells.on_duty(duty),
            HostEvent::Happened(NodeNotice::Elector(notice)) => self.cells.on_notice(notice),
            HostEvent::Happened(_) | HostEvent::Ended(_) => {}
        }
        self.announcer.tell(event);
    }

    /// Tells the host of a link that has changed.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Links) -> Option<&Link>) {
        if let Some(link) = change(&mut self.links).cloned() {
            self.announcer.tell(HostEvent::Happened(NodeNotice::LinkChanged(Box::new(link))));
        }
    }
}
