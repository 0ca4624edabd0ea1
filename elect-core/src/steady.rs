//! What a heartbeat of the leader said that was answered and did nothing else.

use crate::follower::LeaderClaim;
use crate::frame::{Body, Frame, Header, Heartbeat};
use crate::name::NodeId;

/// A heartbeat of the followed leader that was answered and did nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady {
    pub(crate) from: NodeId,
    pub(crate) header: Header,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) claim: LeaderClaim,
}

impl Steady {
    /// Whether `frame` differs from it in nothing but its send time and echo.
    #[inline]
    pub(crate) fn is_said_again(&self, from: NodeId, frame: &Frame) -> bool {
        let Header { group, members, epoch, state, nonce, echo: _, birth, genesis } = &frame.header;
        let said = &self.header;
        from == self.from
            && *group == said.group
            && *members == said.members
            && *epoch == said.epoch
            && *state == said.state
            && nonce.incarnation == said.nonce.incarnation
            && birth.is_none()
            && *genesis == said.genesis
            && matches!(&frame.body, Body::Heartbeat(heartbeat) if *heartbeat == self.heartbeat)
    }
}
