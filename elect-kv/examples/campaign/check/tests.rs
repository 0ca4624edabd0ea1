use proptest::prelude::*;

use super::*;
use crate::campaign::operation::Write;

const NEW: i64 = 1_000_000;
const NEWER: i64 = 2_000_000;

fn told(client: usize, from: u64, until: u64, operation: Operation, answer: Answer) -> Entry {
    Entry { client, operation, invoked: from, answered: Some((until, answer)) }
}

fn open(client: usize, from: u64, operation: Operation) -> Entry {
    Entry { client, operation, invoked: from, answered: None }
}

fn set(key: usize, value: i64) -> Operation {
    Operation::Write(Write::Set(key, value))
}

fn values(values: &[Option<i64>]) -> Answer {
    Answer::Values(values.to_vec())
}

fn get(client: usize, from: u64, until: u64, value: Option<i64>) -> Entry {
    told(client, from, until, Operation::Get(0), values(&[value]))
}

fn violated_by(entries: &[Entry]) -> Option<usize> {
    match check(entries) {
        Verdict::Linearizable => None,
        Verdict::Violation(violation) => Some(violation.entry),
        Verdict::Undecided => panic!("undecided"),
    }
}

#[test]
fn one_after_another_is_linearizable_and_so_is_either_order_of_what_overlaps() {
    let increment = || Operation::Write(Write::Increment(0));
    let new = |value| Operation::Write(Write::SetNew(0, value));
    let delete = || Operation::Write(Write::Delete(vec![0, 1]));
    let history = [
        told(0, 0, 10, set(0, NEW), Answer::Done),
        get(1, 11, 20, Some(NEW)),
        told(0, 21, 30, increment(), Answer::Number(NEW + 1)),
        told(1, 31, 40, new(NEWER), Answer::Nothing),
        told(1, 41, 50, delete(), Answer::Number(1)),
        told(1, 51, 60, Operation::Exists(vec![0, 1, 0]), Answer::Number(0)),
        told(0, 61, 70, new(NEWER), Answer::Done),
        told(0, 71, 80, Operation::Exists(vec![0, 1, 0]), Answer::Number(2)),
    ];
    assert_eq!(violated_by(&history), None);
    for first in [NEW, NEWER] {
        let history = [
            told(0, 0, 10, set(0, NEW), Answer::Done),
            told(1, 5, 15, set(0, NEWER), Answer::Done),
            get(2, 16, 20, Some(first)),
            get(2, 21, 30, Some(first)),
        ];
        assert_eq!(violated_by(&history), None, "{first}");
    }
}

#[test]
fn a_lost_write_is_noticed() {
    let history = [
        told(0, 0, 10, set(0, NEW), Answer::Done),
        told(0, 11, 20, set(0, NEWER), Answer::Done),
        get(1, 21, 30, Some(NEW)),
    ];
    assert_eq!(violated_by(&history), Some(2));
    assert_eq!(violated_by(&[told(0, 0, 10, set(0, NEW), Answer::Done), get(0, 11, 20, None)]), Some(1));
}

#[test]
fn a_stale_read_is_noticed_also_between_writes_that_overlap() {
    // Whoever has seen the newer one has settled the order.
    let history = [
        told(0, 0, 50, set(0, NEW), Answer::Done),
        told(1, 0, 50, set(0, NEWER), Answer::Done),
        get(2, 51, 60, Some(NEWER)),
        get(3, 61, 70, Some(NEW)),
    ];
    assert_eq!(violated_by(&history), Some(3));
    // Seen while it was under way: from then on it is there.
    let history =
        [told(0, 0, 50, set(0, NEW), Answer::Done), get(2, 10, 20, Some(NEW)), get(3, 21, 30, None)];
    assert_eq!(violated_by(&history), Some(2));
}

#[test]
fn a_torn_read_of_several_keys_is_noticed() {
    let both = |value| Operation::Write(Write::SetMany(vec![(0, value), (1, value)]));
    let read =
        |first, second| told(1, 15, 18, Operation::GetMany(vec![0, 1]), values(&[Some(first), Some(second)]));
    for (seen, is_torn) in [((NEW, NEW), false), ((NEWER, NEWER), false), ((NEWER, NEW), true)] {
        let history = [
            told(0, 0, 10, both(NEW), Answer::Done),
            read(seen.0, seen.1),
            told(0, 12, 20, both(NEWER), Answer::Done),
        ];
        assert_eq!(violated_by(&history), is_torn.then_some(1), "{seen:?}");
        let writes = vec![Write::Set(0, NEWER), Write::Set(1, NEWER)];
        let all = Answer::All(vec![Answer::Done, Answer::Done]);
        let transaction = told(0, 12, 20, Operation::Transaction(writes), all);
        let history = [history[0].clone(), history[1].clone(), transaction];
        assert_eq!(violated_by(&history), is_torn.then_some(1), "{seen:?}");
    }
}

