use super::*;

fn stamp(epoch: u64, count: u32, millis: u64) -> PauseStamp {
    let number = PauseNumber { epoch: Epoch::new(epoch), count };
    PauseStamp { number, remaining: Duration::from_millis(millis) }
}

fn at(millis: u64) -> Time {
    Time::from_nanos(millis * 1_000_000)
}

#[test]
fn r63_the_newest_stamp_counts_lookup_table() {
    // (known, heard 10 ms later, until when it is paused then)
    let table = [
        (stamp(1, 1, 100), stamp(1, 1, 100), Some(100)),
        (stamp(1, 1, 100), stamp(1, 1, 80), Some(90)),
        (stamp(1, 1, 100), stamp(1, 1, 0), None),
        (stamp(1, 1, 0), stamp(1, 1, 100), None),
        (stamp(1, 1, 100), stamp(1, 2, 500), Some(510)),
        (stamp(1, 2, 0), stamp(1, 1, 100), None),
        (stamp(1, 9, 100), stamp(2, 1, 0), None),
        (stamp(2, 1, 0), stamp(1, 9, 100), None),
        (stamp(1, 2, 100), stamp(1, 1, 0), Some(100)),
        (stamp(1, 1, 100), stamp(1, 2 + (1 << 20), 0), Some(100)),
    ];
    for (known, heard, until) in table {
        let mut pause = Pause::default();
        pause.note(known, at(0));
        pause.note(heard, at(10));
        assert_eq!(pause.until(), until.map(at), "{heard:?} after {known:?}");
    }
}

#[test]
fn r63_an_expired_pause_is_a_resume_of_its_number() {
    let mut pause = Pause::default();
    pause.note(stamp(1, 1, 100), at(0));
    assert_eq!(pause.expire(), Noted::Resumed { was_paused: true });
    assert_eq!(pause.stamp(at(100)), Some(stamp(1, 1, 0)));
    assert_eq!(pause.note(stamp(1, 1, 20), at(110)), Noted::Nothing, "another clock is slower");
}

#[test]
fn r62_whom_a_pause_keeps_in_office() {
    let [a, b, c] = [0, 1, 2].map(MemberIndex::at);
    let mut pause = Pause::default();
    pause.note_leader(a, Epoch::new(3));
    assert_eq!(pause.reservation(), None, "there is no pause");
    pause.note(stamp(4, 1, 100), at(0));
    assert_eq!(pause.reservation(), None, "somebody has led since");
    pause.learn_reservation(b);
    pause.learn_reservation(c);
    assert_eq!(pause.reservation().map(|last| last.leader), Some(b));
    pause.note_leader(a, Epoch::new(3));
    assert_eq!(pause.reservation().map(|last| last.leader), Some(b));
    pause.note_leader(c, Epoch::new(5));
    assert_eq!(pause.reservation(), Some(LastLeader { leader: c, epoch: Epoch::new(5) }));
}

fn number(epoch: u64, count: u32) -> PauseNumber {
    PauseNumber { epoch: Epoch::new(epoch), count }
}

fn knowing(known: PauseStamp) -> Pause {
    let mut pause = Pause::default();
    pause.note(known, at(0));
    pause
}

#[test]
fn r63_a_leader_takes_a_number_above_every_known_one_and_that_of_whoever_asks() {
    let pause = knowing(stamp(2, 3, 100));
    assert_eq!(pause.next_number(Epoch::new(1), number(1, 9)), number(2, 4));
    assert_eq!(pause.next_number(Epoch::new(2), number(0, 0)), number(2, 4));
    assert_eq!(pause.next_number(Epoch::new(4), number(3, 9)), number(4, 1));
    assert_eq!(pause.next_number(Epoch::new(4), number(5, 3)), number(5, 4));
}

#[test]
fn r63_no_stamp_counts_further_than_one_frame_may() {
    let distance = COUNT_DISTANCE_MAX;
    for (known, count, is_noted) in [
        (stamp(1, 1, 0), distance + 1, true),
        (stamp(1, 1, 0), distance + 2, false),
        (stamp(1, distance, 0), distance * 2, true),
        (stamp(1, distance, 0), distance * 2 + 1, false),
    ] {
        assert_eq!(knowing(known).note(stamp(1, count, 5), at(0)) != Noted::Nothing, is_noted, "{count}");
    }
    // What is known of another epoch is no help.
    assert_eq!(knowing(stamp(1, distance, 0)).note(stamp(2, distance + 1, 5), at(0)), Noted::Nothing);
}

#[test]
fn r63_a_pause_lasts_a_day_at_most_and_a_copy_of_its_stamp_changes_nothing() {
    let mut pause = Pause::default();
    let long = PauseStamp { remaining: PAUSE_MAX * 2, ..stamp(1, 1, 0) };
    let until = at(0) + PAUSE_MAX;
    assert_eq!(pause.note(long, at(0)), Noted::Paused { until, is_new: true });
    assert_eq!(pause.note(long, at(0)), Noted::Nothing);
}

#[test]
fn r42_a_new_pause_answers_a_request_and_a_shorter_end_does_not() {
    let [a, b] = [0, 1].map(MemberIndex::at);
    let request = PauseRequest::Resume { asks_until: at(50) };
    let mut pause = Pause::default();
    pause.note_leader(a, Epoch::new(1));
    pause.note(stamp(1, 1, 100), at(0));
    assert_eq!(pause.taken_by(), Some(a));
    pause.note_asker(b);
    pause.ask(request);
    pause.note(stamp(1, 1, 50), at(0));
    assert_eq!((pause.asked_by(), pause.request(), pause.until()), (Some(b), Some(request), Some(at(50))));
    pause.note(stamp(2, 1, 100), at(0));
    assert_eq!((pause.asked_by(), pause.request(), pause.taken_by()), (None, None, None), "by somebody else");
    pause.ask(request);
    pause.limit_request(at(49));
    assert_eq!(pause.request(), Some(request));
    pause.limit_request(at(50));
    assert_eq!(pause.request(), None);
    pause.ask(request);
    pause.withdraw_request();
    assert_eq!(pause.request(), None);
}

#[test]
fn r62_who_took_a_pause_is_whoever_led_its_epoch_as_soon_as_that_is_known() {
    let [a, b, c] = [0, 1, 2].map(MemberIndex::at);
    let mut pause = Pause::default();
    pause.note_leader(a, Epoch::new(1));
    pause.note(stamp(2, 1, 100), at(0));
    pause.note_leader(b, Epoch::new(3));
    assert_eq!(pause.taken_by(), None);
    pause.note_leader(c, Epoch::new(2));
    assert_eq!((pause.taken_by(), pause.reservation().map(|last| last.leader)), (Some(c), Some(b)));
    pause.note_leader(b, Epoch::new(2));
    assert_eq!(pause.taken_by(), Some(c), "one leader took it");
    // Of one epoch the last that is heard of counts.
    pause.note_leader(c, Epoch::new(3));
    assert_eq!(pause.reservation().map(|last| last.leader), Some(c));
}

#[test]
fn r62_a_favour_ends_with_its_time_or_before() {
    let mut pause = Pause::default();
    pause.favour(at(5));
    assert!(pause.is_favoured(at(4)) && !pause.is_favoured(at(5)));
    pause.end_favour();
    assert!(!pause.is_favoured(at(4)));
}
