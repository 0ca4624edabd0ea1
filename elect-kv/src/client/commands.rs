//! Everything that is answered without a log entry: reads, the server's own affairs, the elector's.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::access::{Access, auth};
use super::cluster::cluster;
use super::limits::Room;
use super::operator::{elect, failover_to, request};
use super::pattern::matches;
use super::read::{KEY_OVERHEAD_BYTES, look_up, read};
use super::reply::{Reply, Version};
use super::transaction::Transaction;
use super::words::{number, upper};
use super::{info, table};
use crate::node::shared::Shared;

/// Cursors that one connection may keep open.
const CURSORS_MAX: usize = 64;
/// What belongs to one connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) id: u64,
    pub(super) version: Version,
    pub(super) closing: bool,
    /// What the replies take that are being made, or not taken yet.
    pub(super) room: Room,
    pub(super) access: Access,
    /// What stands between `MULTI` and `EXEC`.
    pub(super) transaction: Option<Transaction>,
    name: Bytes,
    /// Where unfinished scans go on: cursor, last key.
    cursors: BTreeMap<u64, Bytes>,
    next_cursor: u64,
}

impl Session {
    pub(super) fn new(id: u64, access: Access) -> Self {
        Self { id, access, next_cursor: 1, ..Self::default() }
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
            ("AUTH", _) => match auth(&shared.settings.file, arguments) {
                Ok(access) => {
                    self.access = access;
                    Reply::OK
                }
                Err(refused) => refused,
            },
            ("COMMAND", _) => table::command(arguments),
            ("CONFIG", [subcommand, patterns @ ..]) => info::config(shared, &upper(subcommand), patterns),
            ("CLUSTER", _) => cluster(shared, arguments),
            // Only the primary reads, whatever a connection asks for.
            ("READONLY" | "READWRITE" | "ASKING", []) => Reply::OK,
            ("FAILOVER", []) => request(shared.handle.handover(None)),
            ("FAILOVER", [to, target @ ..]) if upper(to) == "TO" => failover_to(shared, target),
            ("FAILOVER", [option]) if upper(option) == "ABORT" => request(shared.handle.cancel_handover()),
            ("ELECT", [subcommand, rest @ ..]) => elect(shared, &upper(subcommand), rest),
            ("EXPIRE" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT" | "SETEX" | "PSETEX" | "GETEX", _) => {
                Reply::error("ERR this server knows no expiry")
            }
            _ => look_up(&mut self.room, shared, name, arguments)
                .unwrap_or_else(|| table::unknown(name, &words[0])),
        }
    }

    /// Everything is checked first: a `HELLO` that is refused changes nothing.
    fn hello(&mut self, shared: &Shared, arguments: &[Bytes]) -> Reply {
        let (version, mut options) = match arguments.split_first() {
            None => (self.version, arguments),
            Some((number, options)) if number.as_ref() == b"2" => (Version::Resp2, options),
            Some((number, options)) if number.as_ref() == b"3" => (Version::Resp3, options),
            Some(_) => return Reply::error("NOPROTO this server speaks protocol versions 2 and 3"),
        };
        let (mut access, mut name) = (self.access, None);
        while let Some((option, rest)) = options.split_first() {
            options = match (upper(option).as_str(), rest) {
                ("AUTH", [user, password, rest @ ..]) => {
                    match Access::with_password(&shared.settings.file, Some(user), password) {
                        Ok(granted) => access = granted,
                        Err(refused) => return refused,
                    }
                    rest
                }
                ("SETNAME", [word, rest @ ..]) => {
                    name = Some(word.clone());
                    rest
                }
                (other, _) => {
                    return Reply::error(format!(
                        "ERR Syntax error in HELLO option '{}'",
                        other.escape_debug()
                    ));
                }
            };
        }
        if access == Access::Nothing {
            return Reply::error("NOAUTH HELLO needs AUTH <user> <password> here, or AUTH before it");
        }
        (self.version, self.access) = (version, access);
        self.name = name.unwrap_or_else(|| std::mem::take(&mut self.name));
        let role = if shared.office().is_some() { "master" } else { "replica" };
        Reply::Map(vec![
            ("server", Reply::text("redis")),
            ("version", Reply::text("7.0.0")),
            ("proto", Reply::Number(if self.version == Version::Resp3 { 3 } else { 2 })),
            ("id", Reply::Number(i64::try_from(self.id).unwrap_or(i64::MAX))),
            ("mode", Reply::text("cluster")),
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
        let Some(cursor) = number(cursor) else { return Reply::error("ERR invalid cursor") };
        let (mut pattern, mut count) = (Bytes::from_static(b"*"), 10_usize);
        for option in options.chunks(2) {
            match (upper(&option[0]).as_str(), option.get(1)) {
                ("MATCH", Some(word)) => pattern = word.clone(),
                ("COUNT", Some(word)) => match number(word) {
                    Some(asked @ 1..=10_000) => count = asked,
                    _ => return Reply::error("ERR COUNT must be 1 to 10000"),
                },
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
        read(shared, None, |view| {
            let keys = view.keys_after(after.as_deref(), count)?;
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
