//! The stores of groups that have ended, in a process that goes on.

mod common;

use std::convert::Infallible;
use std::sync::Arc;

use common::BOUND;
use common::groups::Sites;
use crossbeam_channel::{Receiver, Sender, bounded};
use elect_core::{NoLog, Record, VoteStore};
use elect_tcp::{Ended, OpenStore};

/// Says when it is closed, and then does what it was told to.
struct Closing {
    begun: Sender<()>,
    end: Box<dyn Fn() + Send>,
}

impl VoteStore for Closing {
    type Error = Infallible;

    fn save(&mut self, _: &Record) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let _ = self.begun.send(());
        (self.end)();
    }
}

/// Starts group `number` of `a` alone on that store, has it lead, and ends it.
fn run_and_end(sites: &mut Sites, number: u32, end: impl Fn() + Send + 'static) -> Receiver<()> {
    let (begun, has_begun) = bounded(1);
    let elect = sites.elect(0, number, &["a"]);
    let store = OpenStore::new(Closing { begun, end: Box::new(end) }, Record::first_boot(&elect));
    let started = sites.site(0).groups.start_group(&elect, store, Arc::new(NoLog)).unwrap();
    sites.seat(0, number, started);
    sites.wait_until_settled([number]);
    let ending = sites.member(0, number).handle.clone();
    std::thread::spawn(move || ending.shutdown_at_once(BOUND));
    sites.wait("end", |sites| sites.member(0, number).ended.is_some());
    assert_eq!(sites.member(0, number).ended, Some(Ended::Shutdown));
    has_begun
}

/// They were closed on the thread of all groups: one that hung cost every group its leases, one that panicked ended them all.
#[test]
fn a_store_that_hangs_or_panics_as_it_is_closed_costs_the_other_groups_nothing() {
    let mut sites = Sites::start(&["a", "b", "c"]);
    sites.add_everywhere(1);
    sites.wait_until_settled([1]);
    let (release, hangs) = bounded::<()>(0);
    let hanging = run_and_end(&mut sites, 2, move || {
        let _ = hangs.recv();
    });
    let panicking = run_and_end(&mut sites, 3, || panic!("on purpose"));
    hanging.recv_timeout(BOUND).unwrap();
    panicking.recv_timeout(BOUND).unwrap();
    // Every process answers, and goes through an election of its own.
    let leader = sites.leader(1).unwrap();
    let target = (leader + 1) % 3;
    sites.member(leader, 1).handle.handover(sites.names[target]).unwrap();
    sites.wait("handover", |sites| sites.leader(1) == Some(target));
    sites.wait_until_settled([1]);
    assert!(sites.site(0).groups.numbers().contains(&2), "its number is free when its store is");
    sites.wait("end of the one that panics", |sites| !sites.site(0).groups.numbers().contains(&3));
    drop(release);
    sites.wait("end of the other", |sites| sites.site(0).groups.numbers() == [1]);
}
