//! Everything that is answered without a log entry: reads, the server's own affairs, the elector's.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use elect_core::{HandoverRequest, NodeId, NotInOffice};

use super::info;
use super::limits::Room;
use super::reply::{Reply, Version};
use super::write::wrong_number;
use crate::node::shared::Shared;
use crate::store::{Store, StoreError};

/// Cursors that one connection may keep open.
const CURSORS_MAX: usize = 64;
/// Keys that `KEYS` looks at before it counts what it holds.
const KEYS_AT_ONCE: usize = 1024;
/// What a key costs in a reply besides its bytes.
const KEY_OVERHEAD_BYTES: usize = 80;

/// What belongs to one connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) id: u64,
    pub(super) version: Version,
    pub(super) closing: bool,
    /// What the replies take that are being made, or not taken yet.
    pub(super) room: Room,
    name: Bytes,
    /// Where unfinished scans go on: cursor, last key.
    cursors: BTreeMap<u64, Bytes>,
    next_cursor: u64,
}

impl Session {
    pub(super) fn new(id: u64) -> Self {
        Self { id, next_cursor: 1, ..Self::default() }
    }

    /// Answers a request that is not a write. `name` is in upper case.
    pub(super) fn answer(&mut self, shared: &Shared, name: &str, words: &[Bytes]) -> Reply {
        let arguments = &words[1..];
        match (name, arguments) {
            ("PING", []) => Reply::Simple("PONG"),
            ("PING" | "ECHO", [word]) => Reply::Bulk(word.clone()),
            ("QUIT", _) => {
                self.closing = true;
                Reply::OK
            }
            ("GET", [key]) => read(shared, Some(key), |store| {
                let Some(value) = store.value(key)? else { return Ok(Reply::Null) };
                Ok(self
                    .room
                    .take(value.len(), &shared.limits)
                    .map_or_else(|full| full, |()| Reply::Bulk(value)))
            }),
            ("EXISTS", [first, ..]) => read(shared, Some(first), |store| {
                let mut found = 0;
                for key in arguments {
                    found += i64::from(store.value(key)?.is_some());
                }
                Ok(Reply::Number(found))
            }),
            ("MGET", [first, ..]) => read(shared, Some(first), |store| {
                let mut values = Vec::with_capacity(arguments.len());
                for key in arguments {
                    let value = store.value(key)?;
                    if let Err(full) = self.room.take(value.as_ref().map_or(0, Bytes::len), &shared.limits) {
                        return Ok(full);
                    }
                    values.push(value.map_or(Reply::Null, Reply::Bulk));
                }
                Ok(Reply::Array(values))
            }),
            ("DBSIZE", []) => {
                read(shared, None, |store| Ok(Reply::Number(i64::try_from(store.keys()).unwrap_or(i64::MAX))))
            }
            ("KEYS", [pattern]) => read(shared, None, |store| {
                let (mut found, mut after) = (Vec::new(), None);
                loop {
                    let keys = store.keys_after(after.as_deref(), KEYS_AT_ONCE)?;
                    after = keys.last().cloned();
                    let last = keys.len() < KEYS_AT_ONCE;
                    for key in keys.into_iter().filter(|key| matches(pattern, key)) {
                        if let Err(full) = self.room.take(key.len() + KEY_OVERHEAD_BYTES, &shared.limits) {
                            return Ok(full);
                        }
                        found.push(Reply::Bulk(key));
                    }
                    if last {
                        return Ok(Reply::Array(found));
                    }
                }
            }),
            ("SCAN", [cursor, options @ ..]) => self.scan(shared, cursor, options),
            ("INFO", _) => {
                let section =
                    arguments.first().map(|word| String::from_utf8_lossy(word).to_ascii_lowercase());
                Reply::text(info::info(shared, section.as_deref().filter(|section| *section != "default")))
            }
            ("ROLE", []) => info::role(shared),
            ("HELLO", _) => self.hello(shared, arguments),
            ("SELECT", [index]) if index.as_ref() == b"0" => Reply::OK,
            ("SELECT", [_]) => Reply::error("ERR DB index is out of range: there is database 0 only"),
            ("CLIENT", [subcommand, rest @ ..]) => self.client(&upper(subcommand), rest),
            ("COMMAND", [subcommand, ..]) if upper(subcommand) == "COUNT" => Reply::Number(0),
            ("COMMAND", _) => Reply::Array(Vec::new()),
            ("FAILOVER", []) => request(shared.handle.handover(None)),
            ("FAILOVER", [to, target @ ..]) if upper(to) == "TO" => failover_to(shared, target),
            ("FAILOVER", [option]) if upper(option) == "ABORT" => request(shared.handle.cancel_handover()),
            ("ELECT", [subcommand, rest @ ..]) => elect(shared, &upper(subcommand), rest),
            (
                "PING" | "ECHO" | "GET" | "EXISTS" | "MGET" | "DBSIZE" | "KEYS" | "SCAN" | "ROLE" | "SELECT"
                | "CLIENT" | "ELECT",
                _,
            ) => wrong_number(name),
            _ => Reply::error(format!(
                "ERR unknown command '{}'",
                String::from_utf8_lossy(&words[0]).escape_debug()
            )),
        }
    }

