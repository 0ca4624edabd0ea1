//! What goes wrong, drawn from the seed: one thing or two at a time, from a cluster that is well.

use std::fmt;
use std::io;
use std::time::Duration;

use super::cluster::{Cluster, NAMES};
use super::cuts::Cut;
use super::network::NODES;
use super::random::Random;

/// One thing that goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// `kill -9`.
    Kill(Vec<usize>),
    /// SIGTERM.
    Terminate(usize),
    /// SIGSTOP.
    Stop(usize),
    Cut(Cut),
    HungDisk(usize),
    FullDisk(usize),
    /// The disk is lost: `replace-lost`.
    LostDisk(usize),
    /// The disk is set back to an older copy: `replace-lost`.
    Restored(usize),
    Handover,
    /// Nobody takes over for a while.
    Pause,
}

/// How long what goes wrong lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spans {
    pub(crate) least_ms: u64,
    pub(crate) most_ms: u64,
}

/// One thing, or two; which of them a seed draws depends on who is the primary and whose disk has a copy.
pub(crate) fn draw(random: &mut Random, cluster: &Cluster, primary: usize) -> Vec<Fault> {
    let first = draw_one(random, cluster, primary);
    if !random.one_in(3) {
        return vec![first];
    }
    // A second disk that is lost before the first is rebuilt, or a node that sleeps through that, is beyond what is promised.
    let second = loop {
        let second = draw_one(random, cluster, primary);
        let is_other = !first.nodes().iter().any(|node| second.nodes().contains(node));
        let is_simple = |fault: &Fault| matches!(fault, Fault::Kill(_) | Fault::Stop(_));
        let may_meet = |one: &Fault, other: &Fault| is_simple(one) || !other.loses_a_disk();
        let meet = may_meet(&first, &second) && may_meet(&second, &first);
        if is_other && meet && first.kind() != second.kind() {
            break second;
        }
    };
    vec![first, second]
}

fn draw_one(random: &mut Random, cluster: &Cluster, primary: usize) -> Fault {
    let node = if random.one_in(2) { primary } else { (primary + 1 + random.below(NODES - 1)) % NODES };
    match random.below(24) {
        0..4 => Fault::Kill(vec![node]),
        4..6 => Fault::Kill(vec![primary, (primary + 1 + random.below(NODES - 1)) % NODES]),
        6 => Fault::Kill((0..NODES).collect()),
        7..10 => Fault::Stop(node),
        10..16 => Fault::Cut(Cut::draw(random, primary)),
        16..18 => Fault::HungDisk(node),
        18 => Fault::FullDisk(node),
        19 => Fault::LostDisk(node),
        20 if cluster.has_backup(node) => Fault::Restored(node),
        20 | 21 => Fault::Terminate(node),
        22 => Fault::Handover,
        _ => Fault::Pause,
    }
}

impl Fault {
    /// What it counts as.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Kill(nodes) if nodes.len() == 1 => "kill",
            Self::Kill(nodes) if nodes.len() == 2 => "kill of two",
            Self::Kill(_) => "kill of all",
            Self::Terminate(_) => "restart",
            Self::Stop(_) => "stop",
            Self::Cut(cut) => cut.kind(),
            Self::HungDisk(_) => "hung disk",
            Self::FullDisk(_) => "full disk",
            Self::LostDisk(_) => "lost disk",
            Self::Restored(_) => "restored backup",
            Self::Handover => "handover",
            Self::Pause => "pause",
        }
    }

    fn loses_a_disk(&self) -> bool {
        matches!(self, Self::LostDisk(_) | Self::Restored(_))
    }

    /// Whose processes and disks it is about.
    fn nodes(&self) -> &[usize] {
        match self {
            Self::Kill(nodes) => nodes,
            Self::Terminate(node)
            | Self::Stop(node)
            | Self::HungDisk(node)
            | Self::FullDisk(node)
            | Self::LostDisk(node)
            | Self::Restored(node) => std::slice::from_ref(node),
            Self::Cut(_) | Self::Handover | Self::Pause => &[],
        }
    }

    /// How long it lasts.
    pub(crate) fn span(&self, random: &mut Random, spans: Spans) -> Duration {
        let most = match self {
            Self::Handover | Self::Terminate(_) | Self::LostDisk(_) | Self::Restored(_) => spans.least_ms,
            _ => spans.most_ms,
        };
        random.millis(spans.least_ms, most)
    }

    /// Does it. What a node refuses to do is no fault.
    pub(crate) fn begin(&self, cluster: &mut Cluster, random: &mut Random) -> io::Result<()> {
        match self {
            Self::Kill(nodes) => {
                nodes.iter().try_for_each(|node| cluster.kill(*node))?;
                // One copy of a disk is made while nobody writes to it, and comes back later.
                let node = nodes[0];
                if random.one_in(3) || !cluster.has_backup(node) { cluster.back_up(node) } else { Ok(()) }
            }
            Self::Terminate(node) => {
                cluster.terminate(*node)?;
                cluster.start(*node)
            }
            Self::Stop(node) => cluster.stop(*node, true),
            Self::Cut(cut) => {
                cut.begin(cluster.network());
                Ok(())
            }
            Self::HungDisk(node) => cluster.hang(*node, true),
            Self::FullDisk(node) => cluster.fill(*node, true),
            Self::LostDisk(node) => {
                cluster.kill(*node)?;
                cluster.wipe(*node)?;
                cluster.start(*node)
            }
            Self::Restored(node) => {
                cluster.kill(*node)?;
                cluster.restore(*node)?;
                cluster.start(*node)
            }
            Self::Handover => {
                let _ = cluster.command(random.below(NODES), &["handover"]);
                Ok(())
            }
            Self::Pause => {
                let _ = cluster.command(random.below(NODES), &["pause", "5s"]);
                Ok(())
            }
        }
    }

    /// Heals it.
    pub(crate) fn end(&self, cluster: &mut Cluster) -> io::Result<()> {
        match self {
            Self::Kill(nodes) => nodes.iter().try_for_each(|node| cluster.start(*node)),
            Self::Stop(node) => cluster.stop(*node, false),
            Self::Cut(_) => {
                cluster.network().heal();
                Ok(())
            }
            Self::HungDisk(node) => cluster.hang(*node, false),
            Self::FullDisk(node) => cluster.fill(*node, false),
            Self::Terminate(_) | Self::LostDisk(_) | Self::Restored(_) | Self::Handover => Ok(()),
            Self::Pause => {
                // Until somebody leads there is nobody to ask.
                let _ = cluster.command(0, &["resume"]);
                Ok(())
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Cut(cut) = self {
            return cut.fmt(f);
        }
        f.write_str(self.kind())?;
        let names: Vec<_> = self.nodes().iter().map(|node| NAMES[*node]).collect();
        if names.is_empty() { Ok(()) } else { write!(f, " of {}", names.join(" and ")) }
    }
}
