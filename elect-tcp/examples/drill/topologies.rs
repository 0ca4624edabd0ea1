//! Directed drops between real network stacks: each node in a network namespace, behind a router that drops packets from one
//! address to another.

use std::error::Error;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, process};

use serde_json::json;

use crate::figures::Figures;
use crate::findings::Findings;
use crate::group::{Group, Plan};
use crate::leases::{self, Unfinished};
use crate::node::{self, Seat};

/// Where every node listens, each at its own address.
const PORT: u16 = 7001;
/// Rules of this preference are cuts.
const CUT: &str = "100";

/// The namespaces, removed with their value.
struct Network {
    nodes: usize,
}

impl Network {
    /// Fails where this process may not have namespaces of its own.
    fn build(nodes: usize) -> Result<Self, Box<dyn Error>> {
        let network = Self { nodes };
        ip(&["netns", "add", &network.router()])?;
        let router = network.router();
        for node in 0..nodes {
            let (space, outside, own) = (network.space(node), format!("v{node}"), address(node));
            let gateway = Ipv4Addr::from(u32::from(own) - 1);
            ip(&["netns", "add", &space])?;
            let pair = [
                "-n", &router, "link", "add", &outside, "type", "veth", "peer", "name", "e0", "netns", &space,
            ];
            ip(&pair)?;
            ip(&["-n", &router, "addr", "add", &format!("{gateway}/24"), "dev", &outside])?;
            ip(&["-n", &router, "link", "set", &outside, "up"])?;
            ip(&["-n", &space, "addr", "add", &format!("{own}/24"), "dev", "e0"])?;
            ip(&["-n", &space, "link", "set", "e0", "up"])?;
            ip(&["-n", &space, "link", "set", "lo", "up"])?;
            ip(&["-n", &space, "route", "add", "default", "via", &gateway.to_string()])?;
        }
        ip(&["netns", "exec", &router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])?;
        Ok(network)
    }

    fn router(&self) -> String {
        format!("elect-{}-{}r", process::id(), self.nodes)
    }

    fn space(&self, node: usize) -> String {
        format!("elect-{}-{}n{node}", process::id(), self.nodes)
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        (0..self.nodes).map(|node| (address(node), PORT).into()).collect()
    }

    /// From now on the router drops exactly what goes from the first to the second of each pair.
    fn cut(&self, before: &[(usize, usize)], pairs: &[(usize, usize)]) -> Result<(), Box<dyn Error>> {
        let rules = |verb: &str, pairs: &[(usize, usize)]| -> String {
            let rule = |&(from, to): &(usize, usize)| {
                let (from, to) = (address(from), address(to));
                format!("rule {verb} pref {CUT} from {from} to {to} blackhole\n")
            };
            pairs.iter().map(rule).collect()
        };
        let batch = rules("del", before) + &rules("add", pairs);
        let mut command = Command::new("ip");
        command.args(["-n", &self.router(), "-batch", "-"]).stdin(Stdio::piped());
        let mut child = command.spawn()?;
        child.stdin.take().ok_or("no input")?.write_all(batch.as_bytes())?;
        if child.wait()?.success() { Ok(()) } else { Err("the rules were refused".into()) }
    }
}

fn address(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 213, u8::try_from(node).unwrap_or_default(), 2)
}

impl Drop for Network {
    fn drop(&mut self) {
        let spaces = (0..self.nodes).map(|node| self.space(node)).chain([self.router()]);
        for space in spaces {
            let _ = Command::new("ip").args(["netns", "del", &space]).stderr(Stdio::null()).status();
        }
    }
}

fn ip(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let output = Command::new("ip").args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {}", arguments.join(" "), error.trim()).into())
}

