//! Processes of many groups, in one process.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use elect_core::{
    ClusterId, Config, ConfigBuilder, Detection, Duty, NoLog, NodeId, Notice, Raised, SteppedDown, Stopped,
};
use elect_tcp::{
    Ended, Events, Groups, HostEvent, NodeConfig, NodeConfigBuilder, NodeHandle, NodeNotice, VoteFile,
};
use tempfile::TempDir;

use super::{BOUND, Unpark, id};

/// Such as a lease, which tells nobody when it begins.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// This process' node of one group, and what its host knows.
pub(crate) struct Member {
    pub(crate) handle: NodeHandle,
    pub(crate) events: Events,
    pub(crate) in_office: bool,
    pub(crate) follows: Option<NodeId>,
    pub(crate) losses: Vec<SteppedDown>,
    pub(crate) stopped: Option<Stopped>,
    pub(crate) ended: Option<Ended>,
}

/// One process.
pub(crate) struct Site {
    pub(crate) name: NodeId,
    pub(crate) groups: Groups,
    pub(crate) members: BTreeMap<u32, Member>,
}

/// Adds what makes streams secure.
type Secure = fn(&Path, NodeId, NodeConfigBuilder) -> NodeConfigBuilder;

/// Some processes on loopback.
pub(crate) struct Sites {
    pub(crate) directory: PathBuf,
    pub(crate) names: Vec<NodeId>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) running: Vec<Option<Site>>,
    pub(crate) tune: fn(ConfigBuilder) -> ConfigBuilder,
    secure: Secure,
    _own: Option<TempDir>,
}

impl Sites {
    /// Starts a process of each name, without groups.
    pub(crate) fn start(names: &[&str]) -> Self {
        Self::begin(names, |_, _| (), |_, _, builder| builder)
    }

