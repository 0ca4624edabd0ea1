//! What one synced append costs in the engine that elect-kv uses and in the runner-up, alone and as group commit.
//!
//! ```sh
//! cargo run --release -p elect-kv --example storage [directory on the disk to measure]
//! ```
#![expect(clippy::print_stdout, reason = "it prints figures")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use redb::TableDefinition;

const ENTRY: [u8; 100] = [7; 100];
const ROUNDS: usize = 1_000;
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, Into::into);
    println!("{ROUNDS} synced appends of 100-byte entries in {}", dir.display());
    println!("entries  engine     median       p99   entries/s");
    for entries in [1, 16, 128] {
        report(entries, "fjall", &fjall_appends(&dir, entries)?);
        report(entries, "redb", &redb_appends(&dir, entries)?);
    }
    Ok(())
}

fn fjall_appends(dir: &Path, entries: u64) -> Result<Vec<Duration>, Box<dyn Error>> {
    let dir = tempfile::tempdir_in(dir)?;
    let database = Database::builder(dir.path()).manual_journal_persist(true).open()?;
    let log = database.keyspace("log", KeyspaceCreateOptions::default)?;
    timed(entries, |offsets| {
        let mut batch = database.batch();
        for offset in offsets {
            batch.insert(&log, offset.to_be_bytes(), ENTRY);
        }
        batch.commit()?;
        Ok(database.persist(PersistMode::SyncData)?)
    })
}

fn redb_appends(dir: &Path, entries: u64) -> Result<Vec<Duration>, Box<dyn Error>> {
    let dir = tempfile::tempdir_in(dir)?;
    let database = redb::Database::create(dir.path().join("log"))?;
    timed(entries, |offsets| {
        let write = database.begin_write()?;
        {
            let mut log = write.open_table(LOG)?;
            for offset in offsets {
                log.insert(offset, ENTRY.as_slice())?;
            }
        }
        Ok(write.commit()?)
    })
}

fn timed(
    entries: u64,
    mut append: impl FnMut(std::ops::Range<u64>) -> Result<(), Box<dyn Error>>,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut spans = Vec::with_capacity(ROUNDS);
    let mut next = 1;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        append(next..next + entries)?;
        spans.push(began.elapsed());
        next += entries;
    }
    spans.sort_unstable();
    Ok(spans)
}

fn report(entries: u64, engine: &str, spans: &[Duration]) {
    let (median, p99) = (spans[spans.len() / 2], spans[spans.len() * 99 / 100]);
    let total: Duration = spans.iter().sum();
    let rate =
        f64::from(u32::try_from(spans.len() as u64 * entries).unwrap_or(u32::MAX)) / total.as_secs_f64();
    println!("{entries:>7}  {engine:<6} {median:>10.1?} {p99:>9.1?} {rate:>11.0}");
}