/// `count` sets of directed cuts by chance, each until it is seen what it makes of the group, then healed.
pub(crate) fn run(
    plan: &Plan,
    count: usize,
    seed: u64,
    directory: &Path,
    mut progress: impl FnMut(usize),
) -> Result<Findings, Box<dyn Error>> {
    let network = match Network::build(plan.nodes) {
        Ok(network) => network,
        Err(error) => {
            let line = format!("skipped: network namespaces are not permitted here: {error}");
            return Ok(Findings {
                lines: vec![line],
                json: json!({ "skipped": error.to_string() }),
                wrong: vec![],
            });
        }
    };
    let spaces: Vec<_> = (0..plan.nodes).map(|node| network.space(node)).collect();
    let launch = move |seat: &Seat| -> io::Result<Command> {
        let number =
            seat.members.iter().position(|(name, _)| *name == seat.name).ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &spaces[number]]).arg(env::current_exe()?);
        Ok(command)
    };
    let mut group = Group::start_at(plan, directory, &network.addresses(), &launch)?;
    let (mut led, mut healed, mut wrong) = (Figures::default(), Figures::default(), Vec::new());
    let (mut kept, mut without) = (0, 0);
    let mut chance = Chance(seed);
    for number in 0..count {
        group.settle(&[])?;
        let cuts = chance.cuts(plan.nodes);
        let began = node::now();
        network.cut(&[], &cuts)?;
        match follow(&mut group, plan, &cuts) {
            Ok(Some(at)) if at > began => led.note(at - began),
            Ok(Some(_)) => kept += 1,
            Ok(None) => without += 1,
            Err(error) => wrong.push(format!("{cuts:?}: {error}")),
        }
        let heals = node::now();
        network.cut(&cuts, &[])?;
        group.settle(&[])?;
        healed.note(node::now() - heals);
        progress(number + 1);
    }
    let offices = group.end();
    let intervals = leases::checked(directory, Unfinished::ToItsEnd, &offices)?;
    let lines = vec![
        format!("cut to another leader {}", led.line()),
        format!("healed to followed by all      {}", healed.line()),
        format!(
            "{count} topologies of {} nodes, seed {seed}: {kept} kept their leader, {without} rightly had none",
            plan.nodes
        ),
        format!("{} leases, no two overlap", intervals.len()),
    ];
    let json = json!({
        "topologies": count, "nodes": plan.nodes, "seed": seed, "kept_leader": kept, "without_leader": without, "leases": intervals.len(),
        "cut_to_leader_nanos": led.json(), "healed_nanos": healed.json(),
    });
    Ok(Findings { lines, json, wrong })
}

/// Waits for what must be: a leader that reaches a quorum both ways, and when it was there; or nobody, where no node does.
fn follow(
    group: &mut Group<'_>,
    plan: &Plan,
    cuts: &[(usize, usize)],
) -> Result<Option<u64>, Box<dyn Error>> {
    let reaches = |node: usize| {
        let both = |peer: &usize| !cuts.contains(&(node, *peer)) && !cuts.contains(&(*peer, node));
        (0..plan.nodes).filter(|peer| *peer == node || both(peer)).count() > plan.nodes / 2
    };
    // Until whoever led has noticed: before, it is a leader all the same.
    group.listen(Duration::from_millis(2 * plan.detection_ms));
    if (0..plan.nodes).any(reaches) {
        let what = "leader within its quorum";
        let found =
            group.wait(what, 0, |group, _| group.in_office().into_iter().find(|(node, _)| reaches(*node)))?;
        return Ok(Some(found.1));
    }
    group.wait("end of every leadership", 0, |group, _| group.in_office().is_empty().then_some(()))?;
    Ok(None)
}

/// splitmix64: the same seed, the same cuts.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Each direction of each link is cut with a probability of its own topology.
    fn cuts(&mut self, nodes: usize) -> Vec<(usize, usize)> {
        let share = self.next() % 60 + 10;
        let pairs = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
        pairs.filter(|(from, to)| from != to).filter(|_| self.next() % 100 < share).collect()
    }
}
