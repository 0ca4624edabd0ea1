//! Reads: of acknowledged state, as it was at one moment.

use bytes::Bytes;
use elect_core::NotInOffice;

use super::pattern::matches;
use super::reply::Reply;
use crate::node::shared::Shared;
use crate::store::{StoreError, View};

/// Answers a read; `None` if it is none.
pub(super) fn look_up(shared: &Shared, name: &str, arguments: &[Bytes]) -> Option<Reply> {
    Some(match (name, arguments) {
        ("GET", [key]) => {
            read(shared, Some(key), |view| Ok(view.value(key)?.map_or(Reply::Null, Reply::Bulk)))
        }
        ("EXISTS", [first, ..]) => read(shared, Some(first), |view| {
            let mut found = 0;
            for key in arguments {
                found += i64::from(view.contains(key)?);
            }
            Ok(Reply::Number(found))
        }),
        ("MGET", [first, ..]) => read(shared, Some(first), |view| {
            let value = |key: &Bytes| Ok(view.value(key)?.map_or(Reply::Null, Reply::Bulk));
            Ok(Reply::Array(arguments.iter().map(value).collect::<Result<_, StoreError>>()?))
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
        ("KEYS", [pattern]) => read(shared, None, |view| {
            let keys = view.keys_after(None, usize::MAX)?;
            Ok(Reply::Array(keys.into_iter().filter(|key| matches(pattern, key)).map(Reply::Bulk).collect()))
        }),
        _ => return None,
    })
}

/// A read: the values first, from acknowledged state as it was at one moment, and the lease after it (S7).
pub(super) fn read(
    shared: &Shared,
    key: Option<&[u8]>,
    take: impl FnOnce(&View<'_>) -> Result<Reply, StoreError>,
) -> Reply {
    let refused = |reason: Option<NotInOffice>| Reply::Error(shared.refusal(key, reason));
    let (Some(office), Some(store)) = (shared.office(), &shared.store) else { return refused(None) };
    match take(&store.view()) {
        Err(error) => Reply::error(format!("ERR {error}")),
        Ok(reply) => {
            office.finish_read(reply, || shared.handle.now()).unwrap_or_else(|reason| refused(Some(reason)))
        }
    }
}
