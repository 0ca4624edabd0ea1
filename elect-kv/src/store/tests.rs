mod bounded;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use elect_core::{Elector, Epoch, Fence, Fenced, Floor, Gate, Log, Raise, Stamp, Time};
use elect_harness::{Collected, MemoryStore, builder};

use super::*;
use crate::replication::{Entry, Journal, WriteRefused};

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    Store::create(&path).unwrap();
    let store = Store::open(&path).unwrap();
    (dir, store)
}

fn entry(epoch: u64, command: &Command) -> Entry {
    Entry { epoch: Epoch::new(epoch), command: command.encode() }
}

/// A store that shows that its node has run.
pub(crate) fn store_with_one_entry(path: &Path) {
    Store::create(path).unwrap();
    let store = Store::open(path).unwrap();
    store.write(Position::EMPTY, 0, &[own(1)]).unwrap();
    store.sync().unwrap();
}

fn own(epoch: u64) -> Entry {
    Entry { epoch: Epoch::new(epoch), command: Bytes::new() }
}

fn set(key: &'static str, value: &'static str) -> Command {
    Command::Set {
        key: key.into(),
        value: value.into(),
        condition: SetCondition::Always,
        reply: SetReply::Done,
    }
}

fn add(key: &'static str, amount: i64) -> Command {
    Command::Add { key: key.into(), amount }
}

fn at(epoch: u64, offset: u64) -> Position {
    Position::new(Epoch::new(epoch), offset)
}

fn results(store: &Store, through: u64) -> Vec<(u64, CommandResult)> {
    let mut results = Vec::new();
    store.apply(through, |offset, result| results.push((offset, result))).unwrap();
    results
}

#[test]
fn a_store_is_made_once_and_only_by_create() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let missing = Store::open(&path).unwrap_err().to_string();
    assert!(missing.contains("elect-kv init"), "{missing}");
    Store::create(&path).unwrap();
    assert!(matches!(Store::create(&path), Err(StoreError::Presence { .. })));
    Store::open(&path).unwrap();
}

#[test]
fn only_committed_entries_reach_the_state() {
    let (_dir, store) = store();
    let entries = [own(1), entry(1, &set("a", "1")), entry(1, &add("a", 4)), entry(1, &add("a", i64::MAX))];
    store.write(Position::EMPTY, 0, &entries).unwrap();
    assert_eq!(store.value(b"a").unwrap(), None);
    assert_eq!(results(&store, 2), [(2, CommandResult::Done)]);
    assert_eq!(store.value(b"a").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(results(&store, 4), [(3, CommandResult::Number(5)), (4, CommandResult::NotANumber)]);
    assert_eq!(
        (store.value(b"a").unwrap().as_deref(), store.keys(), store.applied()),
        (Some(&b"5"[..]), 1, 4)
    );
}

#[test]
fn commands_of_one_run_see_each_other() {
    let (_dir, store) = store();
    let old = |key: &'static str, condition| Command::Set {
        key: key.into(),
        value: "new".into(),
        condition,
        reply: SetReply::Old,
    };
    let commands = [
        set("a", "1"),
        old("a", SetCondition::Absent),
        old("b", SetCondition::Present),
        old("a", SetCondition::Present),
        Command::Delete { keys: vec!["a".into(), "a".into(), "b".into()] },
        add("", -3),
    ];
    let entries: Vec<_> = commands.iter().map(|command| entry(1, command)).collect();
    store.write(Position::EMPTY, 0, &entries).unwrap();
    let one = || CommandResult::Value("1".into());
    let expected = [
        CommandResult::Done,
        one(),
        CommandResult::Nothing,
        one(),
        CommandResult::Number(1),
        CommandResult::Number(-3),
    ];
    assert_eq!(results(&store, 6).into_iter().map(|(_, result)| result).collect::<Vec<_>>(), expected);
    assert_eq!(store.keys(), 1);
    assert_eq!(store.view().keys_after(None, 10).unwrap(), [Bytes::new()]);
}

