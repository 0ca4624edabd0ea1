//! Several groups in one process: shared streams and threads, separate fates.

mod common;

use std::io;
use std::sync::Arc;

use common::groups::Sites;
use common::{BOUND, id};
use crossbeam_channel::{Receiver, bounded};
use elect_core::{NoLog, Record, VoteStore};
use elect_tcp::{Ended, HandshakeRefusal, OpenStore, StartGroupError, VoteFile};

const NAMES: [&str; 3] = ["a", "b", "c"];
/// The thread of the groups, the listener, and for each of two peers one that sends, one that watches and one that reads.
const THREADS: usize = 2 + 2 * 3;
/// While groups save, and ask each peer about themselves.
const THREADS_MAX: usize = THREADS + 4 + 2 * 3;

#[test]
fn a_hundred_groups_of_three_share_a_handful_of_threads_and_each_elects() {
    let mut sites = Sites::start(&NAMES);
    for number in 0..100 {
        sites.add_everywhere(number);
    }
    for site in sites.sites.iter().flatten() {
        let threads = site.groups.threads();
        assert!(threads <= THREADS_MAX, "{threads} threads");
    }
    sites.wait_until_settled(0..100);
    let threads: usize = sites.sites.iter().flatten().map(|site| site.groups.threads()).sum();
    assert!(threads <= 3 * THREADS_MAX, "{threads} threads for 300 nodes");
    // One process goes: whatever it led is led by another.
    let gone = sites.sites[0].take().unwrap();
    gone.groups.shutdown_at_once(BOUND).unwrap();
    assert_eq!(gone.groups.threads(), 0);
    sites.wait_until_settled(0..100);
}
