//! `MULTI … EXEC`: writes that become one entry of the log, all of them or none.

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::limits::queued_room;
use super::refusal::not_primary;
use super::reply::Reply;
use super::request::REQUEST_BYTES_MAX;
use super::table;
use super::write::{Write, parse_write, wrong_number};
use crate::node::shared::Shared;
use crate::store::{Command, SetReply};

/// What a queued write takes besides its words.
const OVERHEAD_BYTES: usize = 256;

/// What stands between `MULTI` and `EXEC`.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    writes: Vec<Write>,
    room: Option<OwnedSemaphorePermit>,
    /// Whether something was refused: then nothing is executed.
    is_broken: bool,
}

/// What a request comes to that a transaction is concerned with.
pub(super) enum Step {
    Reply(Reply),
    /// All that was queued.
    Write(Write),
}

/// `None` if the request is to be answered as any other. `name` is in upper case.
pub(super) fn step(
    open: &mut Option<Transaction>,
    shared: &Shared,
    name: &str,
    words: &[Bytes],
) -> Option<Step> {
    let reply = match (name, words, open.as_mut()) {
        ("MULTI", [_], None) => {
            *open = Some(Transaction::default());
            Reply::OK
        }
        ("MULTI", [_], Some(_)) => Reply::error("ERR MULTI calls can not be nested"),
        ("EXEC", [_], Some(_)) => return open.take().map(Transaction::execute),
        ("DISCARD", [_], Some(_)) => {
            *open = None;
            Reply::OK
        }
        ("EXEC" | "DISCARD", [_], None) => Reply::error(format!("ERR {name} without MULTI")),
        ("WATCH", [_, _, ..], _) => Reply::error(
            "ERR this server knows no WATCH: a write that depends on what is there is SET with NX or XX, or INCR",
        ),
        ("UNWATCH", [_], None) => Reply::OK,
        ("QUIT", ..) => return None,
        (_, _, Some(transaction)) => transaction.queue(shared, name, words),
        ("MULTI" | "EXEC" | "DISCARD" | "WATCH" | "UNWATCH", ..) => wrong_number(name),
        (_, _, None) => return None,
    };
    Some(Step::Reply(reply))
}

impl Transaction {
    fn queue(&mut self, shared: &Shared, name: &str, words: &[Bytes]) -> Reply {
        match self.take(shared, name, words) {
            Ok(()) => Reply::Simple("QUEUED"),
            Err(refused) => {
                *self = Self { is_broken: true, ..Self::default() };
                refused
            }
        }
    }

    /// The checks of a single write, and of the room.
    fn take(&mut self, shared: &Shared, name: &str, words: &[Bytes]) -> Result<(), Reply> {
        let Some(write) = parse_write(name, words)? else {
            let is_known = table::knows(name);
            return Err(if is_known { not_queued(name) } else { table::unknown(name, &words[0]) });
        };
        if matches!(write.command, Command::Set { reply: SetReply::Old, .. }) {
            return Err(not_queued("SET with GET"));
        }
        if shared.office().is_none() {
            return Err(not_primary(shared, Some(&write.key), None));
        }
        if self.is_broken {
            return Ok(());
        }
        let bytes = words.iter().map(Bytes::len).sum::<usize>() + OVERHEAD_BYTES;
        let held = self.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if held + bytes > REQUEST_BYTES_MAX {
            return Err(Reply::error(format!("ERR a transaction of more than {REQUEST_BYTES_MAX} bytes")));
        }
        let more = queued_room(&shared.limits, bytes)?;
        match &mut self.room {
            Some(room) => room.merge(more),
            None => self.room = Some(more),
        }
        self.writes.push(write);
        Ok(())
    }

    fn execute(self) -> Step {
        if self.is_broken {
            return Step::Reply(Reply::error("EXECABORT Transaction discarded because of previous errors."));
        }
        let Some(first) = self.writes.first() else { return Step::Reply(Reply::Array(Vec::new())) };
        let key = first.key.clone();
        let commands = self.writes.into_iter().map(|write| write.command).collect();
        Step::Write(Write { key, command: Command::Transaction { commands } })
    }
}

fn not_queued(what: &str) -> Reply {
    Reply::error(format!("ERR {what} inside MULTI: this server queues writes that read nothing"))
}
