//! The election path: encode, decode, idle tick, heartbeat in.
//!
//! `cargo bench -p elect-benches --bench core`

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use elect_benches::{Count, Group};
use elect_core::{Time, wire};

fn wire_bytes(criterion: &mut Criterion) {
    let mut group = Group::steady(3);
    let follower = usize::from(group.leader() == 0);
    let frame = group.leader_heartbeat(follower);
    let mut bytes = [0; wire::FRAME_BYTES_MAX];
    let length = wire::encode(&frame, &mut bytes);
    assert!(length <= 96, "a heartbeat with 8-byte names takes {length} bytes");
    let mut benches = criterion.benchmark_group("heartbeat");
    benches.bench_function("encode", |bencher| {
        bencher.iter(|| wire::encode(black_box(&frame), black_box(&mut bytes)));
    });
    benches.bench_function("decode", |bencher| {
        bencher.iter(|| wire::decode(black_box(&bytes[..length])));
    });
    benches.finish();
}

fn idle_tick(criterion: &mut Criterion) {
    let mut benches = criterion.benchmark_group("tick, nothing due");
    for count in [3, 101] {
        let mut group = Group::steady(count);
        let now = group.now;
        let leader = group.leader();
        let elector = group.elector(leader);
        assert!(elector.deadline() > now, "nothing is due");
        benches.bench_function(format!("N = {count}"), |bencher| {
            let mut count = Count::default();
            bencher.iter(|| elector.tick(black_box(now)).resolve(&mut count));
            assert_eq!(count.frames, 0);
        });
    }
    benches.finish();
}

/// The same heartbeat over and over would be a duplicate; so each carries the next nanosecond as its nonce, and
/// echoes the answer to the one before, as in life.
fn heartbeat_in(criterion: &mut Criterion) {
    let mut benches = criterion.benchmark_group("heartbeat in, step resolved");
    for count in [3, 101] {
        let mut group = Group::steady(count);
        let leader = group.leader();
        let follower = usize::from(leader == 0);
        let mut frame = group.leader_heartbeat(follower);
        let from = group.names[leader];
        let mut now = group.now;
        let elector = group.elector(follower);
        benches.bench_function(format!("follower, N = {count}"), |bencher| {
            let mut answers = Count::default();
            let mut heartbeats = 0;
            bencher.iter(|| {
                now = now + Duration::from_nanos(1);
                frame.header.nonce.sent = Time::from_nanos(frame.header.nonce.sent.as_nanos() + 1);
                frame.header.echo = answers.nonce.or(frame.header.echo);
                heartbeats += 1;
                elector.on_message(from, black_box(&frame), now).resolve(&mut answers);
            });
            // Now and then its own heartbeat to the others falls due as well.
            assert!(answers.frames >= heartbeats, "every heartbeat was answered");
        });
    }
    benches.finish();
}

criterion_group!(benches, wire_bytes, idle_tick, heartbeat_in);
criterion_main!(benches);
