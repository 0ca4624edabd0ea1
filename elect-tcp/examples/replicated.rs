//! Three servers that replicate a log in memory: the step between `server.rs`, which keeps none, and a store such as
//! elect-kv. What was acknowledged is not lost with its primary. `docs/EMBEDDING.md` walks through this file.
//!
//! ```text
//! cargo run -p elect-tcp --example replicated -- init a 7001          # and b, and c: once
//! cargo run -p elect-tcp --example replicated -- run a 7001           # and b, and c, each in a terminal of its own
//! cargo run -p elect-tcp --example replicated -- replace-lost a 7001  # once it has ended, and its log with it
//! ```
//!
//! A line typed at the primary is written, `?` reads all. The end of the input (Ctrl-D) hands over and ends.
#![allow(
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "an example shows what it does, with small numbers"
)]

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{env, io, mem, process, thread};

use elect_core::{
    CaughtUp, ClusterId, Config, Duty, Elected, Fence, Fenced, Log, NodeId, Office, Position, Raised, Stamp,
    Storage,
};
use elect_tcp::{Events, HostEvent, NoEvent, Node, NodeConfig, NodeHandle, VoteFile, random_seed};

#[path = "replicated/log.rs"]
mod log;
#[path = "replicated/streams.rs"]
mod streams;

use self::log::{Entries, LINE_BYTES_MAX};
use self::streams::{Fallible, PATIENCE};

/// The same list on every node. Each takes two ports, for its election and, ten above, for its log.
const GROUP: [&str; 3] = ["a", "b", "c"];
const WRITE_QUORUM: usize = 2;
/// One turn of the host's loop declares it healthy for so long.
const HEALTHY_FOR: Duration = Duration::from_secs(2);

/// The way into office.
#[derive(Default)]
enum Way {
    #[default]
    None,
    /// The log may lack entries that were acknowledged.
    Elected(Elected),
    /// It lacks none, and an entry of the own epoch is on its way to a write quorum.
    OwnEntry(CaughtUp, Position),
    Office(Office),
}

/// What this host knows besides its log. Whoever holds its lock may take that of the fence, never the other way round.
#[derive(Default)]
struct State {
    way: Way,
    /// Under which stamp this node sends and counts, and how much each holds under it.
    led: Option<Stamp>,
    held: [u64; GROUP.len()],
    committed: u64,
    /// What a replaced peer must hold to have everything again.
    proofs: [Option<Position>; GROUP.len()],
    /// Writes that nobody has been told about.
    pending: VecDeque<(u64, String)>,
    is_draining: bool,
    /// This node's disk was lost: until it is rebuilt its acknowledgements do not count.
    is_replaced: bool,
}

impl State {
    /// Under which stamp to ask this peer for entries, if they are needed for office.
    fn catches_up_from(&self, peer: usize) -> Option<Stamp> {
        let Way::Elected(elected) = &self.way else { return None };
        let source = elected.catch_up_from()?;
        (source.peer.as_str() == GROUP[peer]).then(|| elected.catch_up_stamp())
    }
}

struct Host {
    node: NodeHandle,
    own: usize,
    fence: Arc<Fence<Entries>>,
    state: Mutex<State>,
    changed: Condvar,
}

impl Host {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act_for_ever(&self, events: &Events) {
        loop {
            self.node.healthy_for(HEALTHY_FOR);
            match events.recv_timeout(HEALTHY_FOR / 4) {
                Ok(HostEvent::Act(duty)) => self.act(duty, &mut self.state()),
                Ok(HostEvent::Lost(loss)) => {
                    println!("no longer leads epoch {}: {}", loss.epoch, loss.reason);
                    let ended = mem::take(&mut *self.state());
                    ended.pending.iter().for_each(|(_, line)| println!("unknown: {line}"));
                }
                Ok(HostEvent::Happened(_)) | Err(NoEvent::NotYet) => {}
                Ok(HostEvent::Ended(_)) | Err(NoEvent::Ended) => return,
            }
            self.changed.notify_all();
        }
    }