#[test]
fn keys_are_listed_in_order_and_from_any_point() {
    let (_dir, store) = store();
    let entries: Vec<_> = ["b", "a", "a\0", "ab"].map(|key| entry(1, &set(key, "x"))).into();
    store.write(Position::EMPTY, 0, &entries).unwrap();
    store.apply(4, |_, _| ()).unwrap();
    assert_eq!(store.view().keys_after(None, 2).unwrap(), ["a", "a\0"]);
    assert_eq!(store.view().keys_after(Some(b"a"), 9).unwrap(), ["a\0", "ab", "b"]);
}

#[test]
fn a_reopened_store_holds_what_was_written() {
    let (dir, store) = store();
    store
        .write(Position::EMPTY, 0, &[own(1), entry(1, &set("a", "1")), own(3), entry(3, &set("a", "2"))])
        .unwrap();
    store.apply(3, |_, _| ()).unwrap();
    store.sync().unwrap();
    let history = store.history().unwrap();
    drop(store);
    let store = Store::open(&dir.path().join("store")).unwrap();
    assert_eq!(store.history().unwrap(), history);
    assert_eq!(history.last(), at(3, 4));
    assert_eq!((store.applied(), store.keys()), (3, 1));
    assert_eq!(store.value(b"a").unwrap().as_deref(), Some(&b"1"[..]), "entry 4 was not committed");
    assert_eq!(results(&store, 4), [(4, CommandResult::Done)]);
}

#[test]
fn reads_are_bounded_but_never_empty() {
    let (_dir, store) = store();
    store.write(Position::EMPTY, 0, &vec![entry(1, &set("a", "x")); 5]).unwrap();
    let one = entry(1, &set("a", "x")).command.len();
    assert_eq!(store.read(0, 5, 0).unwrap().len(), 1);
    assert_eq!(store.read(1, 5, 3 * one).unwrap().len(), 3);
    assert_eq!(store.read(3, 4, 9 * one).unwrap().len(), 1);
    assert_eq!(store.read(5, 5, one).unwrap().len(), 0);
}

/// Scenario `deposed-longer-fork`: the longer fork of a deposed primary is cut where the epochs diverge.
#[test]
fn deposed_longer_fork_is_cut_where_the_epochs_diverge() {
    let (dir, store) = store();
    let fork: Vec<_> = std::iter::repeat_n(entry(2, &set("a", "lost")), 6).collect();
    store.write(Position::EMPTY, 0, &[own(1), entry(1, &set("a", "kept"))]).unwrap();
    store.write(at(1, 2), 2, &fork).unwrap();
    assert_eq!(store.history().unwrap().last(), at(2, 8));
    store.write(at(1, 2), 8, &[own(3)]).unwrap();
    store.sync().unwrap();
    drop(store);
    let store = Store::open(&dir.path().join("store")).unwrap();
    let history = store.history().unwrap();
    assert_eq!(history.last(), at(3, 3));
    assert!(history.holds(at(1, 2)) && !history.holds(at(2, 3)));
    assert_eq!(store.read(0, 9, usize::MAX).unwrap().len(), 3);
}

fn stamp(epoch: u64) -> Stamp {
    Stamp::received(Epoch::new(epoch))
}

#[test]
fn nothing_is_written_or_acknowledged_past_the_fence() {
    let (_dir, store) = store();
    let store = Arc::new(store);
    let fence = Arc::new(Fence::new(ReplicaLog::new(store.clone()).unwrap()));
    let mut journal = FencedLog::new(fence, store);
    let refused = journal.write(stamp(1), Position::EMPTY, &[own(1)]);
    assert!(matches!(refused, Err(WriteRefused::Fenced(Fenced::Ahead { .. }))));
    assert!(journal.ack(stamp(1)).is_err());
    assert!(!journal.is_dirty());
    assert!(journal.read(0, 9, 100).is_empty());
}

