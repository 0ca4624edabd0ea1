//! `WAIT`: how many followers hold what was acknowledged to this client.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::timeout;

use super::refusal::not_primary;
use super::reply::Reply;
use super::words::number;
use super::write::wrong_number;
use crate::node::shared::{Progress, Shared};

/// `WAIT replicas milliseconds`: answers when so many followers hold durably all that is committed now, when the time is
/// up (0: never), when this node is not in office any more, or when clients are sent home.
pub(super) async fn wait(shared: &Shared, arguments: &[Bytes], closing: &mut watch::Receiver<bool>) -> Reply {
    let [replicas, millis] = arguments else { return wrong_number("WAIT") };
    let (Some(replicas), Some(millis)) = (number::<usize>(replicas), number(millis)) else {
        return Reply::error("ERR value is not an integer or out of range");
    };
    if shared.office().is_none() {
        return not_primary(shared, None, None);
    }
    let mut progress = shared.watch_progress();
    // Every write of this client that was acknowledged lies below it.
    let target = progress.borrow().commit;
    let count = |progress: &Progress| {
        progress.followers.iter().filter(|(_, acknowledged)| *acknowledged >= target).count()
    };
    let enough = progress.wait_for(|now| count(now) >= replicas || shared.office().is_none());
    let bounded = async {
        match millis {
            0 => drop(enough.await),
            millis => drop(timeout(Duration::from_millis(millis), enough).await),
        }
    };
    tokio::select! {
        () = bounded => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
    Reply::Number(i64::try_from(count(&shared.progress())).unwrap_or(i64::MAX))
}
