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
    #[cfg(feature = "explore")]
    pub(crate) fn frame(&self) -> Frame {
        Frame { header: self.header, birth: None, profile: None, body: Body::Heartbeat(self.heartbeat) }
    }

    /// Whether `frame` differs from it in nothing but its send time and echo.
    #[inline]
    pub(crate) fn is_said_again(&self, from: NodeId, frame: &Frame) -> bool {
        let Frame { header, birth, profile, body } = frame;
        let Header { group, members, epoch, state, nonce, echo: _, genesis } = header;
        let said = &self.header;
        // R60, R67: that its sender tells of itself is news.
        from == self.from
            && *group == said.group
            && *members == said.members
            && *epoch == said.epoch
            && *state == said.state
            && nonce.incarnation == said.nonce.incarnation
            && birth.is_none()
            && profile.is_none()
            && *genesis == said.genesis
            && matches!(body, Body::Heartbeat(heartbeat) if *heartbeat == self.heartbeat)
    }
}
