//! Free ports on the loopback address.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use super::Outcome;

/// The first port to try. Those of outgoing connections lie higher: one of them would come and take it meanwhile.
const LOWEST: u16 = 11_000;
const SPAN: u16 = 20_000;

/// So many ports on which nothing listens.
pub(crate) fn free(count: usize) -> Outcome<Vec<u16>> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 1_000)? * 16;
    let candidates = (0..SPAN).map(|_| LOWEST + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % SPAN);
    // All are held until all are found, so that none is found twice.
    let held: Vec<_> =
        candidates.filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).take(count).collect();
    if held.len() < count {
        return Err(format!("{count} free ports on 127.0.0.1 were not to be found").into());
    }
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}
