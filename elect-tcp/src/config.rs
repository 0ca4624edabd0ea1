//! What a node needs to know besides the elector's own configuration.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use elect_core::{Address, ClusterId, NodeId};

use crate::handshake::MANY_GROUPS;
use crate::vote_file::VoteSyncs;

/// A node's configuration that cannot work, with the field, the value and the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} = {value}: {rule}")]
pub struct ConfigError {
    /// The builder's method.
    pub field: &'static str,
    /// What it was given, or what follows from it.
    pub value: String,
    /// What is allowed.
    pub rule: String,
}

/// The checked configuration of one node. Built by [`NodeConfig::builder`].
#[derive(Debug)]
pub struct NodeConfig {
    pub(crate) elect: elect_core::Config,
    pub(crate) vote_file: Option<PathBuf>,
    pub(crate) vote_syncs: VoteSyncs,
    pub(crate) listen: Listen,
    pub(crate) peers: Vec<(NodeId, String)>,
    pub(crate) allow_plaintext: bool,
    pub(crate) dial_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) advertise: Address,
    pub(crate) listen_backlog: u32,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::TlsConfig>,
}

/// Where a node listens.
#[derive(Debug)]
pub(crate) enum Listen {
    Address(SocketAddr),
    Bound(TcpListener),
    /// The transport is the host's own.
    Elsewhere,
}

impl NodeConfig {
    /// Starts a configuration: the elector's own, and the vote file that [`VoteFile::init`] has made.
    ///
    /// [`VoteFile::init`]: crate::VoteFile::init
    pub fn builder(elect: elect_core::Config, vote_file: impl Into<PathBuf>) -> NodeConfigBuilder {
        Self::collect(elect, Some(vote_file.into()))
    }

    /// The same for a node that starts with a store that is open already: see
    /// [`Node::start_with`](crate::Node::start_with).
    pub fn builder_without_file(elect: elect_core::Config) -> NodeConfigBuilder {
        Self::collect(elect, None)
    }

    /// The same for [`Groups`](crate::Groups): the process of `node` among those that its groups may have members in. Every
    /// other one is a peer with an address; the processes need not be given the same list.
    pub fn builder_for_groups(
        cluster: ClusterId,
        node: NodeId,
        others: impl IntoIterator<Item = NodeId>,
    ) -> Result<NodeConfigBuilder, elect_core::ConfigError> {
        let others = others.into_iter().filter(|other| *other != node);
        let elect = elect_core::Config::builder(cluster, node).voters([node]).observers(others);
        Ok(Self::collect(elect.group(MANY_GROUPS).build()?, None))
    }

    fn collect(elect: elect_core::Config, vote_file: Option<PathBuf>) -> NodeConfigBuilder {
        NodeConfigBuilder {
            elect,
            vote_file,
            vote_syncs: VoteSyncs::default(),
            listen: None,
            peers: Vec::new(),
            allow_plaintext: false,
            dial_timeout: Duration::from_millis(500),
            handshake_timeout: Duration::from_secs(1),
            advertise: Address::default(),
            listen_backlog: 1024,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// The elector's configuration.
    pub const fn elect(&self) -> &elect_core::Config {
        &self.elect
    }

    /// The vote file, where the configuration names one.
    pub fn vote_file(&self) -> Option<&Path> {
        self.vote_file.as_deref()
    }
}

/// Collects settings; [`build`](Self::build) checks them together.
#[derive(Debug)]
#[must_use = "a configuration begins to exist with `build`"]
pub struct NodeConfigBuilder {
    elect: elect_core::Config,
    vote_file: Option<PathBuf>,
    vote_syncs: VoteSyncs,
    listen: Option<Listen>,
    peers: Vec<(NodeId, String)>,
    allow_plaintext: bool,
    dial_timeout: Duration,
    handshake_timeout: Duration,
    advertise: Address,
    listen_backlog: u32,
    #[cfg(feature = "tls")]
    tls: Option<crate::TlsConfig>,
}

impl NodeConfigBuilder {
    /// Where this node listens for its peers.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(Listen::Address(address));
        self
    }

    /// The same with a socket that already listens: from a supervisor, or from a test that needs a free port.
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listen = Some(Listen::Bound(listener));
        self
    }

    /// Adds a peer and its `host:port`. Names are resolved at every dial, never by the orchestrator. An
    /// entry for this node itself is skipped, so that all nodes can share one list.
    pub fn peer(mut self, id: NodeId, address: impl Into<String>) -> Self {
        if id != self.elect.node() {
            self.peers.push((id, address.into()));
        }
        self
    }

    /// Adds several peers: see [`peer`](Self::peer).
    pub fn peers(self, peers: impl IntoIterator<Item = (NodeId, String)>) -> Self {
        peers.into_iter().fold(self, |builder, (id, address)| builder.peer(id, address))
    }

