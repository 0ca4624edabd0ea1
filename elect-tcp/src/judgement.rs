//! What the elector says of a life of a peer, asked for by the threads that take its greetings and frames.

use elect_core::{Birth, Body, Elector, Frame, Incarnation, NodeId, Time};

/// Which life a thread asks about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) peer: NodeId,
    /// Of which group's frames, or greeting.
    pub(crate) group: u32,
    pub(crate) incarnation: Incarnation,
    pub(crate) birth: Option<Birth>,
}

/// A frame of a stream none of whose frames has counted yet: first it is taken, then the answer says whether it counted.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) frame: Frame,
    /// Whether the transport has proved whose it is.
    pub(crate) is_proven: bool,
}

/// The elector's answer.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// It is the life that this node knows: a frame of it has counted; the sample, if there is one.
    Known,
    /// Nothing speaks against it, and no frame of it has counted, or not the sample.
    Possible,
    /// It does not count: REJECT or WENT BACK.
    Over(Body),
    /// This node has stopped for good.
    Stopped,
}

impl Judgement {
    /// The same where it is known whether the sample has counted.
    pub(crate) fn given(self, has_counted: bool) -> Self {
        match self {
            Self::Known if !has_counted => Self::Possible,
            other => other,
        }
    }

    pub(crate) fn of(elector: &Elector, claim: &Claim, now: Time) -> Self {
        if elector.explain(now).stopped.is_some() {
            return Self::Stopped;
        }
        if let Some(said) = elector.rejects(claim.peer, claim.incarnation, claim.birth) {
            return Self::Over(said);
        }
        // Of the same counter only the life that is known is not rejected, if one is.
        let other = Incarnation { random: !claim.incarnation.random, ..claim.incarnation };
        match elector.rejects(claim.peer, other, None) {
            Some(Body::Reject { known, .. }) if known == claim.incarnation => Self::Known,
            _ => Self::Possible,
        }
    }
}
