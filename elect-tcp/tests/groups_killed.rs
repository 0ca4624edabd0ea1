//! The death of a process of many groups.

mod common;

use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, io};

use common::groups::Sites;
use common::{BOUND, id};

const NAMES: [&str; 3] = ["a", "b", "c"];
/// Set in the process that is to be killed: where the others are.
const CHILD: &str = "ELECT_GROUPS_CHILD";
const GROUPS_KILLED: u32 = 30;

/// Runs all groups of `c` until it is killed.
#[test]
fn process_that_is_killed() {
    let Ok(given) = env::var(CHILD) else { return };
    let mut words = given.split_whitespace();
    let directory = words.next().unwrap().into();
    let mut sites = Sites::join(directory, &NAMES, words.map(|word| word.parse().unwrap()).collect());
    sites.tune = |builder| builder.crash_evidence(true);
    sites.start_site(2, TcpListener::bind(sites.addresses[2]).unwrap());
    for number in 0..GROUPS_KILLED {
        sites.add(2, number, &NAMES);
    }
    // Until the other end of it is gone, whatever happens to the test.
    let reading = std::thread::spawn(|| io::stdin().read(&mut [0]));
    sites.wait("end", |_| reading.is_finished());
}

#[test]
fn the_kill_of_one_process_fails_all_its_groups_over() {
    let mut sites = Sites::start(&NAMES);
    sites.tune = |builder| builder.crash_evidence(true);
    sites.running[2].take().unwrap().groups.shutdown_at_once(BOUND).unwrap();
    let addresses: Vec<_> = sites.addresses.iter().map(ToString::to_string).collect();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "process_that_is_killed"])
        .env(CHILD, format!("{} {}", sites.directory.display(), addresses.join(" ")))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Of the third part of the groups it is the preferred leader.
    for number in 0..GROUPS_KILLED {
        sites.add(0, number, &NAMES);
        sites.add(1, number, &NAMES);
    }
    let led_by = |sites: &Sites, number, name: &str| {
        [0, 1].iter().all(|index| sites.member(*index, number).follows == Some(id(name)))
    };
    for number in 0..GROUPS_KILLED / 3 {
        sites.wait("leader", |sites| sites.leader(number).is_some() || led_by(sites, number, "c"));
        if let Some(leader) = sites.leader(number) {
            let up = |sites: &Sites| sites.member(leader, number).handle.handover(id("c")).is_ok();
            sites.wait("way to c", up);
        }
        sites.wait("c in office", |sites| led_by(sites, number, "c"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let began = Instant::now();
    sites.wait("leader of every group", |sites| {
        (0..GROUPS_KILLED).all(|number| sites.leader(number).is_some())
    });
    // Without crash evidence the detection time alone is 1.5 s.
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    let losses = |sites: &Sites, index: usize| -> usize {
        sites.site(index).members.values().map(|member| member.losses.len()).sum()
    };
    // What the others led before is theirs still.
    assert!(losses(&sites, 0) + losses(&sites, 1) <= GROUPS_KILLED as usize / 3);
}