    /// Whether plain TCP may leave this machine. Default false: anybody who reaches the port can then claim
    /// to be a member.
    pub const fn allow_plaintext(mut self, allow: bool) -> Self {
        self.allow_plaintext = allow;
        self
    }

    /// How a save of the vote file is made durable: [`VoteSyncs`] says what a power cut may cost. Default
    /// [`VoteSyncs::One`]. A file that the host has opened itself is told by [`VoteFile::with_syncs`].
    ///
    /// [`VoteFile::with_syncs`]: crate::VoteFile::with_syncs
    pub const fn vote_syncs(mut self, syncs: VoteSyncs) -> Self {
        self.vote_syncs = syncs;
        self
    }

    /// Links to peers are TLS: each end proves which node it is. They may then leave this machine. Read by
    /// [`Node::start`](crate::Node::start); another transport has its own.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::TlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How long one attempt to connect may take. Default 500 ms; 10 ms to 5 s.
    pub const fn dial_timeout(mut self, timeout: Duration) -> Self {
        self.dial_timeout = timeout;
        self
    }

    /// How long a handshake may take in all, however its bytes trickle in. Default 1 s; 10 ms to 5 s.
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Where peers dial this node, as its greetings tell them, where that is not where it listens. Default: the address
    /// that it listens on. A peer dials it there while it cannot resolve the name that it is configured with, if this is
    /// an IP address and a port; one without an address (`0.0.0.0:7001`) stands for the one that this node dials from.
    pub fn advertise(mut self, address: Address) -> Self {
        self.advertise = address;
        self
    }

    /// How many connections may wait to be accepted. Default 1,024; 1 to 65,535, and no more than the system allows.
    pub const fn listen_backlog(mut self, connections: u32) -> Self {
        self.listen_backlog = connections;
        self
    }

    /// Checks everything together.
    pub fn build(self) -> Result<NodeConfig, ConfigError> {
        self.check_spans()?;
        self.check_peers()?;
        #[cfg(feature = "tls")]
        self.check_tls()?;
        if !(1..=65_535).contains(&self.listen_backlog) {
            return Err(refused("listen_backlog", self.listen_backlog.to_string(), "must be 1 to 65535"));
        }
        let missing = || refused("listen", "(none)", "must name the address on which peers reach this node");
        let listen = self.listen.ok_or_else(missing)?;
        let config = NodeConfig {
            elect: self.elect,
            vote_file: self.vote_file,
            vote_syncs: self.vote_syncs,
            listen,
            peers: self.peers,
            allow_plaintext: self.allow_plaintext,
            dial_timeout: self.dial_timeout,
            handshake_timeout: self.handshake_timeout,
            advertise: self.advertise,
            listen_backlog: self.listen_backlog,
            #[cfg(feature = "tls")]
            tls: self.tls,
        };
        config.check_plaintext()?;
        Ok(config)
    }

    /// The same for [`Node::start_on`](crate::Node::start_on): the transport knows where the peers are.
    pub fn build_for_transport(self) -> Result<NodeConfig, ConfigError> {
        self.check_spans()?;
        Ok(NodeConfig {
            elect: self.elect,
            vote_file: self.vote_file,
            vote_syncs: self.vote_syncs,
            listen: Listen::Elsewhere,
            peers: Vec::new(),
            allow_plaintext: self.allow_plaintext,
            dial_timeout: self.dial_timeout,
            handshake_timeout: self.handshake_timeout,
            advertise: self.advertise,
            listen_backlog: self.listen_backlog,
            #[cfg(feature = "tls")]
            tls: self.tls,
        })
    }

    fn check_spans(&self) -> Result<(), ConfigError> {
        let (min, max) = (Duration::from_millis(10), Duration::from_secs(5));
        for (field, span) in
            [("dial_timeout", self.dial_timeout), ("handshake_timeout", self.handshake_timeout)]
        {
            if !(min..=max).contains(&span) {
                return Err(refused(field, format!("{span:?}"), format!("must be {min:?} to {max:?}")));
            }
        }
        Ok(())
    }

    #[cfg(feature = "tls")]
    fn check_tls(&self) -> Result<(), ConfigError> {
        let Some(tls) = &self.tls else { return Ok(()) };
        tls.check().map_err(|(value, rule)| refused("tls", value, rule))
    }