    /// The same over TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn start_over_tls(names: &[&str]) -> Self {
        let prepare = |directory: &Path, names: &[&str]| drop(super::certificates::issued(directory, names));
        Self::begin(names, prepare, |directory, name, builder| {
            builder.tls(super::certificates::by_authority(directory, name.as_str()))
        })
    }

    fn begin(names: &[&str], prepare: fn(&Path, &[&str]), secure: Secure) -> Self {
        let listeners: Vec<_> = names.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let directory = tempfile::tempdir().unwrap();
        let mut sites = Self {
            directory: directory.path().to_owned(),
            names: names.iter().map(|name| id(name)).collect(),
            addresses: listeners.iter().map(|listener| listener.local_addr().unwrap()).collect(),
            running: names.iter().map(|_| None).collect(),
            tune: |builder| builder,
            secure,
            _own: Some(directory),
        };
        prepare(&sites.directory, names);
        for (index, listener) in listeners.into_iter().enumerate() {
            sites.start_site(index, listener);
        }
        sites
    }

    /// The same processes as seen by one of them that runs alone.
    pub(crate) fn join(directory: PathBuf, names: &[&str], addresses: Vec<SocketAddr>) -> Self {
        Self {
            directory,
            names: names.iter().map(|name| id(name)).collect(),
            addresses,
            running: names.iter().map(|_| None).collect(),
            tune: |builder| builder,
            secure: |_, _, builder| builder,
            _own: None,
        }
    }

    pub(crate) fn start_site(&mut self, index: usize, listener: TcpListener) {
        let peers = self.names.iter().zip(&self.addresses);
        let config = NodeConfig::builder_for_groups(cluster(), self.names[index], self.names.iter().copied())
            .unwrap()
            .peers(peers.map(|(name, address)| (*name, address.to_string())))
            .listener(listener);
        let config = (self.secure)(&self.directory, self.names[index], config);
        let groups = Groups::start(config.build().unwrap()).unwrap();
        self.running[index] = Some(Site { name: self.names[index], groups, members: BTreeMap::new() });
    }

    pub(crate) fn elect(&self, index: usize, number: u32, members: &[&str]) -> Config {
        let builder = Config::builder(cluster(), self.names[index])
            .voters(members.iter().map(|name| id(name)))
            .group(number)
            .detection(Detection::Fixed(Duration::from_millis(1500)))
            .seed(elect_tcp::random_seed());
        (self.tune)(builder).build().unwrap()
    }

    pub(crate) fn vote_file(&self, index: usize, number: u32) -> PathBuf {
        self.directory.join(format!("{}-{number}.vote", self.names[index]))
    }

    /// Starts a group's node on one process, with a vote file of its own.
    pub(crate) fn add(&mut self, index: usize, number: u32, members: &[&str]) {
        let (elect, path) = (self.elect(index, number, members), self.vote_file(index, number));
        if !path.exists() {
            VoteFile::init(&path, &elect).unwrap();
        }
        let file = VoteFile::open(&path, &elect).unwrap();
        let started = self.site(index).groups.start_group(&elect, file, Arc::new(NoLog)).unwrap();
        self.seat(index, number, started);
    }

    pub(crate) fn seat(&mut self, index: usize, number: u32, (handle, events): (NodeHandle, Events)) {
        let member = Member {
            handle,
            events,
            in_office: false,
            follows: None,
            losses: Vec::new(),
            stopped: None,
            ended: None,
        };
        self.running[index].as_mut().unwrap().members.insert(number, member);
    }

    pub(crate) fn add_everywhere(&mut self, number: u32) {
        let names: Vec<_> = self.names.iter().map(ToString::to_string).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        for index in 0..self.names.len() {
            self.add(index, number, &names);
        }
    }

    pub(crate) fn site(&self, index: usize) -> &Site {
        self.running[index].as_ref().expect("this process runs")
    }

    pub(crate) fn member(&self, index: usize, number: u32) -> &Member {
        &self.site(index).members[&number]
    }

    /// Who is in office in that group, and holds its lease.
    pub(crate) fn leader(&self, number: u32) -> Option<usize> {
        let leads = |site: &Site| {
            let member = site.members.get(&number);
            member.is_some_and(|member| member.in_office && member.handle.is_leader())
        };
        self.running.iter().position(|site| site.as_ref().is_some_and(leads))
    }

    /// Waits until each of those groups has a leader, and every other node that runs follows it.
    pub(crate) fn wait_until_settled(&mut self, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            self.wait(&format!("leader of group {number}"), |sites| {
                let Some(leader) = sites.leader(number) else { return false };
                let name = sites.names[leader];
                sites
                    .running
                    .iter()
                    .flatten()
                    .filter(|site| site.name != name)
                    .all(|site| site.members.get(&number).is_none_or(|member| member.follows == Some(name)))
            });
        }
    }

    /// Plays every host until `reached` holds; what no event tells is looked at now and then.
    pub(crate) fn wait(&mut self, what: &str, mut reached: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + BOUND;
        while !reached(self) {
            if let Some((index, number, event)) = self.next(Instant::now() + LOOK_AGAIN) {
                self.host(index, number, event);
            } else if Instant::now() >= deadline {
                self.give_up(what);
            }
        }
    }

    /// Plays the hosts for what has happened so far.
    pub(crate) fn catch_up(&mut self) {
        while let Some((index, number, event)) = self.next(Instant::now()) {
            self.host(index, number, event);
        }
    }

    pub(crate) fn assert_no_loss(&mut self, numbers: impl IntoIterator<Item = u32>) {
        self.catch_up();
        for number in numbers {
            for site in self.running.iter().flatten() {
                let Some(member) = site.members.get(&number) else { continue };
                assert!(member.losses.is_empty(), "group {number} of {}: {:?}", site.name, member.losses);
            }
        }
    }

    fn next(&self, deadline: Instant) -> Option<(usize, u32, HostEvent)> {
        let waker = Arc::new(Unpark(thread::current())).into();
        loop {
            for (index, site) in self.running.iter().enumerate() {
                for (number, member) in site.iter().flat_map(|site| &site.members) {
                    if member.ended.is_some() {
                        continue;
                    }
                    if let Poll::Ready(event) = member.events.poll_recv(&mut Context::from_waker(&waker)) {
                        return Some((index, *number, event.expect("a stream ends with its node")));
                    }
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            thread::park_timeout(left);
        }
    }

    fn host(&mut self, index: usize, number: u32, event: HostEvent) {
        let site = self.running[index].as_mut().expect("this process runs");
        let member = site.members.get_mut(&number).expect("this group runs");
        match event {
            HostEvent::Act(
                Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. },
            ) => {
                member.handle.on_office(&elected.serve_without_log_forgetting_earlier_writes());
                (member.in_office, member.follows) = (true, None);
            }
            HostEvent::Act(Duty::HandoverBegan { .. }) => member.handle.on_drained(),
            HostEvent::Act(Duty::Stopped { reason }) => member.stopped = Some(reason),
            HostEvent::Happened(NodeNotice::Elector(Notice::Following { leader, .. })) => {
                member.follows = Some(leader);
            }
            HostEvent::Happened(NodeNotice::Elector(Notice::LeaderLost { .. })) => member.follows = None,
            HostEvent::Lost(loss) => {
                member.in_office = false;
                member.losses.push(loss);
            }
            HostEvent::Ended(ended) => member.ended = Some(ended),
            HostEvent::Act(_) | HostEvent::Happened(_) => {}
        }
    }

    fn give_up(&self, what: &str) -> ! {
        let mut explained = String::new();
        for site in self.running.iter().flatten() {
            for (number, member) in &site.members {
                if explained.len() < 20_000 && member.ended.is_none() {
                    let node = format!("{} {number}: {:?}\n", site.name, member.handle.explain());
                    explained.push_str(&node);
                }
            }
        }
        panic!("no {what} within {BOUND:?}\n{explained}");
    }
}

pub(crate) fn cluster() -> ClusterId {
    ClusterId::new("test").unwrap()
}
