//! The beginning of an incarnation: what is saved before there are threads.

use std::sync::Arc;
use std::time::Instant;

use elect_core::{
    Birth, Config, Driver, Duty, Elector, Floor, Frame, Gate, Incarnation, NodeId, Notice, SteppedDown,
    Storage, VoteStore,
};

use crate::announcer::{self, Announcer};
use crate::clock;
use crate::counters::Counters;
use crate::effects::Effects;
use crate::event::{HostEvent, NodeNotice};
use crate::measures::Measures;
use crate::open_store::OpenStore;
use crate::start_error::StartError;
use crate::stream::Events;
use crate::vote_file::VoteFileName;

/// An elector whose incarnation is durable.
pub(crate) struct Begun<S> {
    pub(crate) elector: Elector,
    pub(crate) bootstrap: Bootstrap,
    pub(crate) store: S,
    /// What the greetings say of it.
    pub(crate) life: (Incarnation, Option<Birth>),
    pub(crate) vote_file: Option<VoteFileName>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) events: Events,
}

/// Saves the new incarnation, on the caller's thread.
pub(crate) fn begin<S: VoteStore, F: Floor>(
    config: &Config,
    store: OpenStore<S>,
    floor: &F,
) -> Result<Begun<S>, StartError> {
    let OpenStore { mut store, record, name, found } = store;
    let peers = config.members().iter().map(|member| member.id);
    let measures = Measures::new(config.cluster(), config.group(), config.node(), peers);
    let counters = Arc::new(Counters::new(measures));
    let (mut announcer, events) = announcer::stream(config.node(), Arc::clone(&counters));
    for notice in found {
        announcer.tell(HostEvent::Happened(notice));
    }
    // R59: before an incarnation begins.
    record.check_log(floor.last_durable())?;
    let mut elector = Elector::new(config.clone(), record, clock::now())?;
    let mut bootstrap = Bootstrap { announcer, told: Vec::new(), sent: Vec::new(), gate: None };
    elector.tick(clock::now()).resolve(&mut bootstrap);
    let mut incarnation = record.incarnation;
    // The new incarnation. What follows from it is saved by the saver, as everything later.
    if let Some(gate) = bootstrap.gate.take() {
        incarnation = gate.record().map_or(incarnation, |record| record.incarnation);
        let began = Instant::now();
        let gated = gate.commit(&mut store, floor)?;
        counters.measures.on_save(began.elapsed(), false);
        elector.on_gated(Ok(gated), clock::now()).resolve(&mut bootstrap);
    }
    let birth = elector.birth().filter(|_| record.storage == Storage::Intact);
    Ok(Begun { elector, bootstrap, store, life: (incarnation, birth), vote_file: name, counters, events })
}

/// Carries out the steps of the first save, before there are threads.
pub(crate) struct Bootstrap {
    pub(crate) announcer: Announcer,
    /// For the host, and for the cells that its threads read.
    told: Vec<HostEvent>,
    sent: Vec<(NodeId, Frame)>,
    gate: Option<Gate>,
}

impl Driver for Bootstrap {
    fn lost(&mut self, loss: SteppedDown) {
        self.told.push(HostEvent::Lost(loss));
    }

    fn send(&mut self, to: NodeId, frame: &Frame) {
        self.sent.push((to, frame.clone()));
    }

    fn save(&mut self, gate: Gate) {
        self.gate = Some(gate);
    }

    fn act(&mut self, duty: Duty) {
        self.told.push(HostEvent::Act(duty));
    }

    fn happened(&mut self, notice: Notice) {
        self.told.push(HostEvent::Happened(NodeNotice::Elector(notice)));
    }
}

/// What the steps before there were threads have led to.
pub(crate) struct Told {
    events: Vec<HostEvent>,
    sent: Vec<(NodeId, Frame)>,
    gate: Option<Gate>,
}

impl Bootstrap {
    /// The announcer, and what is still to be carried out.
    pub(crate) fn split(self) -> (Announcer, Told) {
        let Self { announcer, told, sent, gate } = self;
        (announcer, Told { events: told, sent, gate })
    }
}

impl Told {
    /// Carries it out.
    pub(crate) fn resolve(self, effects: &mut Effects) {
        for event in self.events {
            effects.tell(event);
        }
        for (to, frame) in self.sent {
            effects.send(to, &frame);
        }
        if let Some(gate) = self.gate {
            effects.save(gate);
        }
    }
}
