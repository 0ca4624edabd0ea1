//! Several groups in one process: shared streams and threads, separate fates.

mod common;

use std::convert::Infallible;
use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use common::groups::{Sites, cluster};
use common::{BOUND, TestFloor, hear, id};
use crossbeam_channel::{Receiver, bounded};
use elect_core::{Config, NoLog, Record, StepDown, Stopped, VoteStore};
use elect_tcp::{
    Ended, HandshakeRefusal, HostEvent, InboundFailure, Node, NodeConfig, NodeNotice, OpenStore,
    StartGroupError, VoteFile,
};

const NAMES: [&str; 3] = ["a", "b", "c"];
/// The thread of the groups, the listener, and for each of two peers one that sends, one that watches and one that reads.
const THREADS: usize = 2 + 2 * 3;
/// While groups save, and ask each peer about themselves.
const THREADS_MAX: usize = THREADS + 4 + 2 * 3;

#[test]
fn a_hundred_groups_of_three_share_a_handful_of_threads_and_each_elects() {
    let mut sites = Sites::start(&NAMES);
    for number in 0..100 {
        sites.add_everywhere(number);
    }
    for site in sites.running.iter().flatten() {
        let threads = site.groups.threads();
        assert!(threads <= THREADS_MAX, "{threads} threads");
    }
    sites.wait_until_settled(0..100);
    let threads: usize = sites.running.iter().flatten().map(|site| site.groups.threads()).sum();
    assert!(threads <= 3 * THREADS_MAX, "{threads} threads for 300 nodes");
    // One process goes: whatever it led is led by another.
    let gone = sites.running[0].take().unwrap();
    gone.groups.shutdown_at_once(BOUND).unwrap();
    assert_eq!(gone.groups.threads(), 0);
    sites.wait_until_settled(0..100);
}

#[cfg(feature = "tls")]
#[test]
fn groups_share_streams_over_tls() {
    let mut sites = Sites::start_over_tls(&NAMES);
    for number in 0..10 {
        sites.add_everywhere(number);
    }
    sites.wait_until_settled(0..10);
    let gone = sites.running[0].take().unwrap();
    gone.groups.shutdown_at_once(BOUND).unwrap();
    sites.wait_until_settled(0..10);
}

/// A vote store that hangs from its second save on, until the sender is dropped.
struct Hanging {
    saves: u32,
    hangs: Receiver<()>,
}

impl VoteStore for Hanging {
    type Error = Infallible;

    fn save(&mut self, _: &Record) -> Result<(), Infallible> {
        self.saves += 1;
        if self.saves > 1 {
            let _ = self.hangs.recv();
        }
        Ok(())
    }
}

/// More of them than there are threads that save.
#[test]
fn vote_stores_that_hang_leave_the_other_groups_alone() {
    let mut sites = Sites::start(&NAMES);
    let (release, hangs) = bounded::<()>(0);
    for number in 0..6 {
        // Alone in its group it saves a vote for itself.
        let elect = sites.elect(0, number, &["a"]);
        let store = OpenStore::new(Hanging { saves: 0, hangs: hangs.clone() }, Record::first_boot(&elect));
        let started = sites.site(0).groups.start_group(&elect, store, Arc::new(NoLog)).unwrap();
        sites.seat(0, number, started);
    }
    for number in 10..20 {
        sites.add_everywhere(number);
    }
    sites.wait_until_settled(10..20);
    // This process saves, too.
    let leader = sites.leader(10).unwrap();
    let target = (leader + 1) % 3;
    sites.member(leader, 10).handle.handover(sites.names[target]).unwrap();
    sites.wait("handover", |sites| sites.leader(10) == Some(target));
    if target != 0 {
        sites.member(target, 10).handle.handover(id("a")).unwrap();
        sites.wait("handover", |sites| sites.leader(10) == Some(0));
    }
    assert!((0..6).all(|number| sites.leader(number).is_none()), "nothing is durable there");
    let handle = sites.member(0, 0).handle.clone();
    let error = handle.shutdown_at_once(Duration::from_millis(20)).unwrap_err();
    assert_eq!(error.threads, ["elect-save, with the vote store of group 0"]);
    let elect = sites.elect(0, 0, &["a"]);
    let again = OpenStore::new(Hanging { saves: 0, hangs: hangs.clone() }, Record::first_boot(&elect));
    let taken = sites.site(0).groups.start_group(&elect, again, Arc::new(NoLog)).unwrap_err();
    assert!(matches!(taken, StartGroupError::Taken(0)), "{taken}");
    drop(release);
    handle.shutdown_at_once(BOUND).unwrap();
    sites.wait_until_settled(1..6);
    let threads = sites.site(0).groups.threads();
    assert!(threads <= THREADS_MAX, "{threads} threads when nothing hangs any more");
}

