//! How long a save of the vote file takes on this disk.
//!
//! `cargo run --release -p elect-tcp --example saves -- 2000 some/directory`, and `two` behind it for two syncs a save.
#![allow(clippy::print_stdout, reason = "it prints what it measures")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;
use std::{env, fs, process};

use elect_core::{ClusterId, Config, Epoch, NodeId, Record, VoteStore};
use elect_tcp::{VoteFile, VoteSyncs};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let count = arguments.next().map_or(Ok(1000), |text| text.parse::<u64>())?.max(1);
    let directory = arguments.next().map_or_else(env::temp_dir, PathBuf::from);
    let syncs = if arguments.next().as_deref() == Some("two") { VoteSyncs::Two } else { VoteSyncs::One };
    let node = NodeId::new("node-one")?;
    let config = Config::builder(ClusterId::new("saves")?, node).voters([node]).build()?;
    let path = directory.join(format!("saves-{}.vote", process::id()));
    VoteFile::init(&path, &config)?;
    let mut file = VoteFile::open(&path, &config)?.with_syncs(syncs);
    let mut spans = Vec::new();
    for epoch in 1..=count {
        let record = Record { epoch: Epoch::new(epoch), ..*file.record() };
        let began = Instant::now();
        file.save(&record)?;
        spans.push(began.elapsed());
    }
    spans.sort_unstable();
    let at = |percent: usize| spans[(spans.len() - 1) * percent / 100];
    println!("{count} saves: median {:?}, p99 {:?}, longest {:?}", at(50), at(99), at(100));
    fs::remove_file(path)?;
    Ok(())
}
