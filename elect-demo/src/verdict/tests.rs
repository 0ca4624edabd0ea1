//! Each check has runs in which it fails, and a run in which all hold.

use super::*;
use crate::trace::tests::{event, good_run, ms, node};
use crate::trace::{Acknowledged, NodeEvent};

struct Run {
    trace: Trace,
    ledger: Ledger,
    read_back: ReadBack,
    caught_up: Option<Duration>,
}

fn good() -> Run {
    let keys: Vec<u64> = (1..=200).collect();
    Run {
        trace: good_run(),
        ledger: Ledger {
            keys: keys.clone(),
            counted: (1..=90).chain(92..=201).collect(),
            increments_in_doubt: 1,
            ..Ledger::default()
        },
        read_back: ReadBack {
            keys: keys.into_iter().map(|number| (number, Some(value(number)))).collect(),
            counter: Some(201),
        },
        caught_up: Some(ms(2100)),
    }
}

fn judge(run: &Run) -> Verdict {
    Verdict::of(&Evidence {
        trace: &run.trace,
        ledger: &run.ledger,
        read_back: &run.read_back,
        caught_up: run.caught_up,
        failover_at_most: ms(1200),
    })
}

/// What is broken after `spoil`; everything else must still hold.
fn broken_by(spoil: impl FnOnce(&mut Run)) -> Broken {
    let mut run = good();
    spoil(&mut run);
    let verdict = judge(&run);
    assert!(!verdict.held());
    let mut broken: Vec<Broken> =
        verdict.checks.into_iter().filter_map(|check| check.outcome.err()).collect();
    assert_eq!(broken.len(), 1, "exactly one check fails: {broken:?}");
    broken.remove(0)
}

fn epoch(number: u64) -> Epoch {
    Epoch::new(number)
}

fn elected(at: u64, name: &str, number: u64) -> NodeEvent {
    event(at, name, EventKind::Elected { epoch: epoch(number) })
}

#[test]
fn good_run_holds() {
    let verdict = judge(&good());
    assert!(verdict.held(), "{verdict:?}");
    assert_eq!(verdict.checks[0].outcome, Ok("1 n1, 2 n2, 3 n1".into()));
    assert_eq!(verdict.checks[3].outcome, Ok("n2 elected after 500 ms; no write for 511 ms".into()));
}

#[test]
fn verdict_without_checks_does_not_hold() {
    assert!(!Verdict::default().held());
}

#[test]
fn two_nodes_that_led_one_epoch_are_found() {
    let broken = broken_by(|run| run.trace.events.push(elected(3100, "n3", 3)));
    let (first, second) =
        (ProcessRun { node: node("n1"), start: 2 }, ProcessRun { node: node("n3"), start: 1 });
    assert_eq!(broken, Broken::TwoLeaders { epoch: epoch(3), first, second });
}

#[test]
fn node_that_leads_an_epoch_again_after_its_restart_is_found() {
    let broken = broken_by(|run| run.trace.events.push(elected(3100, "n1", 1)));
    assert!(matches!(
        broken,
        Broken::TwoLeaders { first: ProcessRun { start: 1, .. }, second: ProcessRun { start: 2, .. }, .. }
    ));
}

#[test]
fn falling_epoch_is_found() {
    let broken = broken_by(|run| {
        run.trace.events.push(elected(3100, "n3", 9));
        run.trace.events.push(elected(3200, "n3", 8));
    });
    assert_eq!(broken, Broken::EpochFell { node: node("n3"), epoch: epoch(8), before: epoch(9) });
}

#[test]
fn events_without_any_election_do_not_hold() {
    let mut run = good();
    run.trace.events.retain(|event| !matches!(event.kind, EventKind::Elected { .. }));
    assert_eq!(judge(&run).checks[0].outcome, Err(Broken::NobodyElected));
}

#[test]
fn lost_key_is_found() {
    let broken = broken_by(|run| {
        run.read_back.keys.insert(7, None);
        run.read_back.keys.insert(8, Some("another value".into()));
        run.read_back.keys.remove(&9);
    });
    let expected = Broken::KeysLost { lost: 3, acknowledged: 200, key: key(7), found: "nothing".into() };
    assert_eq!(broken, expected);
}

#[test]
fn silent_client_does_not_hold() {
    assert_eq!(broken_by(|run| run.ledger.keys.clear()), Broken::NothingWritten);
    assert_eq!(broken_by(|run| run.ledger.counted.clear()), Broken::NothingWritten);
}

