//! Who was refused of late: bounded, and told to the host once in a while.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use elect_core::{Address, NodeId, Time};

use crate::link::{InboundFailure, RefusedDialler};

/// At most this many are remembered: one more takes the place of the one that was refused longest ago. Half of the places
/// are kept for those that claim a member's name: made-up names do not drive out a twin.
pub(crate) const REFUSED_MAX: usize = 64;
/// The host hears of the same dialler and the same reason no more often.
const AGAIN_AFTER: Duration = Duration::from_mins(1);
/// The host hears of so many in a row, and of one more each second: a stranger can make up names. Of those that claim a
/// member's name it hears so often again.
const TOLD_MAX: u64 = 32;

/// Shared by the threads that refuse and whoever asks. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Refusals(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    /// The names of members.
    members: BTreeSet<NodeId>,
    /// The one that was refused last stands last.
    entries: VecDeque<Entry>,
    /// For strangers, and for those that claim a member's name.
    budgets: [Budget; 2],
}

#[derive(Debug, Default)]
struct Budget {
    /// How many were told, less one for each second since.
    told: u64,
    told_at: Time,
}

#[derive(Debug)]
struct Entry {
    refused: RefusedDialler,
    told: Option<Time>,
}

impl Refusals {
    /// Nobody was refused yet by a node with these members in its list.
    pub(crate) fn new(members: impl Iterator<Item = NodeId>) -> Self {
        let (entries, budgets) = (VecDeque::new(), Default::default());
        Self(Arc::new(Mutex::new(Table { members: members.collect(), entries, budgets })))
    }

    /// Notes it, and gives what the host should hear of now.
    pub(crate) fn note(
        &self,
        from: Address,
        claimed: Option<NodeId>,
        failure: InboundFailure,
        now: Time,
    ) -> Option<RefusedDialler> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entry = table.take(&from, claimed, &failure).unwrap_or_else(|| {
            let refused = RefusedDialler {
                from: from.clone(),
                claimed,
                failure: failure.clone(),
                count: 0,
                first: now,
                last: now,
            };
            Entry { refused, told: None }
        });
        entry.refused.count += 1;
        (entry.refused.from, entry.refused.failure, entry.refused.last) = (from, failure, now);
        let is_due =
            entry.told.is_none_or(|told| now.since(told) >= AGAIN_AFTER) && table.may_tell(claimed, now);
        let told = is_due.then(|| {
            entry.told = Some(now);
            entry.refused.clone()
        });
        table.make_room();
        table.entries.push_back(entry);
        told
    }

    /// The newest last.
    pub(crate) fn all(&self) -> Vec<RefusedDialler> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.entries.iter().map(|entry| entry.refused.clone()).collect()
    }
}

impl Table {
    fn take(&mut self, from: &Address, claimed: Option<NodeId>, failure: &InboundFailure) -> Option<Entry> {
        let at = self.entries.iter().position(|Entry { refused, .. }| {
            host(&refused.from) == host(from)
                && refused.claimed == claimed
                && refused.failure.kind() == failure.kind()
        })?;
        self.entries.remove(at)
    }

    /// For one more entry.
    fn make_room(&mut self) {
        if self.entries.len() < REFUSED_MAX {
            return;
        }
        let is_of_member: Vec<_> =
            self.entries.iter().map(|entry| self.is_member(entry.refused.claimed)).collect();
        let of_members = is_of_member.iter().filter(|is_of_member| **is_of_member).count();
        let are_too_many = of_members > REFUSED_MAX / 2;
        let oldest = is_of_member.iter().position(|is_of_member| *is_of_member == are_too_many);
        self.entries.remove(oldest.unwrap_or_default());
    }

    fn is_member(&self, claimed: Option<NodeId>) -> bool {
        claimed.is_some_and(|claimed| self.members.contains(&claimed))
    }

    fn may_tell(&mut self, claimed: Option<NodeId>, now: Time) -> bool {
        let is_member = self.is_member(claimed);
        self.budgets[usize::from(is_member)].take(now)
    }
}

impl Budget {
    fn take(&mut self, now: Time) -> bool {
        let seconds = now.since(self.told_at).as_secs();
        if seconds > 0 {
            (self.told, self.told_at) = (self.told.saturating_sub(seconds), now);
        }
        let may = self.told < TOLD_MAX;
        self.told += u64::from(may);
        may
    }
}

