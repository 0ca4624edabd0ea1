//! What a quiet group of three costs: processor time and context switches, as Linux counts them.
//!
//! `cargo run --release -p elect-tcp --example idle -- 20`
#![allow(clippy::print_stdout, reason = "it prints what it measures")]
#![allow(clippy::cast_precision_loss, reason = "figures of three digits")]

mod quiet;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use elect_core::{ClusterId, Config, Duty, NoLog, Raised};
use elect_tcp::{HostEvent, Node, NodeConfig, VoteFile, random_seed};

use quiet::{Loopback, usage};

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = env::args().nth(1).map_or(Ok(10), |text| text.parse())?;
    let Loopback { names, listeners, peers } = Loopback::bind()?;
    let directory = env::temp_dir().join(format!("elect-idle-{}", process::id()));
    fs::create_dir_all(&directory)?;
    let mut nodes = Vec::new();
    for (name, listener) in names.into_iter().zip(listeners) {
        let elect =
            Config::builder(ClusterId::new("idle")?, name).voters(names).seed(random_seed()).build()?;
        let vote_file = directory.join(format!("{name}.vote"));
        VoteFile::init(&vote_file, &elect)?;
        let config =
            NodeConfig::builder(elect, vote_file).listener(listener).peers(peers.iter().cloned()).build()?;
        let (handle, events) = Node::start(config, Arc::new(NoLog))?;
        let host = handle.clone();
        thread::spawn(move || {
            for event in &events {
                // A measurement: nobody asks these nodes to hand over, and they serve nobody.
                if let HostEvent::Act(
                    Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. },
                ) = event
                {
                    host.on_office(&elected.serve_without_log_forgetting_earlier_writes());
                }
            }
        });
        nodes.push((name, handle));
    }
    while !nodes.iter().any(|(_, handle)| handle.is_leader()) {
        thread::yield_now();
    }
    thread::sleep(Duration::from_secs(1));
    let counts = || nodes.iter().map(|(_, handle)| handle.counts()).collect::<Vec<_>>();
    let (began, before, used) = (Instant::now(), counts(), usage()?);
    thread::sleep(Duration::from_secs(seconds));
    let (span, after, now_used) = (began.elapsed().as_secs_f64(), counts(), usage()?);
    for (index, (name, handle)) in nodes.iter().enumerate() {
        let (before, after) = (before[index], after[index]);
        println!(
            "{name} ({}, {} threads): {:.0} wake-ups/s, {:.1} frames/s sent, {:.1} received",
            if handle.is_leader() { "leads" } else { "follows" },
            handle.threads(),
            (after.wakes() - before.wakes()) as f64 / span,
            (after.frames_sent - before.frames_sent) as f64 / span,
            (after.frames_received - before.frames_received) as f64 / span,
        );
    }
    let [processor, voluntary, preempted] =
        [0, 1, 2].map(|index| (now_used[index] - used[index]) as f64 / span / 3.0);
    println!(
        "per node: {:.2} CPU s/min; {voluntary:.0} context switches/s, and {preempted:.0} preemptions/s by others",
        processor * 0.6,
    );
    for (_, handle) in &nodes {
        handle.shutdown()?;
    }
    fs::remove_dir_all(directory)?;
    Ok(())
}
