//! Nodes in one process, with a host that does what a host must.
#![allow(dead_code, reason = "each test file uses its own part")]

#[cfg(feature = "tls")]
pub(crate) mod certificates;
pub(crate) mod groups;
pub(crate) mod raw;
#[cfg(feature = "tracing")]
pub(crate) mod subscriber;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use elect_core::{
    ClusterId, Config, ConfigBuilder, Detection, Duty, Epoch, Floor, NoLog, NodeId, Notice, Office, Position,
    Raise, Raised, SteppedDown,
};
pub(crate) use elect_harness::id;
use elect_tcp::{
    Ended, Events, HostEvent, Node, NodeConfig, NodeConfigBuilder, NodeHandle, NodeNotice, VoteFile,
};
use tempfile::TempDir;

/// Generous: nothing here takes a second on an idle machine.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// Reads one node's stream until `wanted` picks an event out.
pub(crate) fn hear<T>(events: &Events, what: &str, mut wanted: impl FnMut(HostEvent) -> Option<T>) -> T {
    let deadline = Instant::now() + BOUND;
    loop {
        let event = events.recv_deadline(deadline);
        let event = event.unwrap_or_else(|error| panic!("no {what} within {BOUND:?}: {error}"));
        if let Some(found) = wanted(event) {
            return found;
        }
    }
}

/// Spins until `reached` holds: for what no event tells.
pub(crate) fn spin(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Instant::now() + BOUND;
    while !reached() {
        assert!(Instant::now() < deadline, "no {what} within {BOUND:?}");
        thread::yield_now();
    }
}

/// A host's fence that misbehaves on demand.
#[derive(Default)]
pub(crate) struct TestFloor {
    /// Panics at this raise; the first is made by `Node::start`.
    pub(crate) panics_at: Option<u32>,
    /// Hangs from the second raise on, until the sender is dropped.
    pub(crate) hangs: Option<Receiver<()>>,
    pub(crate) raises: AtomicU32,
}

impl Floor for TestFloor {
    fn raise(&self, raise: Raise) -> Option<Position> {
        let number = self.raises.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(self.panics_at != Some(number), "the host's bug");
        if let Some(hangs) = self.hangs.as_ref().filter(|_| number > 1) {
            let _ = hangs.recv();
        }
        NoLog.raise(raise)
    }
}

/// Wakes the thread that waits for several streams at once.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A running node and what its host knows.
pub(crate) struct Member {
    pub(crate) handle: NodeHandle,
    pub(crate) events: Events,
    pub(crate) office: Option<Office>,
    pub(crate) follows: Option<NodeId>,
    pub(crate) losses: Vec<SteppedDown>,
}

/// A group of nodes on loopback.
pub(crate) struct Cluster {
    pub(crate) directory: TempDir,
    pub(crate) names: Vec<NodeId>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) members: Vec<Option<Member>>,
    /// Nodes that ended by themselves.
    pub(crate) ended: Vec<(usize, Ended)>,
    tune: fn(ConfigBuilder) -> ConfigBuilder,
    floors: fn(usize) -> TestFloor,
    /// How links are TLS: the directory and the node's name. Without it they are plain.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<fn(&Path, &str) -> elect_tcp::TlsConfig>,
}

impl Cluster {
    /// Starts nodes with these names.
    pub(crate) fn start(names: &[&str]) -> Self {
        Self::tuned(names, |builder| builder, |_| TestFloor::default())
    }

    pub(crate) fn tuned(
        names: &[&str],
        tune: fn(ConfigBuilder) -> ConfigBuilder,
        floors: fn(usize) -> TestFloor,
    ) -> Self {
        let (mut cluster, listeners) = Self::prepare(names, tune, floors);
        cluster.start_all(listeners);
        cluster
    }

    /// Starts nodes whose links are TLS. `issue` writes what `tls` names.
    #[cfg(feature = "tls")]
    pub(crate) fn secured<T>(
        names: &[&str],
        issue: impl FnOnce(&Path) -> T,
        tls: fn(&Path, &str) -> elect_tcp::TlsConfig,
    ) -> (Self, T) {
        let (mut cluster, listeners) = Self::prepare(names, |builder| builder, |_| TestFloor::default());
        let issued = issue(cluster.directory.path());
        cluster.tls = Some(tls);
        cluster.start_all(listeners);
        (cluster, issued)
    }

    fn prepare(
        names: &[&str],
        tune: fn(ConfigBuilder) -> ConfigBuilder,
        floors: fn(usize) -> TestFloor,
    ) -> (Self, Vec<TcpListener>) {
        let listeners: Vec<_> = names.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let cluster = Self {
            directory: tempfile::tempdir().unwrap(),
            names: names.iter().map(|name| id(name)).collect(),
            addresses: listeners.iter().map(|listener| listener.local_addr().unwrap()).collect(),
            members: names.iter().map(|_| None).collect(),
            ended: Vec::new(),
            tune,
            floors,
            #[cfg(feature = "tls")]
            tls: None,
        };
        (cluster, listeners)
    }

    fn start_all(&mut self, listeners: Vec<TcpListener>) {
        for (index, listener) in listeners.into_iter().enumerate() {
            VoteFile::init(self.vote_file(index), &self.elect(index)).unwrap();
            let config = self.config(index).listener(listener);
            self.start_with(index, config);
        }
    }

    pub(crate) fn vote_file(&self, index: usize) -> PathBuf {
        self.directory.path().join(format!("{}.vote", self.names[index]))
    }

    pub(crate) fn elect(&self, index: usize) -> Config {
        let builder = Config::builder(ClusterId::new("test").unwrap(), self.names[index])
            .voters(self.names.iter().copied())
            .detection(Detection::Fixed(Duration::from_millis(1500)))
            .seed(elect_tcp::random_seed());
        (self.tune)(builder).build().unwrap()
    }

