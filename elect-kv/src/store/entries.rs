//! The log: appended, cut, read, and dropped at its beginning.

use std::collections::BTreeMap;

use elect_core::{Epoch, Position};
use fjall::Keyspace;

use super::layout::{BEGIN, Begin, Run, log_key, number, offset_of, span_key};
use super::{Store, StoreError};
use crate::replication::{Entry, History};

/// About how many bytes one run takes.
const RUN_BYTES: usize = 64 << 10;
/// About so many bytes are dropped at a time, so that nothing waits for it; more only where more is written at a time.
const DROPPED_MAX: u64 = 1 << 20;
/// The log is this much larger than its budget before something is dropped.
const SURPLUS_MIN: u64 = 64 << 10;

/// What entries are stored as: runs, and the spans of epochs that begin with them, by first offset.
type Written = (BTreeMap<u64, Run>, BTreeMap<u64, Epoch>);

impl Store {
    /// Which epoch wrote which part of the log.
    pub fn history(&self) -> Result<History, StoreError> {
        let (space, begin) = (self.space(), self.begin().position);
        let last = self.run_of(&space, u64::MAX)?.map_or(begin.offset, |run| run.last());
        let mut spans = Vec::new();
        for guard in space.range(span_key(0)..=span_key(u64::MAX)) {
            let (first, epoch) = guard.into_inner().map_err(|error| self.failed(error))?;
            match (offset_of(&first), number(&epoch)) {
                (Some(first), Some(epoch)) => spans.push((first, Epoch::new(epoch))),
                _ => return Err(self.damaged("an epoch's span is not 16 bytes")),
            }
        }
        History::restore(begin, spans, last)
            .ok_or_else(|| self.damaged("the spans of the epochs do not cover the log"))
    }

    /// Cuts everything after `keep` and appends `entries` to a log that ends at `last`: both or neither, not yet durable.
    pub(super) fn write(&self, keep: Position, last: u64, entries: &[Entry]) -> Result<(), StoreError> {
        let (space, begin) = (self.space(), self.begin());
        let (runs, spans) = self.runs(keep, entries)?;
        let end = runs.last_key_value().map(|(_, run)| (run.last(), run.weight));
        let mut batch = self.database.batch();
        if keep.offset < last {
            if let Some(mut run) = self.run_of(&space, keep.offset)?
                && run.last() > keep.offset
            {
                run.cut(keep.offset);
                batch.insert(&space, log_key(run.first), run.encode());
            }
            let keys: [fn(u64) -> [u8; 9]; 2] = [log_key, span_key];
            let stored = keys.map(|key| space.range(key(keep.offset + 1)..=key(u64::MAX)));
            for guard in stored.into_iter().flatten() {
                let key = guard.key().map_err(|error| self.failed(error))?;
                let first = offset_of(&key).ok_or_else(|| self.damaged("an offset is not 8 bytes"))?;
                let is_written = if key[..] == span_key(first) {
                    spans.contains_key(&first)
                } else {
                    runs.contains_key(&first)
                };
                if !is_written {
                    batch.remove(&space, key);
                }
            }
        }
        for (first, run) in runs {
            batch.insert(&space, log_key(first), run.encode());
        }
        for (first, epoch) in spans {
            batch.insert(&space, span_key(first), epoch.number().to_be_bytes());
        }
        debug_assert!(keep.offset >= begin.position.offset, "what was dropped is not cut");
        self.set_end(None);
        batch.commit().map_err(|error| self.failed(error))?;
        self.set_end(end);
        Ok(())
    }

    /// What `entries` after `keep` are stored as.
    fn runs(&self, keep: Position, entries: &[Entry]) -> Result<Written, StoreError> {
        let (mut runs, mut spans) = (BTreeMap::new(), BTreeMap::new());
        let mut run = Run { epoch: keep.epoch, weight: self.weight(keep.offset)?, ..Run::default() };
        let begin = self.begin().position.offset;
        for (entry, offset) in entries.iter().zip(keep.offset + 1..) {
            if entry.epoch > run.epoch || offset == begin + 1 {
                spans.insert(offset, entry.epoch);
            }
            if run.commands.is_empty() || entry.epoch > run.epoch || run.bytes() >= RUN_BYTES {
                let next =
                    Run { first: offset, epoch: entry.epoch, weight: run.weight, commands: Vec::new() };
                let full = std::mem::replace(&mut run, next);
                runs.extend((!full.commands.is_empty()).then_some((full.first, full)));
            }
            run.push(entry.command.clone());
        }
        runs.extend((!run.commands.is_empty()).then_some((run.first, run)));
        Ok((runs, spans))
    }

