//! A log that takes nothing, a pipe that nobody reads say, stops nobody.
#![cfg(feature = "tracing")]

mod common;

use std::sync::{Condvar, Mutex};

use common::Cluster;
use elect_core::Epoch;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Blocks at the first line, until the end of the test.
struct Stuck;

static IS_OVER: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

impl Subscriber for Stuck {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "elect"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        let is_over = IS_OVER.0.lock().unwrap();
        drop(IS_OVER.1.wait_while(is_over, |is_over| !*is_over).unwrap());
    }
}

/// One test: a process has one subscriber.
#[test]
fn a_log_that_takes_nothing_delays_no_election_and_no_end() {
    tracing::subscriber::set_global_default(Stuck).unwrap();
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    cluster.stop(leader);
    let (next, _) = cluster.wait_for_leader(epoch);
    cluster.stop(next);
    *IS_OVER.0.lock().unwrap() = true;
    IS_OVER.1.notify_all();
}
