use super::*;
use crate::config::Detection;
use crate::name::{ClusterId, NodeId};

const B: MemberIndex = MemberIndex::at(1);
const EPOCH: Epoch = Epoch::new(4);

fn at(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

fn leader() -> Leader {
    let won = Offer::new(EPOCH, at(1), 3);
    Leader::new(&won, Duration::from_millis(500), at(100), None)
}

#[test]
fn a_raise_leads_with_the_lease_of_its_own_offer() {
    let mut leader = leader();
    leader.want_positions();
    leader.begin_re_offer(Offer::new(EPOCH.above(1), at(5), 3));
    assert!(leader.note_grant(B, at(200)) && leader.extend_lease(at(150)));
    let won = leader.take_re_offer().unwrap();
    leader.raise(&won, at(120));
    assert_eq!((leader.epoch(), leader.lease_end(), leader.grant(B)), (EPOCH.above(1), at(120), Time::ZERO));
    assert!(leader.re_offer().is_none() && !leader.wants_re_offer());
    assert!(leader.note_grant(B, at(130)), "it crosses the end of the new lease");
}

#[test]
fn fresh_positions_are_wanted_of_an_open_re_offer_already() {
    let mut leader = leader();
    leader.want_positions();
    assert!(leader.wants_re_offer());
    leader.begin_re_offer(Offer::new(EPOCH.above(1), at(5), 3));
    leader.want_positions();
    assert!(!leader.wants_re_offer(), "it brings them");
    leader.note_voter_at(EPOCH.above(1));
    assert!(!leader.wants_re_offer(), "it is not above what is offered");
    leader.note_voter_at(EPOCH.above(2));
    assert!(leader.wants_re_offer());
}

#[test]
fn only_a_grant_that_crosses_the_end_of_the_lease_can_move_it() {
    let mut leader = leader();
    assert!(!leader.note_grant(B, at(100)), "it ends with it");
    assert!(leader.note_grant(B, at(101)));
    assert!(!leader.note_grant(B, at(102)), "it lay beyond before");
    assert!(!leader.note_grant(B, at(50)));
    assert_eq!(leader.grant(B), at(102), "an earlier one takes nothing away");
}

#[test]
fn r41_a_detection_time_that_differs_by_a_twentieth_stays() {
    let adapted = |wanted: u64| {
        let won = Offer::new(EPOCH, at(1), 3);
        let mut leader = Leader::new(&won, Duration::from_millis(400), at(100), None);
        let node = NodeId::new("a").unwrap();
        let fixed = Detection::Fixed(Duration::from_millis(wanted));
        let builder = Config::builder(ClusterId::new("c").unwrap(), node).voters([node]);
        leader.adapt_detection(&builder.detection(fixed).build().unwrap());
        leader.detection()
    };
    assert_eq!([380, 420].map(adapted), [Duration::from_millis(400); 2]);
    assert_eq!([379, 421].map(adapted), [379, 421].map(Duration::from_millis));
}
