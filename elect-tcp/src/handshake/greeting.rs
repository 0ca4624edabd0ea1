//! What a node says of itself, and whether two such nodes belong together.

use elect_core::{Address, Birth, ClusterId, Digest, Incarnation, NodeId};

use super::refusal::HandshakeRefusal;

/// The versions that this software supports.
pub(crate) const VERSIONS: (u16, u16) = (1, 1);

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub(crate) versions: (u16, u16),
    pub(crate) cluster: ClusterId,
    pub(crate) node: NodeId,
    pub(crate) addressee: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) group: u32,
    pub(crate) members: Digest,
    /// Where clients reach it.
    pub(crate) address: Address,
    /// Where peers dial it; empty if it does not know.
    pub(crate) listen: Address,
    /// What its life began with; `None` where that proves nothing.
    pub(crate) birth: Option<Birth>,
    /// Whether the node's supervisor says it, which is in none of its lives.
    pub(crate) is_supervisor: bool,
}

impl Greeting {
    /// What keeps a dialler that says this from a listener that would answer `listener`.
    pub(crate) fn check(&self, listener: &Self) -> Result<(), HandshakeRefusal> {
        check_versions(self.versions, listener.versions)?;
        if self.cluster != listener.cluster {
            return Err(HandshakeRefusal::Cluster { dialler: self.cluster, listener: listener.cluster });
        }
        if self.node == listener.node {
            return Err(HandshakeRefusal::OwnName { wanted: self.addressee, name: self.node });
        }
        if self.addressee != listener.node {
            return Err(HandshakeRefusal::Addressee { wanted: self.addressee, listener: listener.node });
        }
        if self.group != listener.group {
            return Err(HandshakeRefusal::Group { dialler: self.group, listener: listener.group });
        }
        Ok(())
    }

    /// The same for the member lists. A listener first looks whether it knows the dialler's name at all.
    pub(crate) fn check_members(&self, listener: &Self) -> Result<(), HandshakeRefusal> {
        if self.members == listener.members {
            return Ok(());
        }
        Err(HandshakeRefusal::Members { dialler: self.members, listener: listener.members })
    }
}

/// Whether there is a version that both speak.
pub(super) fn check_versions(dialler: (u16, u16), listener: (u16, u16)) -> Result<(), HandshakeRefusal> {
    let meet = dialler.1.min(listener.1) >= dialler.0.max(listener.0);
    if meet { Ok(()) } else { Err(HandshakeRefusal::Version { dialler, listener }) }
}
