//! The host's side of a running node.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};
use elect_core::{
    Address, Elector, HandoverRequest, Health, HostData, KnownLeader, Lease, NodeId, Office, Position,
    RebuiltTo, RequestRefused, Requested, Step, Time,
};

use crate::cells::Cells;
use crate::clock;
use crate::counters::{Counters, Counts};
use crate::desk::Desk;
use crate::event::Ended;
use crate::link::{Link, RefusedDialler};
use crate::node_status::{NodeExplanation, NodeStatus};
use crate::observed::Observed;
use crate::orchestrator::{Command, CommandContext, leave};
use crate::role::Role;
use crate::stream::Events;
use crate::vote_file::{VoteFileError, VoteFileName};
use crate::watch::LeaderWatch;

/// How long a shutdown may take: the longest dial, twice over.
pub(crate) const SHUTDOWN_BOUND: Duration = Duration::from_secs(10);

/// The node has ended, or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has ended")]
pub struct NodeGone;

/// Why a request had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The elector refused it.
    #[error(transparent)]
    Refused(#[from] RequestRefused),
    /// The node has ended.
    #[error(transparent)]
    NodeGone(#[from] NodeGone),
}

/// Some threads had not ended when the time was up: a save that hangs, most likely.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("still running after {waited:?}: {}", .threads.join(", "))]
pub struct ShutdownError {
    /// How long the call waited.
    pub waited: Duration,
    /// Their names.
    pub threads: Vec<String>,
}

/// A handle to a running node. Cheap to clone; when the last one is dropped the node shuts down.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) cells: Cells,
    pub(crate) desk: Box<dyn Desk>,
    /// Disconnected when no command is answered any more.
    pub(crate) gone: Receiver<()>,
    /// Holds the newest position: both ends, so that a newer one can take the place of one that waits.
    pub(crate) positions: (Sender<Option<Position>>, Receiver<Option<Position>>),
    pub(crate) counters: Arc<Counters>,
    pub(crate) vote_file: Option<VoteFileName>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("cells", &self.cells)
            .field("threads", &self.desk.threads())
            .finish_non_exhaustive()
    }
}

impl NodeHandle {
    /// The lease held at this moment, if there is one. Lock-free; reads the clock at the call.
    pub fn lease(&self) -> Option<Lease> {
        self.shared.cells.lease()
    }

    /// When the lease that is held at this moment ends unless it is renewed, on std's clock: for a timer. Whether it is
    /// over then, [`lease`](Self::lease) says. Lock-free.
    pub fn lease_end(&self) -> Option<Instant> {
        self.shared.cells.lease_end()
    }

    /// This node's name.
    pub fn node_id(&self) -> NodeId {
        self.shared.cells.own_name()
    }

    /// What this node is in its group. Lock-free.
    pub fn role(&self) -> Role {
        self.shared.cells.role()
    }

    /// Watches who leads, and what this node is, from now on.
    pub fn watch(&self) -> LeaderWatch {
        LeaderWatch::new(self.shared.cells.clone())
    }

    /// Whether this node holds a lease at this moment. Lock-free; reads the clock at the call.
    pub fn is_leader(&self) -> bool {
        self.lease().is_some()
    }

    /// Who leads, and at which address, as one answer. Lock-free: any thread may ask for every request.
    ///
    /// This node itself only while it holds a lease by the clock at the call; another one for as long as this node
    /// follows it. A leader that was cut off may be named until the promise to it ends: it is a hint for redirects, and
    /// proves nothing.
    pub fn leader(&self) -> Option<Arc<KnownLeader>> {
        self.shared.cells.leader()
    }

    /// Whether this node and those whom it is connected with both ways are a quorum now.
    pub fn has_quorum(&self) -> Result<bool, NodeGone> {
        self.ask(|context| context.elector.has_quorum(context.now))
    }

    /// Looks whether the vote file still has its name: for a health report, since a quiet node saves nothing for weeks. An
    /// error means that the next save will stop the node. Asks the file system, on the caller's thread. A node with a
    /// store of the host's own has nothing to look for.
    pub fn check_vote_file(&self) -> Result<(), VoteFileError> {
        self.shared.vote_file.as_ref().map_or(Ok(()), VoteFileName::check)
    }

    /// The node's clock, for [`Office::stamp`] and [`Office::finish_read`].
    pub fn now(&self) -> Time {
        clock::now()
    }

    /// What this node knows of itself, its peers and its links.
    pub fn status(&self) -> Result<NodeStatus, NodeGone> {
        self.ask(|context| {
            let refused = context.effects.refusals.all();
            let links = context.effects.links.all(&refused);
            NodeStatus { elector: context.elector.status(context.now), links, refused }
        })
    }

