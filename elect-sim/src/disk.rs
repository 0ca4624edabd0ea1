//! A node's disk: saves take time, fail before or after they took effect, and hang; a record can be lost.

use elect_core::{Record, VoteStore};
use strum::{EnumString, IntoStaticStr};

use crate::random::Random;

/// How a disk behaves now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskState {
    /// As it should.
    Well,
    /// Every operation takes this much longer, in nanoseconds.
    Slow(u64),
    /// Operations do not end until the disk is mended.
    Hung,
}

/// How a save ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Outcome {
    /// The record is durable.
    Succeeds,
    /// An error, and the old record is still there.
    FailsBefore,
    /// An error, yet the new record is there.
    FailsAfter,
    /// Success is reported, yet the old record is still there. No honest disk does this: only tests that must
    /// see a checker fail use it.
    Lies,
}

/// A save failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("simulated storage error")]
pub struct SaveError;

/// What is durable on one node.
#[derive(Clone, Debug)]
pub struct Disk {
    record: Option<Record>,
    /// Shortest time of one operation, in nanoseconds.
    save_min: u64,
    /// Longest time of one operation while the disk is well.
    save_max: u64,
    /// How it behaves now.
    state: DiskState,
    /// How the next save ends.
    next_save: Outcome,
    random: Random,
}

impl Disk {
    /// An empty disk.
    pub fn new(save_min: u64, save_max: u64, random: Random) -> Self {
        Self {
            record: None,
            save_min,
            save_max,
            state: DiskState::Well,
            next_save: Outcome::Succeeds,
            random,
        }
    }

    /// The durable record.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// From now on it behaves like this.
    pub fn set_state(&mut self, state: DiskState) {
        self.state = state;
    }

    /// The next save ends like this.
    pub fn set_next_save(&mut self, outcome: Outcome) {
        self.next_save = outcome;
    }

    /// How the next save ends.
    pub fn next_save(&self) -> Outcome {
        self.next_save
    }

    /// Every operation takes so much longer from now on.
    pub fn slow_down(&mut self, by: u64) {
        self.save_min += by;
        self.save_max += by;
    }

    /// An operator puts a first or a replacement record there.
    pub fn install(&mut self, record: Record) {
        self.record = Some(record);
    }

    /// Everything on it is lost.
    pub fn wipe(&mut self) {
        self.record = None;
    }

    /// How long an operation that begins now takes; `None` while the disk hangs.
    pub fn duration(&mut self) -> Option<u64> {
        let usual = self.random.between(self.save_min, self.save_max);
        match self.state {
            DiskState::Well => Some(usual),
            DiskState::Slow(extra) => Some(usual + extra),
            DiskState::Hung => None,
        }
    }

    /// The process dies while `record` is being saved: it took effect or it did not.
    pub fn crash_during(&mut self, record: &Record) {
        if self.random.below(2) == 0 {
            self.record = Some(*record);
        }
    }

    /// Whether something that a crash interrupted took effect nevertheless.
    pub fn survives(&mut self) -> bool {
        self.random.below(2) == 0
    }
}

impl VoteStore for Disk {
    type Error = SaveError;

    fn save(&mut self, record: &Record) -> Result<(), SaveError> {
        let outcome = std::mem::replace(&mut self.next_save, Outcome::Succeeds);
        if matches!(outcome, Outcome::Succeeds | Outcome::FailsAfter) {
            self.record = Some(*record);
        }
        match outcome {
            Outcome::Succeeds | Outcome::Lies => Ok(()),
            Outcome::FailsBefore | Outcome::FailsAfter => Err(SaveError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use elect_core::{ClusterId, Config, Epoch, NodeId};

    fn record(epoch: u64) -> Record {
        let a = NodeId::new("a").unwrap();
        let config = Config::builder(ClusterId::new("sim").unwrap(), a).voters([a]).build().unwrap();
        Record { epoch: Epoch::new(epoch), ..Record::first_boot(&config) }
    }

    #[test]
    fn each_outcome_leaves_what_it_says() {
        let table = [
            (Outcome::Succeeds, true, 2),
            (Outcome::FailsBefore, false, 1),
            (Outcome::FailsAfter, false, 2),
            (Outcome::Lies, true, 1),
        ];
        for (outcome, reported, epoch) in table {
            let mut disk = Disk::new(1, 2, Random::new(1));
            disk.install(record(1));
            disk.set_next_save(outcome);
            assert_eq!(disk.save(&record(2)).is_ok(), reported, "{outcome:?}");
            assert_eq!(disk.record().map(|record| record.epoch), Some(Epoch::new(epoch)), "{outcome:?}");
            assert_eq!(disk.next_save, Outcome::Succeeds, "an outcome is for one save");
        }
    }

    #[test]
    fn a_hung_disk_takes_for_ever_and_a_slow_one_longer() {
        let mut disk = Disk::new(10, 20, Random::new(1));
        assert!((10..=20).contains(&disk.duration().unwrap()));
        disk.set_state(DiskState::Slow(100));
        assert!((110..=120).contains(&disk.duration().unwrap()));
        disk.set_state(DiskState::Hung);
        assert_eq!(disk.duration(), None);
    }
}
