//! Every checker is seen to fail, by name, on a bug planted in what it watches.

use std::sync::Arc;
use std::time::Duration;

use elect_core::{
    Birth, Body, ClusterId, Config, Epoch, Frame, Header, Heartbeat, Holder, Incarnation, Lead, NodeId,
    Nonce, PauseNumber, PauseStamp, PeerState, Position, PromiseKind, Record, Stamp, StepDown, SteppedDown,
    Stopped, Time,
};

use super::{Checker, Checkers, LeaseRule, Sent};
use crate::clock::{Clock, SECOND};
use crate::clocks::Clocks;
use crate::ids::NodeIndex;
use crate::model_log::{Entries, ModelLog};

const D: Duration = Duration::from_millis(500);
const A: NodeIndex = NodeIndex::new(0);
const B: NodeIndex = NodeIndex::new(1);
const C: NodeIndex = NodeIndex::new(2);
/// A further machine, where there is one.
const TWIN: NodeIndex = NodeIndex::new(3);
const LIFE: Incarnation = Incarnation { counter: 1, random: 1 };

/// Three nodes that have just started, with their clocks.
struct Group {
    checks: Checkers,
    clocks: Clocks,
    now: u64,
}

fn id(node: NodeIndex) -> NodeId {
    node.id()
}

/// Clocks that show real time.
fn exact() -> Clocks {
    Clocks::new(0, vec![Clock::new(0, 0, 0, 1); 3])
}

fn epoch(number: u64) -> Epoch {
    Epoch::new(number)
}

fn record(epoch_number: u64, holder: NodeIndex) -> Record {
    let config =
        Config::builder(ClusterId::new("sim").unwrap(), id(A)).voters([A, B, C].map(id)).build().unwrap();
    let holder = (epoch_number > 0).then(|| Holder { node: id(holder), how: PromiseKind::Voted });
    Record { epoch: epoch(epoch_number), holder, incarnation: LIFE, ..Record::first_boot(&config) }
}

fn heartbeat(state: PeerState) -> Body {
    let detection = D;
    let lead = matches!(state, PeerState::Leader(_)).then_some(Lead { detection });
    let (position, priority, application) = (None, 100, 0);
    let (eligible, healthy, freeze) = (true, true, None);
    let detection_max = D;
    Body::Heartbeat(Heartbeat {
        position,
        eligible,
        healthy,
        priority,
        application,
        detection_max,
        lead,
        pause: freeze,
    })
}

impl Group {
    fn new() -> Self {
        let rule = LeaseRule { drift_ppm: 10_000, granularity: Duration::from_millis(1) };
        let mut checks = Checkers::new(vec![rule; 3], &[], true);
        for node in [A, B, C] {
            checks.started(node, 1, record(0, A));
        }
        Self { checks, clocks: exact(), now: SECOND }
    }

    fn vote(&mut self, voter: NodeIndex, number: u64, candidate: NodeIndex) {
        self.checks.saved(self.now, voter, &record(number, candidate));
    }

    fn send(&mut self, node: NodeIndex, to: NodeIndex, durable: u64, state: PeerState, body: Body) {
        let sent = Time::from_nanos(self.now);
        let echo = Some(Nonce { incarnation: LIFE, sent });
        let nonce = Nonce { incarnation: LIFE, sent };
        let members = record(0, A).members;
        let header = Header { group: 0, members, epoch: epoch(durable), state, nonce, echo, genesis: None };
        let frame = Frame { header, birth: None, profile: None, body };
        let (at, clocks) = (self.now, &self.clocks);
        self.checks.sent(&Sent { at, node, to, frame: &frame, lease_runs: false, clocks });
    }

