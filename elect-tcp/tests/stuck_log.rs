//! A log that takes nothing, a pipe that nobody reads say, stops nobody.
#![cfg(feature = "tracing")]

mod common;

use std::sync::{Condvar, Mutex};

use common::Cluster;
use common::subscriber::Lines;
use elect_core::Epoch;

static IS_OVER: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// One test: a process has one subscriber.
#[test]
fn a_log_that_takes_nothing_delays_no_election_and_no_end() {
    // At the first line, until the end of the test.
    let block = |_: &tracing::Event<'_>| {
        let is_over = IS_OVER.0.lock().unwrap();
        drop(IS_OVER.1.wait_while(is_over, |is_over| !*is_over).unwrap());
    };
    tracing::subscriber::set_global_default(Lines(block)).unwrap();
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    cluster.stop(leader);
    let (next, _) = cluster.wait_for_leader(epoch);
    cluster.stop(next);
    *IS_OVER.0.lock().unwrap() = true;
    IS_OVER.1.notify_all();
}