    /// Why this node leads or does not, and why nobody does; and what is wrong with which link.
    pub fn explain(&self) -> Result<NodeExplanation, NodeGone> {
        self.ask(|context| {
            let refused = context.effects.refusals.all();
            let links = context.effects.links.all(&refused);
            NodeExplanation { elector: context.elector.explain(context.now), links, refused }
        })
    }

    /// The links to the peers, sorted by name.
    pub fn links(&self) -> Result<Vec<Link>, NodeGone> {
        self.ask(|context| context.effects.links.all(&context.effects.refusals.all()))
    }

    /// Who dialled this node and was not let in, the newest last: at most 64, each with its count. Half of the places are
    /// kept for those that claimed a member's name.
    pub fn refused_diallers(&self) -> Result<Vec<RefusedDialler>, NodeGone> {
        self.ask(|context| context.effects.refusals.all())
    }

    /// One more stream of what happens to this node, from now on: for a log, for metrics, for another part of the
    /// server. It loses no step-down either, and takes nothing away from the stream of [`Node::start`], which alone is
    /// given duties. What is so already is not told again: subscribe first, then ask.
    ///
    /// [`Node::start`]: crate::Node::start
    pub fn subscribe(&self) -> Result<Events<Observed>, NodeGone> {
        self.ask(|context| context.effects.announcer.subscribe())
    }

    /// What the node has counted since it started. Lock-free.
    pub fn counts(&self) -> Counts {
        self.shared.counters.read()
    }

    /// How many threads the node has now; of a group of [`Groups`](crate::Groups), those that all groups share.
    pub fn threads(&self) -> usize {
        self.shared.desk.threads()
    }

    /// The last durable entry of the host's log. Never blocks, and may be called for every write: the newest position
    /// takes the place of one that the node has not looked at yet. Call it from one thread at a time.
    pub fn set_position(&self, position: Option<Position>) {
        let (newest, waiting) = &self.shared.positions;
        let mut position = position;
        while let Err(TrySendError::Full(refused)) = newest.try_send(position) {
            position = refused;
            let _ = waiting.try_recv();
        }
        self.shared.desk.position_waits();
    }

    /// Where clients reach this node from now on: the other members are told, and so are the hosts of its followers.
    pub fn set_address(&self, address: Address) -> Result<(), RequestError> {
        let set = self.ask(move |context| {
            let set = context.elector.set_address(address.clone(), context.now).resolve(context.effects);
            set.map(|()| context.effects.cells.on_moved(address))
        });
        Ok(set??)
    }

    /// The host's version number and the bytes that belong to it, from now on. Every other member is told, and its host
    /// hears of it if its own version is lower.
    ///
    /// Refused where the version goes backwards, or stays while the bytes change.
    pub fn set_host_data(&self, version: u32, data: HostData) -> Result<(), RequestError> {
        self.request(move |elector, now| elector.set_host_data(version, data, now))
    }

    /// The host is fit for office for `span` from now on, and counts as unfit after it unless it has said so again.
    ///
    /// Call it from the loop that does the host's work, in every role, about four times in each `span`: a loop that
    /// hangs then costs office, instead of leading without serving. Never blocks for longer than the node needs to
    /// take a command.
    pub fn healthy_for(&self, span: Duration) {
        // Counted from here: a call that has to wait says nothing about later.
        let until = self.now() + span;
        self.tell(move |elector, now| elector.set_healthy_until(until, now));
    }

    /// How fit for office the host is, until it says otherwise.
    pub fn set_health(&self, health: Health) {
        self.tell(move |elector, now| elector.set_health(health, now));
    }

    /// The host is in office.
    pub fn on_office(&self, office: &Office) {
        let office = office.clone();
        let command: Command = Box::new(move |CommandContext { elector, effects, now, .. }| {
            elector.on_office(&office, *now).resolve(*effects);
            effects.cells.on_office(elector.status(*now).in_office);
        });
        let _ = self.shared.desk.command(command);
    }

    /// The catch-up source is lost, or no longer has what it reported.
    pub fn on_source_lost(&self) {
        self.tell(Elector::on_source_lost);
    }

    /// Everything that began before the handover is finished.
    pub fn on_drained(&self) {
        self.tell(Elector::on_drained);
    }

    /// A replaced node's log holds everything up to an entry written after its return.
    pub fn on_rebuilt(&self, to: RebuiltTo) -> Result<(), RequestError> {
        self.request(move |elector, now| elector.on_rebuilt(to, now))
    }