    /// A leader of epoch 1 to whom the second node has just promised its vote.
    fn promised() -> Self {
        let mut group = Self::new();
        group.vote(A, 1, A);
        group.send(
            A,
            B,
            1,
            PeerState::Candidate(epoch(1)),
            Body::Offer { epoch: epoch(1), detection: D, detection_max: D },
        );
        group.vote(B, 1, A);
        group.send(
            B,
            A,
            1,
            PeerState::Promised,
            Body::Accept {
                epoch: epoch(1),
                detection: D,
                position: None,
                pause: None,
                genesis_epoch: Epoch::ZERO,
            },
        );
        assert_eq!(group.checks.violation(), None);
        group
    }

    fn found(self) -> Option<Checker> {
        self.checks.violation().map(|violation| violation.checker)
    }
}

#[test]
fn one_leader_per_epoch_sees_a_second_one() {
    let mut group = Group::new();
    for node in [A, B] {
        group.vote(node, 5, node);
        group.checks.elected(group.now, node, epoch(5));
    }
    assert_eq!(group.found(), Some(Checker::OneLeaderPerEpoch));
}

#[test]
fn step_down_once_sees_a_loss_that_is_not_told() {
    let mut group = Group::new();
    group.vote(A, 5, A);
    group.checks.elected(group.now, A, epoch(5));
    group.checks.without_lease(group.now, B);
    assert!(group.checks.violation().is_none(), "it did not lead");
    group.checks.without_lease(group.now, A);
    assert_eq!(group.found(), Some(Checker::StepDownOnce));
}

#[test]
fn led_by_quorum_sees_a_vote_that_is_missing() {
    let mut group = Group::new();
    group.vote(A, 5, A);
    group.vote(B, 5, C);
    group.checks.won(group.now, A, epoch(5), 2);
    assert_eq!(group.found(), Some(Checker::LedByQuorum));
    let mut group = Group::new();
    group.vote(A, 5, A);
    group.vote(B, 5, A);
    group.checks.won(group.now, A, epoch(5), 2);
    assert_eq!(group.found(), None);
}

#[test]
fn not_led_again_sees_an_epoch_led_after_a_restart() {
    let mut group = Group::new();
    group.vote(A, 5, A);
    group.checks.elected(group.now, A, epoch(5));
    group.checks.died(A);
    group.checks.started(A, 2, record(5, A));
    group.checks.elected(group.now, A, epoch(5));
    assert_eq!(group.found(), Some(Checker::NotLedAgain));
}

#[test]
fn one_accept_per_epoch_sees_a_forgotten_vote() {
    let mut group = Group::new();
    group.vote(C, 5, A);
    group.checks.started(C, 2, record(4, A));
    group.vote(C, 5, B);
    assert_eq!(group.found(), Some(Checker::OneAcceptPerEpoch));
}

#[test]
fn votes_are_lost_with_a_disk_once_its_replacement_is_rebuilt_and_nobody_led() {
    for (rebuilt, led, found) in [
        (true, false, None),
        (false, false, Some(Checker::OneAcceptPerEpoch)),
        (true, true, Some(Checker::OneAcceptPerEpoch)),
    ] {
        let mut group = Group::new();
        group.vote(C, 5, B);
        if led {
            group.vote(B, 5, B);
            group.checks.elected(group.now, B, epoch(5));
        }
        group.checks.died(C);
        group.checks.lost_disk(C);
        group.checks.started(C, 2, record(4, A));
        if rebuilt {
            group.checks.rebuilt(C);
        }
        group.vote(C, 5, A);
        assert_eq!(group.found(), found, "rebuilt {rebuilt}, led {led}");
    }
}

#[test]
fn two_machines_of_one_name_have_one_vote_and_one_incarnation() {
    let twins = || Group { checks: Checkers::new(vec![LeaseRule::default(); 4], &[C], true), ..Group::new() };
    let mut group = twins();
    group.vote(C, 5, A);
    group.vote(TWIN, 5, A);
    group.vote(TWIN, 6, C);
    group.checks.elected(group.now, TWIN, epoch(6));
    assert!(group.checks.violation().is_none(), "a vote for its name is a vote for itself");
    group.vote(C, 6, A);
    assert_eq!(group.found(), Some(Checker::OneAcceptPerEpoch));
    let mut group = twins();
    for (machine, life) in [(C, 2), (TWIN, 1)] {
        group.checks.started(machine, life, record(0, A));
        group.send(machine, A, 0, PeerState::Free, heartbeat(PeerState::Free));
    }
    assert_eq!(group.found(), Some(Checker::IncarnationFirst));
}