    /// Every duty by its name.
    fn act(&self, duty: Duty, state: &mut State) {
        println!("{duty}");
        match duty {
            Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. } => {
                (state.way, state.led) = (Way::Elected(elected), None);
                self.catch_up(state);
            }
            // Office goes on, but only what is acknowledged under the new stamp counts.
            Duty::EpochRaised { raised: Raised::InOffice(stamp), .. } => drop(self.lead(state, stamp)),
            Duty::HandoverBegan { .. } => state.is_draining = true, // and stamps are refused
            Duty::HandoverAborted { .. } => state.is_draining = false,
            Duty::Replaced { .. } => state.is_replaced = true,
            Duty::Rebuilt => state.is_replaced = false,
            Duty::Stopped { .. } => process::exit(1),
        }
        self.count(state);
    }

    /// The first step: nothing is missing that an earlier leader may have acknowledged. An own entry comes next.
    fn catch_up(&self, state: &mut State) {
        state.way = match mem::take(&mut state.way) {
            Way::Elected(elected) => match elected.caught_up(self.fence.inspect(Log::last_durable)) {
                Err((elected, _)) => Way::Elected(elected),
                Ok(caught_up) => {
                    // Fenced if another was elected: then the loss is on its way.
                    let own = self.lead(state, caught_up.stamp());
                    own.map_or(Way::None, |own| Way::OwnEntry(caught_up, own))
                }
            },
            other => other,
        };
    }

    fn lead(&self, state: &mut State, stamp: Stamp) -> Result<Position, Fenced> {
        (state.led, state.held, state.proofs) = (Some(stamp), Default::default(), Default::default());
        self.change(stamp, |log| log.append(stamp.epoch(), ""))
    }

    /// Whatever is written passes the fence, and the node is told where the log ends.
    fn change(&self, stamp: Stamp, write: impl FnOnce(&mut Entries) -> Position) -> Result<Position, Fenced> {
        self.fence.apply(stamp, |log| {
            let written = write(log);
            self.node.set_position(log.last_durable());
            written
        })
    }

    /// What a write quorum holds is committed, once an entry of the epoch that is led is among it: then office begins.
    fn count(&self, state: &mut State) {
        let Some(led) = state.led else { return };
        let last = self.fence.inspect(Entries::last).offset;
        // The primary's own acknowledgement passes the fence like everybody's.
        state.held[self.own] = self.fence.ack(led).map_or(0, |()| last);
        let mut held = state.held;
        held.sort_unstable();
        let shared = held[GROUP.len() - WRITE_QUORUM];
        if self.fence.inspect(|log| log.position(shared)).epoch == led.epoch() {
            state.committed = shared.max(state.committed);
        }
        state.way = match mem::take(&mut state.way) {
            Way::OwnEntry(caught_up, own) if own.offset <= state.committed => {
                let office = caught_up.own_entry_committed(own);
                office.map_or(Way::None, |office| {
                    self.node.on_office(&office);
                    println!("in office in epoch {}", led.epoch());
                    Way::Office(office)
                })
            }
            other => other,
        };
        self.acknowledge(state, led);
        self.changed.notify_all();
    }

    fn acknowledge(&self, state: &mut State, led: Stamp) {
        let State { way: Way::Office(office), pending, committed, is_draining, .. } = state else { return };
        while let Some((_, line)) = pending.pop_front_if(|(entry, _)| {
            // The last act before an acknowledgement: the lease and the fence, under the stamp of now.
            let may_serve =
                || office.check_write(led, self.node.now()).is_ok() && self.fence.ack(led).is_ok();
            *entry <= *committed && may_serve()
        }) {
            println!("acknowledged: {line}");
        }
        if *is_draining && pending.is_empty() {
            *is_draining = false;
            self.node.on_drained();
        }
    }

    fn on_line(&self, line: String) -> Fallible<()> {
        let mut state = self.state();
        let Way::Office(office) = &state.way else {
            let leader = self.node.leader().map_or("nobody".into(), |known| known.node.to_string());
            return Err(format!("{leader} leads").into());
        };
        if line == "?" {
            // Acknowledged state first, the lease after it.
            let lines = self.fence.inspect(|log| log.lines(state.committed));
            println!("holds: {}", office.finish_read(lines, || self.node.now())?);
        } else if line.is_empty() || line.len() > LINE_BYTES_MAX {
            return Err(format!("a line has 1 to {LINE_BYTES_MAX} bytes").into());
        } else {
            let stamp = office.stamp(self.node.now())?;
            let entry = self.change(stamp, |log| log.append(stamp.epoch(), &line))?;
            state.pending.push_back((entry.offset, line));
            self.count(&mut state);
        }
        Ok(())
    }
}

