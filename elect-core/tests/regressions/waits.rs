//! How long a group goes without a leader, on slow disks and networks and after earlier elections.

use elect_core::{CampaignBlocker, Detection, Elector, Health, PeerState, Step, Time};

use crate::harness::{Group, builder, id, ms};
use crate::solo::{PROMISE, Solo, beat};
use crate::stories::{calm, events};

fn unfit(elector: &mut Elector, now: Time) -> Step<'_> {
    elector.set_health(Health::Unfit, now)
}

fn healthy(elector: &mut Elector, now: Time) -> Step<'_> {
    elector.set_health(Health::Healthy, now)
}

/// Every round was given up after two rank steps, however often it had been too short: a disk or a network slower
/// than that meant no leader, ever, and an epoch spent for each campaign.
#[test]
fn slow_saves_and_slow_links_delay_an_election_but_do_not_prevent_it() {
    let settings = [20, 60, 120, 200, 300].map(|save| (ms(save), ms(1)));
    let settings = settings.into_iter().chain([10, 30, 60, 100, 150].map(|delay| (ms(1), ms(delay))));
    for (save, delay) in settings {
        let mut group = Group::voters(&["a", "b", "c"]);
        (group.save, group.delay) = (save, delay);
        let took = group.start_all().run_until(ms(60_000), |group| group.leader().is_some());
        assert!(took.is_some_and(|took| took < ms(3_000)), "save {save:?}, delay {delay:?}: {took:?}");
    }
}

/// The largest group elects like a small one: in a few round trips, once, and after one detection time if its leader
/// is killed.
#[test]
fn a_hundred_and_one_members_elect_once() {
    let names: Vec<String> = (0..101).map(|number| format!("n{number:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut group = Group::voters(&names);
    let took = group.start_all().run_until(ms(5_000), |group| group.leader().is_some());
    assert!(took.is_some_and(|took| took <= ms(7)), "{took:?}");
    assert_eq!(group.leader(), Some(id("n000")));
    group.run(ms(1_000)).kill("n000");
    let took = group.run_until(ms(5_000), |group| group.leader().is_some());
    assert!(took.is_some_and(|took| took < PROMISE + ms(10)), "{took:?}");
    group.run(ms(500));
    assert_eq!(group.leaders.len(), 2, "one round each");
}

/// A node that had once campaigned sent its heartbeats at a third of the ceiling, others counted it as connected for
/// the floor only: two such nodes were never connected at the same moment, and the last eligible one never stood.
#[test]
fn nodes_that_disagree_about_the_detection_time_stay_connected() {
    let names = ["a", "b", "c", "d", "e"];
    let detection = Detection::Adaptive { floor: ms(200), ceiling: ms(3_000), phi: 8 };
    for shift in [0, 100, 180, 300, 500, 700] {
        let mut group = calm(Group::with(names.map(|name| builder(name, &names).detection(detection))));
        group.run(ms(60_000)).kill("a").kill("e").input("d", unfit);
        for name in ["b", "c"] {
            let stood = group.run_until(ms(9_000), |group| events(group, name, "CampaignStarted") > 0);
            assert!(stood.is_some(), "{}", group.story());
            group.input(name, unfit);
        }
        group.run(ms(5_000 + shift)).restart("b").input("b", unfit);
        group.run(ms(4_333)).input("d", healthy);
        let took = group.run_until(ms(60_000), |group| group.leader().is_some());
        assert!(took.is_some_and(|took| took < ms(20)), "shift {shift}: {took:?}\n{}", group.story());
    }
}

/// The wait that a node drew after a lost campaign outlived the election that somebody else won: at the next failure
/// the only eligible node sat it out.
#[test]
fn a_wait_of_an_earlier_election_does_not_delay_the_next() {
    let mut a = Solo::new();
    // Nobody accepts, campaign after campaign, until it has drawn a long wait.
    let start = a.now;
    while !matches!(a.blocker(), Some(CampaignBlocker::Waits(until)) if until.since(a.now) > ms(1_000)) {
        a.hear_free("b", 0);
        if a.gate.is_some() {
            a.commit();
        }
        a.pass(ms(20));
        assert!(a.now.since(start) < ms(60_000), "it draws no long wait");
    }
    let number = a.disk.record.epoch.number() + 1;
    a.follow("b", number).pass(ms(10)).clear();
    a.hear("b", number, PeerState::Free, beat());
    assert_eq!(a.offered(), Some(number + 1), "{:?}", a.blocker());
}
