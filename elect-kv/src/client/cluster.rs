//! `CLUSTER`: one shard with all slots, so that cluster clients follow a failover by themselves.

use std::fmt::Write as _;

use bytes::Bytes;
use elect_core::{MemberKind, NodeId};
use redis_protocol::redis_keyslot;

use super::address::split;
use super::reply::Reply;
use super::words::upper;
use crate::node::shared::Shared;

const SLOTS: i64 = 16_384;

/// A node that holds data and whose clients' address is known.
struct Member {
    id: NodeId,
    address: String,
    is_primary: bool,
    is_connected: bool,
}

/// Answers `CLUSTER`.
pub(super) fn cluster(shared: &Shared, arguments: &[Bytes]) -> Reply {
    let Some((subcommand, rest)) = arguments.split_first() else {
        return super::write::wrong_number("CLUSTER");
    };
    match (upper(subcommand).as_str(), rest) {
        ("SLOTS", []) => slots(&members(shared)),
        ("SHARDS", []) => shards(shared, &members(shared)),
        ("NODES", []) => Reply::text(nodes(shared, &members(shared))),
        ("INFO", []) => Reply::text(info(shared, &members(shared))),
        ("MYID", []) => Reply::text(hash(shared.settings.node())),
        ("KEYSLOT", [key]) => Reply::Number(redis_keyslot(key).into()),
        _ => Reply::error("ERR CLUSTER takes SLOTS, SHARDS, NODES, INFO, MYID or KEYSLOT key"),
    }
}

/// The primary first; between two primaries the one that was, as in Redis: clients cannot do with none.
fn members(shared: &Shared) -> Vec<Member> {
    let own = shared.settings.node();
    let leader = shared.last_leader();
    let links = shared.handle.links().unwrap_or_default();
    let member = |id, configured: Option<&String>| {
        let link = links.iter().find(|link| link.peer == id);
        let told = link.and_then(|link| link.address.as_ref()).map(ToString::to_string);
        let leads = leader.as_ref().filter(|leader| leader.id == id).map(|leader| leader.address.clone());
        let known = [leads.clone(), told, configured.cloned()].into_iter().flatten();
        Some(Member {
            id,
            address: known.into_iter().find(|address| !address.is_empty())?,
            is_primary: leads.is_some(),
            is_connected: link.is_none_or(|link| link.outbound.is_up && link.inbound.is_up),
        })
    };
    let settings = &shared.settings;
    let peers = settings.peers.iter().filter(|peer| peer.kind != MemberKind::Witness);
    let others = peers.filter_map(|peer| member(peer.id, peer.client.as_ref()));
    let itself = (settings.elect.kind() != MemberKind::Witness)
        .then(|| member(own, Some(&settings.advertise_client)))
        .flatten();
    let mut members: Vec<_> = itself.into_iter().chain(others).collect();
    members.sort_by_key(|member| !member.is_primary);
    members
}

/// Before the first primary is known nobody serves a slot, and that is what clients ask about.
fn slots(members: &[Member]) -> Reply {
    if !members.first().is_some_and(|first| first.is_primary) {
        return Reply::error("CLUSTERDOWN no primary is known yet");
    }
    let node = |member: &Member| {
        let (host, port) = split(&member.address);
        let metadata = Reply::Array(Vec::new());
        Reply::Array(vec![
            Reply::text(host),
            Reply::Number(number(port)),
            Reply::text(hash(member.id)),
            metadata,
        ])
    };
    let range = [Reply::Number(0), Reply::Number(SLOTS - 1)];
    Reply::Array(vec![Reply::Array(range.into_iter().chain(members.iter().map(node)).collect())])
}

fn shards(shared: &Shared, members: &[Member]) -> Reply {
    let progress = shared.progress();
    let node = |member: &Member| {
        let (host, port) = split(&member.address);
        let follower = progress.followers.iter().find(|(id, _)| *id == member.id);
        let is_own = member.id == shared.settings.node();
        let offset =
            follower.map_or(if is_own { progress.durable } else { progress.commit }, |(_, offset)| *offset);
        Reply::Map(vec![
            ("id", Reply::text(hash(member.id))),
            ("port", Reply::Number(number(port))),
            ("ip", Reply::text(host)),
            ("endpoint", Reply::text(host)),
            ("role", Reply::text(if member.is_primary { "master" } else { "replica" })),
            ("replication-offset", Reply::Number(i64::try_from(offset).unwrap_or(i64::MAX))),
            ("health", Reply::text(if member.is_connected { "online" } else { "fail" })),
        ])
    };
    Reply::Array(vec![Reply::Map(vec![
        ("slots", Reply::Array(vec![Reply::Number(0), Reply::Number(SLOTS - 1)])),
        ("nodes", Reply::Array(members.iter().map(node).collect())),
    ])])
}