    fn hello(&mut self, shared: &Shared, arguments: &[Bytes]) -> Reply {
        match arguments.first().map(AsRef::as_ref) {
            None => {}
            Some(b"2") => self.version = Version::Resp2,
            Some(b"3") => self.version = Version::Resp3,
            Some(_) => return Reply::error("NOPROTO this server speaks protocol versions 2 and 3"),
        }
        if arguments.iter().any(|word| upper(word) == "AUTH") {
            return Reply::error("ERR this server knows no users: connect without AUTH");
        }
        let role = if shared.office().is_some() { "master" } else { "replica" };
        Reply::Map(vec![
            ("server", Reply::text("redis")),
            ("version", Reply::text("7.0.0")),
            ("proto", Reply::Number(if self.version == Version::Resp3 { 3 } else { 2 })),
            ("id", Reply::Number(i64::try_from(self.id).unwrap_or(i64::MAX))),
            ("mode", Reply::text("standalone")),
            ("role", Reply::text(role)),
            ("modules", Reply::Array(Vec::new())),
        ])
    }

    fn client(&mut self, subcommand: &str, rest: &[Bytes]) -> Reply {
        match (subcommand, rest) {
            ("SETNAME", [name]) => {
                self.name = name.clone();
                Reply::OK
            }
            ("GETNAME", []) => Reply::Bulk(self.name.clone()),
            ("ID", []) => Reply::Number(i64::try_from(self.id).unwrap_or(i64::MAX)),
            ("SETINFO" | "NO-EVICT" | "NO-TOUCH", _) => Reply::OK,
            _ => Reply::error(format!("ERR unknown subcommand '{}' of CLIENT", subcommand.escape_debug())),
        }
    }

    fn scan(&mut self, shared: &Shared, cursor: &Bytes, options: &[Bytes]) -> Reply {
        let Some(cursor) = std::str::from_utf8(cursor).ok().and_then(|cursor| cursor.parse::<u64>().ok())
        else {
            return Reply::error("ERR invalid cursor");
        };
        let (mut pattern, mut count) = (Bytes::from_static(b"*"), 10_usize);
        for option in options.chunks(2) {
            match (upper(&option[0]).as_str(), option.get(1)) {
                ("MATCH", Some(word)) => pattern = word.clone(),
                ("COUNT", Some(word)) => {
                    match std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()) {
                        Some(number @ 1..=10_000) => count = number,
                        _ => return Reply::error("ERR COUNT must be 1 to 10000"),
                    }
                }
                _ => return Reply::error("ERR syntax error"),
            }
        }
        let after = match self.cursors.remove(&cursor) {
            Some(key) => Some(key),
            None if cursor == 0 => None,
            None => {
                return Reply::error(
                    "ERR invalid cursor: cursors belong to the connection that began the scan",
                );
            }
        };
        read(shared, None, |store| {
            let keys = store.keys_after(after.as_deref(), count)?;
            let next = match keys.last() {
                Some(last) if keys.len() == count => self.keep_cursor(last.clone()),
                _ => 0,
            };
            let keys: Vec<_> = keys.into_iter().filter(|key| matches(&pattern, key)).collect();
            let bytes = keys.iter().map(|key| key.len() + KEY_OVERHEAD_BYTES).sum();
            if let Err(full) = self.room.take(bytes, &shared.limits) {
                return Ok(full);
            }
            let keys = keys.into_iter().map(Reply::Bulk).collect();
            Ok(Reply::Array(vec![Reply::text(next.to_string()), Reply::Array(keys)]))
        })
    }

    fn keep_cursor(&mut self, last: Bytes) -> u64 {
        if self.cursors.len() >= CURSORS_MAX {
            self.cursors.pop_first();
        }
        let cursor = self.next_cursor;
        self.next_cursor += 1;
        self.cursors.insert(cursor, last);
        cursor
    }
}

/// A read: the value first, from acknowledged state, and the lease after it (S7).
fn read(
    shared: &Shared,
    key: Option<&[u8]>,
    take: impl FnOnce(&Store) -> Result<Reply, StoreError>,
) -> Reply {
    let refused = |reason: Option<NotInOffice>| Reply::Error(shared.refusal(key, reason));
    let (Some(office), Some(store)) = (shared.office(), &shared.store) else { return refused(None) };
    match take(store) {
        Err(error) => Reply::error(format!("ERR {error}")),
        Ok(reply) => {
            office.finish_read(reply, || shared.handle.now()).unwrap_or_else(|reason| refused(Some(reason)))
        }
    }
}

