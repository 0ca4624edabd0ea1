//! What committed entries do to the state.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::layout::{APPLIED, data_key};
use super::{Command, CommandResult, Known, SetCondition, SetReply, Store, StoreError};

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
    /// The value before this change, for the thread that writes: others would see it before its batch is complete.
    fn value(&self, key: &Bytes) -> Result<Option<Bytes>, StoreError> {
        if let Some(value) = self.values.get(key) {
            return Ok(value.clone());
        }
        let store = self.store;
        match store.recent.value(key) {
            Known::Value(value) => Ok(Some(value)),
            Known::NoValue => Ok(None),
            Known::Nothing => {
                let value = store.space().get(data_key(key)).map_err(|error| store.failed(error))?;
                Ok(value.map(|value| Bytes::copy_from_slice(&value)))
            }
        }
    }

    /// Whether there is such a value.
    fn has_value(&self, key: &Bytes) -> Result<bool, StoreError> {
        let store = self.store;
        match self.values.get(key).map(Option::is_some).or_else(|| store.recent.has_value(key)) {
            Some(has_value) => Ok(has_value),
            None => store.space().contains_key(data_key(key)).map_err(|error| store.failed(error)),
        }
    }

    fn put(&mut self, key: Bytes, had_value: bool, new: Option<Bytes>) {
        self.keys = self.keys + u64::from(new.is_some()) - u64::from(had_value);
        self.values.insert(key, new);
    }

    fn apply(&mut self, command: Command) -> Result<CommandResult, StoreError> {
        match command {
            Command::Set { key, value, condition, reply } => {
                let old = if reply == SetReply::Old { self.value(&key)? } else { None };
                let had_value = self.has_value(&key)?;
                let happens = match condition {
                    SetCondition::Always => true,
                    SetCondition::Absent => !had_value,
                    SetCondition::Present => had_value,
                };
                if happens {
                    self.put(key, had_value, Some(value));
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
                    let had_value = self.has_value(&key)?;
                    self.put(key, had_value, Some(value));
                }
                Ok(CommandResult::Done)
            }
            Command::Delete { keys } => {
                let mut deleted = 0;
                for key in keys {
                    if self.has_value(&key)? {
                        deleted += 1;
                        self.put(key, true, None);
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
                self.put(key, old.is_some(), Some(Bytes::from(sum.to_string())));
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
        for (key, value) in &self.values {
            match value {
                Some(value) => batch.insert(&space, data_key(key), &value[..]),
                None => batch.remove(&space, data_key(key)),
            }
        }
        batch.insert(&space, APPLIED, [applied.to_be_bytes(), self.keys.to_be_bytes()].concat());
        store.recent.begin_change(self.values.keys());
        batch.commit().map_err(|error| store.failed(error))?;
        store.recent.end_change(self.values.iter());
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
