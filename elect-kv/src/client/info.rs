//! What a node says about itself: `INFO`, `ROLE`.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::client::address::split;
use crate::client::pattern::matches;
use crate::client::reply::Reply;
use crate::node::shared::{Progress, Shared};
use crate::report::problems;

/// The text of `INFO`; `section` in lower case, `None` for all.
pub(super) fn info(shared: &Shared, section: Option<&str>) -> String {
    let wanted = |name: &str| {
        section.is_none_or(|section| section == name || section == "all" || section == "everything")
    };
    let mut text = String::new();
    if wanted("server") {
        let settings = &shared.settings;
        line(&mut text, "# Server", "");
        line(&mut text, "redis_version:", "7.0.0");
        line(&mut text, "redis_mode:", "cluster");
        line(&mut text, "elect_kv_version:", env!("CARGO_PKG_VERSION"));
        line(&mut text, "cluster:", settings.elect.cluster());
        line(&mut text, "node:", settings.node());
        line(&mut text, "process_id:", std::process::id());
        line(&mut text, "tcp_port:", settings.file.listen_client.port());
        line(&mut text, "events_dropped:", shared.log.dropped());
    }
    if wanted("clients") {
        line(&mut text, "# Clients", "");
        line(&mut text, "connected_clients:", shared.limits.connected());
        line(&mut text, "maxclients:", shared.limits.maxclients);
    }
    if wanted("replication") {
        replication(&mut text, shared);
    }
    if wanted("cluster") {
        line(&mut text, "# Cluster", "");
        line(&mut text, "cluster_enabled:", 1);
    }
    if wanted("keyspace") {
        line(&mut text, "# Keyspace", "");
        if let Some(keys) = shared.store.as_ref().map(|store| store.keys()).filter(|keys| *keys > 0) {
            line(&mut text, "db0:", format_args!("keys={keys},expires=0,avg_ttl=0"));
        }
    }
    text
}

fn replication(text: &mut String, shared: &Shared) {
    let Progress { durable, commit, followers } = shared.progress();
    let office = shared.office();
    line(text, "# Replication", "");
    line(text, "role:", if office.is_some() { "master" } else { "slave" });
    line(text, "in_office:", u8::from(office.is_some()));
    if let Ok(status) = shared.handle.status() {
        line(text, "election_role:", name_of(&status.role));
        line(text, "election_epoch:", status.epoch);
        if let Some(epoch) = status.leader_epoch {
            line(text, "epoch:", epoch);
        }
        if let Some(remaining) = status.lease_remaining {
            line(text, "lease_remaining_ms:", remaining.as_millis());
        }
        if let Some(remaining) = status.pause.map(|pause| pause.remaining) {
            line(text, "failover_paused_for_ms:", remaining.as_millis());
        }
        for peer in &status.peers {
            let heard = peer.heard_ago.map_or_else(|| "never".into(), |ago| ago.as_millis().to_string());
            let connected = u8::from(peer.connected);
            let longest =
                peer.detection.peer_max.map_or_else(|| "unknown".into(), |max| max.as_millis().to_string());
            let (node, left_out) = (peer.node, u8::from(peer.detection.leaves_out));
            line(
                text,
                "",
                format_args!(
                    "peer_{node}:connected={connected},heard_ms_ago={heard},detection_max_ms={longest},left_out={left_out}"
                ),
            );
        }
        for (number, problem) in problems(shared, &status).into_iter().enumerate() {
            line(text, "", format_args!("problem_{number}:{problem}"));
        }
    }
    if let Some(leader) = shared.leader() {
        line(text, "leader:", leader.id);
        line(text, "leader_address:", &leader.address);
        let (host, port) = split(&leader.address);
        if leader.id != shared.settings.node() && !host.is_empty() {
            line(text, "master_host:", host);
            line(text, "master_port:", port);
            line(text, "master_link_status:", "up");
        }
    }
    if let Some(why) = shared.standstill_text() {
        line(text, "standstill:", why);
    }
    let acknowledge = shared.settings.file.acknowledge;
    line(text, "acknowledge:", acknowledge);
    if let Some(warning) = acknowledge.warning() {
        line(text, "acknowledge_warning:", warning);
    }
    line(text, "durable_offset:", durable);
    line(text, "commit_offset:", commit);
    line(text, "applied_offset:", shared.store.as_ref().map_or(0, |store| store.applied()));
    line(text, "connected_slaves:", followers.len());
    for (node, offset) in followers {
        line(
            text,
            "",
            format_args!("slave_{node}:acknowledged_offset={offset},lag={}", durable.saturating_sub(offset)),
        );
    }
}

/// The word that stands for it in the status, too.
fn name_of(role: &impl serde::Serialize) -> String {
    match serde_json::to_value(role) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// `CONFIG GET`: what clients ask for before they begin.
pub(super) fn config(shared: &Shared, subcommand: &str, patterns: &[Bytes]) -> Reply {
    if subcommand != "GET" || patterns.is_empty() {
        return Reply::error("ERR CONFIG takes GET pattern …: settings are made in the configuration file");
    }
    let listen = shared.settings.file.listen_client;
    let known = [
        ("appendfsync", "always".to_owned()),
        ("appendonly", "yes".to_owned()),
        ("bind", listen.ip().to_string()),
        ("cluster-enabled", "yes".to_owned()),
        ("databases", "1".to_owned()),
        ("maxmemory", "0".to_owned()),
        ("maxmemory-policy", "noeviction".to_owned()),
        ("port", listen.port().to_string()),
        ("proto-max-bulk-len", super::REQUEST_BYTES_MAX.to_string()),
        ("repl-backlog-size", shared.settings.file.repl_backlog_size.0.to_string()),
        ("save", String::new()),
    ];
    let wanted =
        |name: &str| patterns.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), name.as_bytes()));
    let found = known.into_iter().filter(|(name, _)| wanted(name));
    Reply::Map(found.map(|(name, value)| (name, Reply::text(value))).collect())
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a string does not fail.
    let _ = write!(text, "{name}{value}\r\n");
}

/// The reply to `ROLE`, in Redis' shape.
pub(super) fn role(shared: &Shared) -> Reply {
    let progress = shared.progress();
    let offset = |offset: u64| i64::try_from(offset).unwrap_or(i64::MAX);
    if shared.office().is_some() {
        let replica = |(node, acknowledged): (elect_core::NodeId, u64)| {
            let peer = shared.settings.peers.iter().find(|peer| peer.id == node);
            let address = peer.and_then(|peer| peer.client.clone()).unwrap_or_default();
            let (host, port) = split(&address);
            Reply::Array(vec![Reply::text(host), Reply::text(port), Reply::text(acknowledged.to_string())])
        };
        let replicas = progress.followers.into_iter().map(replica).collect();
        return Reply::Array(vec![
            Reply::text("master"),
            Reply::Number(offset(progress.commit)),
            Reply::Array(replicas),
        ]);
    }
    let leader = shared.leader();
    let address = leader.map(|leader| leader.address).unwrap_or_default();
    let (host, port) = split(&address);
    let state = if address.is_empty() { "connect" } else { "connected" };
    Reply::Array(vec![
        Reply::text("slave"),
        Reply::text(host),
        Reply::Number(port.parse().unwrap_or(0)),
        Reply::text(state),
        Reply::Number(offset(progress.durable)),
    ])
}