fn main() -> Fallible<()> {
    start(&env::args().skip(1).collect::<Vec<_>>())
}

pub(crate) fn start(arguments: &[String]) -> Fallible<()> {
    let [command, name, first_port] = arguments else {
        return Err("usage: (init | run | replace-lost) (a | b | c) FIRST-PORT".into());
    };
    let mut elect = Config::builder(ClusterId::new("replicated")?, NodeId::new(name)?);
    for voter in GROUP {
        elect = elect.voters([NodeId::new(voter)?]);
    }
    let elect = elect.seed(random_seed()).build()?;
    let file = env::temp_dir().join(format!("elect-replicated-{name}.vote"));
    match command.as_str() {
        "init" => VoteFile::init(file, &elect)?,
        "replace-lost" => drop(VoteFile::replace_lost(file, &elect)?),
        "run" => run(name, first_port.parse()?, VoteFile::open(file, &elect)?, elect)?,
        other => return Err(format!("no command {other}").into()),
    }
    Ok(())
}

fn run(name: &str, first_port: u16, file: VoteFile, elect: Config) -> Fallible<()> {
    let is_replaced = file.record().storage == Storage::Replaced;
    if file.record().incarnation.counter > 0 && !is_replaced {
        return Err("this node has run before, and its log is gone: say so with `replace-lost`".into());
    }
    let own = GROUP.iter().position(|known| *known == name).ok_or("this node is in no list")?;
    let address = |number: usize| SocketAddr::from(([127, 0, 0, 1], first_port + number as u16));
    let mut config = NodeConfig::builder_without_file(elect).listen(address(own));
    for (peer, number) in GROUP.iter().zip(0..) {
        config = config.peer(NodeId::new(peer)?, address(number).to_string());
    }
    let listener = TcpListener::bind(address(10 + own))?;
    let fence = Arc::new(Fence::new(Entries::default()));
    let (node, events) = Node::start_with_store(config.build()?, file, fence.clone())?;
    let state = Mutex::new(State { is_replaced, ..State::default() });
    let host = Host { node, own, fence, state, changed: Condvar::new() };
    let host: &Host = Box::leak(Box::new(host)); // for as long as the process lives
    for peer in (0..GROUP.len()).filter(|peer| *peer != own) {
        let address = address(10 + peer);
        thread::spawn(move || host.talk_for_ever(peer, address));
    }
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || host.serve(stream));
        }
    });
    let acting = thread::spawn(move || host.act_for_ever(&events));
    for line in io::stdin().lines() {
        host.on_line(line?).unwrap_or_else(|refused| println!("refused: {refused}"));
    }
    // What was typed is answered. Then it hands over, and `act_for_ever` drains meanwhile.
    drop(host.changed.wait_timeout_while(host.state(), PATIENCE, |state| !state.pending.is_empty()));
    host.node.shutdown()?;
    acting.join().map_err(|_| "the host panicked".into())
}
