//! Free ports on the loopback address.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// A port below those that the system gives to outgoing connections: those would come and take it meanwhile.
pub(crate) fn free_port() -> TcpListener {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 1_000).unwrap() * 16;
    let mut ports =
        std::iter::repeat_with(|| 12_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000);
    ports.find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).unwrap()
}
