use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use elect_harness::solo::Solo;
use elect_harness::{builder, ms};

use super::*;

const EPOCH: Epoch = Epoch::new(3);

thread_local! {
    static ELECTORS: RefCell<Vec<Solo>> = const { RefCell::new(Vec::new()) };
}

/// Writes of a node in office, its stamp, and the time. Its elector ends with the test.
fn open() -> (Writes, Stamp, Time) {
    open_with(Acknowledge::Quorum)
}

fn open_with(acknowledge: Acknowledge) -> (Writes, Stamp, Time) {
    let mut solo = Solo::with(builder("a", &["a"]));
    while solo.duties.is_empty() {
        solo.pass(ms(10)).commit();
    }
    let office = solo.take_elected().serve_without_log_forgetting_earlier_writes();
    let (now, writes) = (solo.now, Writes::new(Bell::new().0, acknowledge));
    let stamp = office.stamp(now).unwrap();
    writes.open(office, stamp);
    // The office ends with its elector.
    ELECTORS.with_borrow_mut(|electors| electors.push(solo));
    (writes, stamp, now)
}

fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Asks where there is room.
fn ask(writes: &Writes, command: &'static str, now: Time) -> oneshot::Receiver<WriteResult> {
    let Poll::Ready(result) = poll(pin!(writes.ask(command.into(), || now))) else { panic!("there is room") };
    result
}

/// One write in each place that it can be in: committed, in the log, in hand, asked for.
fn everywhere(writes: &Writes, stamp: Stamp, now: Time) -> [oneshot::Receiver<WriteResult>; 4] {
    let mut results = Vec::new();
    for (command, offset) in [("committed", 7), ("in the log", 8)] {
        results.push(ask(writes, command, now));
        assert_eq!(writes.take(now), Some((stamp, vec![command.into()])));
        writes.on_appended(Appended::From(offset));
    }
    writes.on_committed(vec![(7, CommandResult::Done)]);
    results.push(ask(writes, "in hand", now));
    assert!(writes.take(now).is_some());
    results.push(ask(writes, "asked for", now));
    results.try_into().unwrap()
}

#[test]
fn a_lost_office_answers_every_client_whatever_the_log_is_doing() {
    let (writes, stamp, now) = open();
    let results = everywhere(&writes, stamp, now);
    assert!(writes.waits_for().is_some());
    assert!(writes.is_open() && writes.is_held_up());
    writes.close(EPOCH);
    assert!(!writes.is_open() && !writes.is_held_up());
    let [committed, logged, in_hand, asked] = results.map(|mut result| result.try_recv().unwrap());
    for unknown in [committed, logged, in_hand] {
        assert_eq!(unknown, Err(WriteFailed::Unknown(EPOCH)));
    }
    assert_eq!(asked, Err(WriteFailed::NotAdmitted(None)));
    // What the log's thread brings later is for nobody.
    writes.on_appended(Appended::From(9));
    writes.on_committed(vec![(8, CommandResult::Done), (9, CommandResult::Done)]);
    writes.acknowledge(u64::MAX, |_| true, || now);
    assert!(writes.lock().is_empty() && writes.waits_for().is_none());
    assert_eq!(writes.room.available_permits(), BYTES_MAX);
    let refused = ask(&writes, "later", now).try_recv().unwrap();
    assert_eq!(refused, Err(WriteFailed::NotAdmitted(None)));
}

#[test]
fn writes_that_nobody_confirms_are_given_up_and_none_is_let_in_until_something_is_committed() {
    let (writes, stamp, now) = open();
    let results = everywhere(&writes, stamp, now);
    assert_eq!(writes.stands_for(), None);
    assert_eq!(writes.give_up(), GivenUp { unknown: 3, refused: 1 });
    let [committed, logged, in_hand, asked] = results.map(|mut result| result.try_recv().unwrap());
    for unknown in [committed, logged, in_hand] {
        assert_eq!(unknown, Err(WriteFailed::Stands));
    }
    assert_eq!(asked, Err(WriteFailed::NoQuorum));
    assert!(writes.stands_for().is_some() && writes.waits_for().is_none());
    assert_eq!(ask(&writes, "refused", now).try_recv().unwrap(), Err(WriteFailed::NoQuorum));
    writes.on_committed(vec![(8, CommandResult::Done)]);
    assert_eq!((writes.stands_for(), writes.waits_for()), (None, None));
    assert!(ask(&writes, "let in", now).try_recv().is_err(), "it waits");
    writes.give_up();
    writes.on_all_confirmed();
    assert_eq!(writes.stands_for(), None);
}

