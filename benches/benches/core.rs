//! The election path: encode, decode, idle tick, heartbeats in: repeated, changed, and those that renew a lease.
//!
//! `cargo bench -p elect-benches --bench core`

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use elect_benches::Count;
use elect_core::{Body, Frame, Position, Time, wire};
use elect_harness::Group;

fn wire_bytes(criterion: &mut Criterion) {
    let mut group = Group::steady(3);
    let follower = group.follower();
    let frames = [("", group.leader_heartbeat(follower)), (" (follower's)", group.acknowledgement(follower))];
    let mut benches = criterion.benchmark_group("heartbeat");
    for (whose, frame) in frames {
        let mut bytes = [0; wire::FRAME_BYTES_MAX];
        let length = wire::encode(&frame, &mut bytes);
        assert!(length <= 96, "a heartbeat with 8-byte names takes {length} bytes");
        benches.bench_function(format!("encode{whose}"), |bencher| {
            bencher.iter(|| wire::encode(black_box(&frame), black_box(&mut bytes)));
        });
        benches.bench_function(format!("decode{whose}"), |bencher| {
            bencher.iter(|| wire::decode(black_box(&bytes[..length])));
        });
    }
    benches.finish();
}

fn idle_tick(criterion: &mut Criterion) {
    let mut benches = criterion.benchmark_group("tick, nothing due");
    for count in [3, 101] {
        let mut group = Group::steady(count);
        let now = group.now;
        let leader = group.leader().expect("somebody leads");
        let elector = group.elector_mut(leader);
        assert!(elector.deadline() > now, "nothing is due");
        benches.bench_function(format!("N = {count}"), |bencher| {
            let mut count = Count::default();
            bencher.iter(|| elector.tick(black_box(now)).resolve(&mut count));
            assert_eq!(count.frames, 0);
        });
    }
    benches.finish();
}

fn heartbeat_in(criterion: &mut Criterion) {
    follow(criterion, "heartbeat in, step resolved", |_| {});
}

/// The leader's position moves with each heartbeat: none is handled as a repetition of the one before.
fn changed_heartbeat_in(criterion: &mut Criterion) {
    let mut offset = 0;
    follow(criterion, "first heartbeat after a change, step resolved", |frame| {
        let Body::Heartbeat(heartbeat) = &mut frame.body else { panic!("a heartbeat") };
        offset += 1;
        heartbeat.position = Some(Position::new(frame.header.epoch, offset));
    });
}

/// The same heartbeat over and over would be a duplicate; so each carries the next nanosecond as its nonce, and
/// echoes the answer to the one before, as in life.
fn follow(criterion: &mut Criterion, name: &str, mut change: impl FnMut(&mut Frame)) {
    let mut benches = criterion.benchmark_group(name);
    for count in [3, 101] {
        let mut group = Group::steady(count);
        let from = group.leader().expect("somebody leads");
        let follower = group.follower();
        let mut frame = group.leader_heartbeat(follower);
        let mut now = group.now;
        let elector = group.elector_mut(follower);
        benches.bench_function(format!("follower, N = {count}"), |bencher| {
            let mut answers = Count::default();
            let mut heartbeats = 0;
            bencher.iter(|| {
                now = now + Duration::from_nanos(1);
                frame.header.nonce.sent = Time::from_nanos(frame.header.nonce.sent.as_nanos() + 1);
                frame.header.echo = answers.nonce.or(frame.header.echo);
                change(&mut frame);
                heartbeats += 1;
                elector.on_message(from, black_box(&frame), now).resolve(&mut answers);
            });
            // Now and then its own heartbeat to the others falls due as well.
            assert!(answers.frames >= heartbeats, "every heartbeat was answered");
        });
    }
    benches.finish();
}

/// Each acknowledgement echoes a nonce that is one nanosecond newer, so that each renews the lease of a leader
/// that one other member carries. Those that the leader has said last for one heartbeat interval.
fn acknowledgement_in(criterion: &mut Criterion) {
    let mut group = Group::steady(3);
    let leader = group.leader().expect("somebody leads");
    let from = group.follower();
    let mut frame = group.acknowledgement(from);
    let mut now = group.now;
    let mut echo = frame.header.echo.expect("an acknowledgement echoes");
    let elector = group.elector_mut(leader);
    let mut said = echo.sent;
    let mut benches = criterion.benchmark_group("follower's heartbeat in, step resolved");
    benches.bench_function("leader, lease renewed, N = 3", |bencher| {
        bencher.iter(|| {
            if echo.sent == said {
                now = elector.deadline();
                elector.tick(now).resolve(&mut Count::default());
                said = now;
            }
            echo.sent = echo.sent + Duration::from_nanos(1);
            frame.header.nonce.sent = frame.header.nonce.sent + Duration::from_nanos(1);
            frame.header.echo = Some(echo);
            elector.on_message(from, black_box(&frame), now).resolve(&mut Count::default());
        });
        let config = elector.config();
        let renewed = echo.sent + config.lease_span(config.detection().floor());
        let lease = elector.authority().lease(now).expect("it leads");
        assert_eq!(lease.end, renewed, "every acknowledgement renewed the lease");
    });
    benches.finish();
}

criterion_group!(benches, wire_bytes, idle_tick, heartbeat_in, changed_heartbeat_in, acknowledgement_in);
criterion_main!(benches);