    /// Hands leadership over: to a node, to the best one (`None`), or as a [`HandoverRequest`] says.
    ///
    /// Returns when the handover has begun; its end comes as an event.
    pub fn handover(&self, request: impl Into<HandoverRequest>) -> Result<(), RequestError> {
        let request = request.into();
        self.request(move |elector, now| elector.request_handover(request, now))
    }

    /// Takes a handover back that has not come to the step-down yet.
    pub fn cancel_handover(&self) -> Result<(), RequestError> {
        self.request(Elector::cancel_handover)
    }

    /// Gives leadership up. In a pause nobody takes over, and this node campaigns again an election timeout later.
    pub fn resign(&self) -> Result<(), RequestError> {
        self.request(Elector::resign)
    }

    /// Pauses failover in the whole group for `span`, 1 ms to 24 h: until it ends nobody but the leader of now is
    /// elected, unless an operator hands over. On a follower the leader is asked; [`status`](Self::status) shows when
    /// it has taken the pause.
    pub fn pause(&self, span: Duration) -> Result<(), RequestError> {
        self.request(move |elector, now| elector.pause(span, now))
    }

    /// Ends a pause, on any node that reaches the others.
    pub fn resume(&self) -> Result<(), RequestError> {
        self.request(Elector::resume)
    }

    /// Hands over if this node leads, lets the last frames leave, closes every stream, joins every thread and frees the
    /// port and the vote file.
    ///
    /// The handover goes to the best member that is fit, and needs somebody who reads the events meanwhile and calls
    /// [`on_drained`](Self::on_drained): whoever does that on the calling thread uses
    /// [`shutdown_at_once`](Self::shutdown_at_once). Where nobody can take over, or the target does not in time, the node
    /// resigns instead. Either way the host hears [`Lost`](crate::HostEvent::Lost) if it led.
    ///
    /// Wakes calls that are blocked. Takes milliseconds and what the host needs to drain, a dial's timeout if a peer does
    /// not answer, and never more than 10 s; then the error names the threads that are still busy. May be called by
    /// several threads and more than once.
    pub fn shutdown(&self) -> Result<(), ShutdownError> {
        self.shutdown_within(SHUTDOWN_BOUND)
    }

    /// The same within another bound, of which the handover gets half, and an hour at most.
    ///
    /// A node that does not even take the request within the bound goes on until it is asked again or the last handle is
    /// dropped.
    pub fn shutdown_within(&self, bound: Duration) -> Result<(), ShutdownError> {
        let (began, for_handover) = (Instant::now(), bound / 2);
        self.end(began, bound, move |context| leave(context, for_handover))
    }

    /// The same without a handover: the node resigns, in favour of the best member that is fit, and what the host has
    /// begun is cut off.
    pub fn shutdown_at_once(&self, bound: Duration) -> Result<(), ShutdownError> {
        self.end(Instant::now(), bound, |context| *context.ending = Some(Ended::Shutdown))
    }

    fn end(
        &self,
        began: Instant,
        bound: Duration,
        end: impl FnOnce(&mut CommandContext<'_>) + Send + 'static,
    ) -> Result<(), ShutdownError> {
        // A node that has ended already has only its threads to be joined.
        let _ = self.shared.desk.command_within(Box::new(end), bound);
        let left = bound.saturating_sub(began.elapsed());
        self.shared.desk.wait_for_end(left).map_err(|threads| ShutdownError { waited: bound, threads })
    }

    /// Has the orchestrator answer a question. It never waits for a disk or a socket, so neither does this.
    fn ask<R: Send + 'static>(
        &self,
        question: impl FnOnce(&mut CommandContext<'_>) -> R + Send + 'static,
    ) -> Result<R, NodeGone> {
        let (answer, answered) = bounded(1);
        let command: Command = Box::new(move |context| drop(answer.send(question(context))));
        if !self.shared.desk.command(command) {
            return Err(NodeGone);
        }
        // A bounded channel keeps what nobody received, so a command that came too late is not even dropped.
        select! {
            recv(answered) -> answer => answer.map_err(|_| NodeGone),
            recv(self.shared.gone) -> _ => answered.try_recv().map_err(|_| NodeGone),
        }
    }

    /// Gives the elector an input. A node that has ended needs none.
    fn tell(&self, input: impl FnOnce(&mut Elector, Time) -> Step<'_> + Send + 'static) {
        let command: Command =
            Box::new(move |context| input(context.elector, context.now).resolve(context.effects));
        let _ = self.shared.desk.command(command);
    }

    fn request(
        &self,
        request: impl FnOnce(&mut Elector, Time) -> Requested<'_> + Send + 'static,
    ) -> Result<(), RequestError> {
        Ok(self.ask(move |context| request(context.elector, context.now).resolve(context.effects))??)
    }
}

#[cfg(test)]
mod tests;