#[test]
fn lost_increment_is_found() {
    let broken = broken_by(|run| run.read_back.counter = Some(199));
    assert_eq!(broken, Broken::CounterWrong { found: 199, least: 200, most: 201 });
    let broken = broken_by(|run| run.read_back.counter = None);
    assert_eq!(broken, Broken::CounterWrong { found: 0, least: 200, most: 201 });
}

#[test]
fn increment_that_was_applied_twice_is_found() {
    let broken = broken_by(|run| run.read_back.counter = Some(202));
    assert_eq!(broken, Broken::CounterWrong { found: 202, least: 200, most: 201 });
}

#[test]
fn counter_that_fell_is_found() {
    let broken = broken_by(|run| run.ledger.counted[100] = 90);
    assert_eq!(broken, Broken::CounterFell { before: 101, reply: 90 });
}

#[test]
fn missing_kill_is_found() {
    let broken =
        broken_by(|run| run.trace.actions.retain(|action| !matches!(action.kind, ActionKind::Kill { .. })));
    assert_eq!(broken, Broken::NothingKilled);
}

#[test]
fn failover_that_never_came_is_found() {
    let mut run = good();
    run.trace.events.retain(|event| event.at < ms(1000));
    assert_eq!(judge(&run).checks[3].outcome, Err(Broken::NobodyTookOver));
}

#[test]
fn late_failover_is_found() {
    let broken = broken_by(|run| {
        for event in run.trace.events.iter_mut().filter(|event| event.at > ms(1400) && event.at < ms(1999)) {
            event.at += ms(760);
        }
    });
    assert_eq!(broken, Broken::Late { winner: node("n2"), took: ms(1260), bound: ms(1200) });
}

#[test]
fn new_primary_that_takes_no_write_is_found() {
    let mut run = good();
    run.trace.acknowledged.retain(|write| write.by == node("n1") && write.at < ms(1000));
    run.trace.acknowledged.push(Acknowledged { at: ms(3500), by: node("n1") });
    assert_eq!(judge(&run).checks[3].outcome, Err(Broken::NoWriteAfter(node("n1"))));
}

#[test]
fn node_that_stays_behind_is_found() {
    assert_eq!(broken_by(|run| run.caught_up = None), Broken::NotCaughtUp);
}

#[test]
fn restarted_node_that_follows_nobody_is_found() {
    let broken = broken_by(|run| {
        run.trace
            .events
            .retain(|event| !(event.node == node("n1") && matches!(event.kind, EventKind::Following { .. })));
    });
    assert_eq!(broken, Broken::NotCaughtUp);
}

#[test]
fn missing_handover_is_found() {
    let broken = broken_by(|run| {
        run.trace.actions.retain(|action| !matches!(action.kind, ActionKind::Handover { .. }));
    });
    assert_eq!(broken, Broken::NoHandover);
}

#[test]
fn primary_that_keeps_its_office_is_found() {
    let broken = broken_by(|run| {
        run.trace.events.retain(|event| !matches!(event.kind, EventKind::SteppedDown));
    });
    assert_eq!(broken, Broken::KeptOffice(node("n2")));
}

#[test]
fn handover_to_somebody_else_is_found() {
    let broken = broken_by(|run| {
        for event in run.trace.events.iter_mut().filter(|event| event.at == ms(3001)) {
            event.node = node("n3");
        }
    });
    assert_eq!(broken, Broken::WrongWinner { winner: node("n3"), target: node("n1") });
}

#[test]
fn handover_after_which_nobody_writes_is_found() {
    let broken = broken_by(|run| run.trace.acknowledged.retain(|write| write.at < ms(2997)));
    assert_eq!(broken, Broken::NoWriteAfter(node("n2")));
}

#[test]
fn checks_can_be_read_by_machines() {
    let outcome = Err(Broken::NothingKilled);
    let json = serde_json::to_value(Check { name: "failover", outcome }).expect("plain data");
    assert_eq!(json, serde_json::json!({"name": "failover", "held": false, "text": "nobody was killed"}));
}

#[test]
fn overlong_run_is_found() {
    let mut verdict = judge(&good());
    verdict.add_duration(ms(9000), ms(30_000));
    assert!(verdict.held());
    verdict.add_duration(ms(30_001), ms(30_000));
    assert!(!verdict.held());
}

#[test]
fn taken_port_is_found() {
    let mut verdict = judge(&good());
    verdict.add_cleanup(Vec::new());
    assert!(verdict.held());
    verdict.add_cleanup(vec![([127, 0, 0, 1], 7001).into()]);
    assert!(!verdict.held());
    let broken = verdict.checks.last().and_then(|check| check.outcome.clone().err());
    assert!(broken.is_some_and(|broken| broken.to_string().contains("127.0.0.1:7001")));
}