#[test]
fn a_commit_gives_those_that_wait_more_time() {
    let (writes, stamp, now) = open();
    let _results = everywhere(&writes, stamp, now);
    let long_ago = Instant::now().checked_sub(Duration::from_secs(100)).unwrap();
    writes.lock().waits_since = Some(long_ago);
    let _another = ask(&writes, "another", now);
    assert!(writes.waits_for().unwrap() >= Duration::from_secs(100), "whoever comes later does not help");
    writes.on_committed(Vec::new());
    assert!(writes.waits_for().unwrap() < Duration::from_secs(100));
}

#[test]
fn what_waits_is_bounded_and_room_is_given_back() {
    let (writes, _, now) = open();
    let large = || Bytes::from(vec![0; 1 << 20]);
    let mut results = Vec::new();
    let held = loop {
        let mut asking = Box::pin(writes.ask(large(), || now));
        match poll(asking.as_mut()) {
            Poll::Ready(result) => results.push(result),
            Poll::Pending => break asking,
        }
    };
    assert_eq!(results.len(), BYTES_MAX / ((1 << 20) + OVERHEAD_BYTES));
    let mut held = held;
    assert!(poll(held.as_mut()).is_pending());
    writes.close(EPOCH);
    let Poll::Ready(mut result) = poll(held.as_mut()) else { panic!("there is room again") };
    assert_eq!(result.try_recv().unwrap(), Err(WriteFailed::NotAdmitted(None)), "and no office");
}

#[test]
fn clients_that_have_gone_are_forgotten_and_batches_are_bounded() {
    let (writes, stamp, now) = open();
    drop(ask(&writes, "gone", now));
    assert_eq!(writes.take(now), None);
    assert!(writes.waits_for().is_none());
    let results: Vec<_> = (0..=BATCH_MAX).map(|_| ask(&writes, "here", now)).collect();
    let (bell, rung) = Bell::new();
    let writes = Writes { bell, ..writes };
    for (count, more) in [(BATCH_MAX, true), (1, false)] {
        let (taken_under, commands) = writes.take(now).unwrap();
        assert_eq!((taken_under, commands.len(), rung.try_recv().is_ok()), (stamp, count, more));
        writes.on_appended(Appended::Refused);
    }
    for mut result in results {
        assert_eq!(result.try_recv().unwrap(), Err(WriteFailed::NotAdmitted(None)));
    }
}

#[test]
fn an_append_that_failed_may_have_been_written() {
    let (writes, stamp, now) = open();
    let mut result = ask(&writes, "write", now);
    writes.take(now).unwrap();
    writes.on_appended(Appended::Failed);
    assert_eq!(result.try_recv().unwrap(), Err(WriteFailed::Unknown(stamp.epoch())));
}

#[test]
fn clients_are_told_once_fence_and_lease_admit_it() {
    let (writes, _, now) = open();
    let mut result = ask(&writes, "write", now);
    writes.take(now).unwrap();
    writes.on_appended(Appended::From(1));
    writes.drain(true);
    writes.on_committed(vec![(1, CommandResult::Number(5))]);
    writes.acknowledge(u64::MAX, |_| false, || now);
    let over = now + Duration::from_hours(1_000_000);
    writes.acknowledge(u64::MAX, |_| true, || over);
    assert!(result.try_recv().is_err() && !writes.is_drained(), "neither fence nor lease is passed by");
    // Until a raised epoch is told, nothing is taken under a lease that is over.
    let _waits = ask(&writes, "another", over);
    assert_eq!(writes.take(over), None);
    assert!(writes.is_held_up(), "if the lease is renewed instead, nobody rings");
    let raised = Stamp::received(Epoch::new(9));
    writes.raise(raised);
    writes.acknowledge(u64::MAX, |stamp| stamp == raised, || now);
    assert!(result.try_recv().is_err(), "the office checks the stamp too");
}

