//! Free ports on the loopback address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// The lowest port to try.
const LOWEST: u16 = 10_240;
/// How many ports apart two processes begin to search.
const PORTS_PER_PROCESS: u64 = 16;
/// Where outgoing connections take their ports from, if the system does not say.
const EPHEMERAL: u16 = 32_768;

/// Finds `wanted` ports on which nothing listens.
///
/// They lie below those of outgoing connections. A node that dials a dead neighbour on a port from that range
/// may be given the very same port as its own: it is then connected to itself, and the neighbour cannot return.
pub(crate) fn free_ports(wanted: usize) -> io::Result<Vec<SocketAddr>> {
    let highest = first_ephemeral().max(LOWEST + 2000);
    let span = u64::from(highest - LOWEST);
    // Demos that run at once have different process ids: each begins to search in a range of its own.
    let start = u64::from(std::process::id()) * PORTS_PER_PROCESS % span;
    let mut held = Vec::with_capacity(wanted);
    for step in 0..span {
        if held.len() == wanted {
            break;
        }
        let port = LOWEST + u16::try_from((start + step) % span).unwrap_or(0);
        // Held until all are found, so that none is found twice.
        held.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
    }
    if held.len() < wanted {
        let message = format!("found {} free ports of {wanted} between {LOWEST} and {highest}", held.len());
        return Err(io::Error::new(io::ErrorKind::AddrInUse, message));
    }
    held.iter().map(TcpListener::local_addr).collect()
}

/// Those of `ports` that something still listens on.
pub(crate) fn taken(ports: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    ports.into_iter().filter(|port| TcpListener::bind(port).is_err()).collect()
}

fn first_ephemeral() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or(EPHEMERAL)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn ports_are_distinct_free_and_below_those_of_outgoing_connections() {
        let mut ports = free_ports(9).expect("nine of thousands");
        assert!(ports.iter().all(|port| port.ip().is_loopback() && port.port() < first_ephemeral()));
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 9);
    }

    #[test]
    fn port_that_is_listened_on_is_taken_until_it_is_let_go() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("it listens");
        assert_eq!(taken([address]), [address]);
        drop(listener);
        // Another test that starts a process at this moment holds a copy for an instant.
        let deadline = Instant::now() + Duration::from_secs(20);
        while !taken([address]).is_empty() {
            assert!(Instant::now() < deadline, "{address} stays taken");
            std::thread::yield_now();
        }
    }
}
