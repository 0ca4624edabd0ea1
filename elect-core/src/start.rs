//! What a start needs of its record.

use core::time::Duration;

use crate::config::{Config, DETECTION_MAX};
use crate::members::Digest;
use crate::name::{ClusterId, NodeId};
use crate::record::Record;

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
