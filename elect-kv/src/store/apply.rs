//! What committed entries do to the state.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::layout::{APPLIED, data_key};
use super::{Command, CommandResult, SetCondition, SetReply, Store, StoreError};

impl Store {
    /// Applies the committed entries up to `through` and hands each offset's result to `report`. An entry that is a
    /// leader's own has none.
    pub fn apply(&self, through: u64, mut report: impl FnMut(u64, CommandResult)) -> Result<(), StoreError> {
        while self.applied() < through {
            let after = self.applied();
            let entries = self.read(after, through, 1 << 20)?;
            if entries.is_empty() {
                return Err(self.damaged(format!("entry {} is missing", after + 1)));
            }
            let mut change = Change { store: self, values: HashMap::new(), keys: self.keys() };
            let mut results = Vec::new();
            for (entry, offset) in entries.iter().zip(after + 1..) {
                if !entry.command.is_empty() {
                    let command = Command::decode(entry.command.clone())
                        .map_err(|error| self.damaged(error.to_string()))?;
                    results.push((offset, change.apply(command)?));
                }
            }
            let reached = after + entries.len() as u64;
            change.commit(reached)?;
            for (offset, result) in results {
                report(offset, result);
            }
        }
        Ok(())
    }
}

/// What a run of entries changes, before it is written as one batch.
struct Change<'a> {
    store: &'a Store,
    values: HashMap<Bytes, Option<Bytes>>,
    keys: u64,
}

impl Change<'_> {
    fn value(&self, key: &Bytes) -> Result<Option<Bytes>, StoreError> {
        match self.values.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.store.value(key),
        }
    }

    fn put(&mut self, key: Bytes, old: Option<&Bytes>, new: Option<Bytes>) {
        self.keys = self.keys + u64::from(new.is_some()) - u64::from(old.is_some());
        self.values.insert(key, new);
    }

    fn apply(&mut self, command: Command) -> Result<CommandResult, StoreError> {
        match command {
            Command::Set { key, value, condition, reply } => {
                let old = self.value(&key)?;
                let happens = match condition {
                    SetCondition::Always => true,
                    SetCondition::Absent => old.is_none(),
                    SetCondition::Present => old.is_some(),
                };
                if happens {
                    self.put(key, old.as_ref(), Some(value));
                }
                Ok(match (reply, happens) {
                    (SetReply::Old, _) => old.map_or(CommandResult::Nothing, CommandResult::Value),
                    (SetReply::Number, _) => CommandResult::Number(i64::from(happens)),
                    (SetReply::Done, true) => CommandResult::Done,
                    (SetReply::Done, false) => CommandResult::Nothing,
                })
            }
            Command::SetMany { pairs } => {
                for (key, value) in pairs {
                    let old = self.value(&key)?;
                    self.put(key, old.as_ref(), Some(value));
                }
                Ok(CommandResult::Done)
            }
            Command::Delete { keys } => {
                let mut deleted = 0;
                for key in keys {
                    let old = self.value(&key)?;
                    if old.is_some() {
                        deleted += 1;
                        self.put(key, old.as_ref(), None);
                    }
                }
                Ok(CommandResult::Number(deleted))
            }
            Command::Add { key, amount } => {
                let old = self.value(&key)?;
                let number = old.as_ref().map_or(Some(0), |value| decimal(value));
                let Some(sum) = number.and_then(|number| number.checked_add(amount)) else {
                    return Ok(CommandResult::NotANumber);
                };
                self.put(key, old.as_ref(), Some(Bytes::from(sum.to_string())));
                Ok(CommandResult::Number(sum))
            }
            Command::Transaction { commands } => {
                let results: Result<_, _> = commands.into_iter().map(|command| self.apply(command)).collect();
                Ok(CommandResult::All(results?))
            }
        }
    }

    fn commit(self, applied: u64) -> Result<(), StoreError> {
        let store = self.store;
        let (space, mut batch) = (store.space(), store.database.batch());
        for (key, value) in self.values {
            match value {
                Some(value) => batch.insert(&space, data_key(&key), &value[..]),
                None => batch.remove(&space, data_key(&key)),
            }
        }
        batch.insert(&space, APPLIED, [applied.to_be_bytes(), self.keys.to_be_bytes()].concat());
        batch.commit().map_err(|error| store.failed(error))?;
        store.applied.store(applied, Ordering::SeqCst);
        store.keys.store(self.keys, Ordering::SeqCst);
        Ok(())
    }
}

/// A number as it would be written back: no sign of plus, no leading zeros, no spaces.
fn decimal(bytes: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == bytes).then_some(number)
}
