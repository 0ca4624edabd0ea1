//! The thread that alone owns the elector.
//!
//! Whatever happens arrives here through a channel, and whatever the elector wants leaves through one that does not
//! block: this thread never waits for a socket, a disk, a name server or the host.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select};
use elect_core::{
    Address, Body, Driver, Duty, Elector, Frame, Gate, Gated, Incarnation, LinkState, NodeId, Notice,
    Position, StepDown, SteppedDown, StorageFailed, Time,
};

use crate::announcer::Announcer;
use crate::cells::Cells;
use crate::clock;
use crate::closers::Closers;
use crate::counters::Counters;
use crate::event::{Ended, HostEvent, NodeNotice};
use crate::handshake::HandshakeRefusal;
use crate::hearing::Hearing;
use crate::introduction::Introduction;
use crate::judgement::{Claim, Judgement, Sample};
use crate::link::{Link, RefusedDialler};
use crate::links::Links;
use crate::outbox::Outbox;
use crate::refusals::Refusals;
use crate::transport::TransportNotice;

/// The longest sleep: an elector without a deadline is looked at once a day.
const SLEEP_MAX: Duration = Duration::from_hours(24);
/// How long the last frames may take to leave.
const FLUSH_BOUND: Duration = Duration::from_millis(250);

/// What the other threads report.
#[derive(Debug)]
pub(crate) enum Input {
    /// A frame of an authenticated peer.
    Frame {
        from: NodeId,
        frame: Frame,
        /// Whether the transport has proved that it is of that peer.
        is_proven: bool,
    },
    /// The transport reports.
    Transport(TransportNotice),
    /// A link changed.
    Link { peer: NodeId, state: LinkState, reason: Option<String> },
    /// A peer that is not connected cannot be, for a new reason.
    Unreachable { peer: NodeId, reason: String, refusal: Option<Box<HandshakeRefusal>> },
    /// A peer that this node dialled said in the handshake that this life of this node is over.
    Rejected { peer: NodeId, said: Body },
    /// A peer dialled this node and said who it is.
    Greeted { peer: NodeId, incarnation: Incarnation, address: Address },
    /// A frame on a stream that a peer dialled has counted, the first on that stream; `change` counts such changes.
    Heard { peer: NodeId, stream: u64, change: u64 },
    /// A stream that a peer dialled has ended.
    Unheard { peer: NodeId, stream: u64, reason: String },
    /// Somebody who dialled this node was not let in, and the host shall hear of it.
    Refused(Box<RefusedDialler>),
    /// A thread asks what the elector knows of a life, and whether a frame of it counts.
    Judge { claim: Claim, sample: Option<Box<Sample>>, answer: Sender<Judgement> },
    /// A thread of this node panicked.
    Panicked { thread: String },
}

/// What the host asks for, run between two inputs.
pub(crate) type Command = Box<dyn FnOnce(&mut CommandContext<'_>) + Send>;

/// What a command sees.
pub(crate) struct CommandContext<'a> {
    pub(crate) elector: &'a mut Elector,
    pub(crate) effects: &'a mut Effects,
    pub(crate) now: Time,
    /// Set to end the node.
    pub(crate) ending: &'a mut Option<Ended>,
    /// Set to end the node as soon as no handover is under way, and at this point in any case.
    pub(crate) leaving: &'a mut Option<Time>,
}

/// Carries out steps.
#[derive(Debug)]
pub(crate) struct Effects {
    pub(crate) outboxes: BTreeMap<NodeId, Outbox>,
    pub(crate) gates: Sender<Gate>,
    pub(crate) announcer: Announcer,
    pub(crate) links: Links,
    pub(crate) refusals: Refusals,
    /// Has a peer asked whether this life of this node is over.
    pub(crate) doubts: BTreeMap<NodeId, Sender<()>>,
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
        if let Some(outbox) = self.outboxes.get(&to) {
            outbox.put(frame, self.now);
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

/// The channels that the orchestrator listens to.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) inbox: Receiver<Input>,
    /// Keeps the inbox connected in a group of one.
    pub(crate) _inbox_open: Sender<Input>,
    pub(crate) commands: Receiver<Command>,
    /// Its end tells callers that no answer will come.
    pub(crate) _answering: Sender<()>,
    pub(crate) positions: Receiver<Option<Position>>,
    pub(crate) saved: Receiver<Result<Gated, StorageFailed>>,
}

/// What ends the other threads. In this order: the listener goes last, so that a refused connection proves that this
/// node has done everything it will ever do.
pub(crate) struct ShutdownGuard {
    /// Its end wakes every thread that rests.
    pub(crate) stop: Option<Sender<()>>,
    /// Disconnected when the last frame has left.
    pub(crate) flushed: Receiver<()>,
    pub(crate) closers: Closers,
    pub(crate) close_transport: Box<dyn Fn() + Send>,
    /// What the handles look at.
    pub(crate) ended: Arc<AtomicBool>,
}

impl Drop for ShutdownGuard {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        drop(self.stop.take());
        let _ = self.flushed.recv_timeout(FLUSH_BOUND);
        self.closers.close_all();
        (self.close_transport)();
    }
}

