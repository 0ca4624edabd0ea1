//! The client port: one task per client, as many as there are places.

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::connection::{Connection, FULL, Place};
use super::limits::{Limits, OPERATORS_MAX};
use crate::node::shared::Shared;

/// A read that has not ended this long after office was lost waits for a disk that hangs.
const HANGS_AFTER: Duration = Duration::from_millis(100);

/// The client port.
#[derive(Debug)]
pub(crate) struct Clients {
    shared: Arc<Shared>,
    /// Turns true when clients are to be sent home.
    closing: watch::Sender<bool>,
}

impl Clients {
    pub(crate) fn start(shared: Arc<Shared>, listener: StdListener) -> io::Result<Arc<Self>> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let clients = Arc::new(Self { shared, closing: watch::Sender::new(false) });
        tokio::spawn(clients.clone().accept(listener));
        tokio::spawn(clients.clone().end_reads_that_hang());
        Ok(clients)
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let ids = AtomicU64::new(1);
        let mut closing = self.closing.subscribe();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = closing.wait_for(|closing| *closing) => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let id = ids.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(self.clone().serve(stream, id));
                }
                // Out of descriptors, mostly: the next attempt needs some to be closed first.
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Whenever this node loses office, ends the connections whose reads hang: nothing else could tell these clients.
    async fn end_reads_that_hang(self: Arc<Self>) {
        let mut leads = self.shared.leads.subscribe();
        let reads = &self.shared.limits.short_reads;
        while leads.wait_for(|leads| *leads).await.is_ok() && leads.wait_for(|leads| !leads).await.is_ok() {
            let under_way = reads.under_way();
            sleep(HANGS_AFTER).await;
            reads.close(under_way);
        }
    }

    async fn serve(self: Arc<Self>, mut stream: TcpStream, id: u64) {
        let limits = &self.shared.limits;
        let taken = |places: &Arc<Semaphore>| places.clone().try_acquire_owned().ok();
        let client = taken(&limits.clients).map(|permit| (Place::Client, permit));
        let Some((place, _permit)) =
            client.or_else(|| taken(&limits.operators).map(|permit| (Place::Operator, permit)))
        else {
            let _ = stream.write_all(format!("-{FULL}\r\n").as_bytes()).await;
            return;
        };
        let _ = stream.set_nodelay(true);
        let closing = self.closing.subscribe();
        // A client that goes away is no error of the server.
        let _ = Connection::new(&self.shared, stream, id, place, closing).run().await;
    }

    /// Sends clients home: what they have asked is answered first. Waits until all are gone, or `bound` is over.
    pub(crate) async fn close(&self, bound: Duration) {
        self.closing.send_replace(true);
        let Limits { clients, operators, maxclients, .. } = &self.shared.limits;
        let (all, others) = (u32::try_from(*maxclients), u32::try_from(OPERATORS_MAX));
        let gone = async {
            let _ = clients.acquire_many(all.unwrap_or(u32::MAX)).await;
            let _ = operators.acquire_many(others.unwrap_or(u32::MAX)).await;
        };
        let _ = timeout(bound, gone).await;
    }
}
