//! What replicas tell each other.

use bytes::Bytes;
use elect_core::{Epoch, Position, Stamp};

/// One entry of the log. Its offset is its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The epoch that wrote it: not the stamp of the request that carries it.
    pub epoch: Epoch,
    /// An encoded command; empty for a leader's own entry.
    pub command: Bytes,
}

/// What replicas tell each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Follower to leader: send me the log; mine ends here.
    Follow {
        /// The leadership that is followed.
        stamp: Stamp,
        /// Counts these questions: appends that answer an earlier one are dropped.
        attempt: u64,
        /// The last entry that the leader may share.
        last: Position,
        /// Whether acknowledgements count: not those of a storage that was replaced.
        intact: bool,
    },
    /// Leader to follower: these entries follow `prev`.
    Append {
        /// The leadership that sends.
        stamp: Stamp,
        /// The question that this answers.
        attempt: u64,
        /// The entry before the first one.
        prev: Position,
        /// The entries; none to pass on `commit` only.
        entries: Vec<Entry>,
        /// Everything up to here is on a write quorum.
        commit: u64,
    },
    /// Follower to leader: I hold your log durably up to here.
    Ack {
        /// The leadership that it is given to.
        stamp: Stamp,
        /// The last entry.
        matched: u64,
    },
    /// Winner to source: send me what follows `after`.
    Pull {
        /// The leadership that asks.
        stamp: Stamp,
        /// What the source's accept reported.
        want: Position,
        /// The last entry that both may share.
        after: Position,
    },
    /// Source to winner: these entries follow `after`.
    Pulled {
        /// The leadership that asked.
        stamp: Stamp,
        /// The entry before the first one.
        after: Position,
        /// At least one entry.
        entries: Vec<Entry>,
    },
    /// Source to winner: I do not hold `after`; ask again from here.
    PullMissed {
        /// The leadership that asked.
        stamp: Stamp,
        /// The last entry here that both may share.
        shared: Position,
    },
    /// Source to winner: I do not hold what you want, so nothing here may be relied on.
    PullLost {
        /// The leadership that asked.
        stamp: Stamp,
    },
    /// Leader to a follower whose storage was replaced: you hold everything up to this entry, written after
    /// your return and on a write quorum without you.
    Rebuilt {
        /// The leadership that says so.
        stamp: Stamp,
        /// The entry.
        entry: Position,
    },
}

/// Whether `entries` may follow `prev` in a log sent under `stamp`: epochs never fall and never exceed the stamp.
pub(super) fn are_lawful(prev: Position, entries: &[Entry], stamp: Stamp) -> bool {
    let epochs = entries.iter().map(|entry| entry.epoch);
    std::iter::once(prev.epoch).chain(epochs.clone()).is_sorted() && epochs.max() <= Some(stamp.epoch())
}