fn nodes(shared: &Shared, members: &[Member]) -> String {
    let primary = members.iter().find(|member| member.is_primary).map(|member| hash(member.id));
    let epoch = shared.leader().map_or(0, |leader| leader.epoch.number());
    let mut text = String::new();
    for Member { id, address, is_primary, is_connected } in members {
        let (host, port) = split(address);
        let myself = if *id == shared.settings.node() { "myself," } else { "" };
        let role = if *is_primary { "master" } else { "slave" };
        let follows = primary.as_deref().filter(|_| !is_primary).unwrap_or("-");
        let link = if *is_connected { "connected" } else { "disconnected" };
        let slots = if *is_primary { " 0-16383" } else { "" };
        // Into a `String`: never fails.
        let _ = writeln!(
            text,
            "{} {host}:{port}@{port} {myself}{role} {follows} 0 0 {epoch} {link}{slots}",
            hash(*id)
        );
    }
    text
}

fn info(shared: &Shared, members: &[Member]) -> String {
    let leader = shared.leader();
    let has_primary =
        leader.is_some_and(|leader| leader.id != shared.settings.node() || shared.office().is_some());
    let (state, served) = if has_primary { ("ok", SLOTS) } else { ("fail", 0) };
    let epoch = shared.leader().map_or(0, |leader| leader.epoch.number());
    let known = members.len();
    format!(
        "cluster_enabled:1\r\ncluster_state:{state}\r\ncluster_slots_assigned:{SLOTS}\r\ncluster_slots_ok:{served}\r\n\
         cluster_slots_pfail:0\r\ncluster_slots_fail:{failed}\r\ncluster_known_nodes:{known}\r\ncluster_size:1\r\n\
         cluster_current_epoch:{epoch}\r\ncluster_my_epoch:{epoch}\r\n",
        failed = SLOTS - served,
    )
}

fn number(port: &str) -> i64 {
    port.parse().unwrap_or(0)
}

/// Forty hexadecimal digits that stand for a name, as long as it lives: clients know nodes by them.
fn hash(id: NodeId) -> String {
    let fnv = |start: u64| {
        let bytes = id.as_str().bytes();
        bytes.fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let [one, two, three] = [0xcbf2_9ce4_8422_2325, 0x8422_2325_cbf2_9ce4, 0x9ce4_cbf2_2325_8422].map(fnv);
    format!("{one:016x}{two:016x}{:08x}", three >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, port: u16, is_primary: bool) -> Member {
        let id = NodeId::new(id).unwrap();
        Member { id, address: format!("[::1]:{port}"), is_primary, is_connected: true }
    }

    #[test]
    fn the_primary_serves_every_slot_and_stands_first() {
        let Reply::Array(ranges) = slots(&[member("b", 2, true), member("a", 1, false)]) else { panic!() };
        let [Reply::Array(range)] = &ranges[..] else { panic!("{ranges:?}") };
        assert_eq!(range[..2], [Reply::Number(0), Reply::Number(16_383)]);
        let Reply::Array(primary) = &range[2] else { panic!() };
        assert_eq!(primary[..2], [Reply::text("::1"), Reply::Number(2)]);
        assert_eq!(range.len(), 4);
        let Reply::Error(text) = slots(&[member("a", 1, false)]) else { panic!("nobody has led") };
        assert!(text.starts_with("CLUSTERDOWN "), "an empty list breaks clients: {text}");
    }

    #[test]
    fn names_become_forty_digits_each_its_own() {
        let names: std::collections::BTreeSet<_> =
            ["a", "b", "ab", "ba", "node-1", "node-2"].map(|name| hash(NodeId::new(name).unwrap())).into();
        assert_eq!(names.len(), 6);
        assert!(names.iter().all(|name| name.len() == 40 && name.bytes().all(|b| b.is_ascii_hexdigit())));
    }
}
