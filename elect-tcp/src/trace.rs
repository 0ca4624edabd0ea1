//! One line for everything that happens, to whatever subscriber of `tracing` the process has.
//!
//! A subscriber may block: its output is a pipe that nobody reads, or a full disk. So lines are handed over by a thread of
//! their own, one for the process. Beyond a thousand that wait they are left out, and counted in the line after.
//!
//! Fields, where they make sense: `node`, `epoch`, `reason`, `peer`. Changes of authority and of who leads are `INFO`,
//! what an operator should look at is `WARN`, a node that has stopped is `ERROR`, and single frames are `DEBUG`.

use std::fmt;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use elect_core::{Duty, NodeId, Notice};
use tracing::Level;
use tracing::field::display;

use crate::event::{Ended, HostEvent, NodeNotice};
use crate::link::{Link, RefusedDialler};
use crate::transport::TransportNotice;

/// What a line says.
#[derive(Debug)]
struct Line {
    level: Level,
    epoch: Option<u64>,
    peer: Option<NodeId>,
    reason: Option<String>,
    text: String,
}

impl Line {
    fn new(level: Level, text: &(impl ToString + ?Sized)) -> Self {
        Self { level, epoch: None, peer: None, reason: None, text: text.to_string() }
    }

    fn epoch(self, epoch: elect_core::Epoch) -> Self {
        Self { epoch: Some(epoch.number()), ..self }
    }

    fn peer(self, peer: NodeId) -> Self {
        Self { peer: Some(peer), ..self }
    }

    fn reason(self, reason: &(impl ToString + ?Sized)) -> Self {
        Self { reason: Some(reason.to_string()), ..self }
    }
}

/// At most so many lines wait for the subscriber.
const WAITING_MAX: usize = 1024;
/// How long the end of a node waits for a subscriber to take the last lines.
const LAST_LINES: Duration = Duration::from_millis(250);

/// What the thread that writes is given.
enum Entry {
    Line(NodeId, Line),
    /// Dropped when everything before it is written.
    Mark {
        _written: Sender<()>,
    },
}

/// One thread writes for all nodes of a process, for as long as that lives.
fn writer() -> Option<Sender<Entry>> {
    static WRITER: OnceLock<Option<Sender<Entry>>> = OnceLock::new();
    let start = || {
        let (lines, taken) = bounded(WAITING_MAX);
        let thread = thread::Builder::new().name("elect-log".into());
        let started = thread.spawn(move || {
            for entry in taken {
                if let Entry::Line(node, line) = entry {
                    write(node, line);
                }
            }
        });
        started.ok().map(|_| lines)
    };
    WRITER.get_or_init(start).clone()
}

/// A node's end of it: never waits for a subscriber.
pub(crate) struct Log {
    node: NodeId,
    /// Without a thread, if there can be none, nothing is written.
    lines: Option<Sender<Entry>>,
    left_out: u64,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("node", &self.node)
            .field("left_out", &self.left_out)
            .finish_non_exhaustive()
    }
}

impl Log {
    pub(crate) fn start(node: NodeId) -> Self {
        Self { node, lines: writer(), left_out: 0 }
    }

    pub(crate) fn tell(&mut self, event: &HostEvent) {
        if !is_wanted(event) {
            return;
        }
        let Some(lines) = &self.lines else { return };
        if self.left_out > 0 {
            let text = format!("{} lines were left out: nobody took them", self.left_out);
            if lines.try_send(Entry::Line(self.node, Line::new(Level::WARN, &text))).is_ok() {
                self.left_out = 0;
            }
        }
        self.left_out += u64::from(lines.try_send(Entry::Line(self.node, line(event))).is_err());
    }

    /// Waits for a moment until the last lines are written.
    pub(crate) fn end(self) {
        let (writing, written) = bounded(0);
        if let Some(lines) = self.lines
            && lines.try_send(Entry::Mark { _written: writing }).is_ok()
        {
            let _ = written.recv_timeout(LAST_LINES);
        }
    }
}

fn is_wanted(event: &HostEvent) -> bool {
    if is_of_a_frame(event) {
        tracing::enabled!(target: "elect", Level::DEBUG)
    } else {
        tracing::enabled!(target: "elect", Level::ERROR)
    }
}

fn write(node: NodeId, line: Line) {
    let Line { level, epoch, peer, reason, text } = line;
    let (peer, reason) = (peer.map(display), reason.map(display));
    macro_rules! write {
        ($level:expr) => {
            tracing::event!(target: "elect", $level, node = %node, epoch, reason, peer, "{text}")
        };
    }
    match level {
        Level::ERROR => write!(Level::ERROR),
        Level::WARN => write!(Level::WARN),
        Level::INFO => write!(Level::INFO),
        _ => write!(Level::DEBUG),
    }
}

/// Whether it comes as often as somebody sends nonsense: then it costs nothing where nobody wants to read it.
const fn is_of_a_frame(event: &HostEvent) -> bool {
    matches!(
        event,
        HostEvent::Happened(NodeNotice::Elector(
            Notice::Ignored { .. } | Notice::RefusedOffer { .. } | Notice::OfferRefused { .. }
        ))
    )
}

