//! The drills of `examples/drill`, in seconds instead of minutes: real processes that are killed and stopped, disks that hang
//! or are full, twins. At the end of each, no two leases overlap.
#![cfg(target_os = "linux")]
#![allow(dead_code, reason = "the command line uses the rest")]
#![allow(clippy::print_stderr, reason = "a test says what it measured")]

#[path = "../examples/drill/disk.rs"]
mod disk;
#[path = "../examples/drill/disks.rs"]
mod disks;
#[path = "../examples/drill/figures.rs"]
mod figures;
#[path = "../examples/drill/findings.rs"]
mod findings;
#[path = "../examples/drill/group.rs"]
mod group;
#[path = "../examples/drill/host.rs"]
mod host;
#[path = "../examples/drill/kills.rs"]
mod kills;
#[path = "../examples/drill/leases.rs"]
mod leases;
#[path = "../examples/drill/log.rs"]
mod log;
#[path = "../examples/drill/node.rs"]
mod node;
#[path = "../examples/drill/silent.rs"]
mod silent;
#[path = "../examples/drill/stops.rs"]
mod stops;
#[path = "../examples/drill/twins.rs"]
mod twins;

use std::process::Command;
use std::time::Duration;
use std::{env, io};

use elect_core::{Epoch, Lease, StepDown, Time};
use findings::Findings;
use group::{Links, Plan};
use leases::{LeaseLog, Unfinished};

/// The process of a node: this test, started again.
#[test]
fn a_node() {
    node::run_if_started_as_one().unwrap();
}

fn launch(_: &node::Seat) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["a_node", "--exact", "--nocapture"]);
    Ok(command)
}

fn plan(crash_evidence: bool) -> Plan {
    Plan {
        nodes: 3,
        crash_evidence,
        writes: true,
        detection_ms: 500,
        links: Links::Plain,
        pause: Duration::from_millis(20),
        stories: false,
    }
}

/// So long that no load of the machine costs office.
fn patient() -> Plan {
    Plan { detection_ms: 5_000, ..plan(false) }
}

fn assert_well(findings: &Findings) {
    eprintln!("{}", findings.lines.join("\n"));
    assert!(findings.wrong.is_empty(), "{:#?}", findings.wrong);
}

#[test]
fn killed_primaries_are_replaced_with_crash_evidence_and_without() {
    for (crash_evidence, count) in [(true, 8), (false, 3)] {
        let directory = tempfile::tempdir().unwrap();
        let report = kills::run(&plan(crash_evidence), count, directory.path(), &launch, |_| ()).unwrap();
        eprintln!("{}", report.lines(&patient()).join("\n"));
        assert_eq!(report.elected().count(), count);
        assert!(report.leases > count, "each leader wrote its lease down");
        // A promise without evidence lasts for the whole detection time; no load makes that shorter.
        assert!(crash_evidence || report.elected().at(0) >= 300_000_000, "{:?}", report.elected());
    }
}

#[test]
fn a_supervisor_spares_the_others_the_detection_time() {
    let directory = tempfile::tempdir().unwrap();
    let plan = Plan { links: Links::Supervised, ..patient() };
    let report = kills::run(&plan, 5, directory.path(), &launch, |_| ()).unwrap();
    eprintln!("{}", report.lines(&patient()).join("\n"));
    assert_eq!(report.elected().count(), 5);
    assert!(report.elected().at(4) < 3_000_000_000, "of a detection time of 5 s: {:?}", report.elected());
}

#[test]
fn a_stopped_primary_comes_back_without_its_lease() {
    let directory = tempfile::tempdir().unwrap();
    let longest = Duration::from_secs(2);
    assert_well(&stops::run(&plan(false), 5, longest, directory.path(), &launch, |_| ()).unwrap());
}

#[test]
fn a_hung_and_a_full_disk_cost_the_primary_office_and_a_follower_nothing() {
    let directory = tempfile::tempdir().unwrap();
    assert_well(&disks::run(&patient(), 1, directory.path(), &launch, |_| ()).unwrap());
}

#[test]
fn a_peer_that_accepts_and_never_answers_is_in_nobodys_way() {
    let directory = tempfile::tempdir().unwrap();
    assert_well(&silent::run(&plan(true), 2, directory.path(), &launch, |_| ()).unwrap());
}

