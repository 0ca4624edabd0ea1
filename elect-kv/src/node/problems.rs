//! What is wrong with the replication connections, for whoever asks why.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// So many are remembered: a stranger can come from many addresses.
const PROBLEMS_MAX: usize = 32;

/// Why connections do not stand, by what they are.
#[derive(Debug, Default)]
pub(crate) struct Problems(Mutex<BTreeMap<String, String>>);

impl Problems {
    /// Notes it, and whether that is news.
    pub(crate) fn note(&self, what: &str, why: String) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(what) == Some(&why) || (known.len() >= PROBLEMS_MAX && !known.contains_key(what)) {
            return false;
        }
        known.insert(what.into(), why);
        true
    }

    /// It is over.
    pub(crate) fn forget(&self, what: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(what);
    }

    /// One line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(what, why)| format!("{what}: {why}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_reason_is_news() {
        let problems = Problems::default();
        assert!(problems.note("to b", "refused".into()));
        assert!(!problems.note("to b", "refused".into()));
        assert!(problems.note("to b", "late".into()));
        assert_eq!(problems.lines(), ["to b: late"]);
        problems.forget("to b");
        assert!(problems.note("to b", "late".into()));
        for stranger in 0..100 {
            problems.note(&stranger.to_string(), String::new());
        }
        assert_eq!(problems.lines().len(), PROBLEMS_MAX);
        assert!(problems.note("to b", "refused".into()), "what is known already stays up to date");
    }
}