/// What a fence reports to a candidate is durable, and epoch and offset are of the same entry.
#[test]
fn mixed_position_is_never_reported() {
    let (_dir, store) = store();
    let store = Arc::new(store);
    let fence = Arc::new(Fence::new(ReplicaLog::new(store.clone()).unwrap()));
    let reported = |fence: &Fence<ReplicaLog>| fence.inspect(Log::last_durable);
    SingleNode::new().adopt(1, &fence);
    let mut journal = FencedLog::new(fence.clone(), store);
    journal.write(stamp(1), Position::EMPTY, &[own(1), own(1)]).unwrap();
    assert_eq!(reported(&fence), Some(Position::EMPTY), "written is not durable");
    journal.sync().unwrap();
    assert_eq!(reported(&fence), Some(at(1, 2)));
    journal.write(stamp(1), at(1, 1), &[own(1), own(1)]).unwrap();
    assert_eq!(reported(&fence), Some(at(1, 1)), "what was cut is not durable any more");
    journal.sync().unwrap();
    assert_eq!(reported(&fence), Some(at(1, 3)));
}

/// A single voter's elector, whose gates raise a real fence when the test lets them.
struct SingleNode {
    elector: Elector,
    now: Time,
    gate: Option<Gate>,
    disk: MemoryStore,
    positions: Vec<Option<Position>>,
}

impl SingleNode {
    fn new() -> Self {
        let config = builder("a", &["a"]).build().unwrap();
        let disk = MemoryStore::first_boot(&config);
        let now = Time::ZERO + Duration::from_secs(1);
        let elector = Elector::new(config, disk.record, now).unwrap();
        Self { elector, now, gate: None, disk, positions: Vec::new() }
    }

    /// Lets time pass until the elector wants to save something.
    fn run_to_gate(&mut self) {
        for _ in 0..100 {
            if self.gate.is_some() {
                return;
            }
            let mut collected = Collected::default();
            self.elector.tick(self.now).resolve(&mut collected);
            self.gate = collected.gate;
            self.now = self.now.max(self.elector.deadline());
        }
        panic!("the elector never saves");
    }

    fn commit(&mut self, fence: &Fence<ReplicaLog>) {
        let floor = RecordingFloor { fence, positions: Cell::new(None) };
        let gated = self.gate.take().unwrap().commit(&mut self.disk, &floor);
        self.positions.push(floor.positions.take());
        let mut collected = Collected::default();
        self.elector.on_gated(gated, self.now).resolve(&mut collected);
        self.gate = collected.gate;
    }

    /// Adopts epochs until the fence stands at `epoch`.
    fn adopt(&mut self, epoch: u64, fence: &Fence<ReplicaLog>) {
        while fence.floor() < Epoch::new(epoch) {
            if self.gate.is_none() {
                // A leader saves nothing; one that has resigned campaigns again in a higher epoch.
                // Refused or not, its clock may have made it stand.
                let mut collected = Collected::default();
                let _ = self.elector.resign(self.now).resolve(&mut collected);
                self.gate = collected.gate;
                self.run_to_gate();
            }
            self.commit(fence);
        }
    }
}

/// A floor that records which position the raise pulled.
struct RecordingFloor<'a> {
    fence: &'a Fence<ReplicaLog>,
    positions: Cell<Option<Position>>,
}

impl Floor for RecordingFloor<'_> {
    fn raise(&self, raise: Raise) -> Option<Position> {
        let position = self.fence.raise(raise);
        self.positions.set(position);
        position
    }
}

/// Scenario `late-sync-acks`: a new epoch is adopted while an append of the old one is being synced. The position
/// reported does not include the append, and its acknowledgement does not pass any more.
#[test]
fn late_sync_acks_do_not_pass_the_fence() {
    let (_dir, store) = store();
    let store = Arc::new(store);
    let fence = Arc::new(Fence::new(ReplicaLog::new(store.clone()).unwrap()));
    let mut journal = FencedLog::new(fence.clone(), store);
    let mut elector = SingleNode::new();
    elector.adopt(1, &fence);
    journal.write(stamp(1), Position::EMPTY, &[own(1)]).unwrap();
    journal.sync().unwrap();
    assert_eq!(journal.ack(stamp(1)), Ok(()));
    journal.write(stamp(1), at(1, 1), &[entry(1, &set("a", "late"))]).unwrap();
    elector.adopt(2, &fence);
    journal.sync().unwrap();
    assert!(matches!(journal.ack(stamp(1)), Err(Fenced::Stale { .. })));
    assert_eq!(elector.positions.last(), Some(&Some(at(1, 1))), "the late append is not part of the report");
    assert!(matches!(
        journal.write(stamp(1), at(1, 2), &[own(1)]),
        Err(WriteRefused::Fenced(Fenced::Stale { .. }))
    ));
}

