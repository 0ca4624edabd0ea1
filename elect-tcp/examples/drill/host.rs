//! What a host does with its node: finds the way into office, writes, replicates, and says how fit it is.

use std::error::Error;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use elect_core::{CaughtUp, Duty, Elected, Fence, Health, Log as _, Notice, Office, Position, Raised, Stamp};
use elect_tcp::{Events, HostEvent, Link, LinkEnd, NodeHandle, NodeNotice};

use crate::disk::Disk;
use crate::leases::LeaseLog;
use crate::log::{Entries, Message};
use crate::node::{Seat, lock, tell};

/// How often a primary writes, and looks at its lease.
const TICK: Duration = Duration::from_millis(1);
/// How often a primary that writes nothing tells its peers where its log ends.
const QUIET_TICK: Duration = Duration::from_millis(50);
/// How long one look at the disk declares this host healthy.
const HEALTHY_FOR: Duration = Duration::from_secs(1);

/// The threads of a host share it.
pub(crate) struct Host {
    node: NodeHandle,
    fence: Arc<Fence<Entries>>,
    leases: Mutex<LeaseLog>,
    disk: Disk,
    socket: UdpSocket,
    peers: Vec<SocketAddr>,
    own_number: u8,
    quorum: usize,
    writes: bool,
    office: Mutex<Way>,
    ended: AtomicBool,
}

/// The way into office.
#[derive(Default)]
enum Way {
    #[default]
    None,
    /// The own entry is on its way to a write quorum.
    OwnEntry {
        caught_up: CaughtUp,
        entry: Position,
        held_by: u64,
    },
    Office(Office),
}

/// What sleeps until this node leads.
struct Workers {
    writer: Thread,
    watcher: Thread,
}

impl Workers {
    fn wake(&self) {
        self.writer.unpark();
        self.watcher.unpark();
    }
}

impl Host {
    pub(crate) fn new(
        seat: &Seat,
        node: NodeHandle,
        fence: Arc<Fence<Entries>>,
        leases: Mutex<LeaseLog>,
    ) -> Result<Self, Box<dyn Error>> {
        let own =
            seat.members.iter().position(|(name, _)| *name == seat.name).ok_or("not in its own list")?;
        let others = seat.members.iter().filter(|(name, _)| *name != seat.name);
        Ok(Self {
            node,
            fence,
            leases,
            disk: seat.disk(),
            socket: UdpSocket::bind(seat.listen)?,
            peers: others.map(|(_, address)| *address).collect(),
            own_number: u8::try_from(own)?,
            quorum: seat.members.len() / 2 + 1,
            writes: seat.writes,
            office: Mutex::default(),
            ended: AtomicBool::new(false),
        })
    }

    /// Until the node ends.
    pub(crate) fn run(self, events: &Events) -> Result<(), Box<dyn Error>> {
        thread::scope(|scope| {
            let host = &self;
            let spawn = |name: &str, work: fn(&Self)| {
                thread::Builder::new().name(name.into()).spawn_scoped(scope, move || work(host))
            };
            let writer = spawn("writer", Self::write_for_ever)?.thread().clone();
            let watcher = spawn("watcher", Self::watch_for_ever)?.thread().clone();
            spawn("replica", Self::replicate_for_ever)?;
            spawn("health", Self::check_for_ever)?;
            let workers = Workers { writer, watcher };
            while let Some(event) = events.recv() {
                match event {
                    HostEvent::Act(duty) => host.act(duty, &workers),
                    HostEvent::Lost(loss) => {
                        *lock(&host.office) = Way::None;
                        lock(&host.leases).lost(loss.reason).unwrap_or_else(|error| no_evidence(&error));
                        tell("lost", [loss.epoch.to_string(), loss.reason.to_string()]);
                    }
                    HostEvent::Happened(notice) => told(&notice),
                    HostEvent::Ended(_) => break,
                }
            }
            // Its threads may hang on the disk: the process ends all the same.
            tell("ended", []);
            host.ended.store(true, Ordering::SeqCst);
            std::process::exit(0)
        })
    }

