//! What is dropped, what takes its place, and how the log is stored.

use super::*;

/// A store whose log holds an own entry and `count` entries that set as many keys, all applied.
fn filled(count: u64) -> (tempfile::TempDir, Store) {
    let (dir, store) = store();
    let set = |number: u64| Command::Set {
        key: format!("{number:04}").into(),
        value: vec![b'x'; 1_000].into(),
        condition: SetCondition::Always,
        reply: SetReply::Done,
    };
    let entries: Vec<_> =
        std::iter::once(own(1)).chain((0..count).map(|number| entry(1, &set(number)))).collect();
    store.write(Position::EMPTY, 0, &entries).unwrap();
    store.apply(count + 1, |_, _| ()).unwrap();
    (dir, store)
}

fn reopened(dir: &tempfile::TempDir, store: Store) -> Store {
    store.sync().unwrap();
    drop(store);
    Store::open(&dir.path().join("store")).unwrap()
}

#[test]
fn what_is_applied_is_dropped_beyond_the_budget_and_nothing_else() {
    let (dir, store) = filled(400);
    store.write(at(1, 401), 401, &[own(2), own(2), own(5)]).unwrap();
    assert_eq!(store.drop_old(404, 401, 1 << 20).unwrap(), None, "it fits");
    let begin = store.drop_old(404, 401, 100 << 10).unwrap().unwrap();
    let left = store.log_bytes(404).unwrap();
    assert!((100 << 10..170 << 10).contains(&left), "{left}");
    let history = store.history().unwrap();
    assert_eq!((history.begin(), history.last()), (begin, at(5, 404)));
    assert!(
        begin.offset > 200
            && store.read(begin.offset, 404, usize::MAX).unwrap().len() as u64 == 404 - begin.offset
    );
    // Less is asked for than what is not applied takes.
    assert_eq!(store.drop_old(404, 401, 0).unwrap(), Some(at(1, 401)));
    assert_eq!(store.drop_old(404, 401, 0).unwrap(), None);
    let store = reopened(&dir, store);
    assert_eq!(store.history().unwrap().begin(), at(1, 401));
    assert_eq!((store.applied(), store.keys()), (401, 400));
    assert!(store.value(b"0000").unwrap().is_some(), "the state holds what was dropped");
    // The log goes on, and is cut, after its begin.
    store.write(at(1, 401), 404, &[own(7)]).unwrap();
    let history = reopened(&dir, store).history().unwrap();
    assert_eq!((history.position(401), history.last()), (Some(at(1, 401)), at(7, 402)));
    assert_eq!(history.position(400), None);
}

/// A store that has received the whole state of another one, part by part.
fn received(from: &View, into: &Store) {
    let (mut after, mut anew) = (Bytes::new(), true);
    loop {
        let (pairs, is_last) = from.part(&after, 50_000).unwrap();
        into.receive(std::mem::take(&mut anew), &pairs).unwrap();
        if is_last {
            return;
        }
        after = pairs.last().unwrap().0.clone();
    }
}

#[test]
fn a_state_takes_the_place_of_log_and_state_when_it_is_whole() {
    let (_dir, source) = filled(300);
    let (dir, store) = filled(20);
    store.write(at(1, 21), 21, &vec![own(2); 900]).unwrap();
    let view = source.view();
    // What comes later is not in it.
    source.write(at(1, 301), 301, &[entry(1, &set("later", "x"))]).unwrap();
    source.apply(302, |_, _| ()).unwrap();
    received(&view, &store);
    let before = store.view();
    assert_eq!((store.history().unwrap().last(), store.keys(), store.applied()), (at(2, 921), 20, 21));
    store.install(at(1, 301)).unwrap();
    assert_eq!(before.keys().unwrap(), 20, "who reads goes on reading what was");
    assert_eq!(before.keys_after(Some(b"0004"), 1).unwrap(), ["0005"]);
    drop(before);
    let store = reopened(&dir, store);
    let history = store.history().unwrap();
    assert_eq!((history.begin(), history.last()), (at(1, 301), at(1, 301)), "no fork goes on behind it");
    assert_eq!((store.keys(), store.applied(), store.value(b"later").unwrap()), (300, 301, None));
    store.write(at(1, 301), 301, &[entry(3, &set("later", "y"))]).unwrap();
    store.apply(302, |_, _| ()).unwrap();
    assert_eq!(reopened(&dir, store).value(b"later").unwrap().as_deref(), Some(&b"y"[..]));
}

#[test]
fn half_a_state_is_gone_after_a_restart_or_when_another_one_begins() {
    let (_dir, source) = filled(300);
    let (dir, store) = filled(20);
    let (pairs, _) = source.view().part(&[], 50_000).unwrap();
    assert_eq!(store.receive(true, &pairs[..9]).unwrap(), 9);
    assert_eq!(store.receive(false, &pairs[9..12]).unwrap(), 12);
    let store = reopened(&dir, store);
    assert_eq!((store.history().unwrap().last(), store.keys(), store.applied()), (at(1, 21), 20, 21));
    assert!(store.receive(false, &pairs).is_err(), "nothing has begun");
    assert_eq!(store.receive(true, &pairs[..9]).unwrap(), 9);
    assert_eq!(store.receive(true, &pairs[..3]).unwrap(), 3);
    store.install(at(1, 301)).unwrap();
    assert_eq!(reopened(&dir, store).keys(), 3);
}

/// A log is the same whatever runs it was written in, and wherever it is cut.
#[test]
fn runs_do_not_show() {
    let (dir, store) = store();
    let mut expected: Vec<Entry> = Vec::new();
    // Where it is cut, and with how many entries of which epochs it goes on.
    let steps =
        [(0, [3, 2]), (5, [1, 0]), (4, [2, 70]), (40, [1, 1]), (41, [200, 0]), (100, [0, 3]), (0, [9, 9])];
    for (number, (keep, counts)) in (1_u8..).zip(steps) {
        let value = Bytes::from(vec![number; 1_500]);
        let entry = |epoch| Entry { epoch: Epoch::new(epoch), command: value.clone() };
        let entries: Vec<_> = (0..counts[0])
            .map(|_| entry(u64::from(number) * 2))
            .chain((0..counts[1]).map(|_| entry(u64::from(number) * 2 + 1)))
            .collect();
        let last = expected.len() as u64;
        expected.truncate(keep);
        let kept = expected.last().map_or(Position::EMPTY, |entry| Position::new(entry.epoch, keep as u64));
        store.write(kept, last, &entries).unwrap();
        expected.extend(entries);
        let history = store.history().unwrap();
        assert_eq!(history.last().offset, expected.len() as u64);
        for (entry, offset) in expected.iter().zip(1..) {
            assert_eq!(history.position(offset), Some(Position::new(entry.epoch, offset)));
        }
        for after in [0, 1, keep, expected.len() / 2, expected.len()] {
            assert_eq!(
                store.read(after as u64, expected.len() as u64, usize::MAX).unwrap(),
                expected[after..]
            );
        }
        let weights = expected.iter().map(|entry| 48 + entry.command.len() as u64).sum::<u64>();
        assert_eq!(store.log_bytes(expected.len() as u64).unwrap(), weights);
    }
    assert_eq!(reopened(&dir, store).read(0, 99, usize::MAX).unwrap(), expected);
}
