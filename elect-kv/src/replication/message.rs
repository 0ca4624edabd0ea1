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

/// How far a state was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The last entry that is applied to the state; [`Position::EMPTY`] for none in particular.
    pub state: Position,
    /// The last key that was received; empty before the first.
    pub after: Bytes,
}

/// A part of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it follows.
    pub from: Cursor,
    /// Keys and values, in the order of the keys.
    pub pairs: Vec<(Bytes, Bytes)>,
    /// How many keys the whole state has.
    pub keys: u64,
    /// Whether nothing follows.
    pub is_last: bool,
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
    /// Leader to follower, source to winner: what follows your log is not in mine any more: take my state first.
    Behind {
        /// The leadership that is followed, or asked.
        stamp: Stamp,
        /// The question of the follower that this answers; zero to a winner.
        attempt: u64,
    },
    /// To whoever said so: send me your state, from here on.
    Fetch {
        /// The leadership that is followed, or asks.
        stamp: Stamp,
        /// Counts these requests: what answers an earlier one is dropped.
        attempt: u64,
        /// What was received of it.
        from: Cursor,
    },
    /// The answer.
    Part {
        /// The leadership of the request.
        stamp: Stamp,
        /// The request.
        attempt: u64,
        /// What follows; the first part of another state, if the one that was begun is gone.
        part: Part,
    },
}

/// Whether `entries` may follow `prev` in a log sent under `stamp`: epochs never fall and never exceed the stamp.
pub(super) fn are_lawful(prev: Position, entries: &[Entry], stamp: Stamp) -> bool {
    let epochs = entries.iter().map(|entry| entry.epoch);
    std::iter::once(prev.epoch).chain(epochs.clone()).is_sorted() && epochs.max() <= Some(stamp.epoch())
}
