//! A vote store that a node can start with: the vote file, or the host's own.

use elect_core::{Record, VoteStore};

use crate::event::NodeNotice;
use crate::vote_file::{VoteFile, VoteFileName};

/// An open vote store and the record that it holds: what a node starts with.
///
/// A [`VoteFile`] becomes one by itself. A host whose own engine can keep a few hundred bytes durable may hand over that
/// instead, and then answers for what the file looks after: that the store is open once, that it is this node's, and
/// that a store which is empty is never taken for a first boot ([`Record::first_boot`] is an operator's explicit act,
/// as is [`Record::replacement`]).
#[derive(Debug)]
pub struct OpenStore<S> {
    pub(crate) store: S,
    pub(crate) record: Record,
    /// What a health check looks for.
    pub(crate) name: Option<VoteFileName>,
    pub(crate) found: Vec<NodeNotice>,
}

impl<S: VoteStore> OpenStore<S> {
    /// A store of the host's own. `record` is what the store holds: the newest one whose save returned, or a newer one
    /// whose save was cut off.
    pub const fn new(store: S, record: Record) -> Self {
        Self { store, record, name: None, found: Vec::new() }
    }
}

impl From<VoteFile> for OpenStore<VoteFile> {
    fn from(file: VoteFile) -> Self {
        Self { record: *file.record(), name: Some(file.name()), found: file.notices(), store: file }
    }
}
