//! What operators ask for.

use std::time::Duration;

use bytes::Bytes;
use elect_core::{HandoverRequest, NodeId};

use super::address::shown;
use super::reply::Reply;
use super::words::{number, upper};
use crate::node::shared::Shared;
use crate::report::Report;

/// `FAILOVER TO`: a node's name, or the host and port at which clients reach it, as in Redis.
pub(super) fn failover_to(shared: &Shared, target: &[Bytes]) -> Reply {
    let words: Vec<_> = target.iter().map(|word| String::from_utf8_lossy(word)).collect();
    let address = words.join(":");
    let mut peers = shared.settings.peers.iter();
    match peers.find(|peer| {
        peer.id.as_str() == address || peer.client.as_ref().is_some_and(|client| shown(client) == address)
    }) {
        Some(peer) => request(shared.handle.handover(peer.id)),
        None => {
            Reply::error("ERR FAILOVER TO takes another node's name, or the host and port of its clients")
        }
    }
}

/// The operator's commands.
pub(super) fn elect(shared: &Shared, subcommand: &str, rest: &[Bytes]) -> Reply {
    let handle = &shared.handle;
    match (subcommand, rest) {
        ("EXPLAIN", []) => match handle.explain() {
            Ok(explanation) => {
                let standstill = shared.standstill_text();
                let lines = std::iter::once(explanation.to_string())
                    .chain(standstill)
                    .chain(shared.replication_problems());
                Reply::text(lines.collect::<Vec<_>>().join("\n"))
            }
            Err(gone) => Reply::error(format!("ERR {gone}")),
        },
        ("STATUS", []) => match Report::of(shared) {
            Ok(report) => Reply::text(report.to_json()),
            Err(gone) => Reply::error(format!("ERR {gone}")),
        },
        ("HANDOVER", []) => request(handle.handover(None)),
        ("HANDOVER", [target, options @ ..]) => match (NodeId::from_bytes(target), options) {
            (Ok(target), []) => request(handle.handover(target)),
            (Ok(target), [option]) if upper(option) == "FORCE" => {
                request(handle.handover(HandoverRequest { force: true, ..target.into() }))
            }
            (Ok(_), _) => Reply::error("ERR HANDOVER takes a node and perhaps FORCE"),
            (Err(error), _) => Reply::error(format!("ERR {error}")),
        },
        ("RESIGN", []) => request(handle.resign()),
        ("PAUSE", [millis]) => match number(millis) {
            Some(millis) => request(handle.pause(Duration::from_millis(millis))),
            None => Reply::error("ERR PAUSE takes milliseconds"),
        },
        ("RESUME", []) => request(handle.resume()),
        _ => Reply::error(
            "ERR ELECT takes EXPLAIN, STATUS, HANDOVER [node [FORCE]], RESIGN, PAUSE milliseconds or RESUME",
        ),
    }
}

pub(super) fn request(result: Result<(), elect_tcp::RequestError>) -> Reply {
    result.map_or_else(|error| Reply::error(format!("ERR {error}")), |()| Reply::OK)
}
