//! Reads: of acknowledged state, as it was at one moment.

use bytes::Bytes;
use elect_core::NotInOffice;

use super::limits::Room;
use super::pattern::matches;
use super::refusal::not_primary;
use super::reply::Reply;
use crate::node::shared::Shared;
use crate::store::{Known, Store, StoreError, View};

/// Keys that `KEYS` looks at before it counts what it holds.
const KEYS_AT_ONCE: usize = 1024;
/// What a key costs in a reply besides its bytes.
pub(super) const KEY_OVERHEAD_BYTES: usize = 80;

/// Answers a read that needs no disk; `None` if it may need it.
pub(super) fn look_up_at_hand(
    room: &mut Room,
    shared: &Shared,
    name: &str,
    arguments: &[Bytes],
) -> Option<Reply> {
    let ("GET", [key]) = (name, arguments) else { return None };
    let value = match shared.store.as_ref()?.value_at_hand(key) {
        Known::Value(value) => Some(value),
        Known::NoValue => None,
        Known::Nothing => return None,
    };
    Some(read_from(shared, Some(key), |_| Ok(value_reply(room, shared, value))))
}

fn value_reply(room: &mut Room, shared: &Shared, value: Option<Bytes>) -> Reply {
    let Some(value) = value else { return Reply::Null };
    room.take(value.len(), &shared.limits).map_or_else(|full| full, |()| Reply::Bulk(value))
}

/// Answers a read; `None` if it is none. `room` is what its reply may take.
pub(super) fn look_up(room: &mut Room, shared: &Shared, name: &str, arguments: &[Bytes]) -> Option<Reply> {
    Some(match (name, arguments) {
        ("GET", [key]) => {
            read_from(shared, Some(key), |store| Ok(value_reply(room, shared, store.value(key)?)))
        }
        ("EXISTS", [first, ..]) => read(shared, Some(first), |view| {
            let mut found = 0;
            for key in arguments {
                found += i64::from(view.contains(key)?);
            }
            Ok(Reply::Number(found))
        }),
        ("MGET", [first, ..]) => read(shared, Some(first), |view| {
            let mut values = Vec::with_capacity(arguments.len());
            for key in arguments {
                let value = view.value(key)?;
                if let Err(full) = room.take(value.as_ref().map_or(0, Bytes::len), &shared.limits) {
                    return Ok(full);
                }
                values.push(value.map_or(Reply::Null, Reply::Bulk));
            }
            Ok(Reply::Array(values))
        }),
        ("STRLEN", [key]) => {
            read(shared, Some(key), |view| Ok(Reply::Number(view.length(key)?.unwrap_or(0).into())))
        }
        ("TYPE", [key]) => read(shared, Some(key), |view| {
            Ok(Reply::Simple(if view.contains(key)? { "string" } else { "none" }))
        }),
        ("TTL" | "PTTL", [key]) => {
            read(shared, Some(key), |view| Ok(Reply::Number(if view.contains(key)? { -1 } else { -2 })))
        }
        ("DBSIZE", []) => {
            read(shared, None, |view| Ok(Reply::Number(i64::try_from(view.keys()?).unwrap_or(i64::MAX))))
        }
        ("KEYS", [pattern]) => read(shared, None, |view| keys(room, shared, view, pattern)),
        _ => return None,
    })
}

fn keys(room: &mut Room, shared: &Shared, view: &View, pattern: &[u8]) -> Result<Reply, StoreError> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let keys = view.keys_after(after.as_deref(), KEYS_AT_ONCE)?;
        after = keys.last().cloned();
        let last = keys.len() < KEYS_AT_ONCE;
        for key in keys.into_iter().filter(|key| matches(pattern, key)) {
            if let Err(full) = room.take(key.len() + KEY_OVERHEAD_BYTES, &shared.limits) {
                return Ok(full);
            }
            found.push(Reply::Bulk(key));
        }
        if last {
            return Ok(Reply::Array(found));
        }
    }
}

/// A read of several values, from acknowledged state as it was at one moment.
pub(super) fn read(
    shared: &Shared,
    key: Option<&[u8]>,
    take: impl FnOnce(&View) -> Result<Reply, StoreError>,
) -> Reply {
    read_from(shared, key, |store| take(&store.view()))
}

/// A read: what is read first, and the lease after it (S7).
fn read_from(
    shared: &Shared,
    key: Option<&[u8]>,
    take: impl FnOnce(&Store) -> Result<Reply, StoreError>,
) -> Reply {
    let refused = |reason: Option<NotInOffice>| not_primary(shared, key, reason);
    let (Some(office), Some(store)) = (shared.office(), &shared.store) else { return refused(None) };
    match take(store) {
        Err(error) => Reply::error(format!("ERR {error}")),
        Ok(reply) => {
            office.finish_read(reply, || shared.handle.now()).unwrap_or_else(|reason| refused(Some(reason)))
        }
    }
}