    pub(crate) fn config(&self, index: usize) -> NodeConfigBuilder {
        self.config_on(index, &self.vote_file(index))
    }

    /// With another vote file.
    pub(crate) fn config_on(&self, index: usize, vote_file: &Path) -> NodeConfigBuilder {
        let peers = self.names.iter().zip(&self.addresses);
        let builder = NodeConfig::builder(self.elect(index), vote_file)
            .peers(peers.map(|(name, address)| (*name, address.to_string())));
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls {
            return builder.tls(tls(self.directory.path(), self.names[index].as_str()));
        }
        builder
    }

    pub(crate) fn restart(&mut self, index: usize) {
        let config = self.config(index).listen(self.addresses[index]);
        self.start_with(index, config);
    }

    fn start_with(&mut self, index: usize, config: NodeConfigBuilder) {
        let floor = Arc::new((self.floors)(index));
        let (handle, events) = Node::start(config.build().unwrap(), floor).unwrap();
        self.members[index] =
            Some(Member { handle, events, office: None, follows: None, losses: Vec::new() });
    }

    pub(crate) fn member(&self, index: usize) -> &Member {
        self.members[index].as_ref().expect("this node runs")
    }

    pub(crate) fn handle(&self, index: usize) -> &NodeHandle {
        &self.member(index).handle
    }

    /// Shuts a node down, without a handover.
    pub(crate) fn stop(&mut self, index: usize) -> Member {
        let member = self.members[index].take().expect("this node runs");
        member.handle.shutdown_at_once(BOUND).unwrap();
        member
    }

    /// Plays every host until `reached` holds.
    pub(crate) fn wait(&mut self, what: &str, mut reached: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + BOUND;
        while !reached(self) {
            let Some((index, event)) = self.next(deadline) else { return self.give_up(what) };
            self.host(index, event);
        }
    }

    /// Waits until a node is in office in an epoch above `above`.
    pub(crate) fn wait_for_leader(&mut self, above: Epoch) -> (usize, Epoch) {
        let leader = |cluster: &Self| {
            let led = |member: &Member| {
                let _in_office = member.office.as_ref()?;
                member.handle.lease().map(|lease| lease.epoch).filter(|epoch| *epoch > above)
            };
            let mut members = cluster.members.iter().enumerate();
            members.find_map(|(index, member)| Some((index, led(member.as_ref()?)?)))
        };
        self.wait("leader", |cluster| leader(cluster).is_some());
        leader(self).unwrap()
    }

    /// Plays the hosts for what has happened so far.
    pub(crate) fn catch_up(&mut self) {
        while let Some((index, event)) = self.next(Instant::now()) {
            self.host(index, event);
        }
    }

    /// Waits until `follower` follows `leader`.
    pub(crate) fn wait_for_follower(&mut self, follower: usize, leader: usize) {
        let leader = self.names[leader];
        self.wait("follower", |cluster| cluster.member(follower).follows == Some(leader));
    }

    /// Waits until every other node follows `leader`.
    pub(crate) fn wait_for_followers(&mut self, leader: usize) {
        for follower in (0..self.members.len()).filter(|index| *index != leader) {
            self.wait_for_follower(follower, leader);
        }
    }

    /// Waits until every node knows its group's genesis to be final.
    pub(crate) fn wait_for_genesis(&mut self) {
        let is_final = |member: &Member| {
            member.handle.explain().is_ok_and(|explained| explained.elector.genesis.is_final)
        };
        self.wait("genesis", |cluster| cluster.members.iter().flatten().all(is_final));
    }

    fn next(&self, deadline: Instant) -> Option<(usize, HostEvent)> {
        let waker = Arc::new(Unpark(thread::current())).into();
        loop {
            for (index, member) in self.members.iter().enumerate() {
                let Some(member) = member else { continue };
                if let Poll::Ready(event) = member.events.poll_recv(&mut Context::from_waker(&waker)) {
                    return Some((index, event.expect("a node that ended is taken out")));
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            thread::park_timeout(left);
        }
    }

    /// What a host without a log does.
    pub(crate) fn host(&mut self, index: usize, event: HostEvent) {
        let member = self.members[index].as_mut().expect("this node runs");
        match event {
            HostEvent::Act(
                Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. },
            ) => {
                let office = elected.serve_without_log_forgetting_earlier_writes();
                member.handle.on_office(&office);
                member.office = Some(office);
                member.follows = None;
            }
            HostEvent::Act(Duty::HandoverBegan { .. }) => member.handle.on_drained(),
            HostEvent::Happened(NodeNotice::Elector(Notice::Following { leader, .. })) => {
                member.follows = Some(leader);
            }
            HostEvent::Happened(NodeNotice::Elector(Notice::LeaderLost { .. })) => member.follows = None,
            HostEvent::Lost(loss) => {
                member.office = None;
                member.losses.push(loss);
            }
            HostEvent::Ended(ended) => {
                self.ended.push((index, ended));
                self.members[index] = None;
            }
            // In a raise the office that it has goes on.
            HostEvent::Act(
                Duty::EpochRaised { .. }
                | Duty::HandoverAborted { .. }
                | Duty::Rebuilt
                | Duty::Replaced { .. }
                | Duty::Stopped { .. },
            )
            | HostEvent::Happened(_) => {}
        }
    }

    fn give_up(&self, what: &str) {
        let running = self.members.iter().flatten();
        let explained: Vec<_> = running.map(|member| format!("{:#?}", member.handle.explain())).collect();
        panic!("no {what} within {BOUND:?}\n{}", explained.join("\n"));
    }
}
