//! Promises: what was granted to one leader is not undone for another while it runs.
//!
//! The checker does not ask an elector why it thinks that a promise has ended. It asks whether the leader, in
//! truth, could still act on it.

use std::time::Duration;

use elect_core::{Body, Epoch, Frame, PeerState, Time};

use super::{Checker, Checkers, Real, Sent};
use crate::clocks::Clocks;
use crate::ids::{Life, NODES_MAX, NodeIndex};

/// What one node granted and how its own frames set detection times.
#[derive(Clone, Debug)]
pub(super) struct Promises {
    /// By leader.
    grants: [Grant; NODES_MAX],
    /// Whom the node follows, and in which epoch.
    following: Option<(NodeIndex, Epoch)>,
    /// Since which send time its offers and leader's heartbeats to each node carry which detection time.
    detections: [Vec<(Time, Duration)>; NODES_MAX],
}

impl Default for Promises {
    fn default() -> Self {
        Self { grants: [Grant::default(); NODES_MAX], following: None, detections: Default::default() }
    }
}

/// A lease that a voter granted.
#[derive(Clone, Copy, Debug, Default)]
struct Grant {
    epoch: Epoch,
    /// The life of the leader's process.
    life: Life,
    /// The leader may act before this point of its own clock; zero if nothing is granted.
    end: Time,
}

/// ρ and σ, for lease arithmetic that does not ask the library.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LeaseRule {
    pub(crate) drift_ppm: u32,
    pub(crate) granularity: Duration,
}

impl LeaseRule {
    /// L(D) = D(1 − ρ) − σ.
    fn span(self, detection: Duration) -> Duration {
        let drift = detection.as_nanos() * u128::from(self.drift_ppm) / 1_000_000;
        let drift = Duration::from_nanos(u64::try_from(drift).unwrap_or(u64::MAX));
        detection.saturating_sub(drift).saturating_sub(self.granularity)
    }
}

