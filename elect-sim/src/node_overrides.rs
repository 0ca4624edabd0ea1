//! What one node is set to differently from the rest of its group.

use std::time::Duration;

use elect_core::Detection;

use crate::ids::NodeIndex;

/// Settings of one node that are not its group's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeOverrides {
    /// ρ as configured on this node.
    pub drift_ppm: Option<u32>,
    /// Its detection time, from its next start on.
    pub detection: Option<Detection>,
    /// Its heartbeat interval, likewise.
    pub heartbeat: Option<Duration>,
    /// Whom it prefers as leader.
    pub preferred: Option<NodeIndex>,
    /// Its member list, as an operator wrote it.
    pub members: Option<Vec<String>>,
}
