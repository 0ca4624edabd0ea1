//! R67: what hosts say of themselves.

use elect_core::{
    Address, Body, Frame, HostData, Incarnation, Notice, PeerState, PeerStatus, Profile, RequestRefused,
};

use crate::harness::{builder, id};
use crate::solo::{D, Solo, beat, follows, lead, leading};

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

fn data(text: &str) -> HostData {
    HostData::new(text.as_bytes()).unwrap()
}

fn profile(version: u32, bytes: &str, at: &str) -> Profile {
    Profile { version, data: data(bytes), address: address(at) }
}

/// Whose host is at version 5.
fn at_five() -> Solo {
    Solo::with(builder("a", &["a", "b", "c"]).application(5).host_data(data("five")).address(address("a:1")))
}

fn set_data(a: &mut Solo, version: u32, bytes: &str) -> Result<(), RequestRefused> {
    a.request(|elector, now| elector.set_host_data(version, data(bytes), now))
}

fn set_address(a: &mut Solo, at: &str) {
    a.request(|elector, now| elector.set_address(address(at), now)).unwrap();
}

/// What `peer` is told, whatever the last frame to it is.
fn told(a: &Solo, peer: &str) -> Option<Profile> {
    a.last_to(peer).profile.as_deref().cloned()
}

/// `from` says that of its host, in a heartbeat.
fn hear(a: &mut Solo, from: &str, said: &Profile) {
    a.profiles.insert(id(from), said.clone());
    assert_eq!(a.hear(from, 0, PeerState::Promised, beat()), None);
    a.profiles.remove(&id(from));
}

fn status(a: &Solo, peer: &str) -> PeerStatus {
    let peers = a.elector.status(a.now).peers;
    peers.into_iter().find(|status| status.node == id(peer)).unwrap()
}

/// The versions that the host was told of, with bytes and address.
fn newer(a: &Solo) -> Vec<Profile> {
    let newer = |notice: &Notice| match notice {
        &Notice::NewerApplication { version, data, ref address, .. } => {
            Some(Profile { version, data, address: address.clone() })
        }
        _ => None,
    };
    a.notices.iter().filter_map(newer).collect()
}

#[test]
fn r67_a_profile_is_told_in_every_frame_until_one_is_echoed() {
    let mut a = at_five();
    let first = profile(5, "five", "a:1");
    assert_eq!(told(&a, "b"), Some(first.clone()), "its first word");
    a.hear_free("b", 0);
    assert!(a.offered().is_some());
    assert_eq!(told(&a, "c"), Some(first.clone()), "an offer tells it too");
    a.pass(D);
    assert_eq!(told(&a, "b"), None, "b has echoed it");
    assert_eq!(told(&a, "c"), Some(first), "c has not");
}

#[test]
fn r67_a_change_is_told_at_once_and_until_its_own_echo() {
    let mut a = at_five();
    a.hear("b", 0, PeerState::Promised, beat());
    a.hear("c", 0, PeerState::Promised, beat());
    let before = a.frame("b", 0, PeerState::Promised, beat());
    a.clear();
    set_address(&mut a, "a:2");
    let moved = profile(5, "five", "a:2");
    for peer in ["b", "c"] {
        assert_eq!(told(&a, peer), Some(moved.clone()), "to {peer}, in the same step");
    }
    a.deliver("b", &before);
    a.clear().pass(D);
    assert_eq!(told(&a, "b"), Some(moved), "b has echoed what left before");
    set_data(&mut a, 6, "six").unwrap();
    let both = profile(6, "six", "a:2");
    assert_eq!(told(&a, "b"), Some(both), "the newest of both");
    a.hear("b", 0, PeerState::Promised, beat());
    a.clear().pass(D);
    assert_eq!(told(&a, "b"), None, "b has echoed it");
}

#[test]
fn r67_a_change_has_a_nonce_of_its_own() {
    let mut a = Solo::new();
    // A heartbeat is due in the very step that brings the change: two frames, and the newer one is known as such.
    a.clear();
    a.now = a.elector.deadline();
    set_address(&mut a, "a:2");
    let nonces: Vec<_> =
        a.sent_to("b").map(|frame| (frame.header.nonce.sent, frame.profile.clone())).collect();
    let [(due, before), (changed, after)] = &nonces[..] else { panic!("{nonces:?}") };
    assert!(changed > due && before != after, "{nonces:?}");
}

