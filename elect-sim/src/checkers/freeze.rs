//! Freezes: while a voter knows of one it accepts nobody but the last leader, or whom that one handed over to.
//!
//! Each node is judged by its own frames: whom they said that it follows, and the freeze that they told. Who has
//! restarted may believe others, but nobody who never led. So a quorum of voters that know of a freeze elects nobody
//! else.

use elect_core::{Body, Epoch, Frame, PauseNumber, PauseStamp, PeerState};

use super::{Checker, Checkers, Sent};
use crate::ids::NodeIndex;

/// What a node's frames of this life said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Freezes {
    /// The newest freeze or thaw, and whether it was one.
    told: Option<(PauseNumber, bool)>,
    /// Whom it led or followed last.
    last_leader: Option<(NodeIndex, Epoch)>,
}

impl Checkers {
    /// A frame leaves a node: what it tells of freezes, and whom it accepts in one.
    pub(super) fn tells_freeze(&mut self, sent: &Sent<'_>) {
        let Sent { node, to, frame, .. } = *sent;
        self.notes_leader(node, frame);
        if let Body::Release { epoch, target } = frame.body
            && let Some(target) = NodeIndex::of(target)
        {
            self.released.insert(epoch, target);
        }
        let Some(stamp) = stamp_of(frame) else { return };
        self.stamps_rise(sent, stamp);
        if matches!(frame.body, Body::Accept { .. })
            && !stamp.remaining.is_zero()
            && !self.may_be_kept(node, to, stamp.number.epoch)
        {
            let last = self.at(node).freezes.last_leader;
            self.fail(Checker::FrozenStays, sent.at, node, || {
                let number = stamp.number;
                format!("accepts {to} in freeze {number}, its last leader is {last:?}")
            });
        }
    }

    fn notes_leader(&mut self, node: NodeIndex, frame: &Frame) {
        let led = match frame.header.state {
            PeerState::Follower(leader, epoch) => NodeIndex::of(leader).map(|leader| (leader, epoch)),
            PeerState::Leader(epoch) => Some((self.member(node), epoch)),
            _ => return,
        };
        self.at(node).freezes.last_leader = led;
    }

    /// Within one life the newest stamp stays, and what is thawed stays thawed.
    fn stamps_rise(&mut self, sent: &Sent<'_>, stamp: PauseStamp) {
        let PauseStamp { number, remaining } = stamp;
        let is_frozen = !remaining.is_zero();
        let told = self.at(sent.node).freezes.told.replace((number, is_frozen));
        let Some((earlier, was_frozen)) = told else { return };
        if number < earlier || (number == earlier && is_frozen && !was_frozen) {
            self.fail(Checker::FrozenStays, sent.at, sent.node, || {
                format!("tells freeze {number} (frozen: {is_frozen}) after {earlier} (frozen: {was_frozen})")
            });
        }
    }

    /// Whether a freeze of `epoch` may be for `candidate`, as far as `voter` can know.
    fn may_be_kept(&self, voter: NodeIndex, candidate: NodeIndex, epoch: Epoch) -> bool {
        let last = self.nodes[voter].freezes.last_leader;
        let last = last.filter(|&(_, led)| led >= epoch);
        // Whoever led later than its last leader, as others may tell it.
        let since = last.map_or(epoch, |(_, led)| Epoch::new(led.number() + 1));
        let handed = last.map_or(epoch, |(_, led)| led);
        last.is_some_and(|(leader, _)| leader == candidate)
            || self.led.range(since..).any(|(_, &(leader, _))| self.member(leader) == candidate)
            || self.released.range(handed..).any(|(_, &target)| target == candidate)
    }
}

fn stamp_of(frame: &Frame) -> Option<PauseStamp> {
    match &frame.body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => heartbeat.pause,
        Body::Accept { pause, .. } => *pause,
        _ => None,
    }
}