#[test]
fn a_write_that_was_applied_twice_is_noticed() {
    let increment = |from, until, value| {
        told(0, from, until, Operation::Write(Write::Increment(0)), Answer::Number(value))
    };
    assert_eq!(violated_by(&[increment(0, 10, 1), increment(11, 20, 3)]), Some(1));
    // Open, it takes effect at most once.
    let lost = open(1, 0, Operation::Write(Write::Increment(0)));
    assert_eq!(violated_by(&[lost.clone(), increment(1, 10, 2), increment(11, 20, 3)]), None);
    assert_eq!(violated_by(&[lost, increment(1, 10, 2), increment(11, 20, 4)]), Some(2));
    let history = [
        open(0, 0, set(0, NEW)),
        get(1, 5, 10, Some(NEW)),
        told(1, 11, 20, set(0, NEWER), Answer::Done),
        get(1, 21, 30, Some(NEW)),
    ];
    assert_eq!(violated_by(&history), Some(3));
}

#[test]
fn a_refused_write_that_is_seen_is_noticed() {
    // A refused one is in no history.
    assert_eq!(violated_by(&[get(0, 0, 10, Some(NEW))]), Some(0));
}

#[test]
fn an_open_write_takes_effect_late_or_never() {
    let late = |seen: &[Option<i64>]| {
        let reads = seen.iter().zip(1..).map(|(value, at)| get(1, at * 100, at * 100 + 50, *value));
        let history: Vec<_> = std::iter::once(open(0, 0, set(0, NEW))).chain(reads).collect();
        violated_by(&history)
    };
    assert_eq!(late(&[None, None, Some(NEW), Some(NEW)]), None);
    assert_eq!(late(&[None, None, None]), None);
    assert_eq!(late(&[None, Some(NEW), None]), Some(3));
    // Before its request it does not.
    assert_eq!(violated_by(&[get(1, 0, 10, Some(NEW)), open(0, 11, set(0, NEW))]), Some(0));
}

/// All orders of all choices of open operations: what is linearizable by definition.
fn by_definition(entries: &[Entry], done: u32, state: State) -> bool {
    let is_done = |index: usize| done & 1 << index != 0;
    let returns = |entry: &Entry| entry.answered.as_ref().map_or(u64::MAX, |(at, _)| *at);
    let left = || (0..entries.len()).filter(|index| !is_done(*index));
    if left().all(|index| entries[index].answered.is_none()) {
        return true;
    }
    let first_end = left().map(|index| returns(&entries[index])).min().unwrap_or(u64::MAX);
    left().any(|index| {
        let mut after = state;
        let answer = entries[index].operation.apply(&mut after);
        entries[index].invoked <= first_end
            && entries[index].answered.as_ref().is_none_or(|(_, told)| *told == answer)
            && by_definition(entries, done | 1 << index, after)
    })
}

/// An operation on two keys with few values, so that many histories are nearly right.
fn operation() -> impl Strategy<Value = Operation> {
    let key = || 0..2_usize;
    prop_oneof![
        key().prop_map(Operation::Get),
        Just(Operation::GetMany(vec![0, 1])),
        Just(Operation::Exists(vec![0, 1])),
        (key(), 1..4_i64).prop_map(|(key, value)| set(key, value)),
        (key(), 1..4_i64).prop_map(|(key, value)| Operation::Write(Write::SetNew(key, value))),
        (1..4_i64).prop_map(|value| Operation::Write(Write::SetMany(vec![(0, value), (1, value)]))),
        key().prop_map(|key| Operation::Write(Write::Increment(key))),
        key().prop_map(|key| Operation::Write(Write::Delete(vec![key]))),
        Just(Operation::Transaction(vec![Write::Delete(vec![0]), Write::Set(1, 3)])),
    ]
}

/// What a client asks, when, for how long, when in between it takes effect, and whether the answer gets lost.
type Asked = (Operation, u64, u64, u64, bool);

/// The history of an object that does one thing after another.
fn history(asked: Vec<Asked>) -> Vec<Entry> {
    let mut order: Vec<_> = asked.into_iter().enumerate().collect();
    order.sort_by_key(|(client, (_, from, _, effect, _))| (from + effect, *client));
    let mut state = [None; KEYS];
    let entry = |(client, (operation, from, longer, effect, is_lost)): (usize, Asked)| {
        let answer = operation.apply(&mut state);
        let answered = (!is_lost).then_some((from + effect + longer, answer));
        Entry { client, operation, invoked: from, answered }
    };
    order.into_iter().map(entry).collect()
}

proptest! {
    #[test]
    fn the_verdict_is_that_of_the_definition(
        asked in proptest::collection::vec((operation(), 0..30_u64, 0..15_u64, 0..15_u64, proptest::bool::weighted(0.2)), 1..8),
        (bent, swapped) in (any::<proptest::sample::Index>(), any::<proptest::sample::Index>()),
        is_bent in any::<bool>(),
    ) {
        let mut entries = history(asked);
        if is_bent {
            // Two answers change places.
            let (first, second) = (bent.index(entries.len()), swapped.index(entries.len()));
            let answers = [first, second].map(|index| entries[index].answered.clone().map(|(_, answer)| answer));
            for (index, answer) in [first, second].into_iter().zip(answers.into_iter().rev()) {
                if let (Some((_, told)), Some(answer)) = (&mut entries[index].answered, answer) {
                    *told = answer;
                }
            }
        }
        let expected = by_definition(&entries, 0, [None; KEYS]);
        prop_assert!(expected || is_bent);
        prop_assert_eq!(check(&entries) == Verdict::Linearizable, expected, "{:#?}", entries);
    }
}
