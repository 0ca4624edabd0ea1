//! What the measurements of quiet groups share: three names on loopback, and what this process has used.

use std::error::Error;
use std::fs;
use std::net::TcpListener;

use elect_core::NodeId;

/// Three names, their listeners, and where peers find them.
pub(crate) struct Loopback {
    pub(crate) names: [NodeId; 3],
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) peers: Vec<(NodeId, String)>,
}

impl Loopback {
    pub(crate) fn bind() -> Result<Self, Box<dyn Error>> {
        let names = [NodeId::new("node-one")?, NodeId::new("node-two")?, NodeId::new("node-six")?];
        let (mut listeners, mut peers) = (Vec::new(), Vec::new());
        for name in names {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            peers.push((name, listener.local_addr()?.to_string()));
            listeners.push(listener);
        }
        Ok(Self { names, listeners, peers })
    }
}

/// What this process has used: processor time in hundredths of a second, voluntary context switches of its threads, and others.
pub(crate) fn usage() -> Result<[u64; 3], Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let processor = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    let (mut voluntary, mut preempted) = (0, 0);
    for thread in fs::read_dir("/proc/self/task")? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        for line in status.lines() {
            let number = || line.split_whitespace().last().unwrap_or_default().parse::<u64>();
            match line.split(':').next() {
                Some("voluntary_ctxt_switches") => voluntary += number()?,
                Some("nonvoluntary_ctxt_switches") => preempted += number()?,
                _ => {}
            }
        }
    }
    Ok([processor, voluntary, preempted])
}
