//! R42: freezing failover.

use std::time::Duration;

use elect_core::{
    Blocker, Body, Elector, Heartbeat, Ignored, Lead, Notice, Refusal, RequestRefused, Standing,
};

use crate::harness::{Group, id, ms};
use crate::solo::{D, PROMISE, Solo, beat, epoch, follows, heartbeat, lead, leading, offer};

fn frozen_lead(paused_for: Duration) -> Body {
    Body::Heartbeat(Heartbeat { lead: Some(Lead { detection: D, paused_for }), ..heartbeat() })
}

fn pause(remaining: Duration) -> Body {
    Body::Pause { remaining }
}

#[test]
fn r42_while_failover_is_frozen_nobody_stands_and_nobody_accepts() {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.hear("b", 1, leading(1), frozen_lead(ms(5_000)));
    let thaws = a.now + ms(5_000);
    assert!(a.saw(|notice| matches!(notice, Notice::Paused { until } if *until == thaws)));
    a.pass(PROMISE + ms(1));
    a.hear_free("c", 1);
    assert_eq!(a.blocker(), Some(Blocker::Paused(thaws)));
    assert_eq!(a.last_to("c").header.standing, Standing::Bound, "it says that it is not free");
    a.clear().hear_offer("c", 2);
    assert!(a.sent_to("c").any(|frame| matches!(frame.body, Body::Refuse { refusal: Refusal::Paused, .. })));
    a.pass(thaws.since(a.now));
    assert!(a.saw(|notice| matches!(notice, Notice::Resumed)));
    a.hear_free("c", 1);
    assert!(a.offered().is_some(), "a freeze ends by itself");
}

#[test]
fn r42_the_own_leaders_re_offer_is_no_failover() {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.hear("b", 1, leading(1), frozen_lead(ms(5_000)));
    a.hear("b", 1, leading(1), offer(4));
    a.commit();
    assert_eq!(a.disk.record.epoch, epoch(4));
}

#[test]
fn r42_a_followers_freeze_is_its_leaders() {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.hear("b", 1, leading(1), frozen_lead(ms(5_000)));
    a.hear("b", 1, leading(1), lead(D));
    assert!(a.saw(|notice| matches!(notice, Notice::Resumed)));
    let asked = a.hear("c", 1, follows("b", 1), pause(ms(100)));
    assert_eq!(asked, Some(Ignored::NotItsPlace), "a follower freezes for nobody else");
}

#[test]
fn r42_a_request_is_repeated_until_the_leader_shows_it() {
    let asks =
        |a: &Solo, peer: &str| a.sent_to(peer).filter(|f| matches!(f.body, Body::Pause { .. })).count();
    let mut a = Solo::new();
    a.follow("b", 1).clear();
    assert_eq!(a.request(|elector, now| elector.pause(ms(5_000), now)), Ok(()));
    assert_eq!((asks(&a, "b"), asks(&a, "c")), (1, 0), "the leader is asked");
    for _ in 0..4 {
        a.pass(ms(100));
        a.hear_leader("b", 1);
    }
    assert!(asks(&a, "b") >= 3);
    assert!(!matches!(a.blocker(), Some(Blocker::Paused(_))), "and decides");
    a.hear("b", 1, leading(1), frozen_lead(ms(4_000)));
    a.clear().pass(ms(300));
    assert_eq!(asks(&a, "b"), 0);
}

#[test]
fn r42_a_leader_takes_a_fresh_request_as_its_own() {
    let mut a = Solo::new();
    a.lead();
    let mut stale = a.frame("b", 1, follows("a", 1), pause(ms(900)));
    stale.header.echo = None;
    assert_eq!(a.deliver("b", &stale), Some(Ignored::NotFresh));
    assert_eq!(a.hear("b", 1, follows("a", 1), pause(ms(900))), None);
    let shown = |a: &Solo| match &a.last_to("c").body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => heartbeat.lead.unwrap().paused_for,
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(&a), ms(900), "everybody sees it at once");
    let handover = a.request(|elector, now| elector.request_handover(Some(id("b")), now));
    assert_eq!(handover, Err(RequestRefused::Paused));
    assert_eq!(a.hear("b", 1, follows("a", 1), pause(Duration::ZERO)), None);
    assert_eq!(shown(&a), Duration::ZERO);
    let day = Duration::from_hours(24);
    assert_eq!(
        a.hear("b", 1, follows("a", 1), pause(day + ms(1))),
        Some(Ignored::NotItsPlace),
        "an end it must have"
    );
}

#[test]
fn r42_without_a_leader_everybody_may_be_thawed_and_nobody_frozen() {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.hear("b", 1, leading(1), frozen_lead(ms(60_000)));
    a.pass(PROMISE + ms(1));
    a.hear("c", 1, Standing::Bound, beat());
    assert!(matches!(a.blocker(), Some(Blocker::Paused(_))));
    assert_eq!(a.hear("c", 1, Standing::Bound, pause(ms(100))), Some(Ignored::NotItsPlace));
    assert_eq!(a.hear("c", 1, Standing::Bound, pause(Duration::ZERO)), None);
    assert!(!matches!(a.blocker(), Some(Blocker::Paused(_))));
    let refused = a.request(|elector, now| elector.pause(ms(100), now));
    assert_eq!(refused, Err(RequestRefused::NoLeader));
    let mut a = Solo::new();
    a.lead();
    for span in [Duration::ZERO, Duration::from_hours(24) + ms(1)] {
        let refused = a.request(|elector, now| elector.pause(span, now));
        assert_eq!(refused, Err(RequestRefused::PauseSpan(span)));
    }
}

#[test]
fn r42_a_leader_that_dies_while_frozen_is_replaced_after_a_resume_on_any_node() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.start_all();
    let leader = group.run_to_leader(ms(2_000)).to_string();
    group.run(ms(300));
    let [one, other] = {
        let mut rest = ["a", "b", "c"].into_iter().filter(|name| *name != leader);
        [rest.next().unwrap(), rest.next().unwrap()]
    };
    group.request(one, |elector, now| elector.pause(Duration::from_mins(1), now)).unwrap();
    group.run(ms(500)).kill(&leader).run(ms(5_000));
    assert_eq!(group.leader(), None, "{}", group.story());
    for name in [one, other] {
        let explained = group.elector(name).explain(group.now).to_string();
        assert!(explained.contains("failover is paused"), "{explained}");
    }
    group.request(other, Elector::resume).unwrap();
    let took = group.run_until(ms(1_000), |group| group.leader().is_some()).expect("it is replaced");
    assert!(took < ms(300), "{took:?}");
}
