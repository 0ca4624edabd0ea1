//! Which values a configuration file may hold.

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use elect_core::{Address, ClusterId, Detection, Member, MemberKind, NodeId};
use elect_tcp::TlsConfig;
use tracing_subscriber::filter::LevelFilter;

use super::file::{Kind, NodeFile, PeerEntry};
use super::secret::Secret;

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// It cannot be read.
    #[error("{}: cannot be read: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no TOML, or a key is missing, unknown or of the wrong type.
    #[error("{}: {error}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Where and why.
        error: toml::de::Error,
    },
    /// A value is not allowed.
    #[error("{}: {key} = {value}: {rule}", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What is allowed.
        rule: String,
    },
}

/// Another node, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub id: NodeId,
    /// What it is.
    pub kind: MemberKind,
    /// Where its elector listens.
    pub election: String,
    /// Where its log listens.
    pub replication: Option<String>,
    /// Where clients reach it.
    pub client: Option<String>,
}

/// Turns a value that is not allowed into an error that names the file.
pub(super) struct Check<'a> {
    pub(super) path: &'a Path,
}

impl Check<'_> {
    pub(super) fn refused(&self, key: &str, value: &dyn fmt::Display, rule: &str) -> ConfigFileError {
        ConfigFileError::Refused {
            file: self.path.into(),
            key: key.into(),
            value: value.to_string(),
            rule: rule.into(),
        }
    }

    pub(super) fn node(&self, key: &str, name: &str) -> Result<NodeId, ConfigFileError> {
        NodeId::new(name).map_err(|error| self.refused(key, &quoted(name), &error.to_string()))
    }

    pub(super) fn host_port(&self, key: &str, address: &str) -> Result<(), ConfigFileError> {
        let port = address
            .rsplit_once(':')
            .filter(|(host, _)| !host.is_empty())
            .map(|(_, port)| port.parse::<u16>());
        match port {
            Some(Ok(port)) if port > 0 => Ok(()),
            _ => Err(self.refused(key, &quoted(address), "must be host:port with a port from 1 to 65535")),
        }
    }

    pub(super) fn peer(&self, entry: &PeerEntry) -> Result<Peer, ConfigFileError> {
        let id = self.node("peer.node", &entry.node)?;
        let key = |field: &str| format!("peer {id}: {field}");
        self.host_port(&key("election"), &entry.election)?;
        if let Some(address) = &entry.client {
            self.host_port(&key("client"), address)?;
        }
        match (&entry.replication, entry.kind) {
            (Some(address), Kind::Voter | Kind::Observer) => self.host_port(&key("replication"), address)?,
            (None, Kind::Witness) => {}
            (Some(address), Kind::Witness) => {
                return Err(self.refused(
                    &key("replication"),
                    &quoted(address),
                    "a witness holds no data: leave it out",
                ));
            }
            (None, Kind::Voter | Kind::Observer) => {
                return Err(self.refused(
                    &key("replication"),
                    &"(missing)",
                    "must be host:port: this node holds data",
                ));
            }
        }
        Ok(Peer {
            id,
            kind: entry.kind.into(),
            election: entry.election.clone(),
            replication: entry.replication.clone(),
            client: entry.client.clone(),
        })
    }

    pub(super) fn plaintext(&self, file: &NodeFile) -> Result<(), ConfigFileError> {
        let Some(address) = file.listen_replication else {
            let rule = "must be ip:port: this node holds data";
            let is_witness = file.kind == Kind::Witness;
            return if is_witness {
                Ok(())
            } else {
                Err(self.refused("listen_replication", &"(missing)", rule))
            };
        };
        // A witness does not listen there.
        let is_safe = file.tls_cert.is_some() || file.allow_plaintext || address.ip().is_loopback();
        if is_safe || file.kind == Kind::Witness {
            return Ok(());
        }
        let rule = "plain TCP leaves this machine here: set tls_cert, or say allow_plaintext = true if the network is trusted";
        Err(self.refused("listen_replication", &address, rule))
    }

    /// Whoever reaches a port from another machine shows a password, or the file says that nobody need to.
    pub(super) fn passwords(&self, file: &NodeFile) -> Result<(), ConfigFileError> {
        for (key, password) in [("password", &file.password), ("operator_password", &file.operator_password)]
        {
            if password.as_ref().is_some_and(Secret::is_empty) {
                return Err(self.refused(key, &"\"\"", "must not be empty: leave it out"));
            }
        }
        if file.password.is_some() && file.password == file.operator_password {
            let rule = "must differ from password: leave it out where clients and operators are the same";
            return Err(self.refused("operator_password", &"(hidden)", rule));
        }
        let address = file.listen_client;
        if address.ip().is_loopback() || file.password.is_some() || file.allow_open_clients {
            return Ok(());
        }
        let rule = "other machines reach clients' data here: set password, or say allow_open_clients = true if \
                    everybody who reaches this port may read and write";
        Err(self.refused("listen_client", &address, rule))
    }

    /// Whoever reaches the page sees names, addresses and what is wrong: nobody from another machine, unless the file says so.
    pub(super) fn http(&self, file: &NodeFile) -> Result<(), ConfigFileError> {
        match file.listen_http {
            Some(address) if !address.ip().is_loopback() && !file.allow_open_http => {
                let rule = "other machines see here what this node says of itself: say allow_open_http = true if \
                            everybody who reaches this port may";
                Err(self.refused("listen_http", &address, rule))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn log_level(&self, file: &NodeFile) -> Result<LevelFilter, ConfigFileError> {
        let Some(level) = &file.log_level else { return Ok(LevelFilter::INFO) };
        let rule = "must be \"off\", \"error\", \"warn\", \"info\" or \"debug\"";
        level.parse().map_err(|_| self.refused("log_level", &quoted(level), rule))
    }

    /// A refusal of the elector's node, in the words of this file.
    pub(super) fn of_node(&self, peers: &[Peer], error: &elect_tcp::ConfigError) -> ConfigFileError {
        let peer = peers.iter().find(|peer| {
            error.value == peer.election || error.value == format!("{}@{}", peer.id, peer.election)
        });
        match (error.field, peer) {
            ("listen", _) => self.refused("listen_election", &error.value, &error.rule),
            ("peers", Some(peer)) => {
                let key = format!("peer {}: election", peer.id);
                self.refused(&key, &quoted(&peer.election), &error.rule)
            }
            ("tls", _) => self.refused("tls_cert", &error.value, &error.rule),
            (field, _) => self.refused(field, &error.value, &error.rule),
        }
    }

    /// The TLS of the links between nodes, if there is a certificate.
    pub(super) fn tls(&self, file: &NodeFile) -> Result<Option<TlsConfig>, ConfigFileError> {
        let needs = "needs tls_cert and tls_key beside it, and tls_ca or tls_pins";
        let refused = |key: &str, path: &Path| Err(self.refused(key, &path.display(), needs));
        let base = self.path.parent().unwrap_or(Path::new(""));
        let (certificate, key) = match (&file.tls_cert, &file.tls_key) {
            (Some(certificate), Some(key)) => (base.join(certificate), base.join(key)),
            (Some(certificate), None) => return refused("tls_cert", certificate),
            (None, Some(key)) => return refused("tls_key", key),
            (None, None) => {
                return match (&file.tls_ca, &file.tls_pins, &file.tls_spiffe) {
                    (Some(path), ..) => refused("tls_ca", path),
                    (_, Some(path), _) => refused("tls_pins", path),
                    (.., Some(template)) => refused("tls_spiffe", Path::new(template)),
                    _ => Ok(None),
                };
            }
        };
        if file.tls_ca.is_none() && file.tls_pins.is_none() {
            return refused("tls_cert", &certificate);
        }
        let mut tls = TlsConfig::files(certificate, key);
        if let Some(authorities) = &file.tls_ca {
            tls = tls.authorities(base.join(authorities));
        }
        if let Some(pins) = &file.tls_pins {
            tls = tls.pins(base.join(pins));
        }
        if let Some(template) = &file.tls_spiffe {
            tls = tls.spiffe(template);
        }
        Ok(Some(tls))
    }

    pub(super) fn elect(
        &self,
        file: &NodeFile,
        node: NodeId,
        peers: &[Peer],
        advertise_client: &str,
    ) -> Result<elect_core::Config, ConfigFileError> {
        let cluster = ClusterId::new(&file.cluster)
            .map_err(|error| self.refused("cluster", &quoted(&file.cluster), &error.to_string()))?;
        let address = Address::new(advertise_client).map_err(|error| {
            self.refused("advertise_client", &quoted(advertise_client), &error.to_string())
        })?;
        let others = peers.iter().map(|peer| Member { id: peer.id, kind: peer.kind });
        let mut builder = elect_core::Config::builder(cluster, node)
            .members([Member { id: node, kind: file.kind.into() }])
            .members(others)
            .address(address)
            .never_leader(file.never_leader)
            .crash_evidence(file.crash_evidence)
            .seed(fresh_seed());
        if let Some(name) = &file.preferred_leader {
            builder = builder.preferred_leader(self.node("preferred_leader", name)?);
        }
        macro_rules! set {
            ($($key:ident => $setter:ident($convert:expr),)*) => {
                $(if let Some(value) = file.$key {
                    builder = builder.$setter($convert(value));
                })*
            };
        }
        set! {
            detection_ms => detection(|ms| Detection::Fixed(Duration::from_millis(ms))),
            heartbeat_ms => heartbeat_interval(Duration::from_millis),
            drift_ppm => drift_ppm(|ppm| ppm),
            round_trip_ms => round_trip(Duration::from_millis),
            save_ms => save(Duration::from_millis),
            rank_step_ms => rank_step(Duration::from_millis),
            priority => priority(|priority| priority),
            fail_back_cooldown_ms => fail_back_cooldown(Duration::from_millis),
            handover_timeout_ms => handover_timeout(Duration::from_millis),
            office_timeout_ms => office_timeout(Duration::from_millis),
        }
        builder.build().map_err(|error| {
            let key = key_of(error.field);
            match written(file, key) {
                Some(value) => self.refused(key, &value, &error.rule),
                None => self.refused(key, &error.value, &error.rule),
            }
        })
    }
}

/// The key of this file that sets a field of the elector.
fn key_of(field: &'static str) -> &'static str {
    match field {
        "members" => "node and peer",
        "detection" => "detection_ms",
        "heartbeat_interval" => "heartbeat_ms",
        "round_trip" => "round_trip_ms",
        "save" => "save_ms",
        "rank_step" => "rank_step_ms",
        "fail_back_cooldown" => "fail_back_cooldown_ms",
        "handover_timeout" => "handover_timeout_ms",
        "office_timeout" => "office_timeout_ms",
        other => other,
    }
}

/// A span as it stands in the file.
fn written(file: &NodeFile, key: &str) -> Option<u64> {
    match key {
        "detection_ms" => file.detection_ms,
        "heartbeat_ms" => file.heartbeat_ms,
        "round_trip_ms" => file.round_trip_ms,
        "save_ms" => file.save_ms,
        "rank_step_ms" => file.rank_step_ms,
        "fail_back_cooldown_ms" => file.fail_back_cooldown_ms,
        "handover_timeout_ms" => file.handover_timeout_ms,
        "office_timeout_ms" => file.office_timeout_ms,
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// Different at every start: the standard library keys its hashers from the operating system.
pub(super) fn fresh_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}
