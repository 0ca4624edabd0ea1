//! What many quiet groups of three in three processes cost, here all in one: processor time, threads and context switches,
//! as Linux counts them.
//!
//! `cargo run --release -p elect-tcp --example groups -- 100 20`
#![allow(clippy::print_stdout, reason = "it prints what it measures")]
#![allow(clippy::cast_precision_loss, reason = "figures of few digits")]

mod quiet;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use elect_core::{ClusterId, Config, Duty, NoLog, Raised};
use elect_tcp::{Groups, HostEvent, NodeConfig, NodeHandle, VoteFile, random_seed};

use quiet::{Loopback, usage};

fn main() -> Result<(), Box<dyn Error>> {
    let number = |at, default| env::args().nth(at).map_or(Ok(default), |text| text.parse());
    let (groups, seconds): (u32, u32) = (number(1, 100)?, number(2, 10)?);
    let cluster = ClusterId::new("idle")?;
    let Loopback { names, listeners, peers } = Loopback::bind()?;
    let directory = env::temp_dir().join(format!("elect-groups-{}", process::id()));
    fs::create_dir_all(&directory)?;
    let mut processes = Vec::new();
    for (name, listener) in names.into_iter().zip(listeners) {
        let config = NodeConfig::builder_for_groups(cluster, name, names)?.listener(listener);
        processes.push((name, Groups::start(config.peers(peers.iter().cloned()).build()?)?));
    }
    let mut nodes = Vec::new();
    for group in 0..groups {
        for (name, process) in &processes {
            let elect =
                Config::builder(cluster, *name).voters(names).group(group).seed(random_seed()).build()?;
            let path = directory.join(format!("{name}-{group}.vote"));
            VoteFile::init(&path, &elect)?;
            nodes.push(start(process, &elect, &path)?);
        }
    }
    let (all, began) = (usize::try_from(groups)?, Instant::now());
    while nodes.iter().filter(|handle| handle.is_leader()).count() < all {
        thread::yield_now();
    }
    println!("{groups} groups elected within {:.2} s of the last start", began.elapsed().as_secs_f64());
    thread::sleep(Duration::from_secs(2));
    let counts = || processes.iter().map(|(_, process)| process.counts()).collect::<Vec<_>>();
    let (began, before, used) = (Instant::now(), counts(), usage()?);
    thread::sleep(Duration::from_secs(seconds.into()));
    let (span, after, now_used) = (began.elapsed().as_secs_f64(), counts(), usage()?);
    for (index, (name, process)) in processes.iter().enumerate() {
        let (before, after) = (before[index], after[index]);
        println!(
            "{name} ({} threads): {:.0} wake-ups/s, {:.0} frames/s sent, {:.0} received",
            process.threads(),
            (after.wakes() - before.wakes()) as f64 / span,
            (after.frames_sent - before.frames_sent) as f64 / span,
            (after.frames_received - before.frames_received) as f64 / span,
        );
    }
    let [processor, switches] = [0, 1].map(|index| (now_used[index] - used[index]) as f64 / span / 3.0);
    println!(
        "per process: {:.2} CPU s/min, {:.3} for each group; {switches:.0} context switches/s",
        processor * 0.6,
        processor * 0.6 / f64::from(groups),
    );
    for (_, process) in &processes {
        process.shutdown_at_once(Duration::from_secs(10))?;
    }
    fs::remove_dir_all(directory)?;
    Ok(())
}

/// A node whose host serves nobody.
fn start(process: &Groups, elect: &Config, path: &std::path::Path) -> Result<NodeHandle, Box<dyn Error>> {
    let file = VoteFile::open(path, elect)?;
    let (handle, events) = process.start_group(elect, file, Arc::new(NoLog))?;
    let host = handle.clone();
    thread::Builder::new().stack_size(128 * 1024).spawn(move || {
        for event in &events {
            if let HostEvent::Act(
                Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. },
            ) = event
            {
                host.on_office(&elected.serve_without_log_forgetting_earlier_writes());
            }
        }
    })?;
    Ok(handle)
}
