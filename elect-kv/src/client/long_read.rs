//! Where a read runs: at once on the thread that serves its client, or beside these threads, a few at a time.
//!
//! A thread that reads may have to wait for the disk, and the disk may hang. So one of the clients' threads never reads, and
//! what a client is told when this node is no longer primary waits for no disk.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::commands::Session;
use super::limits::REQUEST_TIMEOUT;
use super::read::look_up_at_hand;
use super::refusal::not_primary;
use super::reply::Reply;
use crate::node::shared::Shared;

/// The storage may hang once it has been busy with one piece of work for this long: then no read is short.
const BUSY_MAX: Duration = Duration::from_millis(100);

/// Answers a command that reads, of a client with this stream.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    client: &Arc<TcpStream>,
    session: &mut Session,
    name: String,
    words: Vec<Bytes>,
) -> Reply {
    // Whoever is not primary refuses, and looks at nothing for that.
    if shared.office().is_none() {
        return session.answer(shared, &name, &words);
    }
    if let Some(reply) = look_up_at_hand(&mut session.room, shared, &name, &words[1..]) {
        return reply;
    }
    if is_short(shared, &name, &words)
        && let Some(_read) = shared.limits.short_reads.begin(client)
    {
        return session.answer(shared, &name, &words);
    }
    let key = words.get(1).cloned();
    let mut leads = shared.leads.subscribe();
    tokio::select! {
        reply = answer_beside(shared, session, name, words) => return reply,
        _ = leads.wait_for(|leads| !leads) => {}
    }
    // What belongs to the session may be with the thread that reads.
    session.closing = true;
    not_primary(shared, key.as_deref(), None)
}

/// Whether a read looks at one value only, of a storage that answers.
fn is_short(shared: &Shared, name: &str, words: &[Bytes]) -> bool {
    !matches!(name, "KEYS" | "SCAN") && words.len() <= 2 && shared.storage_busy_for() <= BUSY_MAX
}

/// Answers on a thread that may wait for the disk. One that waits for too long keeps its thread, and its client is closed.
async fn answer_beside(
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
