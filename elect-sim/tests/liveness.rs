//! Bugs planted around an elector, each seen by the checker of the liveness that it spoils.

use std::time::Duration;

use elect_sim::{Checker, Detail, Drill, NodeIndex, Options, Run, SECOND, Sabotage, Scenario};

/// The checkers that a drill in a quiet group fails with.
fn found(drill: Drill, sabotage: Option<Sabotage>) -> Vec<Checker> {
    let of = |seed| {
        let mut options = Options::quiet(seed, 3);
        (options.liveness, options.drills, options.sabotage) = (2 * SECOND, vec![drill], sabotage);
        Run::new(options, Detail::Hash).outcome().violation.map(|violation| violation.checker)
    };
    (0..20).filter_map(of).collect()
}

#[track_caller]
fn finds(drill: Drill, sabotage: Sabotage, expected: Checker) {
    assert_eq!(found(drill, None), [], "{drill:?} without a bug");
    let found = found(drill, Some(sabotage));
    assert!(found.contains(&expected), "{drill:?} with {sabotage:?}: found {found:?}");
}

#[test]
fn a_leader_that_steps_down_late() {
    finds(Drill::IsolateLeader, Sabotage::SecretDrift, Checker::StepsDownInTime);
}

#[test]
fn a_node_that_counts_epochs_up_while_it_is_cut_off() {
    finds(Drill::IsolateFollower, Sabotage::CountsAlone, Checker::AddsNoEpoch);
}

#[test]
fn a_node_that_follows_late() {
    finds(Drill::HigherEpoch, Sabotage::SlowSaves, Checker::FollowsAgain);
}

#[test]
fn followers_that_are_free_late() {
    finds(Drill::Resign, Sabotage::SlowLinks, Checker::FreeAtOnce);
}

#[test]
fn a_leader_that_is_not_heard_of() {
    finds(Drill::LoseAnnounce, Sabotage::SlowLinks, Checker::LearnsLeader);
}

#[test]
fn a_group_that_boots_slowly() {
    finds(Drill::PowerCut, Sabotage::SlowSaves, Checker::BootsInTime);
}

#[test]
fn a_slow_election() {
    finds(Drill::Resign, Sabotage::SlowSaves, Checker::ElectsAtOnce);
}

#[test]
fn a_slow_handover() {
    finds(Drill::HandOver, Sabotage::SlowSaves, Checker::HandsOver);
}

#[test]
fn a_slow_failover() {
    finds(Drill::PowerOffLeader, Sabotage::SecretDrift, Checker::DetectsInTime);
}

#[test]
fn a_leader_where_nobody_can_lead() {
    let found = |rate| {
        let text = format!(
            "remains-cut a>b a>c b>a b>c c>a c>b\nuntil office a within 1s\nrate a {rate}\ncalm 10s\n"
        );
        let report = Scenario::parse(&text).expect("a scenario").play(Detail::Hash);
        report.world.violation().map(|violation| violation.checker)
    };
    assert_eq!(found(0), None);
    assert_eq!(found(-950_000), Some(Checker::RightlyNoLeader), "its lease lasts for twenty times D");
}

#[test]
fn a_preferred_leader_that_never_comes_back() {
    let found = |sabotage| {
        let options = Options {
            liveness: SECOND,
            preferred: Some(NodeIndex::new(1)),
            sabotage,
            ..Options::quiet(1, 3)
        };
        let options = Options { cooldown: Duration::from_millis(500), ..options };
        Run::new(options, Detail::Hash).outcome().violation.map(|violation| violation.checker)
    };
    assert_eq!(found(None), None);
    assert_eq!(found(Some(Sabotage::ForgetsPreference)), Some(Checker::FailsBack));
}

#[test]
fn every_drill_is_drawn_by_some_seed() {
    let drawn: Vec<_> = (0..200).flat_map(|seed| Options::swarm(seed, None, SECOND).drills).collect();
    for &drill in Drill::ALL {
        let name = drill.name();
        assert!(drawn.contains(&drill), "{name}");
        assert_eq!(name.parse(), Ok(drill));
    }
}