#[test]
fn a_twin_of_one_group_is_refused_and_stops_alone() {
    let mut sites = Sites::start(&NAMES);
    for number in 1..4 {
        sites.add_everywhere(number);
    }
    sites.wait_until_settled(1..4);
    let twin = (sites.leader(1).unwrap() + 1) % 3;
    sites.member(twin, 1).handle.shutdown_at_once(BOUND).unwrap();
    // Its vote file is lost, and somebody takes that for a first boot.
    fs::remove_file(sites.vote_file(twin, 1)).unwrap();
    sites.running[twin].as_mut().unwrap().members.remove(&1);
    sites.add(twin, 1, &NAMES);
    sites.wait("end of the twin", |sites| sites.member(twin, 1).stopped.is_some());
    assert!(
        matches!(sites.member(twin, 1).stopped, Some(Stopped::Cloned { .. })),
        "{:?}",
        sites.member(twin, 1).stopped
    );
    let refused = |links: Vec<elect_tcp::Link>| {
        links.into_iter().find_map(|link| link.outbound.refusal.filter(|_| !link.outbound.is_up))
    };
    let refusal = refused(sites.member(twin, 1).handle.links().unwrap()).expect("the reason is shown");
    let HandshakeRefusal::Life { rejected, known, dialler, known_at } = &refusal else { panic!("{refusal}") };
    assert_eq!(rejected.counter, known.counter);
    assert_eq!(known_at.as_str(), sites.addresses[twin].to_string());
    assert!(dialler.as_str().starts_with("127.0.0.1:"));
    // Those who refused it say so, in that group alone, and nothing else has changed.
    let told: Vec<_> = (0..3)
        .filter(|index| *index != twin)
        .flat_map(|index| sites.member(index, 1).handle.refused_diallers().unwrap())
        .collect();
    assert!(
        told.iter()
            .any(|refused| matches!(refused.failure, InboundFailure::Refused(HandshakeRefusal::Life { .. }))),
        "{told:?}"
    );
    for index in 0..3 {
        assert!(sites.member(index, 2).handle.refused_diallers().unwrap().is_empty());
        for link in sites.member(index, 2).handle.links().unwrap() {
            assert!(link.outbound.is_up && link.inbound.is_up, "{link:?}");
        }
    }
    sites.assert_no_loss(1..4);
}

#[test]
fn another_member_list_is_refused_in_its_group_alone() {
    let mut sites = Sites::start(&NAMES);
    sites.add_everywhere(1);
    sites.add(0, 2, &NAMES);
    sites.add(1, 2, &NAMES);
    sites.add(2, 2, &["a", "c"]);
    let reason = |sites: &Sites, from: usize, to: &str| {
        let links = sites.member(from, 2).handle.links().unwrap();
        links.into_iter().find(|link| link.peer == id(to)).and_then(|link| link.outbound.refusal)
    };
    let is_members = |refusal| matches!(refusal, Some(HandshakeRefusal::Members { .. }));
    sites.wait("refusal", |sites| is_members(reason(sites, 2, "a")) && is_members(reason(sites, 0, "c")));
    sites.wait_until_settled([1]);
    sites.wait("leader of the two", |sites| sites.leader(2).is_some_and(|leader| leader < 2));
    // To b it is a stranger, as b is to it.
    sites.wait("stranger", |sites| reason(sites, 1, "c") == Some(HandshakeRefusal::UnknownName(id("b"))));
    let leader = sites.leader(2).unwrap();
    assert!(sites.member(leader, 2).losses.is_empty());
    sites.assert_no_loss([1]);
}