#[test]
fn durable_before_sent_sees_an_accept_and_a_leader_without_a_vote() {
    let mut group = Group::new();
    group.vote(B, 5, C);
    group.send(
        B,
        A,
        5,
        PeerState::Promised,
        Body::Accept {
            epoch: epoch(5),
            detection: D,
            position: None,
            pause: None,
            genesis_epoch: Epoch::ZERO,
        },
    );
    assert_eq!(group.found(), Some(Checker::DurableBeforeSent));
    let mut group = Group::new();
    group.checks.elected(group.now, A, epoch(5));
    assert_eq!(group.found(), Some(Checker::DurableBeforeSent));
}

#[test]
fn epoch_never_falls_sees_it_fall_and_jump() {
    let mut group = Group::new();
    group.vote(B, 5, A);
    group.vote(B, 4, A);
    assert_eq!(group.found(), Some(Checker::EpochNeverFalls));
    let mut group = Group::new();
    group.vote(B, 1 << 40, A);
    assert_eq!(group.found(), Some(Checker::EpochNeverFalls));
}

#[test]
fn claims_durable_sees_each_claim_above_the_disk() {
    for (durable, state) in [(1, PeerState::Free), (0, PeerState::Follower(id(A), epoch(1)))] {
        let mut group = Group::new();
        group.send(B, A, durable, state, heartbeat(state));
        assert_eq!(group.found(), Some(Checker::ClaimsDurable));
    }
    let mut group = Group::new();
    let state = PeerState::Candidate(epoch(9));
    group.send(B, A, 0, state, heartbeat(state));
    assert_eq!(group.found(), None, "what is offered is not claimed");
    let held = Position::new(epoch(1), 5);
    for (reported, found) in [(held, None), (Position::new(epoch(2), 5), Some(Checker::ClaimsDurable))] {
        let mut group = Group::new();
        group.checks.reports(group.now, A, reported, held);
        assert_eq!(group.found(), found, "{reported}");
    }
}

#[test]
fn leases_disjoint_sees_two_at_once_and_a_return() {
    let mut group = Group::new();
    for (node, number) in [(A, 5), (B, 6)] {
        group.vote(node, number, node);
        group.checks.elected(group.now, node, epoch(number));
    }
    let mut returned = Group { checks: group.checks.clone(), clocks: group.clocks.clone(), now: group.now };
    group.checks.lease(group.now, B, epoch(6), [(A, epoch(5))].into_iter());
    assert_eq!(group.found(), Some(Checker::LeasesDisjoint));
    returned.checks.lease(returned.now, B, epoch(6), std::iter::empty());
    returned.checks.lease(returned.now, A, epoch(5), std::iter::empty());
    assert_eq!(returned.found(), Some(Checker::LeasesDisjoint));
}

#[test]
fn step_down_once_sees_what_is_missing_doubled_or_late() {
    let led = || {
        let mut group = Group::new();
        group.vote(A, 1, A);
        group.checks.elected(group.now, A, epoch(1));
        group
    };
    let loss = |number| SteppedDown { epoch: epoch(number), reason: StepDown::LeaseOver };
    let plants: [fn(&mut Checkers); 4] = [
        |checks| checks.saving(2, A, &record(3, B)),
        |checks| checks.raised(2, A, epoch(1), epoch(1)),
        |checks| checks.elected(2, A, epoch(1)),
        |checks| checks.lost(2, A, SteppedDown { epoch: epoch(9), reason: StepDown::LeaseOver }),
    ];
    for plant in plants {
        let mut group = led();
        plant(&mut group.checks);
        assert_eq!(group.found(), Some(Checker::StepDownOnce));
    }
    let mut group = led();
    group.checks.lost(2, A, loss(1));
    group.checks.lost(3, A, loss(1));
    assert_eq!(group.found(), Some(Checker::StepDownOnce));
    let mut group = led();
    group.checks.lost(2, A, loss(1));
    let state = PeerState::Leader(epoch(1));
    group.send(A, B, 1, state, heartbeat(state));
    assert_eq!(group.found(), Some(Checker::StepDownOnce));
}