#[test]
fn r67_what_is_said_again_is_no_change() {
    let mut a = at_five();
    a.clear();
    set_address(&mut a, "a:1");
    set_data(&mut a, 5, "five").unwrap();
    assert!(a.frames.is_empty());
}

#[test]
fn r67_a_version_goes_only_up_and_the_bytes_with_it() {
    let mut a = at_five();
    for (given, bytes) in [(4, "five"), (4, "four"), (5, "other")] {
        let refused = set_data(&mut a, given, bytes).unwrap_err();
        assert_eq!(refused, RequestRefused::HostVersion { given, current: 5 });
        let says = refused.to_string();
        assert!(says.contains(&format!("version {given} ")) && says.contains("version 5"), "{says}");
    }
    assert_eq!(told(&a, "b"), Some(profile(5, "five", "a:1")), "nothing changed");
    set_data(&mut a, 9, "").unwrap();
    assert_eq!(set_data(&mut a, 8, ""), Err(RequestRefused::HostVersion { given: 8, current: 9 }));
}

#[test]
fn r67_what_is_set_before_the_first_word_is_in_it() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let mut a = Solo::starting(config.clone(), elect_core::Record::first_boot(&config));
    set_address(&mut a, "a:2");
    set_data(&mut a, 1, "one").unwrap();
    assert!(a.frames.is_empty(), "R48");
    a.tick().commit();
    assert_eq!(told(&a, "b"), Some(profile(1, "one", "a:2")));
}

#[test]
fn r67_a_node_that_has_stopped_tells_no_more() {
    let mut a = at_five();
    let (rejected, known) = (a.disk.record.incarnation, Incarnation { counter: 40, random: 3 });
    a.hear("b", 0, PeerState::Free, Body::Reject { rejected, known });
    let refused = a.request(|elector, now| elector.set_address(address("a:2"), now));
    assert_eq!(refused, Err(RequestRefused::Stopped));
    assert_eq!(set_data(&mut a, 6, ""), Err(RequestRefused::Stopped));
}

#[test]
fn r67_a_newer_version_is_reported_once_with_bytes_and_address() {
    let mut a = at_five();
    hear(&mut a, "b", &profile(5, "other", "b:1"));
    assert_eq!(newer(&a), [], "not newer than its own");
    hear(&mut a, "b", &profile(6, "six", ""));
    assert_eq!(newer(&a), [], "nobody knows where to get it");
    assert_eq!(status(&a, "b").host_data, data("six"));
    let six = profile(6, "six", "b:1");
    hear(&mut a, "b", &six);
    assert_eq!(newer(&a), std::slice::from_ref(&six));
    hear(&mut a, "b", &six);
    hear(&mut a, "b", &profile(6, "six", "b:2"));
    assert_eq!(newer(&a).len(), 1, "once");
    // A later life goes back, and comes again to what was reported.
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 2 });
    hear(&mut a, "b", &profile(5, "five", "b:1"));
    hear(&mut a, "b", &six);
    assert_eq!(newer(&a).len(), 1, "not again");
    hear(&mut a, "c", &profile(7, "seven", "c:1"));
    hear(&mut a, "b", &profile(8, "eight", "b:1"));
    assert_eq!(newer(&a), [six, profile(7, "seven", "c:1"), profile(8, "eight", "b:1")]);
    set_data(&mut a, 9, "nine").unwrap();
    hear(&mut a, "c", &profile(9, "nine", "c:1"));
    assert_eq!(newer(&a).len(), 3, "its own is as new by now");
}

#[test]
fn r67_an_old_frame_takes_nothing_back() {
    let mut a = at_five();
    let says = |a: &mut Solo, said: Profile| {
        a.profiles.insert(id("b"), said);
        a.frame("b", 0, PeerState::Promised, beat())
    };
    let old = says(&mut a, profile(1, "one", "b:1"));
    let new = says(&mut a, profile(2, "two", "b:2"));
    a.deliver("b", &new);
    assert_eq!(a.deliver("b", &old), Some(elect_core::Ignored::Older));
    let known = |a: &Solo| (status(a, "b").host_data, status(a, "b").address);
    assert_eq!(known(&a), (data("two"), address("b:2")));
    // A restart with another address replaces it; what is left of the earlier life does not bring it back.
    let late = says(&mut a, profile(3, "three", "b:3"));
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 2 });
    let next = says(&mut a, profile(1, "one", "b:9"));
    a.deliver("b", &next);
    a.deliver("b", &late);
    a.deliver("b", &new);
    assert_eq!(known(&a), (data("one"), address("b:9")));
    // A twin of the same counter is refused before it is read.
    let twin = Incarnation { counter: 2, random: 3 };
    let mut forged = says(&mut a, profile(7, "seven", "b:7"));
    forged.header.nonce.incarnation = twin;
    assert_eq!(a.deliver("b", &forged), Some(elect_core::Ignored::DeadIncarnation(twin)));
    assert_eq!(known(&a), (data("one"), address("b:9")));
}