    fn check_peers(&self) -> Result<(), ConfigError> {
        for (index, (id, address)) in self.peers.iter().enumerate() {
            let value = || format!("{id}@{address}");
            if self.elect.members().find(*id).is_none() {
                return Err(refused("peers", value(), "must be a member of the elector's configuration"));
            }
            if self.peers[..index].iter().any(|(earlier, _)| earlier == id) {
                return Err(refused("peers", value(), "must stand in the list once"));
            }
            let port = address.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then_some(port));
            if port.and_then(|port| port.parse::<u16>().ok()).is_none_or(|port| port == 0) {
                return Err(refused(
                    "peers",
                    value(),
                    "must have the form host:port with a port of 1 to 65535",
                ));
            }
        }
        for member in self.elect.members().iter() {
            let known = member.id == self.elect.node() || self.peers.iter().any(|(id, _)| *id == member.id);
            if !known {
                return Err(refused(
                    "peers",
                    member.id.to_string(),
                    "must name an address for every other member",
                ));
            }
        }
        Ok(())
    }
}

impl NodeConfig {
    /// How long a peer may take nothing before its stream is given up and dialled anew.
    pub(crate) fn stall_timeout(&self) -> Duration {
        self.elect.detection().ceiling().clamp(Duration::from_millis(500), Duration::from_secs(5))
    }

    fn check_plaintext(&self) -> Result<(), ConfigError> {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return Ok(());
        }
        if self.allow_plaintext {
            return Ok(());
        }
        let rule = "plain TCP may not leave this machine unless `allow_plaintext` says so";
        let listen = match &self.listen {
            Listen::Address(address) => *address,
            Listen::Bound(listener) => listener
                .local_addr()
                .map_err(|error| refused("listener", error.to_string(), "must be a listening socket"))?,
            Listen::Elsewhere => return Ok(()),
        };
        if !listen.ip().is_loopback() {
            return Err(refused("listen", listen.to_string(), rule));
        }
        // Names are checked when they are resolved, at every dial.
        let literal = |address: &String| address.parse::<SocketAddr>().ok().filter(|a| !a.ip().is_loopback());
        match self.peers.iter().find_map(|(_, address)| literal(address)) {
            Some(address) => Err(refused("peers", address.to_string(), rule)),
            None => Ok(()),
        }
    }
}

fn refused(field: &'static str, value: impl Into<String>, rule: impl Into<String>) -> ConfigError {
    ConfigError { field, value: value.into(), rule: rule.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{config, id};

    fn builder() -> NodeConfigBuilder {
        NodeConfig::builder(config("a"), "a.vote")
            .listen("127.0.0.1:7001".parse().unwrap())
            .peer(id("a"), "ignored: its own name")
            .peer(id("b"), "localhost:7002")
    }

    fn refusal(builder: NodeConfigBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn a_sound_configuration_is_built() {
        let config = builder().peer(id("c"), "[::1]:7003").build().unwrap();
        assert_eq!(config.peers.len(), 2, "its own entry is skipped");
        assert_eq!(config.vote_file(), Some(Path::new("a.vote")));
    }

    #[test]
    fn nonsense_is_refused_with_field_value_and_rule() {
        let far: SocketAddr = "192.0.2.1:7001".parse().unwrap();
        let any: SocketAddr = "0.0.0.0:7001".parse().unwrap();
        let complete = || builder().peer(id("c"), "127.0.0.1:7003");
        let table = [
            (refusal(builder()), "peers = c: must name an address"),
            (refusal(complete().peer(id("d"), "127.0.0.1:1")), "peers = d@127.0.0.1:1: must be a member"),
            (
                refusal(complete().peer(id("b"), "127.0.0.1:1")),
                "peers = b@127.0.0.1:1: must stand in the list once",
            ),
            (refusal(builder().peer(id("c"), "host")), "peers = c@host: must have the form host:port"),
            (refusal(builder().peer(id("c"), "host:0")), "peers = c@host:0: must have the form host:port"),
            (refusal(builder().peer(id("c"), ":7003")), "peers = c@:7003: must have the form host:port"),
            (refusal(complete().listen(far)), "listen = 192.0.2.1:7001: plain TCP may not leave"),
            (refusal(complete().listen(any)), "listen = 0.0.0.0:7001: plain TCP may not leave"),
            (
                refusal(builder().peer(id("c"), far.to_string())),
                "peers = 192.0.2.1:7001: plain TCP may not leave",
            ),
            (refusal(complete().dial_timeout(Duration::ZERO)), "dial_timeout = 0ns: must be 10ms to 5s"),
            (refusal(complete().handshake_timeout(Duration::MAX)), "handshake_timeout = "),
            (refusal(complete().listen_backlog(0)), "listen_backlog = 0: must be 1 to 65535"),
            (refusal(complete().listen_backlog(65_536)), "listen_backlog = 65536: must be 1 to 65535"),
            (refusal(NodeConfig::builder(config("a"), "a.vote")), "peers = b: must name an address"),
        ];
        for (got, wanted) in table {
            assert!(got.starts_with(wanted), "{got}");
        }
        complete().listen(any).allow_plaintext(true).build().unwrap();
    }

    #[test]
    fn another_transport_needs_no_addresses() {
        NodeConfig::builder(config("a"), "a.vote").build_for_transport().unwrap();
    }
}