/// `FAILOVER TO`: a node's name, or the host and port at which clients reach it, as in Redis.
fn failover_to(shared: &Shared, target: &[Bytes]) -> Reply {
    let words: Vec<_> = target.iter().map(|word| String::from_utf8_lossy(word)).collect();
    let address = words.join(":");
    let mut peers = shared.settings.peers.iter();
    match peers.find(|peer| peer.id.as_str() == address || peer.client.as_ref() == Some(&address)) {
        Some(peer) => request(shared.handle.handover(peer.id)),
        None => {
            Reply::error("ERR FAILOVER TO takes another node's name, or the host and port of its clients")
        }
    }
}

/// The operator's commands.
fn elect(shared: &Shared, subcommand: &str, rest: &[Bytes]) -> Reply {
    let handle = &shared.handle;
    match (subcommand, rest) {
        ("EXPLAIN", []) => match handle.explain() {
            Ok(explanation) => Reply::text(match shared.standstill_text() {
                Some(why) => format!("{explanation}\n{why}"),
                None => explanation.to_string(),
            }),
            Err(gone) => Reply::error(format!("ERR {gone}")),
        },
        ("STATUS", []) => match handle.status() {
            Ok(status) => {
                Reply::text(serde_json::to_string(&status).expect("a status has only plain fields"))
            }
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
        ("PAUSE", [millis]) => {
            match std::str::from_utf8(millis).ok().and_then(|millis| millis.parse().ok()) {
                Some(millis) => request(handle.pause(Duration::from_millis(millis))),
                None => Reply::error("ERR PAUSE takes milliseconds"),
            }
        }
        ("RESUME", []) => request(handle.resume()),
        _ => Reply::error(
            "ERR ELECT takes EXPLAIN, STATUS, HANDOVER [node [FORCE]], RESIGN, PAUSE milliseconds or RESUME",
        ),
    }
}

fn request(result: Result<(), elect_tcp::RequestError>) -> Reply {
    result.map_or_else(|error| Reply::error(format!("ERR {error}")), |()| Reply::OK)
}

/// A word in upper case; what is not text matches no command.
pub(super) fn upper(word: &Bytes) -> String {
    String::from_utf8_lossy(word).to_ascii_uppercase()
}

/// Whether `key` matches a pattern of `*`, `?`, `[a-z]`, `[^a]` and `\x`. Takes pattern × key steps at most.
fn matches(pattern: &[u8], key: &[u8]) -> bool {
    let (mut at, mut rest) = (0, key);
    // Where to go on when what follows the last star does not match.
    let mut star: Option<(usize, &[u8])> = None;
    loop {
        let step = match (pattern.get(at), rest.split_first()) {
            (Some(b'*'), _) => {
                star = Some((at + 1, rest));
                at += 1;
                continue;
            }
            (None, None) => return true,
            (Some(_), Some((&byte, _))) => match_one(pattern, at, byte),
            _ => None,
        };
        match (step, star) {
            (Some(next), _) => {
                at = next;
                rest = &rest[1..];
            }
            (None, Some((after, from))) if !from.is_empty() => {
                star = Some((after, &from[1..]));
                at = after;
                rest = &from[1..];
            }
            (None, _) => return false,
        }
    }
}

/// Where the pattern goes on if its element at `at` matches `byte`.
fn match_one(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    match pattern[at] {
        b'?' => Some(at + 1),
        b'\\' if at + 1 < pattern.len() => (pattern[at + 1] == byte).then_some(at + 2),
        b'[' => {
            let end = at + 1 + pattern[at + 1..].iter().position(|&byte| byte == b']')?;
            let (negated, set) = match &pattern[at + 1..end] {
                [b'^', set @ ..] => (true, set),
                set => (false, set),
            };
            let mut set = set;
            let mut found = false;
            while let [first, rest @ ..] = set {
                if let [b'-', last, rest @ ..] = rest {
                    found |= (*first.min(last)..=*first.max(last)).contains(&byte);
                    set = rest;
                } else {
                    found |= *first == byte;
                    set = rest;
                }
            }
            (found != negated).then_some(end + 1)
        }
        literal => (literal == byte).then_some(at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let table = [
            ("*", "", true),
            ("*", "anything", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a*b*c", "axbxbxc", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[a-c", "ha", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("", "", true),
            ("", "a", false),
        ];
        for (pattern, key, expected) in table {
            assert_eq!(matches(pattern.as_bytes(), key.as_bytes()), expected, "{pattern} {key}");
        }
        let long = "a".repeat(4_000);
        assert!(!matches(format!("{}b", "a*".repeat(30)).as_bytes(), long.as_bytes()), "and it ends soon");
    }
}
