//! How fast an election is, against its floor: three one-way delays and one save (L9), and the like.

use elect_sim::{Detail, Scenario};

#[track_caller]
fn holds(story: &str) {
    let report = Scenario::parse(story).unwrap().play(Detail::Events);
    assert_eq!(report.failure, None, "{story}\n{}", report.world.trace().to_text());
}

/// Delay and save in microseconds, and 1.2 times the floor. The heartbeat leaves room for the lease arithmetic.
fn at_any_delay(story: impl Fn(&str, u64) -> String) {
    for (delay, save) in
        [(100, 100), (1_000, 100), (1_000, 5_000), (5_000, 1_000), (20_000, 2_000), (50_000, 5_000)]
    {
        let settings = format!("delay {delay}us\nsave {save}us\nheartbeat 200ms\ndetection 2s\nwrites 30s\n");
        holds(&story(&settings, (3 * delay + save) * 12 / 10));
    }
}

#[test]
fn a_leader_that_resigns_is_replaced_within_the_floor() {
    at_any_delay(|settings, bound| {
        format!(
            "{settings}until office a within 3s\nwait 1s\nresign a\nuntil leader not a within {bound}us\n"
        )
    });
}

#[test]
fn a_handover_is_done_within_the_floor_once_the_host_has_drained() {
    // The model host takes at most 20 ms to drain.
    at_any_delay(|settings, bound| {
        let bound = bound + 20_000;
        format!(
            "{settings}until office a within 3s\nwait 1s\nhandover a to b\nuntil leader b within {bound}us\n"
        )
    });
}

#[test]
fn a_first_boot_elects_within_two_round_trips_and_a_save() {
    // The incarnation is saved before anybody speaks: one more save.
    at_any_delay(|settings, _| {
        let words: Vec<_> = settings.lines().collect();
        let micros = |index: usize| -> u64 {
            words[index].split_whitespace().last().unwrap().trim_end_matches("us").parse().unwrap()
        };
        let bound = 4 * micros(0) + 2 * micros(1) + 200;
        format!("{settings}until leader within {bound}us\n")
    });
}

#[test]
fn a_killed_process_is_replaced_in_a_few_round_trips_where_that_is_evidence() {
    // The close takes one delay, the refused attempt a millisecond at most and two more.
    at_any_delay(|settings, bound| {
        let delay: u64 = settings.split_whitespace().nth(1).unwrap().trim_end_matches("us").parse().unwrap();
        let bound = bound + 3 * delay + 1_200;
        format!(
            "crash-evidence\n{settings}until office a within 3s\nwait 1s\ncrash a\nuntil leader not a within {bound}us\n"
        )
    });
}
