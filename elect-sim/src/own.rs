//! What one node is set to differently from the rest of its group.

/// Settings of one node that are not its group's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// ρ as configured on this node.
    pub drift_ppm: Option<u32>,
    /// Its member list, as an operator wrote it.
    pub members: Option<Vec<String>>,
}