/// Owns the elector.
pub(crate) struct Orchestrator {
    pub(crate) elector: Elector,
    pub(crate) effects: Effects,
    pub(crate) inputs: Inputs,
    pub(crate) shutdown_guard: ShutdownGuard,
    pub(crate) counters: Arc<Counters>,
    /// What the greetings say.
    pub(crate) introduction: Introduction,
}

impl Orchestrator {
    /// The thread.
    pub(crate) fn run(mut self) {
        let ended = panic::catch_unwind(AssertUnwindSafe(|| {
            let ended = self.listen();
            // Followers are free as soon as they hear it. Who does not lead has nothing to resign.
            self.effects.now = clock::now();
            let _ = self.elector.resign(self.effects.now).resolve(&mut self.effects);
            ended
        }));
        // A panic on this thread left no elector to say so.
        if let Some(epoch) = self.effects.cells.led() {
            self.effects.lost(SteppedDown { epoch, reason: StepDown::DriverFailed });
        }
        let ended = ended.unwrap_or_else(|_| Ended::Panicked { thread: "elect-node".into() });
        let Self { elector, effects, inputs, shutdown_guard, .. } = self;
        shutdown_guard.ended.store(true, Ordering::SeqCst);
        drop(elector);
        let Effects { outboxes, gates, mut announcer, cells, .. } = effects;
        cells.on_ended();
        announcer.tell(HostEvent::Ended(ended));
        // The peers' threads send what is left and end; the saver ends after the save that it is busy with.
        drop((outboxes, gates));
        drop(inputs);
        drop(shutdown_guard);
        announcer.end();
    }

    fn listen(&mut self) -> Ended {
        let (mut ending, mut leaving) = (None, None);
        loop {
            let now = self.tick_if_due();
            if self.is_done_leaving(leaving, now) {
                return Ended::Shutdown;
            }
            let wakes_at = self.elector.deadline().min(leaving.unwrap_or(Time::NEVER));
            let sleep = wakes_at.since(now).min(SLEEP_MAX);
            select! {
                recv(self.inputs.inbox) -> input => if let Ok(input) = input {
                    ending = self.on_input(input);
                },
                recv(self.inputs.saved) -> saved => match saved {
                    Ok(saved) => self.on_saved(saved),
                    Err(_) => ending = Some(Ended::Panicked { thread: "elect-save".into() }),
                },
                recv(self.inputs.positions) -> position => if let Ok(position) = position {
                    self.step(|elector, now| elector.set_position(position, now));
                },
                recv(self.inputs.commands) -> command => match command {
                    Ok(command) => {
                        // What the host reported before it asked counts before what it asks.
                        if let Ok(position) = self.inputs.positions.try_recv() {
                            self.step(|elector, now| elector.set_position(position, now));
                        }
                        self.on_command(command, &mut ending, &mut leaving);
                    }
                    // The last handle is gone.
                    Err(_) => ending = Some(Ended::Shutdown),
                },
                default(sleep) => {}
            }
            self.counters.orchestrator_wakes.add(1);
            self.measure_lease();
            if let Some(ending) = ending {
                return ending;
            }
        }
    }

    fn measure_lease(&self) {
        if cfg!(feature = "metrics") {
            self.counters.measures.on_lease(self.effects.cells.lease(), clock::now());
        }
    }

    /// A leader's heartbeats are answered at once: their round trip is what the link needs. A follower's echoes come
    /// with the leader's next heartbeat.
    fn measure_round_trip(&self, peer: NodeId, frame: &Frame) {
        if let (true, Some(_), Some(echo)) =
            (cfg!(feature = "metrics"), self.effects.cells.led(), frame.header.echo)
        {
            self.counters.measures.on_echo(peer, echo.sent, clock::now());
        }
    }

    /// Before each input: a flood of messages must not keep the elector from its deadline.
    fn tick_if_due(&mut self) -> Time {
        let now = clock::now();
        if now >= self.elector.deadline() {
            self.effects.now = now;
            self.elector.tick(now).resolve(&mut self.effects);
        }
        now
    }

    fn step(&mut self, input: impl FnOnce(&mut Elector, Time) -> elect_core::Step<'_>) {
        self.effects.now = clock::now();
        input(&mut self.elector, self.effects.now).resolve(&mut self.effects);
    }

    /// A replacement may have taken another life.
    fn on_saved(&mut self, saved: Result<Gated, StorageFailed>) {
        self.step(|elector, now| elector.on_gated(saved, now));
        self.introduction.set_incarnation(self.elector.status(self.effects.now).incarnation);
    }

