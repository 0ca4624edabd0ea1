//! Real processes: a follower that was away for longer than the log reaches back is sent the state.

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod cluster;

use std::ops::Range;

use cluster::Cluster;

const VALUE_BYTES: usize = 8_000;

fn value(number: u64) -> String {
    format!("{number:0VALUE_BYTES$}")
}

/// Writes one key after another until one is refused. How many were acknowledged.
fn write(connection: &mut redis::Connection, mut numbers: Range<u64>) -> u64 {
    let first = numbers.start;
    let refused = numbers.find(|number| {
        let mut set = redis::cmd("SET");
        set.arg(format!("key-{number}")).arg(value(*number)).exec(connection).is_err()
    });
    refused.unwrap_or(numbers.end) - first
}

/// Waits until `node` tells of a state in these words.
fn wait_state(cluster: &mut Cluster, node: usize, words: &str) {
    cluster.wait(words, |from, event| {
        from == node
            && event["kind"] == "state"
            && event["text"].as_str().is_some_and(|text| text.contains(words))
    });
}

#[test]
fn a_follower_that_was_away_for_too_long_is_sent_the_state_under_writes_and_leads_with_it() {
    let mut cluster = Cluster::new();
    for node in 0..3 {
        cluster.configure(node, "repl_backlog_size = \"1mb\"");
    }
    // Whoever of the first two is left leads.
    cluster.configure(2, "never_leader = true");
    cluster.start_all();
    let first = cluster.wait_primary();
    let away = 1 - first;
    cluster.kill(away);
    let written = write(&mut cluster.connect(first), 0..600);
    assert_eq!(written, 600);
    let mut connection = cluster.connect(first);
    let meanwhile = std::thread::spawn(move || write(&mut connection, written..u64::MAX));

    // Killed while it receives, it begins again, and is what it was until it has all of it.
    cluster.start(away);
    wait_state(&mut cluster, away, "receives the state");
    cluster.kill(away);
    cluster.start(away);
    wait_state(&mut cluster, away, "holds the state");
    // It is up to date: nobody else is left to confirm a write.
    cluster.kill(2);
    cluster.ask::<()>(first, &["SET", "confirmed", "by the one that was away"]).unwrap();
    cluster.start(2);
    cluster.wait_kind(2, "following");
    cluster.kill(first);
    assert_eq!(cluster.wait_primary(), away);
    let written = written + meanwhile.join().unwrap();

    let mut connection = cluster.connect(away);
    for number in 0..written {
        let found: Option<String> =
            redis::cmd("GET").arg(format!("key-{number}")).query(&mut connection).unwrap();
        assert!(found == Some(value(number)), "key-{number} of {written}");
    }
    let confirmed: Option<String> = cluster.ask(away, &["GET", "confirmed"]).unwrap();
    assert_eq!(confirmed.as_deref(), Some("by the one that was away"));
    // The old primary has a tail that nobody confirmed, perhaps, and comes back all the same.
    cluster.start(first);
    cluster.wait_kind(first, "following");
    cluster.kill(2);
    cluster.ask::<()>(away, &["SET", "confirmed", "by the old primary"]).unwrap();
}
