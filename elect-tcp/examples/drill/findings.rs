//! What a drill found.

use serde_json::Value;

/// For a person, for a machine, and what makes the drill fail.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) lines: Vec<String>,
    pub(crate) json: Value,
    /// What must not happen and did.
    pub(crate) wrong: Vec<String>,
}