    /// A frame of a peer; whether it has counted. One that says that this life of this node is over stops it only if its sender is proven: anybody
    /// could send it. Otherwise the peer is dialled and asked.
    fn on_frame(&mut self, from: NodeId, frame: &Frame, is_proven: bool) -> bool {
        let is_proof = is_proven && self.elector.config().transport_authenticates();
        if !is_proof && matches!(frame.body, Body::Reject { .. } | Body::WentBack { .. }) {
            if let Some(doubt) = self.effects.doubts.get(&from) {
                let _ = doubt.try_send(());
            }
            return false;
        }
        self.measure_round_trip(from, frame);
        let now = clock::now();
        self.effects.now = now;
        let mut hearing = Hearing::new(&mut self.effects, from);
        self.elector.on_message(from, frame, now).resolve(&mut hearing);
        hearing.has_counted()
    }

    fn on_command(&mut self, command: Command, ending: &mut Option<Ended>, leaving: &mut Option<Time>) {
        let now = clock::now();
        self.effects.now = now;
        let (elector, effects) = (&mut self.elector, &mut self.effects);
        command(&mut CommandContext { elector, effects, now, ending, leaving });
    }

    /// Whether a node that shall end need not wait for a handover, or no longer.
    fn is_done_leaving(&self, leaving: Option<Time>, now: Time) -> bool {
        leaving.is_some_and(|until| now >= until || !self.effects.cells.is_handing_over())
    }

    fn on_input(&mut self, input: Input) -> Option<Ended> {
        let now = clock::now();
        match input {
            Input::Frame { from, frame, is_proven } => {
                self.on_frame(from, &frame, is_proven);
            }
            Input::Link { peer, state, reason } => {
                self.effects.change(|links| links.on_outbound(peer, state, reason, now));
                self.step(|elector, now| elector.on_link(peer, state, now));
            }
            Input::Rejected { peer, said } => self.step(|elector, now| elector.on_rejected(peer, &said, now)),
            Input::Unreachable { peer, reason, refusal } => {
                let refusal = refusal.map(|refusal| *refusal);
                self.effects.change(|links| links.on_unreachable(peer, reason, refusal));
            }
            Input::Greeted { peer, incarnation, address } => {
                self.effects.links.on_greeted(peer, incarnation, address);
            }
            Input::Heard { peer, stream, change } => {
                self.effects.change(|links| links.on_heard(peer, stream, change, now));
            }
            Input::Unheard { peer, stream, reason } => {
                self.effects.change(|links| links.on_unheard(peer, stream, reason, now));
            }
            Input::Refused(refused) => {
                self.effects.links.on_refused(&refused);
                self.effects.announcer.tell(HostEvent::Happened(NodeNotice::DiallerRefused(refused)));
            }
            Input::Transport(notice) => {
                self.effects.announcer.tell(HostEvent::Happened(NodeNotice::Transport(notice)));
            }
            Input::Judge { claim, sample, answer } => {
                let has_counted =
                    sample.is_none_or(|sample| self.on_frame(claim.peer, &sample.frame, sample.is_proven));
                let judgement = Judgement::of(&self.elector, &claim, clock::now());
                let _ = answer.send(judgement.given(has_counted));
            }
            Input::Panicked { thread } => return Some(Ended::Panicked { thread }),
        }
        None
    }
}

impl Effects {
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
    fn change(&mut self, change: impl FnOnce(&mut Links) -> Option<&Link>) {
        if let Some(link) = change(&mut self.links).cloned() {
            self.announcer.tell(HostEvent::Happened(NodeNotice::LinkChanged(Box::new(link))));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

    use crossbeam_channel::bounded;

    use super::*;
    use crate::transport::Close;

    type Diary = Arc<Mutex<Vec<&'static str>>>;

    struct Stream(Diary);

    impl Close for Stream {
        fn close(&self) {
            self.0.lock().unwrap().push("stream closed");
        }
    }

    /// Whoever finds the address refused may count on it: nothing of this life is sent any more.
    #[test]
    fn the_last_frame_leaves_then_streams_are_closed_then_the_listener() {
        let (diary, closers, ended) =
            (Diary::default(), Closers::default(), Arc::new(AtomicBool::new(false)));
        let note = |diary: &Diary, what| diary.lock().unwrap().push(what);
        let _open = closers.register(Arc::new(Stream(Arc::clone(&diary)))).unwrap();
        let (stopper, stop) = bounded::<()>(0);
        let (flushing, flushed) = bounded::<()>(0);
        let (sender_diary, saw_end) = (Arc::clone(&diary), Arc::clone(&ended));
        let sender = thread::spawn(move || {
            let _ = stop.recv();
            assert!(saw_end.load(Ordering::SeqCst), "no handle serves any more");
            note(&sender_diary, "last frame sent");
            drop(flushing);
        });
        let (listener_diary, late) = (Arc::clone(&diary), closers.clone());
        let close_transport = move || {
            note(&listener_diary, "listener closed");
            let stream = Arc::new(Stream(Arc::clone(&listener_diary)));
            assert!(late.register(stream).is_none(), "a dial that ends late");
        };
        drop(ShutdownGuard {
            stop: Some(stopper),
            flushed,
            closers,
            close_transport: Box::new(close_transport),
            ended,
        });
        sender.join().unwrap();
        let wanted = ["last frame sent", "stream closed", "listener closed", "stream closed"];
        assert_eq!(*diary.lock().unwrap(), wanted);
    }
}