fn line(event: &HostEvent) -> Line {
    match event {
        HostEvent::Lost(loss) => Line::new(Level::WARN, loss).epoch(loss.epoch).reason(&loss.reason),
        HostEvent::Act(duty) => duty_line(duty),
        HostEvent::Ended(Ended::Shutdown) => Line::new(Level::INFO, "the node has ended"),
        HostEvent::Ended(Ended::Panicked { thread }) => {
            Line::new(Level::ERROR, "the node has ended").reason(&format!("{thread} panicked"))
        }
        HostEvent::Happened(NodeNotice::Elector(notice)) => notice_line(notice),
        HostEvent::Happened(NodeNotice::LinkChanged(link)) => link_line(link),
        HostEvent::Happened(NodeNotice::DiallerRefused(refused)) => refused_line(refused),
        HostEvent::Happened(NodeNotice::VoteFileRepaired { copies }) => {
            Line::new(Level::WARN, &format!("{copies} copies in the vote file were repaired"))
        }
        HostEvent::Happened(NodeNotice::VoteFileMoved { path }) => {
            Line::new(Level::WARN, &format!("{} is not the vote file written last", path.display()))
        }
        HostEvent::Happened(NodeNotice::Transport(notice)) => match notice {
            TransportNotice::CredentialsRenewed => Line::new(Level::INFO, notice),
            TransportNotice::CredentialsKept { reason } => Line::new(Level::WARN, notice).reason(reason),
            TransportNotice::CertificateDates { .. } => Line::new(Level::WARN, notice),
        },
        HostEvent::Happened(NodeNotice::Missed { count }) => {
            Line::new(Level::WARN, &format!("{count} events were left out"))
        }
    }
}

fn duty_line(duty: &Duty) -> Line {
    let line = |level| Line::new(level, duty);
    match duty {
        Duty::Elected(elected) => line(Level::INFO).epoch(elected.epoch()).reason("elected"),
        Duty::EpochRaised { raised, .. } => line(Level::INFO).epoch(raised.epoch()).reason("epoch raised"),
        Duty::HandoverBegan { target, cause, .. } => line(Level::INFO).peer(*target).reason(cause),
        Duty::HandoverAborted { target, reason } => line(Level::WARN).peer(*target).reason(reason),
        Duty::Rebuilt => line(Level::INFO),
        Duty::Replaced { told_by, .. } => line(Level::WARN).peer(*told_by),
        Duty::Stopped { reason } => line(Level::ERROR).reason(reason),
    }
}

fn notice_line(notice: &Notice) -> Line {
    let line = |level| Line::new(level, notice);
    match notice {
        Notice::Following { leader, epoch, .. } => line(Level::INFO).peer(*leader).epoch(*epoch),
        Notice::LeaderLost { leader, epoch, reason } => {
            line(Level::INFO).peer(*leader).epoch(*epoch).reason(reason)
        }
        Notice::CampaignStarted { epoch, .. } => line(Level::INFO).epoch(*epoch),
        Notice::CampaignLost { epoch, reason } => line(Level::INFO).epoch(*epoch).reason(reason),
        Notice::Accepted { candidate, epoch } => line(Level::INFO).peer(*candidate).epoch(*epoch),
        Notice::RefusedOffer { candidate: peer, epoch, refusal }
        | Notice::OfferRefused { voter: peer, epoch, refusal } => {
            line(Level::DEBUG).peer(*peer).epoch(*epoch).reason(refusal)
        }
        Notice::Ignored { from, reason } => line(Level::DEBUG).peer(*from).reason(reason),
        Notice::LeaderAddress { leader: peer, .. } | Notice::NewerApplication { peer, .. } => {
            line(Level::INFO).peer(*peer)
        }
        Notice::CountsAsReplaced { node: peer, .. }
        | Notice::TwoGroups { node: peer, .. }
        | Notice::EntriesLost { node: peer, .. }
        | Notice::PromiseTooShort { voter: peer, .. }
        | Notice::PreferencesContradict { peer } => line(Level::WARN).peer(*peer),
        Notice::SlowerThanConfigured(_) => line(Level::WARN),
        _ => line(Level::INFO),
    }
}

/// Both directions, since no event says which of them changed.
fn link_line(link: &Link) -> Line {
    let (outbound, inbound) = (&link.outbound, &link.inbound);
    let level = if outbound.is_up && inbound.is_up { Level::INFO } else { Level::WARN };
    let state = |is_up| if is_up { "up" } else { "down" };
    let text = format!(
        "the link to {0} is {1}, the link from {0} is {2}",
        link.peer,
        state(outbound.is_up),
        state(inbound.is_up)
    );
    let told = Line::new(level, &text).peer(link.peer);
    match outbound.reason.as_ref().or(inbound.reason.as_ref()) {
        Some(reason) => told.reason(reason),
        None => told,
    }
}

fn refused_line(refused: &RefusedDialler) -> Line {
    let line = Line::new(Level::WARN, refused).reason(&refused.failure);
    match refused.claimed {
        Some(peer) => line.peer(peer),
        None => line,
    }
}
