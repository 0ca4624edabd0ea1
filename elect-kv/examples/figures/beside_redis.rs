//! SET and GET from 50 clients, beside a redis-server that syncs every write. The servers take turns.

use std::fmt;

use super::Outcome;
use super::figure::{Figure, Target, Unit};
use super::group::Group;
use super::redis_server::{Load, RedisServer};
use super::setting::Setting;
use super::spans::median;

const CLIENTS: u32 = 50;
/// Each figure is the median of so many turns.
const TURNS: usize = 5;
/// About how long a turn takes.
const TURN_SECONDS: f64 = 3.0;
/// Requests of the turn that shows how many a longer one takes, for each place of the pipelines.
const FIRST_REQUESTS: u64 = 4_000;

/// What is asked, how many requests a client has under way, and what the ratio should be.
const LOADS: [(&str, u32, Target); 4] = [
    ("set", 1, Target::RatioAtLeast(1.5)),
    ("set", 16, Target::RatioAtLeast(0.8)),
    ("get", 1, Target::RatioAtLeast(1.0)),
    ("get", 16, Target::RatioAtLeast(1.0)),
];

struct Server {
    name: Name,
    port: u16,
}

#[derive(Clone, Copy, PartialEq)]
enum Name {
    Redis,
    Voters(usize),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis => f.write_str("redis"),
            Self::Voters(1) => f.write_str("one voter"),
            Self::Voters(count) => write!(f, "{count} voters on this machine"),
        }
    }
}

pub(crate) fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    let redis = RedisServer::start(setting)?;
    let (alone, _) = Group::start(setting, "beside-redis-1", 1, "")?;
    let (group, primary) = Group::start(setting, "beside-redis-3", 3, "")?;
    let servers = [
        Server { name: Name::Redis, port: redis.port },
        Server { name: Name::Voters(1), port: alone.port(0) },
        Server { name: Name::Voters(3), port: group.port(primary) },
    ];
    let mut figures = Vec::new();
    for (test, pipeline, target) in LOADS {
        let load = Load { test, clients: CLIENTS, pipeline };
        let [redis, others @ ..] = rates(setting, load, &servers)?;
        for (rate, server) in others.into_iter().zip(&servers[1..]) {
            let what = format!(
                "{}, {CLIENTS} clients, pipeline {pipeline}, {}",
                test.to_ascii_uppercase(),
                server.name
            );
            figures.push(Figure::new(what, rate, Unit::PerSecond).beside("redis", redis).should(target));
        }
    }
    Ok(figures)
}

/// How many requests a second each server answers: the median over turns that follow each other.
fn rates<const N: usize>(setting: &Setting, load: Load, servers: &[Server; N]) -> Outcome<[f64; N]> {
    let mut requests = [0; N];
    for (requests, server) in requests.iter_mut().zip(servers) {
        let first = load.run(server.port, FIRST_REQUESTS * u64::from(load.pipeline))?;
        *requests = in_seconds(first, setting.either(TURN_SECONDS, 0.1));
    }
    let mut turns = [const { Vec::new() }; N];
    for _ in 0..setting.either(TURNS, 1) {
        for ((rates, server), requests) in turns.iter_mut().zip(servers).zip(requests) {
            rates.push(load.run(server.port, requests)?);
        }
    }
    Ok(turns.map(median))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some millions at most")]
fn in_seconds(rate: f64, seconds: f64) -> u64 {
    (rate * seconds).max(1_000.0) as u64
}