#[test]
fn r67_a_later_life_of_a_peer_is_told_again() {
    let mut a = at_five();
    a.hear("b", 0, PeerState::Promised, beat());
    a.hear("b", 0, PeerState::Promised, beat());
    a.clear().pass(D);
    assert_eq!(told(&a, "b"), None);
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 2 });
    a.hear("b", 0, PeerState::Promised, beat());
    a.clear().pass(D);
    assert_eq!(told(&a, "b"), Some(profile(5, "five", "a:1")));
}

#[test]
fn r67_followers_hear_of_a_leader_that_moves() {
    let mut a = Solo::new();
    let at = |a: &mut Solo, at: &str| {
        a.profiles.insert(id("b"), profile(0, "", at));
        a.hear("b", 1, leading(1), lead(D));
    };
    at(&mut a, "b:1");
    a.commit();
    assert!(a.saw(|notice| matches!(notice, Notice::Following { address, .. } if address.as_str() == "b:1")));
    a.clear();
    at(&mut a, "b:1");
    assert!(a.notices.is_empty());
    at(&mut a, "b:2");
    assert!(matches!(&a.notices[..], [Notice::LeaderAddress { address, .. }] if address.as_str() == "b:2"));
    assert_eq!(a.elector.known_leader().unwrap().address, address("b:2"));
    assert_eq!(a.elector.status(a.now).leader_address, address("b:2"));
    a.clear().profiles.insert(id("c"), profile(0, "", "c:2"));
    a.hear("c", 1, follows("b", 1), beat());
    assert!(a.notices.is_empty(), "whom it does not follow");
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 2 });
    a.profiles.insert(id("b"), profile(0, "", "b:3"));
    a.hear_free("b", 1);
    let moves = |notice: &Notice| matches!(notice, Notice::LeaderAddress { .. });
    assert!(!a.saw(moves), "a later life of it does not lead: {:?}", a.notices);
}

#[test]
fn r67_a_leader_that_moves_tells_its_followers() {
    let mut a = at_five();
    a.lead();
    a.hear_acknowledgement("b", 1);
    a.clear();
    set_address(&mut a, "a:2");
    assert_eq!(a.elector.known_leader().unwrap().address, address("a:2"));
    assert_eq!(told(&a, "b"), Some(profile(5, "five", "a:2")), "in the same step");
    a.hear_acknowledgement("b", 1);
    a.clear().pass(D / 5);
    assert_eq!(told(&a, "b"), None);
    let announced: Vec<&Frame> = a.sent_to("c").collect();
    assert!(
        !announced.is_empty() && announced.iter().all(|frame| frame.profile.is_some()),
        "c was not heard"
    );
}

#[test]
fn r67_a_steady_follower_hears_and_tells_of_a_change() {
    let mut a = at_five();
    a.follow("b", 1);
    let quiet = |a: &mut Solo| {
        for _ in 0..3 {
            a.clear().pass(D / 10);
            a.hear_leader("b", 1);
        }
        assert_eq!((a.frames.len(), told(a, "b")), (1, None));
    };
    quiet(&mut a);
    a.clear();
    set_data(&mut a, 6, "six").unwrap();
    a.clear();
    // The leader says again what it said, and has not heard of the change.
    let mut late = a.frame("b", 1, leading(1), lead(D));
    late.header.echo = late.header.echo.map(|echo| elect_core::Nonce {
        sent: elect_core::Time::from_nanos(echo.sent.as_nanos() - 1_000),
        ..echo
    });
    a.deliver("b", &late);
    assert_eq!(told(&a, "b"), Some(profile(6, "six", "a:1")), "the answer tells it");
    quiet(&mut a);
    a.profiles.insert(id("b"), profile(7, "seven", "b:2"));
    a.clear().hear_leader("b", 1);
    assert_eq!((newer(&a), status(&a, "b").address), (vec![profile(7, "seven", "b:2")], address("b:2")));
}
