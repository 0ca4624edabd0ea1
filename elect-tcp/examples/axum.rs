//! An HTTP server with an election embedded: only the leader takes `POST`, the others send clients there.
//!
//! A node's first boot is a command of its own, given once by its operator; what a unit file repeats is `run`:
//!
//! ```text
//! cargo run -p elect-tcp --example axum -- init a      # and b, and c: once
//! cargo run -p elect-tcp --example axum -- run a       # and b, and c, each in a terminal of its own
//! curl -L -d hello localhost:8002/value
//! curl localhost:8001/value
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use elect_core::{Address, ClusterId, Config, Duty, NoLog, NodeId, Office, Raised};
use elect_tcp::{Events, HostEvent, Node, NodeConfig, NodeHandle, VoteFile, random_seed};
use tokio::net::TcpListener;
use tokio::time::timeout;

type Failure = Box<dyn Error + Send + Sync>;

/// Name, where peers reach the node, where clients do: the same list on every node.
const GROUP: [(&str, &str, &str); 3] = [
    ("a", "127.0.0.1:7001", "127.0.0.1:8001"),
    ("b", "127.0.0.1:7002", "127.0.0.1:8002"),
    ("c", "127.0.0.1:7003", "127.0.0.1:8003"),
];
/// One turn of the loop that reads events declares this server healthy for so long.
const HEALTHY_FOR: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [command, name] = &arguments[..] else { return Err("usage: (init | run) (a | b | c)".into()) };
    let known = GROUP.iter().find(|(known, ..)| known == name);
    let &(name, peers, clients) = known.ok_or("this node is in no list")?;
    match command.as_str() {
        "init" => Ok(VoteFile::init(vote_file(name)?, &elect(name, clients)?)?),
        "run" => run(name, peers, clients).await,
        other => Err(format!("no command {other}").into()),
    }
}

fn vote_file(name: &str) -> Result<PathBuf, Failure> {
    let directory = env::temp_dir().join("elect-axum");
    fs::create_dir_all(&directory)?;
    Ok(directory.join(format!("{name}.vote")))
}

fn elect(name: &str, clients: &str) -> Result<Config, Failure> {
    let mut builder = Config::builder(ClusterId::new("axum")?, NodeId::new(name)?);
    for (voter, ..) in GROUP {
        builder = builder.voters([NodeId::new(voter)?]);
    }
    Ok(builder.address(Address::new(clients)?).seed(random_seed()).build()?)
}

/// What every request may use.
#[derive(Clone)]
struct Server {
    node: NodeHandle,
    /// The right to serve, while this node leads.
    office: Arc<Mutex<Option<Office>>>,
    /// What is served. This server keeps no log: a new leader begins with what it has.
    value: Arc<Mutex<String>>,
}

async fn run(name: &str, peers: &str, clients: &str) -> Result<(), Failure> {
    let mut config = NodeConfig::builder(elect(name, clients)?, vote_file(name)?).listen(peers.parse()?);
    for (peer, address, _) in GROUP {
        config = config.peer(NodeId::new(peer)?, address);
    }
    let (node, events) = Node::start(config.build()?, Arc::new(NoLog))?;
    let server = Server { node, office: Arc::default(), value: Arc::default() };
    let reading = tokio::spawn(read_events(server.clone(), events));

    let router = Router::new().route("/value", get(read_value).post(write_value)).with_state(server.clone());
    let listener = TcpListener::bind(clients).await?;
    println!("{name}: clients at http://{clients}/value");
    axum::serve(listener, router)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;

    // It hands over first, and `read_events` drains meanwhile: so it may block, but not this thread.
    tokio::task::spawn_blocking(move || server.node.shutdown()).await??;
    reading.await?;
    Ok(())
}

async fn read_events(server: Server, events: Events) {
    loop {
        server.node.healthy_for(HEALTHY_FOR);
        let Ok(event) = timeout(HEALTHY_FOR / 4, events.recv_async()).await else { continue };
        match event {
            Some(HostEvent::Act(duty)) => act(&server, duty),
            Some(HostEvent::Lost(loss)) => {
                println!("no longer leads epoch {}: {}", loss.epoch, loss.reason);
                *server.office() = None;
            }
            // To be logged, counted or shown.
            Some(HostEvent::Happened(_)) => {}
            Some(HostEvent::Ended(_)) | None => return,
        }
    }
}

/// Every duty by its name.
fn act(server: &Server, duty: Duty) {
    match duty {
        Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. } => {
            println!("leads epoch {}", elected.epoch());
            let office = elected.serve_without_log_forgetting_earlier_writes();
            server.node.on_office(&office);
            *server.office() = Some(office);
        }
        // A write takes no time here, so none is under way.
        Duty::HandoverBegan { .. } => server.node.on_drained(),
        Duty::EpochRaised { raised: Raised::InOffice(_), .. }
        | Duty::HandoverAborted { .. }
        | Duty::Rebuilt
        | Duty::Replaced { .. } => {}
        Duty::Stopped { reason } => println!("stopped for good: {reason}"),
    }
}

impl Server {
    fn office(&self) -> std::sync::MutexGuard<'_, Option<Office>> {
        self.office.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn value(&self) -> std::sync::MutexGuard<'_, String> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the leader is, as an answer to a request that only it may serve.
    fn elsewhere(&self) -> Response {
        match self.node.leader() {
            Some(known) if known.node != self.node.node_id() => {
                Redirect::temporary(&format!("http://{}/value", known.address)).into_response()
            }
            _ => (StatusCode::SERVICE_UNAVAILABLE, "nobody leads\n").into_response(),
        }
    }
}

/// Any node answers, perhaps with something old.
async fn read_value(State(server): State<Server>) -> String {
    let leader = server.node.leader().map_or("nobody".into(), |known| known.node.to_string());
    format!("{} ({leader} leads)\n", server.value())
}

/// Only the leader, and only while its lease runs.
async fn write_value(State(server): State<Server>, body: String) -> Response {
    let Some(office) = server.office().clone() else { return server.elsewhere() };
    let Ok(stamp) = office.stamp(server.node.now()) else { return server.elsewhere() };
    *server.value() = body;
    // The last act before the acknowledgement: it may have taken longer than the lease.
    match office.check_write(stamp, server.node.now()) {
        Ok(()) => "written\n".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}