    /// The entries after `after` up to `through`, as many as fit into `bytes_max` but at least one.
    pub fn read(&self, after: u64, through: u64, bytes_max: usize) -> Result<Vec<Entry>, StoreError> {
        let (space, mut entries, mut bytes) = (self.space(), Vec::new(), 0);
        let first = self.run_of(&space, after + 1)?.map_or(after + 1, |run| run.first);
        for guard in space.range(log_key(first)..=log_key(through)) {
            let Run { first, epoch, commands, .. } = self.run(guard)?;
            for (command, offset) in commands.into_iter().zip(first..=through) {
                if offset <= after {
                    continue;
                }
                bytes += command.len();
                if bytes > bytes_max && !entries.is_empty() {
                    return Ok(entries);
                }
                entries.push(Entry { epoch, command });
            }
        }
        Ok(entries)
    }

    /// Drops a part of the log's beginning while the log, which ends at `last`, takes more than `budget` bytes; nothing
    /// after `limit`, which is applied. After which entry the log begins now, if that changed. Not yet durable: after a
    /// crash the log may begin where it did.
    pub(super) fn drop_old(
        &self,
        last: u64,
        limit: u64,
        budget: u64,
    ) -> Result<Option<Position>, StoreError> {
        let (space, before, end) = (self.space(), self.begin(), self.weight(last)?);
        let surplus = end.saturating_sub(before.weight).saturating_sub(budget);
        if surplus < SURPLUS_MIN {
            return Ok(None);
        }
        let (mut batch, mut begin, mut next) = (self.database.batch(), before, None);
        for guard in space.range(log_key(before.position.offset + 1)..=log_key(last)) {
            let run = self.run(guard)?;
            let is_old = run.last() <= limit && end.saturating_sub(run.weight) >= budget;
            if !is_old || begin.weight - before.weight >= DROPPED_MAX.max(surplus / 2) {
                // It tells which epoch the log begins with.
                next = Some((run.first, run.epoch));
                break;
            }
            batch.remove(&space, log_key(run.first));
            begin = Begin { position: Position::new(run.epoch, run.last()), weight: run.weight };
        }
        if begin == before {
            return Ok(None);
        }
        for guard in space.range(span_key(0)..=span_key(begin.position.offset)) {
            batch.remove(&space, guard.key().map_err(|error| self.failed(error))?);
        }
        if let Some((first, epoch)) = next {
            batch.insert(&space, span_key(first), epoch.number().to_be_bytes());
        }
        batch.insert(&space, BEGIN, begin.encode());
        batch.commit().map_err(|error| self.failed(error))?;
        self.set_begin(begin);
        Ok(Some(begin.position))
    }

    /// What the log takes from its begin up to `offset`, in bytes.
    pub(super) fn log_bytes(&self, offset: u64) -> Result<u64, StoreError> {
        Ok(self.weight(offset)?.saturating_sub(self.begin().weight))
    }

    /// What all entries up to `offset` took, those that were dropped too.
    fn weight(&self, offset: u64) -> Result<u64, StoreError> {
        let begin = self.begin();
        if offset == begin.position.offset {
            return Ok(begin.weight);
        }
        // Asked for with every batch.
        if let Some((last, weight)) = self.end()
            && last == offset
        {
            return Ok(weight);
        }
        let run = self.run_of(&self.space(), offset)?.filter(|run| run.last() >= offset);
        let mut run = run.ok_or_else(|| self.damaged(format!("entry {offset} is missing")))?;
        run.cut(offset);
        Ok(run.weight)
    }

    /// The last run that begins at `offset` or before: the one that holds the entry there, if the log does.
    fn run_of(&self, space: &Keyspace, offset: u64) -> Result<Option<Run>, StoreError> {
        let first = self.begin().position.offset + 1;
        if offset < first {
            return Ok(None);
        }
        space.range(log_key(first)..=log_key(offset)).next_back().map(|guard| self.run(guard)).transpose()
    }

    fn run(&self, guard: fjall::Guard) -> Result<Run, StoreError> {
        let (key, bytes) = guard.into_inner().map_err(|error| self.failed(error))?;
        Run::decode(&key, &bytes)
            .ok_or_else(|| self.damaged("what is stored of the log is no run of entries"))
    }
}