#[test]
fn promises_kept_sees_a_word_given_twice_and_knows_when_it_is_over() {
    let word_to_another = |mut group: Group| {
        group.vote(B, 2, C);
        group.send(
            B,
            C,
            2,
            PeerState::Promised,
            Body::Accept {
                epoch: epoch(2),
                detection: D,
                position: None,
                pause: None,
                genesis_epoch: Epoch::ZERO,
            },
        );
        group.found()
    };
    assert_eq!(word_to_another(Group::promised()), Some(Checker::PromisesKept));

    let mut own_offer = Group::promised();
    let state = PeerState::Candidate(epoch(2));
    own_offer.send(B, A, 1, state, Body::Offer { epoch: epoch(2), detection: D, detection_max: D });
    assert_eq!(own_offer.found(), Some(Checker::PromisesKept));

    let mut late = Group::promised();
    late.now += 494_000_000;
    assert_eq!(word_to_another(late), None, "its lease of L(500 ms) = 494 ms is over");
    let mut ended = Group::promised();
    ended.send(A, C, 1, PeerState::Free, heartbeat(PeerState::Free));
    assert_eq!(word_to_another(ended), None, "it said that it never acts in epoch 1 again");
    let mut dead = Group::promised();
    dead.checks.died(A);
    assert_eq!(word_to_another(dead), None, "the dead act on nothing");
}

#[test]
fn fence_at_apply_sees_a_stale_stamp_and_a_low_floor() {
    let mut group = Group::new();
    group.vote(B, 5, A);
    group.checks.committed(group.now, B);
    assert_eq!(group.found(), Some(Checker::FenceAtApply), "the floor was not raised");
    for stamp in [4, 6] {
        let mut group = Group::new();
        group.checks.fence_raised(B, epoch(5), None);
        group.checks.admitted(group.now, B, Stamp::received(epoch(stamp)));
        assert_eq!(group.found(), Some(Checker::FenceAtApply));
    }
    let mut kept_for_another = Group::new();
    kept_for_another.vote(A, 4, A);
    kept_for_another.checks.elected(1, A, epoch(4));
    kept_for_another.vote(B, 5, C);
    kept_for_another.checks.fence_raised(B, epoch(5), Some(epoch(4)));
    kept_for_another.checks.committed(1, B);
    kept_for_another.checks.admitted(1, B, Stamp::received(epoch(4)));
    assert_eq!(kept_for_another.found(), Some(Checker::FenceAtApply));
}

#[test]
fn acknowledged_present_sees_a_lost_write_at_either_end() {
    let mut entries = Entries::new();
    let first = entries.append(0, epoch(1));
    let kept = entries.append(first, epoch(1));
    let fork = entries.append(first, epoch(2));
    let mut group = Group::new();
    group.checks.acknowledged(1, A, Stamp::received(epoch(1)), kept, &entries);
    let mut other = Group { checks: group.checks.clone(), clocks: exact(), now: 1 };
    group.checks.serves(2, B, epoch(2), &ModelLog::load(&entries, fork));
    assert_eq!(group.found(), Some(Checker::AcknowledgedPresent));
    other.checks.acknowledged(2, B, Stamp::received(epoch(2)), fork, &entries);
    assert_eq!(other.found(), Some(Checker::AcknowledgedPresent));
    let mut late = Group::new();
    late.checks.serves(1, B, epoch(2), &ModelLog::load(&entries, fork));
    late.checks.acknowledged(2, A, Stamp::received(epoch(1)), kept, &entries);
    assert_eq!(
        late.found(),
        Some(Checker::AcknowledgedPresent),
        "acknowledged after another served without it"
    );
}