#[test]
fn groups_come_and_go_and_a_peer_that_lacks_one_says_so() {
    let mut sites = Sites::start(&NAMES);
    sites.add(0, 7, &NAMES);
    sites.add(1, 7, &NAMES);
    let lacks = |sites: &Sites| {
        let links = sites.member(0, 7).handle.links().unwrap();
        links.into_iter().any(|link| link.outbound.refusal == Some(HandshakeRefusal::NoGroup(7)))
    };
    sites.wait("refusal", lacks);
    sites.add(2, 7, &NAMES);
    sites.wait_until_settled([7]);
    sites.add_everywhere(8);
    sites.wait_until_settled([8]);
    // It hands over, and leaves the other group alone.
    let leader = sites.leader(8).unwrap();
    let handle = sites.member(leader, 8).handle.clone();
    let ending = std::thread::spawn(move || handle.shutdown().unwrap());
    sites.wait("end", |sites| sites.member(leader, 8).ended.is_some());
    ending.join().unwrap();
    let gone = sites.running[leader].as_mut().unwrap().members.remove(&8).unwrap();
    assert_eq!(gone.ended, Some(Ended::Shutdown));
    assert!(
        matches!(gone.losses[..], [loss] if matches!(loss.reason, StepDown::HandedOver { .. })),
        "{:?}",
        gone.losses
    );
    assert!(gone.handle.status().is_err() && gone.handle.lease().is_none());
    assert_eq!(sites.site(leader).groups.numbers(), [7]);
    sites.wait_until_settled([8]);
    // Its number and its vote file are free.
    sites.add(leader, 8, &NAMES);
    sites.wait_until_settled([8]);
    let is_heard = |link: &elect_tcp::Link| link.inbound.is_up && link.outbound.is_up;
    sites.wait("peers on the streams that stood before", |sites| {
        sites.member(leader, 8).handle.links().unwrap().iter().all(is_heard)
    });
    sites.assert_no_loss([7]);
    // The last handle of a group is its end.
    drop(gone);
    let abandoned = sites.running[leader].as_mut().unwrap().members.remove(&7).unwrap();
    drop(abandoned.handle);
    hear(&abandoned.events, "end", |event| matches!(event, HostEvent::Ended(Ended::Shutdown)).then_some(()));
    sites.wait_until_settled([7, 8]);
}

#[test]
fn streams_stand_only_while_some_group_has_the_peer() {
    let mut sites = Sites::start(&NAMES);
    sites.add(0, 1, &["a", "b"]);
    sites.add(1, 1, &["a", "b"]);
    sites.wait_until_settled([1]);
    assert_eq!(sites.site(2).groups.counts().dials, 0);
    assert_eq!(sites.site(2).groups.counts().listener_wakes, 0, "nobody dials c");
    for index in 0..2 {
        sites.member(index, 1).handle.shutdown_at_once(BOUND).unwrap();
    }
    for index in 0..2 {
        let groups = sites.site(index).groups.clone();
        common::spin("end of the streams", || groups.threads() <= 2 + 2 + 4);
    }
    // They come back with the next group.
    sites.add_everywhere(2);
    sites.wait_until_settled([2]);
}

#[test]
fn a_fence_that_panics_ends_its_group_alone() {
    let mut sites = Sites::start(&NAMES);
    sites.add_everywhere(1);
    let elect = sites.elect(0, 2, &["a"]);
    let path = sites.vote_file(0, 2);
    VoteFile::init(&path, &elect).unwrap();
    let floor = Arc::new(TestFloor { panics_at: Some(2), ..TestFloor::default() });
    let file = VoteFile::open(&path, &elect).unwrap();
    let started = sites.site(0).groups.start_group(&elect, file, floor).unwrap();
    sites.seat(0, 2, started);
    sites.wait("end", |sites| sites.member(0, 2).ended.is_some());
    assert_eq!(sites.member(0, 2).ended, Some(Ended::Panicked { thread: "elect-save".into() }));
    sites.wait_until_settled([1]);
    sites.assert_no_loss([1]);
}