#[test]
fn a_view_shows_a_batch_as_a_whole_or_not_at_all() {
    let (_dir, store) = store();
    let rounds = 3_000_u64;
    let write = || {
        let mut last = 0;
        for round in 1..=rounds {
            // Many keys between the two, so that the batch takes a while; every other round they go.
            let fill = (0..40).map(|key| Bytes::from(format!("c{key}")));
            let fill = if round % 2 == 0 {
                Command::Delete { keys: fill.collect() }
            } else {
                Command::SetMany { pairs: fill.map(|key| (key, Bytes::new())).collect() }
            };
            let entries = [entry(1, &add("a", 1)), entry(1, &fill), entry(1, &add("b", 1))];
            store.write(at(1, last), last, &entries).unwrap();
            last += 3;
            store.apply(last, |_, _| {}).unwrap();
        }
    };
    let read = || {
        while store.applied() < rounds * 3 {
            let view = store.view();
            let [b, a] = ["b", "a"].map(|key| view.value(key.as_bytes()).unwrap());
            assert_eq!(a, b, "both are raised in one batch");
            assert_eq!(view.keys().unwrap(), view.keys_after(None, 100).unwrap().len() as u64);
        }
    };
    // Single values come from memory, or from the engine while they are being written: one after the other they never fall.
    let read_singly = || {
        let number = |value: Option<Bytes>| {
            value.map_or(0, |value| std::str::from_utf8(&value).unwrap().parse::<u64>().unwrap())
        };
        let mut last = 0;
        while store.applied() < rounds * 3 {
            for key in ["a", "b"].map(str::as_bytes) {
                for read in [store.value(key).unwrap(), store.view().value(key).unwrap()].map(number) {
                    assert!(read >= last, "{read} after {last}");
                    last = read;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(read);
        scope.spawn(read_singly);
        scope.spawn(write);
    });
}

#[test]
fn many_keys_are_set_by_one_entry() {
    let (_dir, store) = store();
    let pairs = [("a", "1"), ("b", "2"), ("a", "3")].map(|(key, value)| (key.into(), value.into()));
    store.write(Position::EMPTY, 0, &[entry(1, &Command::SetMany { pairs: pairs.into() })]).unwrap();
    assert_eq!(results(&store, 1), [(1, CommandResult::Done)]);
    assert_eq!((store.keys(), store.value(b"a").unwrap().as_deref()), (2, Some(&b"3"[..])));
    assert_eq!(store.view().length(b"b").unwrap(), Some(1));
    assert!(!store.view().contains(b"c").unwrap());
}

#[test]
fn a_transaction_is_one_entry_whose_commands_see_each_other() {
    let (_dir, store) = store();
    let commands = vec![set("a", "1"), add("a", 4), set("b", "x"), add("b", 1), add("a", 1)];
    let whole = Command::Transaction { commands };
    store.write(Position::EMPTY, 0, &[own(1), entry(1, &whole)]).unwrap();
    let view = store.view();
    let done = || CommandResult::Done;
    let number = CommandResult::Number;
    // As in redis: the one that fails does nothing, and keeps no other from its effect.
    let all = vec![done(), number(5), done(), CommandResult::NotANumber, number(6)];
    assert_eq!(results(&store, 2), [(2, CommandResult::All(all))]);
    assert_eq!((view.value(b"a").unwrap(), view.value(b"b").unwrap()), (None, None));
    let view = store.view();
    let values = [b"a", b"b"].map(|key| view.value(key).unwrap());
    assert_eq!(values, [Some(Bytes::from("6")), Some(Bytes::from("x"))]);
    assert_eq!(store.keys(), 2);
}