/// Without the port, which differs from attempt to attempt.
fn host(from: &Address) -> String {
    from.as_str().parse::<SocketAddr>().map_or_else(|_| from.to_string(), |address| address.ip().to_string())
}

#[cfg(test)]
mod tests {
    use elect_core::Incarnation;

    use super::*;
    use crate::handshake::HandshakeRefusal;
    use crate::testing::id;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(1000 + seconds)
    }

    fn address(text: &str) -> Address {
        Address::new(text).unwrap()
    }

    fn refusals() -> Refusals {
        Refusals::new(["a", "b", "c"].map(id).into_iter())
    }

    fn twin(dialler: &str) -> InboundFailure {
        let life = |random| Incarnation { counter: 3, random };
        InboundFailure::Refused(HandshakeRefusal::Life {
            rejected: life(1),
            known: life(2),
            dialler: address(dialler),
            known_at: Address::default(),
        })
    }

    #[test]
    fn the_same_dialler_is_told_once_a_minute_whatever_its_port() {
        let refusals = refusals();
        let note = |port: u64, now| {
            let from = format!("10.0.0.1:{port}");
            refusals.note(address(&from), Some(id("b")), twin(&from), now)
        };
        assert_eq!(note(1, at(0)).unwrap().count, 1);
        for attempt in 2..60 {
            assert_eq!(note(attempt, at(attempt)), None);
        }
        let told = note(99, at(60)).unwrap();
        assert_eq!((told.count, told.from.as_str()), (60, "10.0.0.1:99"));
        assert_eq!((told.first, told.last), (at(0), at(60)));
        assert_eq!(refusals.all().len(), 1);
    }

    #[test]
    fn another_host_name_or_reason_is_another_entry() {
        let refusals = refusals();
        let from = || address("10.0.0.1:1");
        assert!(refusals.note(from(), Some(id("b")), InboundFailure::Slow, at(0)).is_some());
        assert!(refusals.note(from(), Some(id("c")), InboundFailure::Slow, at(0)).is_some());
        assert!(refusals.note(from(), Some(id("b")), InboundFailure::Closed, at(0)).is_some());
        assert!(refusals.note(address("10.0.0.2:1"), Some(id("b")), InboundFailure::Slow, at(0)).is_some());
        assert_eq!(refusals.all().len(), 4);
    }

    #[test]
    fn made_up_names_cost_bounded_memory_and_events() {
        let refusals = refusals();
        assert!(refusals.note(address("10.0.0.2:1"), Some(id("b")), twin("10.0.0.2:1"), at(0)).is_some());
        let told = (0..6_000).filter(|attempt| {
            let name = id(&format!("n{attempt}"));
            let failure = InboundFailure::Refused(HandshakeRefusal::UnknownName(name));
            refusals.note(address("10.0.0.1:1"), Some(name), failure, at(attempt / 100)).is_some()
        });
        let told = u64::try_from(told.count()).unwrap();
        assert!((60..=60 + TOLD_MAX).contains(&told), "{told} events in a minute");
        assert_eq!(refusals.all().len(), REFUSED_MAX);
        assert_eq!(refusals.all().last().unwrap().claimed, Some(id("n5999")));
        assert_eq!(refusals.all()[0].claimed, Some(id("b")), "a twin is not forgotten for them");
        // … and another one is told, although the budget of strangers is used up.
        assert!(refusals.note(address("10.0.0.3:1"), Some(id("c")), twin("10.0.0.3:1"), at(59)).is_some());
    }

    #[test]
    fn members_names_leave_room_for_others() {
        let refusals = refusals();
        let note = |attempt: usize, name| {
            let from = format!("10.0.{}.{}:1", attempt / 250, attempt % 250);
            refusals.note(address(&from), Some(id(name)), twin(&from), at(0)).is_some()
        };
        assert!(note(0, "x"));
        assert_eq!((1..=500).filter(|attempt| note(*attempt, "b")).count(), 32);
        let all = refusals.all();
        assert_eq!((all.len(), all[0].claimed), (REFUSED_MAX, Some(id("x"))));
    }
}