#[test]
fn reads_fresh_sees_an_old_value() {
    let mut group = Group::new();
    group.checks.read(1, A, 7, 6);
    assert_eq!(group.found(), Some(Checker::ReadsFresh));
}

#[test]
fn incarnation_first_sees_a_frame_before_its_save_and_a_second_life() {
    let mut group = Group::new();
    let other = Incarnation { counter: 2, random: 7 };
    group.checks.started(A, 2, Record { incarnation: other, ..record(0, A) });
    group.send(A, B, 0, PeerState::Free, heartbeat(PeerState::Free));
    assert_eq!(group.found(), Some(Checker::IncarnationFirst));
    let mut group = Group::new();
    group.send(A, B, 0, PeerState::Free, heartbeat(PeerState::Free));
    group.checks.started(A, 2, record(0, A));
    group.send(A, B, 0, PeerState::Free, heartbeat(PeerState::Free));
    assert_eq!(group.found(), Some(Checker::IncarnationFirst));
}

#[test]
fn healthy_not_refused_sees_a_node_that_stops_and_one_that_is_turned_away() {
    let known = Incarnation { counter: 2, random: 7 };
    let cloned = Stopped::Cloned { peer: id(B), known, own: LIFE };
    let turned_away = |rejected, meddle: bool| {
        let mut group = Group::new();
        group.send(A, B, 0, PeerState::Free, heartbeat(PeerState::Free));
        if meddle {
            group.checks.meddled(A);
        }
        group.send(B, A, 0, PeerState::Free, Body::Reject { rejected, known });
        group.found()
    };
    assert_eq!(turned_away(LIFE, false), Some(Checker::HealthyNotRefused));
    assert_eq!(turned_away(LIFE, true), None, "its disk was restored");
    assert_eq!(turned_away(known, false), None, "a life that it does not live");
    let mut group = Group::new();
    group.checks.stops_for(group.now, A, &Stopped::StorageFailed("full".into()));
    assert_eq!(group.checks.violation(), None);
    let mut meddled = Group { checks: group.checks.clone(), clocks: exact(), now: 1 };
    meddled.checks.meddled(A);
    meddled.checks.stops_for(1, A, &cloned);
    assert_eq!(meddled.found(), None);
    group.checks.stops_for(group.now, A, &cloned);
    assert_eq!(group.found(), Some(Checker::HealthyNotRefused));
}

/// Frames of A that B hears: they told epoch 5 and end there.
fn heard_by_b(group: &mut Group, told: u64, position: Option<Position>) {
    let Body::Heartbeat(mut beat) = heartbeat(PeerState::Free) else { unreachable!() };
    beat.position = position;
    let nonce = Nonce { incarnation: LIFE, sent: Time::from_nanos(group.now) };
    let birth = Some(Arc::new(Birth { first_life: 1, ..Birth::default() }));
    let header = Header {
        group: 0,
        members: record(0, A).members,
        epoch: epoch(told),
        state: PeerState::Free,
        nonce,
        echo: None,
        genesis: None,
    };
    group.checks.hears(B, A, &Frame { header, birth, profile: None, body: Body::Heartbeat(beat) });
}

#[test]
fn who_heard_more_of_a_disk_knows_better_than_a_copy_of_it() {
    let at = |epoch_number, offset| Some(Position::new(epoch(epoch_number), offset));
    let table = [
        (5, at(5, 9), 1, 5, at(5, 9), false),
        (5, at(5, 9), 1, 4, at(4, 9), true),
        (5, at(5, 9), 1, 5, at(5, 8), true),
        (5, at(4, 9), 1, 5, at(4, 8), false),
        (5, None, 1, 5, at(5, 8), false),
        // An earlier life: its next one has a counter that was used.
        (5, at(5, 9), 0, 5, at(5, 9), true),
    ];
    for (told, held, counter, copied, begins, known) in table {
        let mut group = Group::new();
        heard_by_b(&mut group, told, held);
        let record =
            Record { incarnation: Incarnation { counter, random: 1 }, first_life: 1, ..record(copied, A) };
        let knowers = group.checks.would_disprove(A, &record, begins);
        assert_eq!(knowers, if known { vec![B] } else { vec![] }, "{told} {held:?} of {record:?} {begins:?}");
    }
}