    fn act(&self, duty: Duty, workers: &Workers) {
        match duty {
            Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. } => {
                self.look_at_lease();
                tell("elected", [elected.epoch().number().to_string()]);
                workers.wake();
                self.catch_up(elected);
            }
            // The next write takes the new stamp.
            Duty::EpochRaised { raised: Raised::InOffice(stamp), .. } => {
                tell("raised", [stamp.epoch().number().to_string()]);
            }
            Duty::HandoverBegan { target, .. } => {
                tell("hands over", [target.to_string()]);
                self.node.on_drained();
            }
            Duty::HandoverAborted { .. } | Duty::Rebuilt => {}
            Duty::Replaced { told_by, .. } => tell("replaced", [told_by.to_string()]),
            Duty::Stopped { reason } => {
                tell("stopped", [reason.to_string()]);
                std::process::exit(0)
            }
        }
    }

    /// Entries have no content: to hold what the source holds is to know where its log ends.
    fn catch_up(&self, elected: Elected) {
        if let Some(source) = elected.catch_up_from() {
            let _ = self.fence.durable(|log| log.reach(source.position));
        }
        let held = self.fence.inspect(Entries::last_durable);
        let Ok(caught_up) = elected.caught_up(held) else { return self.node.on_source_lost() };
        let stamp = caught_up.stamp();
        if let Some(entry) = self.append(stamp) {
            *lock(&self.office) = Way::OwnEntry { caught_up, entry, held_by: 1 << self.own_number };
            self.send(stamp, entry);
        }
    }

    /// A write: through the fence into the log, and told to the node.
    fn append(&self, stamp: Stamp) -> Option<Position> {
        let appended = self.fence.apply(stamp, |log| {
            let appended = log.append(stamp.epoch());
            self.node.set_position(log.last_durable());
            appended
        });
        appended.ok()?.ok()
    }

    fn send(&self, stamp: Stamp, last: Position) {
        let message = Message { is_answer: false, from: self.own_number, stamp, last }.encode();
        for peer in &self.peers {
            let _ = self.socket.send_to(&message, peer);
        }
    }

    fn write_for_ever(&self) {
        while !self.ended.load(Ordering::SeqCst) {
            let began = Instant::now();
            let Some(rest) = self.write() else {
                thread::park();
                continue;
            };
            thread::park_timeout(rest.saturating_sub(began.elapsed()));
        }
    }

    /// How long until the next write; `None` without office.
    fn write(&self) -> Option<Duration> {
        let (stamp, is_office) = match &*lock(&self.office) {
            Way::None => return None,
            Way::OwnEntry { caught_up, .. } => (caught_up.stamp(), false),
            Way::Office(office) => (office.stamp(self.node.now()).ok()?, true),
        };
        if is_office && self.writes {
            self.append(stamp);
        }
        if let Some(last) = self.fence.inspect(Entries::last_durable) {
            self.send(stamp, last);
        }
        Some(if self.writes || !is_office { TICK } else { QUIET_TICK })
    }

    fn watch_for_ever(&self) {
        while !self.ended.load(Ordering::SeqCst) {
            if self.look_at_lease() { thread::park_timeout(TICK) } else { thread::park() }
        }
    }

    /// Writes down that a lease is held.
    fn look_at_lease(&self) -> bool {
        let mut leases = lock(&self.leases);
        let before = self.node.now();
        let lease = self.node.lease();
        let after = self.node.now();
        if let Some(lease) = lease {
            leases.held(&lease, before, after).unwrap_or_else(|error| no_evidence(&error));
        }
        lease.is_some()
    }

    fn replicate_for_ever(&self) {
        let mut bytes = [0; Message::BYTES + 1];
        while let Ok((length, from)) = self.socket.recv_from(&mut bytes) {
            match Message::decode(&bytes[..length]) {
                Some(answer) if answer.is_answer => self.count(answer),
                Some(request) => self.apply(request, from),
                None => {}
            }
        }
    }

    fn apply(&self, request: Message, from: SocketAddr) {
        let applied = self.fence.apply(request.stamp, |log| {
            let applied = log.reach(request.last);
            self.node.set_position(log.last_durable());
            applied
        });
        // The fence once more, as the last act before the answer.
        if matches!(applied, Ok(Ok(()))) && self.fence.ack(request.stamp).is_ok() {
            let answer = Message { is_answer: true, from: self.own_number, ..request };
            let _ = self.socket.send_to(&answer.encode(), from);
        }
    }

    /// The own entry on a write quorum is office.
    fn count(&self, answer: Message) {
        let mut way = lock(&self.office);
        let Way::OwnEntry { caught_up, entry, held_by } = &mut *way else { return };
        if answer.stamp != caught_up.stamp() || answer.last < *entry || answer.from >= 64 {
            return;
        }
        *held_by |= 1 << answer.from;
        if usize::try_from(held_by.count_ones()).unwrap_or(0) < self.quorum {
            return;
        }
        if let Way::OwnEntry { caught_up, entry, .. } = std::mem::take(&mut *way)
            && let Ok(office) = caught_up.own_entry_committed(entry)
        {
            self.node.on_office(&office);
            tell("office", [office.began_in().number().to_string()]);
            *way = Way::Office(office);
        }
    }

    /// Fit for office as long as its disk works.
    fn check_for_ever(&self) {
        while !self.ended.load(Ordering::SeqCst) {
            match self.disk.touch() {
                Ok(()) => self.node.healthy_for(HEALTHY_FOR),
                Err(_) => self.node.set_health(Health::Unfit),
            }
            thread::sleep(HEALTHY_FOR / 8);
        }
    }
}

/// A drill that cannot write down what it checks proves nothing.
fn no_evidence(error: &io::Error) -> ! {
    tell("failed", [format!("a lease is not written down: {error}")]);
    std::process::exit(1)
}

fn told(notice: &NodeNotice) {
    match notice {
        NodeNotice::LinkChanged(link) => told_link(link),
        NodeNotice::DiallerRefused(refused) => tell("dialler", [refused.to_string()]),
        NodeNotice::Elector(notice) => match notice {
            Notice::Following { leader, epoch, .. } => {
                tell("following", [leader.to_string(), epoch.number().to_string()]);
            }
            Notice::LeaderLost { leader, reason, .. } => {
                tell("leader lost", [leader.to_string(), reason.to_string()]);
            }
            Notice::CampaignStarted { epoch, rank } => {
                tell("campaign", [epoch.number().to_string(), rank.to_string()]);
            }
            Notice::CampaignLost { epoch, reason } => {
                tell("campaign lost", [epoch.number().to_string(), reason.to_string()]);
            }
            Notice::Accepted { candidate, epoch } => {
                tell("accepted", [candidate.to_string(), epoch.number().to_string()]);
            }
            Notice::Ignored { .. } => {}
            other => tell("notice", [other.to_string()]),
        },
        other => tell("notice", [format!("{other:?}")]),
    }
}

/// Both directions of a link: over which this node sends, and over which it hears.
fn told_link(link: &Link) {
    let state = |end: &LinkEnd| match &end.reason {
        _ if end.is_up => "up".into(),
        Some(reason) => reason.clone(),
        None => String::new(),
    };
    tell("link", [link.peer.to_string(), state(&link.outbound), state(&link.inbound)]);
}
