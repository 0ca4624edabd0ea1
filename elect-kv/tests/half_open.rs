//! Replication connections that go silent without an end, as behind a firewall that forgot them.

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod cluster;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use cluster::{BOUND, Cluster};

/// Stands between two nodes and passes on what they say, until it is told to swallow it.
#[derive(Clone, Default)]
struct Silencer {
    connections: Arc<Mutex<Vec<Arc<AtomicBool>>>>,
}

impl Silencer {
    /// Where to dial in place of `port`.
    fn before(&self, port: u16) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let silencer = self.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let silent = Arc::new(AtomicBool::new(false));
                silencer.connections.lock().unwrap().push(silent.clone());
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let silent_too = silent.clone();
                thread::spawn(move || pass_on(near, far, &silent));
                thread::spawn(move || pass_on(far_too, near_too, &silent_too));
            }
        });
        own
    }

    /// Every connection of now goes silent; those that come later do not.
    fn silence(&self) -> usize {
        let connections = self.connections.lock().unwrap();
        connections.iter().filter(|silent| !silent.swap(true, Ordering::SeqCst)).count()
    }
}

/// Takes everything, also what it does not pass on: whoever sends notices nothing. Nor is an end passed on then.
fn pass_on(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if !silent.load(Ordering::SeqCst) && to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    if silent.load(Ordering::SeqCst) {
        // Kept open for as long as the test runs.
        return std::mem::forget(to);
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn connections_that_went_silent_are_replaced_within_the_detection_time() {
    let silencer = Silencer::default();
    let mut cluster = Cluster::new();
    // The smaller name dials.
    for (from, to) in [(0, 1), (0, 2), (1, 2)] {
        let port = cluster.replication_port(to);
        let text = fs::read_to_string(cluster.config(from)).unwrap();
        let written = format!("\nreplication = \"127.0.0.1:{port}\"");
        let instead = format!("\nreplication = \"127.0.0.1:{}\"", silencer.before(port));
        assert!(text.contains(&written));
        fs::write(cluster.config(from), text.replacen(&written, &instead, 1)).unwrap();
    }
    cluster.start_all();
    let mut primary = cluster.wait_primary();
    for turn in 0..3 {
        let deadline = Instant::now() + BOUND;
        // An office that is lost meanwhile moves the primary, and what is asked of it.
        while let Err(error) = cluster.ask::<()>(primary, &["SET", "turn", &turn.to_string()]) {
            assert!(Instant::now() < deadline, "turn {turn}: {error}");
            primary = (primary + 1) % 3;
        }
        assert!(silencer.silence() >= 2 || turn > 0, "two followers are connected");
    }
}
