//! An embedder's own state machine under simulated storms.
//!
//! A job scheduler acts only while its node's lease runs, and stamps every job with the epoch it leads. What must
//! hold for it: at every moment at most one node schedules, and the stamps never fall. Both follow from the leases
//! of the real elector; here they are checked under faults that a test on real machines will not see in years.
//!
//! Run it with `cargo run --release -p elect-sim --example own_state_machine`.

use elect_sim::{Detail, MILLI, NodeIndex, Options, SECOND, World};

/// What the embedder wrote: it knows nothing of elections.
#[derive(Debug, Default)]
struct Scheduler {
    /// Jobs as they were scheduled: by whom, under which stamp.
    jobs: Vec<(NodeIndex, u64)>,
}

impl Scheduler {
    fn schedule(&mut self, node: NodeIndex, stamp: u64) {
        self.jobs.push((node, stamp));
    }

    /// The invariant: stamps never fall, and a stamp belongs to one node.
    fn check(&self) {
        for pair in self.jobs.windows(2) {
            let [(before, older), (after, newer)] = pair else { continue };
            assert!(newer >= older, "stamp {newer} after {older}");
            assert!(newer != older || before == after, "stamp {newer} of two nodes");
        }
    }
}

fn main() {
    let mut jobs = 0;
    for seed in 0..50 {
        // A storm whose faults the seed draws; five nodes, half a minute.
        let mut world = World::new(Options::swarm(seed, Some(5), 30 * SECOND), Detail::Hash);
        let mut scheduler = Scheduler::default();
        while world.now() < 20 * SECOND {
            let next = world.now() + 5 * MILLI;
            world.run_until(next);
            // Whoever holds the lease at this moment, if anybody does, schedules a job.
            if let Some((node, epoch)) = world.leader() {
                scheduler.schedule(node, epoch.number());
            }
        }
        assert_eq!(world.violation(), None, "elect-sim replay {seed} --nodes 5 --seconds 30");
        scheduler.check();
        jobs += scheduler.jobs.len();
    }
    assert!(jobs > 50_000, "a test in which nothing happens proves nothing: {jobs} jobs");
}
