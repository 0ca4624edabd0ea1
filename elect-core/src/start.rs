//! What a start needs of its record.

use core::fmt;
use core::time::Duration;

use crate::config::{Config, DETECTION_MAX};
use crate::epoch::{Epoch, Position};
use crate::members::Digest;
use crate::name::{ClusterId, NodeId};
use crate::record::{Record, Storage};

/// Why an elector did not start: the record is not this node's, or not of this group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartRefused {
    /// Another cluster's.
    #[error(
        "the record belongs to cluster {record}, the configuration to {config}: check the path and the cluster name"
    )]
    OtherCluster {
        /// In the record.
        record: ClusterId,
        /// In the configuration.
        config: ClusterId,
    },
    /// Another node's.
    #[error(
        "the record belongs to node {record}, the configuration to {config}: check the path and the node name"
    )]
    OtherNode {
        /// In the record.
        record: NodeId,
        /// In the configuration.
        config: NodeId,
    },
    /// Another member list: two lists could have quorums without a common member.
    #[error(
        "the record was made for another member list (digest {record:?}, now {config:?}): members cannot be changed yet, \
         start with the list of the first boot"
    )]
    OtherMembers {
        /// In the record.
        record: Digest,
        /// In the configuration.
        config: Digest,
    },
    /// A promise of a length that no configuration allows: the record is broken.
    #[error(
        "the record says that a promise may run for {record:?}, no detection time is longer than {max:?}: it is broken"
    )]
    DetectionTooLong {
        /// In the record.
        record: Duration,
        /// The longest that a configuration allows.
        max: Duration,
    },
    /// The log holds entries of an epoch above the durable one: they do not belong together. Not so where the record
    /// says that the storage was replaced.
    #[error("{}", LogAhead::new(*position, *epoch))]
    LogAhead {
        /// The last durable entry.
        position: Position,
        /// The record's epoch.
        epoch: Epoch,
    },
}

/// Says what is wrong with a log that is ahead of its record.
pub(crate) struct LogAhead {
    position: Position,
    epoch: Epoch,
}

impl LogAhead {
    pub(crate) const fn new(position: Position, epoch: Epoch) -> Self {
        Self { position, epoch }
    }
}

impl fmt::Display for LogAhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, epoch } = self;
        if *epoch == Epoch::ZERO {
            return write!(
                f,
                "the log ends with {position}, so this is no first boot, but the record is one: the record that belongs \
                 to the log was lost; start it as a replacement instead (replace-lost)"
            );
        }
        write!(
            f,
            "the log ends with {position}, above the record's epoch {epoch}: the record is older than the log, or \
             another's; start it as a replacement instead (replace-lost)"
        )
    }
}

impl Record {
    /// R59, R60: whether a log that ends there may belong to this record. A node that is started checks it before its
    /// life begins; one whose host does not stops before it says a word.
    pub fn check_log(&self, position: Option<Position>) -> Result<(), StartRefused> {
        let ahead = position.filter(|position| position.epoch > self.epoch);
        match ahead {
            Some(position) if self.storage == Storage::Intact => {
                Err(StartRefused::LogAhead { position, epoch: self.epoch })
            }
            _ => Ok(()),
        }
    }
}

/// R51: a record is only ever used by the node, cluster and member list that it was made for.
pub(crate) fn check_record(config: &Config, record: &Record) -> Result<(), StartRefused> {
    if record.cluster != config.cluster() {
        return Err(StartRefused::OtherCluster { record: record.cluster, config: config.cluster() });
    }
    if record.node != config.node() {
        return Err(StartRefused::OtherNode { record: record.node, config: config.node() });
    }
    if record.members != config.digest() {
        return Err(StartRefused::OtherMembers { record: record.members, config: config.digest() });
    }
    // R15: the restart would promise for so long.
    if record.detection_max > DETECTION_MAX {
        return Err(StartRefused::DetectionTooLong { record: record.detection_max, max: DETECTION_MAX });
    }
    Ok(())
}
