//! What a node knows of itself, its group and its links, at one moment: for machines and for operators.

use std::fmt;
use std::ops::Deref;

use elect_core::{Explanation, Status};
use serde::Serialize;

use crate::link::{Link, RefusedDialler, Span};

/// A node's view of its group, and of its links. For machines the elector's fields and `links` and `refused` lie side by
/// side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeStatus {
    /// The elector's part, whose fields can also be read as those of this value.
    #[serde(flatten)]
    pub elector: Status,
    /// The links to the peers, sorted by name.
    pub links: Vec<Link>,
    /// Who was refused of late, the newest last.
    pub refused: Vec<RefusedDialler>,
}

impl Deref for NodeStatus {
    type Target = Status;

    fn deref(&self) -> &Status {
        &self.elector
    }
}

/// Why this node leads or does not, and what is known of each link. `Display`: a line for the elector, one for each link
/// and one for each dialler that was refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeExplanation {
    /// The elector's answer.
    pub elector: Explanation,
    /// The links to the peers, sorted by name.
    pub links: Vec<Link>,
    /// Who was refused of late, the newest last.
    pub refused: Vec<RefusedDialler>,
}

impl fmt::Display for NodeExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.elector)?;
        for link in &self.links {
            write!(f, "\n{}", link.describe(self.elector.now))?;
        }
        let is_left =
            |refused: &&RefusedDialler| !self.links.iter().any(|link| link.refused.as_ref() == Some(refused));
        for refused in self.refused.iter().filter(is_left) {
            write!(f, "\n{} ago {refused}", Span(self.elector.now.since(refused.last)))?;
        }
        Ok(())
    }
}