#[test]
fn twins_cost_nobody_office() {
    let directory = tempfile::tempdir().unwrap();
    assert_well(&twins::run(&patient(), 1, directory.path(), &launch, |_| ()).unwrap());
}

fn lease(epoch: u64, end: u64) -> Lease {
    Lease { epoch: Epoch::new(epoch), end: Time::from_nanos(end) }
}

/// The checker of all drills, shown what it has to find.
#[test]
fn two_leases_that_overlap_are_found_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let at = Time::from_nanos;
    let mut log = LeaseLog::open(&directory.path().join("a.leases")).unwrap();
    log.held(&lease(1, 500), at(90), at(100)).unwrap();
    log.held(&lease(1, 600), at(200), at(210)).unwrap();
    // Its next one: the same holder, so that this is no overlap.
    log.held(&lease(3, 800), at(300), at(310)).unwrap();
    let check = |unfinished| leases::check(&leases::read(directory.path(), unfinished).unwrap());
    check(Unfinished::ToItsEnd).unwrap();

    // Another process begins after the last use, and before the end.
    let text = std::fs::read_to_string(directory.path().join("a.leases")).unwrap();
    let own = format!("{:>20}", std::process::id());
    let other = text.lines().last().unwrap().replace(&own, &format!("{:>20}", 1));
    let other = other.replace(&format!("{:>20}", 310), &format!("{:>20}", 700));
    let other = other.replace(&format!("{:>20}", 800), &format!("{:>20}", 900));
    std::fs::write(directory.path().join("b.leases"), format!("{other}\n")).unwrap();
    let overlap = check(Unfinished::ToItsEnd).unwrap_err().to_string();
    assert!(overlap.contains("a (process") && overlap.contains("b (process 1)"), "{overlap}");
    check(Unfinished::ToItsLastUse).unwrap();

    // A lease that fell before its end reaches to its last use.
    log.lost(StepDown::Resigned).unwrap();
    check(Unfinished::ToItsEnd).unwrap();
    log.held(&lease(5, 2_000), at(850), at(860)).unwrap();
    check(Unfinished::ToItsEnd).unwrap_err();
}

/// A process that is stopped says, when it goes on, that its lease is over: what it last used was long before that.
#[test]
fn a_lease_that_ran_to_its_end_reaches_there_also_for_a_process_that_was_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let at = Time::from_nanos;
    let mut log = LeaseLog::open(&directory.path().join("a.leases")).unwrap();
    log.held(&lease(1, 500), at(90), at(100)).unwrap();
    log.lost(StepDown::LeaseOver).unwrap();
    for (from, overlaps) in [(300, true), (600, false)] {
        let mut other = LeaseLog::open(&directory.path().join("b.leases")).unwrap();
        other.held(&lease(2, 900), at(from), at(from)).unwrap();
        let text = std::fs::read_to_string(directory.path().join("b.leases")).unwrap();
        assert_eq!(text.lines().map(|line| line.len() + 1).collect::<Vec<_>>(), [128; 2]);
        for unfinished in [Unfinished::ToItsEnd, Unfinished::ToItsLastUse] {
            let checked = leases::check(&leases::read(directory.path(), unfinished).unwrap());
            assert_eq!(checked.is_err(), overlaps, "from {from}");
        }
        std::fs::remove_file(directory.path().join("b.leases")).unwrap();
    }
}

#[test]
fn what_is_missing_or_cannot_be_read_is_no_evidence() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.leases");
    let mut log = LeaseLog::open(&path).unwrap();
    log.held(&lease(1, 500), Time::from_nanos(90), Time::from_nanos(100)).unwrap();
    let checked = |offices: &[(&str, u64)]| {
        let offices: Vec<_> = offices.iter().map(|(node, epoch)| ((*node).to_owned(), *epoch)).collect();
        leases::checked(directory.path(), Unfinished::ToItsEnd, &offices).map(|leases| leases.len())
    };
    assert_eq!(checked(&[("a", 1)]).unwrap(), 1);
    let missing = checked(&[("a", 1), ("b", 2)]).unwrap_err().to_string();
    assert_eq!(missing, "b was in office in epoch 2, and has written no lease down");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 30]).unwrap();
    assert!(LeaseLog::open(&path).unwrap_err().to_string().contains("not whole"));
    std::fs::write(&path, text.replace('h', "?")).unwrap();
    checked(&[]).unwrap_err();
}