#[test]
fn set_back_counts_sees_a_nonce_that_is_sent_back() {
    let told = |knower, restarts: bool| {
        let mut group = Group::new();
        group.checks.set_back(A, &[knower]);
        group.send(A, B, 0, PeerState::Free, heartbeat(PeerState::Free));
        if restarts {
            group.checks.started(B, 2, record(0, B));
        }
        let life = group.checks.nodes[B].life;
        assert_eq!(life, if restarts { 2 } else { 1 });
        group.send(B, A, 0, PeerState::Free, heartbeat(PeerState::Free));
        group.checks.violation().map(|violation| violation.checker)
    };
    assert_eq!(told(B, false), Some(Checker::SetBackCounts));
    assert_eq!(told(C, false), None, "it knows nothing");
    assert_ne!(told(B, true), Some(Checker::SetBackCounts), "it forgot what it knew");
}

#[test]
fn silent_after_stop_sees_a_word() {
    let mut group = Group::new();
    group.checks.stopped(A);
    group.send(A, B, 0, PeerState::Stopped(epoch(0)), heartbeat(PeerState::Stopped(epoch(0))));
    assert_eq!(group.checks.violation(), None);
    group.send(A, B, 0, PeerState::Free, heartbeat(PeerState::Free));
    assert_eq!(group.found(), Some(Checker::SilentAfterStop));
}

#[test]
fn silent_without_lease_sees_a_claim() {
    let mut group = Group::new();
    group.vote(A, 1, A);
    group.checks.elected(group.now, A, epoch(1));
    let state = PeerState::Leader(epoch(1));
    group.send(A, B, 1, state, heartbeat(state));
    assert_eq!(group.found(), Some(Checker::SilentWithoutLease));
}

#[test]
fn deadline_moves_sees_a_spinning_elector() {
    let mut group = Group::new();
    group.checks.ticked(1, A, Time::from_nanos(5), Time::from_nanos(5));
    assert_eq!(group.found(), Some(Checker::DeadlineMoves));
}

fn frozen(count: u32, millis: u64) -> PauseStamp {
    let number = PauseNumber { epoch: epoch(1), count };
    PauseStamp { number, remaining: Duration::from_millis(millis) }
}

#[test]
fn frozen_stays_sees_a_voter_that_accepts_another_than_its_last_leader() {
    for (candidate, expected) in [(A, None), (B, Some(Checker::FrozenStays))] {
        let mut group = Group::new();
        group.vote(C, 1, A);
        group.send(C, A, 1, PeerState::Follower(id(A), epoch(1)), heartbeat(PeerState::Free));
        group.vote(C, 2, candidate);
        let freeze = Some(frozen(1, 500));
        let body = Body::Accept {
            epoch: epoch(2),
            detection: D,
            position: None,
            pause: freeze,
            genesis_epoch: Epoch::ZERO,
        };
        // Long after whatever it has granted.
        group.now += 10 * SECOND;
        group.send(C, candidate, 2, PeerState::Promised, body);
        assert_eq!(group.found(), expected);
    }
}

#[test]
fn frozen_stays_sees_a_freeze_that_comes_back() {
    for (first, second) in [(frozen(2, 500), frozen(1, 500)), (frozen(1, 0), frozen(1, 500))] {
        let mut group = Group::new();
        for stamp in [first, second] {
            let Body::Heartbeat(mut told) = heartbeat(PeerState::Free) else { unreachable!() };
            told.pause = Some(stamp);
            group.send(C, A, 0, PeerState::Free, Body::Heartbeat(told));
        }
        assert_eq!(group.found(), Some(Checker::FrozenStays));
    }
}