impl Checkers {
    /// Notes the detection time that a leader's or candidate's frame to `to` carries.
    pub(super) fn sets_detection(&mut self, node: NodeIndex, to: NodeIndex, frame: &Frame) {
        let leads = matches!(frame.header.state, PeerState::Leader(_));
        let detection = match &frame.body {
            Body::Offer { detection, .. } => *detection,
            Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } if leads => match heartbeat.lead {
                Some(lead) => lead.detection,
                None => return,
            },
            _ => return,
        };
        let detections = &mut self.at(node).promises.detections[to];
        if detections.last().is_none_or(|&(_, last)| last != detection) {
            detections.push((frame.header.nonce.sent, detection));
        }
    }

    /// A frame that grants something leaves a voter: an accept, or a follower's echo to its leader.
    pub(super) fn granted(&mut self, sent: &Sent<'_>) {
        let Sent { node, to, frame, .. } = *sent;
        if self.is_set_back(node) {
            return; // Nobody takes it for a promise.
        }
        let epoch = match (frame.header.state, &frame.body) {
            (_, Body::Accept { epoch, .. }) => *epoch,
            (PeerState::Follower(leader, epoch), _) => {
                let leader = NodeIndex::of(leader);
                self.follows(node, leader.unwrap_or(to), epoch);
                if leader != Some(to) {
                    return;
                }
                epoch
            }
            _ => return,
        };
        let Some(echo) = frame.header.echo else { return };
        let to = self.machine(to, echo.incarnation);
        let leader = &self.nodes[to];
        let life = leader.life;
        let carried = carried(&leader.promises.detections[self.member(node)], echo.sent);
        let Some(&(_, first)) = carried.last() else { return };
        let said = promised(&frame.body).unwrap_or(first);
        let is_true = carried.iter().any(|&(_, detection)| detection == said);
        if !is_true {
            let carried: Vec<_> = carried.iter().map(|&(_, detection)| detection).collect();
            self.fail(Checker::PromisesKept, sent.at, node, || {
                let leader = to;
                format!("says that it promised {said:?} with a frame of {leader} that carried {carried:?}")
            });
            return;
        }
        let end = echo.sent + self.lease_rules[to].span(said);
        let grant = &mut self.at(node).promises.grants[to];
        if grant.life != life || end > grant.end {
            *grant = Grant { epoch, life, end };
        }
        grant.epoch = grant.epoch.max(epoch);
    }

    /// Following the leader of a higher epoch replaces every promise below it: its election proves older
    /// leases over.
    fn follows(&mut self, node: NodeIndex, leader: NodeIndex, epoch: Epoch) {
        let promises = &mut self.at(node).promises;
        if promises.following == Some((leader, epoch)) {
            return;
        }
        promises.following = Some((leader, epoch));
        for (other, grant) in NodeIndex::all(NODES_MAX).zip(&mut promises.grants) {
            if other != leader && grant.epoch <= epoch {
                *grant = Grant::default();
            }
        }
    }

    /// A node's clock began anew: send times of its earlier life mean nothing.
    pub(super) fn forget_detections(&mut self, node: NodeIndex) {
        self.at(node).promises.detections = Default::default();
        self.at(node).promises.following = None;
    }

    /// `voter` gives its promise to `candidate` (itself included): no other leader may still act on its grant.
    pub(super) fn promises_allow(&mut self, sent: &Sent<'_>, candidate: NodeIndex, epoch: Epoch) {
        if !self.clocks_are_sound || self.is_set_back(sent.node) {
            return;
        }
        let voter = sent.node;
        for leader in NodeIndex::all(self.nodes.len()) {
            let grant = self.nodes[voter].promises.grants[leader];
            if leader != candidate && leader != voter && self.may_act_on(leader, grant, sent.at, sent.clocks)
            {
                self.fail(Checker::PromisesKept, sent.at, voter, || {
                    let promised = grant.epoch;
                    format!("its promise goes to {candidate} in {epoch} while {leader} may act on its promise in {promised}")
                });
            }
        }
    }

    /// Whether somebody may still act on a promise of this node, as far as clocks prove it: then it could not have
    /// stood.
    pub(crate) fn is_bound(&self, node: NodeIndex, clocks: &Clocks) -> bool {
        let grants = self.nodes[node].promises.grants;
        let may_act = |leader: NodeIndex| {
            leader != node && self.may_act_on(leader, grants[leader], clocks.now(), clocks)
        };
        self.clocks_are_sound && NodeIndex::all(self.nodes.len()).any(may_act)
    }

    fn may_act_on(&self, leader: NodeIndex, grant: Grant, at: Real, clocks: &Clocks) -> bool {
        let holder = &self.nodes[leader];
        grant.end != Time::ZERO
            && holder.running
            && !holder.stopped
            && holder.life == grant.life
            && holder.ended < grant.epoch
            && clocks.read(leader, at) < grant.end
    }
}

/// What the frames with this send time may have carried: mostly one detection time, another one too where it changed in
/// that very step.
fn carried(detections: &[(Time, Duration)], sent: Time) -> &[(Time, Duration)] {
    let known = detections.partition_point(|(since, _)| *since <= sent);
    let begun_then = detections[..known].iter().rev().take_while(|(since, _)| *since == sent).count();
    &detections[(known - begun_then).saturating_sub(1)..known]
}

/// How long the promise runs that a voter's frame says it gave.
fn promised(body: &Body) -> Option<Duration> {
    match body {
        Body::Accept { detection, .. } => Some(*detection),
        Body::Heartbeat(heartbeat) => {
            Some(heartbeat.lead.map_or(heartbeat.detection_max, |lead| lead.detection))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lease_rule_is_the_protocols() {
        let rule = LeaseRule { drift_ppm: 20_000, granularity: Duration::from_millis(1) };
        assert_eq!(rule.span(Duration::from_millis(500)), Duration::from_millis(489));
    }
}
