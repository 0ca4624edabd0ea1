//! One server with an election embedded, in two commands: a node's first boot is given once, by its operator; what a unit
//! file repeats is `run`, which refuses a node that has lost its storage instead of taking it for a new one.
//!
//! ```text
//! cargo run -p elect-tcp --example server -- init a    # and b, and c: once
//! cargo run -p elect-tcp --example server -- run a     # and b, and c, each in a terminal of its own
//! ```
//!
//! `run` ends at the end of its input (Ctrl-D), after it has handed over.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, io, thread};

use elect_core::{ClusterId, Config, Duty, NoLog, NodeId, Notice, Raised};
use elect_tcp::{
    Events, HostEvent, NoEvent, Node, NodeConfig, NodeHandle, NodeNotice, VoteFile, random_seed,
};

/// Name, and where peers reach the node: the same list on every node.
const GROUP: [(&str, &str); 3] = [("a", "127.0.0.1:7001"), ("b", "127.0.0.1:7002"), ("c", "127.0.0.1:7003")];
/// One turn of the host's loop declares it healthy for so long.
const HEALTHY_FOR: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [command, name] = &arguments[..] else { return Err("usage: (init | run) (a | b | c)".into()) };
    match command.as_str() {
        "init" => Ok(VoteFile::init(vote_file(name)?, &elect(name)?)?),
        "run" => run(name),
        other => Err(format!("no command {other}").into()),
    }
}

fn vote_file(name: &str) -> io::Result<PathBuf> {
    let directory = env::temp_dir().join("elect-server");
    fs::create_dir_all(&directory)?;
    Ok(directory.join(format!("{name}.vote")))
}

fn elect(name: &str) -> Result<Config, Box<dyn Error>> {
    let mut builder = Config::builder(ClusterId::new("server")?, NodeId::new(name)?);
    for (voter, _) in GROUP {
        builder = builder.voters([NodeId::new(voter)?]);
    }
    Ok(builder.seed(random_seed()).build()?)
}

fn run(name: &str) -> Result<(), Box<dyn Error>> {
    let (_, own) = GROUP.iter().find(|(known, _)| *known == name).ok_or("this node is in no list")?;
    let mut config = NodeConfig::builder(elect(name)?, vote_file(name)?).listen(own.parse()?);
    for (peer, address) in GROUP {
        config = config.peer(NodeId::new(peer)?, address);
    }
    let (node, events) = Node::start(config.build()?, Arc::new(NoLog))?;
    let host = node.clone();
    let serving = thread::spawn(move || serve(&host, &events));
    io::copy(&mut io::stdin(), &mut io::sink())?;
    // It hands over first: `serve` drains meanwhile, on its own thread.
    node.shutdown()?;
    serving.join().map_err(|_| "the host panicked")?;
    Ok(())
}

fn serve(node: &NodeHandle, events: &Events) {
    loop {
        node.healthy_for(HEALTHY_FOR);
        match events.recv_timeout(HEALTHY_FOR / 4) {
            Ok(HostEvent::Act(duty)) => act(node, duty),
            Ok(HostEvent::Lost(loss)) => println!("no longer leads epoch {}: {}", loss.epoch, loss.reason),
            Ok(HostEvent::Happened(NodeNotice::Elector(notice @ Notice::Following { .. }))) => {
                println!("{notice}");
            }
            Ok(HostEvent::Happened(_)) | Err(NoEvent::NotYet) => {}
            Ok(HostEvent::Ended(_)) | Err(NoEvent::Ended) => return,
        }
    }
}

/// Every duty by its name.
fn act(node: &NodeHandle, duty: Duty) {
    println!("{duty}");
    match duty {
        // It keeps no log, so being elected is enough to serve.
        Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. } => {
            node.on_office(&elected.serve_without_log_forgetting_earlier_writes());
        }
        Duty::HandoverBegan { .. } => node.on_drained(),
        Duty::EpochRaised { raised: Raised::InOffice(_), .. }
        | Duty::HandoverAborted { .. }
        | Duty::Rebuilt
        | Duty::Replaced { .. }
        | Duty::Stopped { .. } => {}
    }
}
