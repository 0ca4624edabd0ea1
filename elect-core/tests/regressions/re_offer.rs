//! A leader that raises its own epoch, its followers, and what a crash in the middle of it leaves behind.

use std::collections::BTreeSet;

use elect_core::{Body, Duty, Elector, Incarnation, PeerState, Stamp, Time};

use crate::harness::{builder, id, ms};
use crate::solo::{INTERVAL, Solo, accept, at, beat, epoch, follows, leading, offer, stands};
use crate::stories::{events, kill_and_raise, led_by_a};

/// Followers took the first claim of the raised epoch for the end of the one they followed, and told their hosts
/// that the leader was lost.
#[test]
fn followers_do_not_lose_a_leader_that_raises_its_own_epoch() {
    let mut group = led_by_a(&["a", "b", "c"]);
    kill_and_raise(&mut group, "c", 50);
    group.node_mut("b").seen.clear();
    group.start("c").run(ms(1_000));
    assert_eq!(group.leader(), Some(id("a")));
    assert_eq!(events(&group, "b", "Following"), 1, "it follows the raised epoch\n{}", group.story());
    assert_eq!(events(&group, "b", "LeaderLost"), 0, "{}", group.story());
}

/// The same where the raise arrives while the follower's slow disk is still saving its accept of it.
#[test]
fn a_follower_with_a_slow_disk_does_not_lose_a_leader_that_raises_its_own_epoch() {
    let mut group = led_by_a(&["a", "b", "c", "d", "e"]);
    kill_and_raise(&mut group, "c", 50);
    group.node_mut("b").seen.clear();
    group.node_mut("b").hangs = true;
    group.start("c").run(ms(120));
    group.unhang("b").run(ms(1_000));
    assert_eq!(group.leader(), Some(id("a")));
    assert_eq!(events(&group, "b", "LeaderLost"), 0, "{}", group.story());
}

/// A leader that was killed before its re-offered epoch was durable came back at once, and the group waited a
/// detection time for the life that had offered it.
#[test]
fn a_leader_killed_while_it_saves_a_re_offer_comes_back_at_once() {
    let mut group = led_by_a(&["a", "b", "c"]);
    kill_and_raise(&mut group, "c", 50);
    group.node_mut("a").hangs = true;
    group.start("c").run(ms(120));
    assert_eq!(group.node("b").disk.record.epoch, epoch(51), "b has accepted the re-offer");
    group.node_mut("a").hangs = false;
    group.restart("a");
    let took = group.run_until(ms(5_000), |group| group.leader().is_some());
    assert!(took.is_some_and(|took| took < ms(20)), "{took:?}\n{}", group.story());
}

/// An accept that was repeated to the candidate's next life reported the position of the first one, from before
/// entries that this node had acknowledged under the epoch still led: the new leader never heard of them.
#[test]
fn an_accept_reports_everything_that_was_acknowledged_before_it() {
    let mut a = Solo::with(builder("a", &["a", "b", "c", "d", "e"]));
    a.set_position(at(5, 10)).follow("b", 5).pass(ms(5));
    // The leader offers itself again; its own save of 7 never ends.
    assert_eq!(a.hear("b", 5, leading(5), offer(7)), None);
    a.commit();
    let stamp = Stamp::received(epoch(5));
    a.fence.apply(stamp, |tail| *tail.0.borrow_mut() = at(5, 20)).unwrap();
    a.fence.ack(stamp).unwrap();
    // It is killed, and campaigns in its next life, in the same epoch by chance.
    a.pass(ms(20)).clear();
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 1 });
    assert_eq!(a.hear("b", 5, stands(7), offer(7)), None);
    a.commit();
    let reported: Vec<_> = a
        .sent_to("b")
        .filter_map(|frame| match frame.body {
            Body::Accept { epoch, position, .. } => Some((epoch, position)),
            _ => None,
        })
        .collect();
    assert_eq!(reported, [(epoch(7), at(5, 20))]);
}

/// A leader on its way into office whose host reported its source lost again and again replaced its re-offer at
/// every heartbeat, with a save each, and before the answers could come.
#[test]
fn a_re_offer_is_not_replaced_at_every_report_of_a_lost_source() {
    let mut a = Solo::new();
    a.stand();
    a.pass(ms(1)).commit();
    assert_eq!(a.hear_accept("b", 1), None);
    for _ in 0..8 {
        a.step(Elector::on_source_lost).pass(INTERVAL);
        if a.gate.is_some() {
            a.commit();
        }
        assert_eq!(a.hear_acknowledgement("b", 1), None);
    }
    assert_eq!((a.offered(), a.disk.record.epoch), (Some(2), epoch(2)));
    let accepted = a.frame("b", 2, follows("a", 1), accept(2));
    a.deliver("b", &accepted);
    a.commit();
    assert!(a.must(|duty| matches!(duty, Duty::EpochRaised { .. })), "it has its fresh positions");
    a.step(Elector::on_source_lost).pass(INTERVAL);
    assert_eq!(a.offered(), Some(3), "a report after that begins another");
}

/// Heartbeats that a late step still sent under the old epoch shared their nonce with the first claims of the
/// raised one: an acknowledgement of the former passed for one of the latter.
#[test]
fn no_nonce_stands_for_two_epochs() {
    let mut a = Solo::new();
    a.lead();
    a.hear("c", 5, PeerState::Free, beat());
    a.pass(INTERVAL);
    let accepted = a.frame("b", 6, follows("a", 1), accept(6));
    a.commit();
    a.deliver("b", &accepted);
    a.clear();
    // The fence is closed to the old epoch at a moment when a heartbeat is due too.
    a.now = a.now + INTERVAL;
    a.commit();
    let nonces = |state: PeerState| -> BTreeSet<Time> {
        let frames = a.frames.iter().map(|(_, frame)| frame.header);
        frames.filter(|header| header.state == state).map(|header| header.nonce.sent).collect()
    };
    let (old, new) = (nonces(leading(1)), nonces(leading(6)));
    assert!(!old.is_empty() && !new.is_empty());
    assert!(old.is_disjoint(&new), "{old:?} {new:?}");
}
