//! A peer that accepts and never answers, while primaries die.

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::json;

use crate::figures::Figures;
use crate::findings::Findings;
use crate::group::{Group, Launch, Plan};
use crate::kills::{Report, fail_over};
use crate::leases;

/// Takes every stream and says nothing, until it is dropped.
struct Silent {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<usize>>,
}

impl Silent {
    fn listen(address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let (listener, ended) = (TcpListener::bind(address)?, Arc::new(AtomicBool::new(false)));
        let has_ended = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            let mut taken = Vec::new();
            while let Ok((stream, _)) = listener.accept() {
                if has_ended.load(Ordering::SeqCst) {
                    break;
                }
                taken.push(stream);
            }
            taken.len()
        });
        Ok(Self { address, ended, thread: Some(thread) })
    }

    /// How many streams it has taken.
    fn end(mut self) -> usize {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread.
        let _ = std::net::TcpStream::connect(self.address);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

/// Kills `count` primaries of a group in which one member is silent: of three nodes, one is left then that could be elected.
pub(crate) fn run(
    plan: &Plan,
    count: usize,
    directory: &Path,
    launch: &Launch,
    mut progress: impl FnMut(usize),
) -> Result<Findings, Box<dyn Error>> {
    let plan = Plan { nodes: plan.nodes.max(5), ..plan.clone() };
    let mut group = Group::start(&plan, directory, launch)?;
    let leader = group.settle(&[])?;
    let silenced = usize::from(leader == 0);
    group.kill(silenced)?;
    let silent = Silent::listen(group.seat(silenced).listen)?;
    // Its streams time out meanwhile, and are dialled again.
    group.listen(Duration::from_secs(2));
    let mut report = Report::default();
    for number in 0..count {
        group.rest(plan.pause, number);
        let leader = group.settle(&[])?;
        report.note(fail_over(&mut group, leader)?);
        group.launch(leader)?;
        progress(number + 1);
    }
    group.settle(&[])?;
    let offices = group.end();
    let taken = silent.end();
    let intervals = leases::checked(directory, plan.after_a_death(), &offices)?;
    report.leases = intervals.len();
    let mut lines = report.lines(&plan);
    lines.push(format!("{} nodes, one of them silent: it was dialled {taken} times", plan.nodes));
    let elected: &Figures = report.elected();
    let json =
        json!({ "nodes": plan.nodes, "dials": taken, "elected_nanos": elected.json(), "all": report.json() });
    Ok(Findings { lines, json, wrong: Vec::new() })
}
