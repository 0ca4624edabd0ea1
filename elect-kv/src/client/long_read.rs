//! Reads that may take long: they run beside the threads that serve clients, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::commands::Session;
use super::limits::REQUEST_TIMEOUT;
use super::reply::Reply;
use crate::node::shared::Shared;

/// The storage may hang once it has been busy with one piece of work for this long: then no read is short.
const BUSY_MAX: Duration = Duration::from_millis(100);

/// Whether a request reads more than one value, or may have to wait for the storage.
pub(super) fn is_long(shared: &Shared, name: &str, words: &[Bytes]) -> bool {
    match name {
        "KEYS" | "SCAN" => true,
        "MGET" | "EXISTS" if words.len() > 2 => true,
        "MGET" | "EXISTS" | "GET" => shared.pulse.busy_for(shared.handle.now()) > BUSY_MAX,
        _ => false,
    }
}

/// Answers on a thread that may wait for the disk. One that waits for too long keeps its thread, and its client is closed.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    session: &mut Session,
    name: String,
    words: Vec<Bytes>,
) -> Reply {
    let seconds = REQUEST_TIMEOUT.as_secs();
    let turn = timeout(REQUEST_TIMEOUT, shared.limits.long_reads.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        return Reply::error(format!("BUSY other long reads have not ended for {seconds} s: try again"));
    };
    let (mut reader, shared) = (std::mem::take(session), shared.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let reply = reader.answer(&shared, &name, &words);
        drop(turn);
        (reader, reply)
    });
    if let Ok(Ok((reader, reply))) = timeout(REQUEST_TIMEOUT, reading).await {
        *session = reader;
        return reply;
    }
    session.closing = true;
    Reply::error(format!("ERR the storage did not answer this read within {seconds} s"))
}
