//! How soon a node is back that was killed after many writes.

use std::time::{Duration, Instant};

use redis::Value;

use super::Outcome;
use super::client::{self, BOUND};
use super::figure::{Figure, Target, Unit};
use super::group::{Group, wait_until};
use super::setting::Setting;
use super::spans::Spans;

const WRITES: u64 = 300_000;
const STARTS: usize = 10;

pub(crate) fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    let (mut group, node) = Group::start(setting, "restart", 1, "detection_ms = 500\n")?;
    let writes = setting.either(WRITES, 2_000);
    client::fill(group.port(node), writes)?;
    let [mut answers, mut serves, mut work] = [const { Spans::empty() }; 3];
    for _ in 0..setting.either(STARTS, 1) {
        group.kill(node)?;
        let began = Instant::now();
        group.start_node(node)?;
        answers.note(after(began, || Ok(ask(&group, &["PING"])? == Value::SimpleString("PONG".into())))?);
        serves.note(after(began, || {
            Ok(matches!(ask(&group, &["GET", "key-00000001"])?, Value::BulkString(_)))
        })?);
        work.note(group.process(node)?.processor_time()?);
    }
    let what = format!("kill −9 after {writes} writes, then a start");
    let slowest = |what: String, spans: &Spans| Figure::new(what, spans.millis(1.0), Unit::Milliseconds);
    Ok(vec![
        slowest(format!("{what}: it answers, slowest of {}", answers.count()), &answers)
            .should(Target::AtMost(500.0)),
        slowest(format!("{what}: one voter alone serves, slowest of {}", serves.count()), &serves),
        slowest(format!("{what}: processor time until then, at most"), &work),
    ])
}

fn ask(group: &Group, words: &[&str]) -> redis::RedisResult<Value> {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]).query(&mut client::connect(group.port(0))?)
}

/// How long after `began` something holds; until then it may fail.
fn after(began: Instant, holds: impl Fn() -> redis::RedisResult<bool>) -> Outcome<Duration> {
    while !holds().unwrap_or(false) {
        wait_until(began + BOUND, "a started node does not answer")?;
    }
    Ok(began.elapsed())
}