/// Asks for a write that is then in the log at this offset.
fn logged(writes: &Writes, command: &Command, offset: u64, now: Time) -> oneshot::Receiver<WriteResult> {
    let Poll::Ready(result) = poll(pin!(writes.ask(command.encode(), || now))) else {
        panic!("there is room")
    };
    writes.take(now).unwrap();
    writes.on_appended(Appended::From(offset));
    result
}

fn set() -> Command {
    Command::SetMany { pairs: vec![("key".into(), "value".into())] }
}

fn add() -> Command {
    Command::Add { key: "key".into(), amount: 1 }
}

#[test]
fn where_all_must_hold_a_write_its_commit_is_not_enough() {
    let (writes, _, now) = open_with(Acknowledge::All);
    let [mut one, mut two] = [7, 8].map(|offset| logged(&writes, &set(), offset, now));
    let long_ago = Instant::now().checked_sub(Duration::from_secs(100)).unwrap();
    writes.lock().waits_since = Some(long_ago);
    writes.on_committed(vec![(7, CommandResult::Done), (8, CommandResult::Done)]);
    writes.acknowledge(6, |_| true, || now);
    assert!(one.try_recv().is_err() && writes.waits_for().unwrap() >= Duration::from_secs(100));
    writes.acknowledge(7, |_| true, || now);
    assert_eq!(one.try_recv().unwrap(), Ok(CommandResult::Done));
    assert!(writes.waits_for().unwrap() < Duration::from_secs(100), "time anew for the other");
    writes.give_up();
    assert_eq!(two.try_recv().unwrap(), Err(WriteFailed::Stands));
    writes.on_committed(Vec::new());
    assert!(writes.stands_for().is_some(), "a quorum does not end it");
    writes.on_all_confirmed();
    assert!(writes.stands_for().is_none());
}

#[test]
fn where_one_is_enough_what_is_known_is_answered_at_once_and_waits_all_the_same() {
    let (writes, _, now) = open_with(Acknowledge::One);
    let [mut first, mut second] = [7, 8].map(|offset| logged(&writes, &set(), offset, now));
    let mut sum = logged(&writes, &add(), 9, now);
    writes.on_durable(7, |_| false, || now);
    assert!(first.try_recv().is_err(), "no fence is passed by");
    writes.on_durable(7, |_| true, || now + Duration::from_hours(1_000_000));
    assert!(first.try_recv().is_err(), "no lease either");
    writes.on_durable(7, |_| true, || now);
    assert_eq!(first.try_recv().unwrap(), Ok(CommandResult::Done));
    assert!(second.try_recv().is_err(), "not durable yet");
    writes.on_durable(9, |_| true, || now);
    assert_eq!(second.try_recv().unwrap(), Ok(CommandResult::Done));
    assert!(sum.try_recv().is_err(), "what it answers is not known before it is applied");
    writes.drain(true);
    assert!(writes.waits_for().is_some() && !writes.is_drained(), "a quorum is waited for");
    let held = writes.room.available_permits();
    writes.on_committed(vec![
        (7, CommandResult::Done),
        (8, CommandResult::Done),
        (9, CommandResult::Number(1)),
    ]);
    writes.acknowledge(u64::MAX, |_| true, || now);
    assert_eq!(sum.try_recv().unwrap(), Ok(CommandResult::Number(1)));
    assert!(writes.is_drained() && writes.room.available_permits() > held);

    let early = logged(&writes, &set(), 10, now);
    writes.on_durable(10, |_| true, || now);
    drop(early);
    assert_eq!(writes.give_up(), GivenUp { unknown: 0, refused: 0 }, "its client was told something else");
    assert!(writes.stands_for().is_some(), "and nothing new is let in");
}

#[test]
fn by_default_a_write_that_is_durable_here_is_not_acknowledged() {
    let (writes, _, now) = open();
    let mut result = logged(&writes, &set(), 7, now);
    writes.on_durable(7, |_| true, || now);
    assert!(result.try_recv().is_err());
}
