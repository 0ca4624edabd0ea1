//! What `COMMAND` says of each command: cluster clients find the keys by it.

use bytes::Bytes;

use super::reply::Reply;
use super::words::upper;
use super::write::wrong_number;

/// A command: its name in lower case; its arity with the name, negative for "at least"; its flags; where its first and
/// last key stand, and how far apart.
struct Entry(&'static str, i64, &'static [&'static str], [i64; 3], &'static str);

const READ: &[&str] = &["readonly", "fast"];
const WRITE: &[&str] = &["write", "denyoom"];
const SERVER: &[&str] = &["loading", "stale", "fast"];
const OPERATOR: &[&str] = &["admin", "stale"];

const NONE: [i64; 3] = [0, 0, 0];
const ONE: [i64; 3] = [1, 1, 1];
const ALL: [i64; 3] = [1, -1, 1];

#[rustfmt::skip]
const TABLE: &[Entry] = &[
    Entry("asking", 1, SERVER, NONE, "Accepted and of no effect: there is one shard."),
    Entry("auth", -2, SERVER, NONE, "Authenticates the connection."),
    Entry("client", -2, SERVER, NONE, "Names the connection."),
    Entry("cluster", -2, SERVER, NONE, "Shows the one shard."),
    Entry("command", -1, SERVER, NONE, "Describes commands."),
    Entry("config", -2, OPERATOR, NONE, "Shows settings that clients ask for."),
    Entry("dbsize", 1, READ, NONE, "The number of keys."),
    Entry("decr", 2, WRITE, ONE, "Subtracts one."),
    Entry("decrby", 3, WRITE, ONE, "Subtracts a number."),
    Entry("del", -2, WRITE, ALL, "Deletes keys."),
    Entry("discard", 1, SERVER, NONE, "Forgets what was queued."),
    Entry("echo", 2, SERVER, NONE, "Returns its argument."),
    Entry("elect", -2, OPERATOR, NONE, "The election, for operators."),
    Entry("exec", 1, SERVER, NONE, "Writes what was queued, all at once."),
    Entry("exists", -2, READ, ALL, "How many of the keys there are."),
    Entry("failover", -1, OPERATOR, NONE, "Hands over."),
    Entry("get", 2, READ, ONE, "The value of a key."),
    Entry("hello", -1, SERVER, NONE, "Chooses the version of the protocol."),
    Entry("incr", 2, WRITE, ONE, "Adds one."),
    Entry("incrby", 3, WRITE, ONE, "Adds a number."),
    Entry("info", -1, SERVER, NONE, "What this node says of itself."),
    Entry("keys", 2, &["readonly"], NONE, "The keys that match a pattern."),
    Entry("mget", -2, READ, ALL, "The values of keys, at one moment."),
    Entry("mset", -3, WRITE, [1, -1, 2], "Sets keys, all at once."),
    Entry("multi", 1, SERVER, NONE, "Queues writes until EXEC."),
    Entry("ping", -1, SERVER, NONE, "Answers PONG."),
    Entry("pttl", 2, READ, ONE, "-1 for every key: nothing expires."),
    Entry("quit", -1, SERVER, NONE, "Closes the connection."),
    Entry("readonly", 1, SERVER, NONE, "Accepted and of no effect: only the primary reads."),
    Entry("readwrite", 1, SERVER, NONE, "Accepted and of no effect."),
    Entry("role", 1, SERVER, NONE, "Whether this node is the primary."),
    Entry("scan", -2, &["readonly"], NONE, "The keys, step by step."),
    Entry("select", 2, SERVER, NONE, "Takes database 0."),
    Entry("set", -3, WRITE, ONE, "Sets a key."),
    Entry("setnx", 3, WRITE, ONE, "Sets a key that is absent."),
    Entry("strlen", 2, READ, ONE, "How long the value of a key is."),
    Entry("ttl", 2, READ, ONE, "-1 for every key: nothing expires."),
    Entry("type", 2, READ, ONE, "string, or none."),
    Entry("unlink", -2, WRITE, ALL, "Deletes keys."),
    Entry("unwatch", 1, SERVER, NONE, "Of no effect: nothing is watched."),
    Entry("wait", 3, SERVER, NONE, "How many replicas hold what was acknowledged."),
    Entry("watch", -2, SERVER, ALL, "Refused: keys are not watched."),
];

/// `COMMAND` and its subcommands.
pub(super) fn command(arguments: &[Bytes]) -> Reply {
    let Some((subcommand, names)) = arguments.split_first() else {
        return Reply::Array(TABLE.iter().map(Entry::info).collect());
    };
    match (upper(subcommand).as_str(), names) {
        ("COUNT", []) => Reply::Number(i64::try_from(TABLE.len()).unwrap_or(i64::MAX)),
        ("LIST", []) => Reply::Array(TABLE.iter().map(|entry| Reply::text(entry.0)).collect()),
        ("INFO", []) => Reply::Array(TABLE.iter().map(Entry::info).collect()),
        ("INFO", names) => {
            Reply::Array(names.iter().map(|name| find(name).map_or(Reply::Null, Entry::info)).collect())
        }
        ("DOCS", []) => Reply::Map(TABLE.iter().map(Entry::docs).collect()),
        ("DOCS", names) => Reply::Map(names.iter().filter_map(find).map(Entry::docs).collect()),
        _ => Reply::error("ERR COMMAND takes COUNT, LIST, INFO [name …] or DOCS [name …]"),
    }
}

/// Whether there is such a command, whatever its arguments. `name` is in upper case.
pub(super) fn knows(name: &str) -> bool {
    TABLE.iter().any(|entry| name.eq_ignore_ascii_case(entry.0))
}

/// Why a request is none: of a command that there is, its arguments are wrong.
pub(super) fn unknown(name: &str, word: &Bytes) -> Reply {
    if knows(name) {
        return wrong_number(name);
    }
    Reply::error(format!("ERR unknown command '{}'", String::from_utf8_lossy(word).escape_debug()))
}

/// Whether a command reads what the disk holds. `name` is in upper case.
pub(super) fn reads(name: &str) -> bool {
    matches!(
        name,
        "GET" | "MGET" | "EXISTS" | "STRLEN" | "TYPE" | "TTL" | "PTTL" | "DBSIZE" | "KEYS" | "SCAN"
    )
}

fn find(name: &Bytes) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| name.eq_ignore_ascii_case(entry.0.as_bytes()))
}

impl Entry {
    fn info(&self) -> Reply {
        let Self(name, arity, flags, keys, _) = self;
        let mut fields = vec![Reply::text(*name), Reply::Number(*arity)];
        fields.push(Reply::Array(flags.iter().map(|flag| Reply::Simple(flag)).collect()));
        fields.extend(keys.map(Reply::Number));
        // Categories, tips, key specifications and subcommands, of which it says nothing.
        fields.extend(std::iter::repeat_n(Reply::Array(Vec::new()), 4));
        Reply::Array(fields)
    }

    fn docs(&self) -> (&'static str, Reply) {
        let Self(name, .., summary) = self;
        let docs = vec![
            ("summary", Reply::text(*summary)),
            ("since", Reply::text("1.0.0")),
            ("group", Reply::text("generic")),
        ];
        (name, Reply::Map(docs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_is_what_command_calls_read_only() {
        for Entry(name, _, flags, ..) in TABLE {
            assert_eq!(reads(&name.to_ascii_uppercase()), flags.contains(&"readonly"), "{name}");
        }
    }
}
