//! Three servers in one process, each with an election embedded: a leader is elected, it leaves, another takes over.
//!
//! `cargo run --release -p elect-tcp --example embed`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, process, thread};

use elect_core::{ClusterId, Config, Duty, NoLog, NodeId, Notice, Raised};
use elect_tcp::{
    Events, HostEvent, NoEvent, Node, NodeConfig, NodeHandle, NodeNotice, VoteFile, random_seed,
};

/// One turn of a host's loop declares it healthy for this long.
const HEALTHY_FOR: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    let names = [NodeId::new("a")?, NodeId::new("b")?, NodeId::new("c")?];
    let directory = env::temp_dir().join(format!("elect-embed-{}", process::id()));
    fs::create_dir_all(&directory)?;
    let listeners = [
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
    ];
    let mut peers = Vec::new();
    for (name, listener) in names.iter().zip(&listeners) {
        peers.push((*name, listener.local_addr()?.to_string()));
    }
    let mut servers = Vec::new();
    for (name, listener) in names.into_iter().zip(listeners) {
        let (handle, events) = start(name, &names, &directory, listener, &peers)?;
        let host = handle.clone();
        servers.push((name, handle, thread::spawn(move || serve(name, &host, &events))));
    }
    let leader = loop {
        if let Some(index) = servers.iter().position(|(_, handle, _)| handle.is_leader()) {
            break index;
        }
        thread::yield_now();
    };
    let (name, handle, host) = servers.remove(leader);
    println!("{name}: shutting down");
    handle.shutdown()?;
    host.join().map_err(|_| "the host panicked")?;
    while !servers.iter().any(|(_, handle, _)| handle.is_leader()) {
        thread::yield_now();
    }
    for (_, handle, host) in servers {
        handle.shutdown()?;
        host.join().map_err(|_| "the host panicked")?;
    }
    fs::remove_dir_all(directory)?;
    Ok(())
}

fn start(
    name: NodeId,
    names: &[NodeId],
    directory: &Path,
    listener: TcpListener,
    peers: &[(NodeId, String)],
) -> Result<(NodeHandle, Events), Box<dyn Error>> {
    let elect = Config::builder(ClusterId::new("demo")?, name)
        .voters(names.iter().copied())
        .seed(random_seed())
        .build()?;
    let vote_file = directory.join(format!("{name}.vote"));
    VoteFile::init(&vote_file, &elect)?;
    let config =
        NodeConfig::builder(elect, vote_file).listener(listener).peers(peers.iter().cloned()).build()?;
    Ok(Node::start(config, Arc::new(NoLog))?)
}

/// What a host does with its events. This one keeps no log, so being elected is enough to serve.
fn serve(name: NodeId, node: &NodeHandle, events: &Events) {
    loop {
        // This loop is what works here: if it hangs, the node loses office instead of leading without serving.
        node.healthy_for(HEALTHY_FOR);
        let event = match events.recv_timeout(HEALTHY_FOR / 4) {
            Ok(event) => event,
            Err(NoEvent::NotYet) => continue,
            Err(NoEvent::Ended) => break,
        };
        match event {
            HostEvent::Act(duty) => act(name, node, duty),
            HostEvent::Happened(NodeNotice::Elector(Notice::Following { leader, epoch, .. })) => {
                println!("{name}: follows {leader} in epoch {epoch}");
            }
            HostEvent::Lost(loss) => {
                println!("{name}: no longer leads epoch {}: {}", loss.epoch, loss.reason);
            }
            HostEvent::Ended(_) => println!("{name}: ended"),
            HostEvent::Happened(_) => {} // to be logged, counted or shown
        }
    }
}

/// Every duty by its name: what a host leaves out, it learns of only when it goes wrong.
fn act(name: NodeId, node: &NodeHandle, duty: Duty) {
    match duty {
        Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. } => {
            println!("{name}: leads epoch {}", elected.epoch());
            node.on_office(&elected.serve_without_log_forgetting_earlier_writes());
        }
        // Nobody else led: its office goes on, with stamps of the new epoch.
        Duty::EpochRaised { from, raised: Raised::InOffice(stamp) } => {
            println!("{name}: leads epoch {} after {from}", stamp.epoch());
        }
        // Nothing to finish here.
        Duty::HandoverBegan { target, .. } => {
            println!("{name}: hands over to {target}");
            node.on_drained();
        }
        Duty::HandoverAborted { target, .. } => println!("{name}: goes on, {target} does not take over"),
        // It has no log that could have been lost.
        Duty::Rebuilt => {}
        Duty::Replaced { told_by, .. } => println!("{name}: counts as replaced, says {told_by}"),
        Duty::Stopped { reason } => println!("{name}: stopped for good: {reason}"),
    }
}
