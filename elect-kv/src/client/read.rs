//! Reads: of acknowledged state, as it was at one moment.

use bytes::Bytes;
use elect_core::NotInOffice;

use super::limits::Room;
use super::pattern::matches;
use super::refusal::not_primary;
use super::reply::Reply;
use crate::node::shared::Shared;
use crate::store::{StoreError, View};

/// Keys that `KEYS` looks at before it counts what it holds.
const KEYS_AT_ONCE: usize = 1024;
/// What a key costs in a reply besides its bytes.
pub(super) const KEY_OVERHEAD_BYTES: usize = 80;

/// Answers a read; `None` if it is none. `room` is what its reply may take.
pub(super) fn look_up(room: &mut Room, shared: &Shared, name: &str, arguments: &[Bytes]) -> Option<Reply> {
    Some(match (name, arguments) {
        ("GET", [key]) => read(shared, Some(key), |view| {
            let Some(value) = view.value(key)? else { return Ok(Reply::Null) };
            Ok(room.take(value.len(), &shared.limits).map_or_else(|full| full, |()| Reply::Bulk(value)))
        }),
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

/// A read: the values first, from acknowledged state as it was at one moment, and the lease after it (S7).
pub(super) fn read(
    shared: &Shared,
    key: Option<&[u8]>,
    take: impl FnOnce(&View) -> Result<Reply, StoreError>,
) -> Reply {
    let refused = |reason: Option<NotInOffice>| not_primary(shared, key, reason);
    let (Some(office), Some(store)) = (shared.office(), &shared.store) else { return refused(None) };
    match take(&store.view()) {
        Err(error) => Reply::error(format!("ERR {error}")),
        Ok(reply) => {
            office.finish_read(reply, || shared.handle.now()).unwrap_or_else(|reason| refused(Some(reason)))
        }
    }
}