#[test]
fn all_groups_end_with_their_process_after_a_handover() {
    let mut sites = Sites::start(&NAMES);
    for number in 0..3 {
        sites.add_everywhere(number);
    }
    sites.wait_until_settled(0..3);
    let leader = sites.leader(1).unwrap();
    // At a first boot it may raise an epoch and be on its way into office once more: then there is nothing to hand over yet.
    sites.wait("office", |sites| {
        let mut members = sites.site(leader).members.values();
        members.all(|member| !member.handle.is_leader() || member.handle.status().unwrap().in_office)
    });
    let groups = sites.site(leader).groups.clone();
    let ending = std::thread::spawn(move || groups.shutdown().unwrap());
    sites.wait("end", |sites| sites.site(leader).members.values().all(|member| member.ended.is_some()));
    ending.join().unwrap();
    let gone = sites.running[leader].take().unwrap();
    for member in gone.members.values() {
        assert_eq!(member.ended, Some(Ended::Shutdown));
        assert!(
            member.losses.iter().all(|loss| matches!(loss.reason, StepDown::HandedOver { .. })),
            "{:?}",
            member.losses
        );
        assert!(!member.handle.is_leader());
    }
    assert_eq!(gone.members[&1].losses.len(), 1);
    assert_eq!(gone.groups.threads(), 0);
    // Port and vote files are free.
    let listener = TcpListener::bind(sites.addresses[leader]).unwrap();
    sites.wait_until_settled(0..3);
    sites.start_site(leader, listener);
    for number in 0..3 {
        sites.add(leader, number, &NAMES);
    }
    sites.wait_until_settled(0..3);
    let late = gone.groups.start_group(
        &sites.elect(leader, 9, &NAMES),
        OpenStore::new(
            Hanging { saves: 0, hangs: bounded(0).1 },
            Record::first_boot(&sites.elect(leader, 9, &NAMES)),
        ),
        Arc::new(NoLog),
    );
    assert!(matches!(late, Err(StartGroupError::Ended)), "{late:?}");
}

#[test]
fn what_does_not_fit_the_process_is_refused_before_an_incarnation_begins() {
    let sites = Sites::start(&NAMES);
    let refusal = |elect: Config| {
        let store = OpenStore::new(Hanging { saves: 1, hangs: bounded(0).1 }, Record::first_boot(&elect));
        sites.site(0).groups.start_group(&elect, store, Arc::new(NoLog)).unwrap_err().to_string()
    };
    let builder = |node: &str| Config::builder(cluster(), id(node)).voters(["a", "b", "c"].map(id));
    let bank = elect_core::ClusterId::new("bank").unwrap();
    let table = [
        (
            Config::builder(bank, id("a")).voters([id("a")]),
            "cluster = bank: must be that of the process, test",
        ),
        (builder("b"), "node = b: must be that of the process, a"),
        (builder("a").group(u32::MAX), "group = 4294967295: must be less than that"),
        (builder("a").voters([id("d"), id("e")]), "members = d: must be one of the peers of the process"),
    ];
    for (builder, wanted) in table {
        assert_eq!(refusal(builder.build().unwrap()), wanted);
    }
    assert!(sites.site(0).groups.numbers().is_empty());
}

/// Neither takes the other for one of its own.
#[test]
fn a_node_of_one_group_and_a_process_of_many_refuse_each_other_in_words() {
    let mut sites = Sites::start(&["a", "b"]);
    sites.add(0, 0, &["a", "b"]);
    sites.site(1).groups.shutdown_at_once(BOUND).unwrap();
    let listener = TcpListener::bind(sites.addresses[1]).unwrap();
    let elect = sites.elect(1, 0, &["a", "b"]);
    let path = sites.vote_file(1, 0);
    VoteFile::init(&path, &elect).unwrap();
    let config =
        NodeConfig::builder(elect, &path).listener(listener).peer(id("a"), sites.addresses[0].to_string());
    let (_node, events) = Node::start(config.build().unwrap(), Arc::new(NoLog)).unwrap();
    let reason = hear(&events, "refusal", |event| match event {
        HostEvent::Happened(NodeNotice::LinkChanged(link)) => link.outbound.refusal,
        _ => None,
    });
    assert_eq!(reason.to_string(), "the dialler is of group 0, the listener of several groups");
    let shown = |sites: &Sites| {
        let link = sites.member(0, 0).handle.links().unwrap().remove(0);
        link.outbound.refusal.map(|refusal| refusal.to_string())
    };
    let wanted = "the dialler is of several groups, the listener of group 0";
    sites.wait("refusal", |sites| shown(sites).as_deref() == Some(wanted));
}
