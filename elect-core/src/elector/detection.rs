//! What this node asks of each peer and tells it of detection times, and whose promise counts (R65).

use core::time::Duration;

use super::{Elector, Role};
use crate::config::DETECTION_MIN;
use crate::detection::{DetectionTerms, Warned, longest_in};
use crate::event::Notice;
use crate::frame::{Body, Heartbeat, Lead};
use crate::members::{MemberIndex, MemberKind};
use crate::name::NodeId;
use crate::timers::Timer;

impl Elector {
    /// R65: the detection time of a frame to `peer` that leads or offers: the smaller of this node's and the longest
    /// that the peer allows.
    #[inline]
    pub(super) fn detection_towards(&self, peer: MemberIndex) -> Duration {
        self.state.peers.pair(peer).terms().limit(self.own_detection())
    }

    /// What this node leads with, or would.
    #[inline]
    pub(super) fn own_detection(&self) -> Duration {
        match &self.state.role {
            Role::Leader(leader) => leader.detection(),
            _ => self.config.detection().ceiling(),
        }
    }

    /// What a heartbeat to `peer` says of leading: to a follower how long its promise shall run; to the leader how long
    /// the promise runs that goes with the echo (R21), unless that is the own maximum, which it says anyway.
    #[inline]
    pub(super) fn lead_towards(&self, peer: MemberIndex) -> Option<Lead> {
        match &self.state.role {
            Role::Leader(_) => Some(Lead { detection: self.detection_towards(peer) }),
            Role::Follower(_) if self.followed().is_some_and(|followed| followed.leader == peer) => {
                let detection = self.state.peers.pair(peer).terms().promised();
                (detection != self.config.detection().ceiling()).then_some(Lead { detection })
            }
            _ => None,
        }
    }

    /// R21: how long the promise runs that an acknowledgement speaks of. None is longer than what this node may ask
    /// for.
    #[inline]
    pub(super) fn acknowledged_detection(&self, heartbeat: &Heartbeat) -> Duration {
        let said = heartbeat.lead.map_or(heartbeat.detection_max, |lead| lead.detection);
        said.min(self.config.detection().ceiling())
    }

    /// R65: whether the promise of `peer` can carry a lease of this node: the promise that it allows is long enough to
    /// lead with (R54). Whoever has not told counts as usual: what it promises it will say.
    #[inline]
    pub(super) fn is_counted(&self, peer: MemberIndex) -> bool {
        self.state.peers.pair(peer).terms().suffices(self.config.detection_min())
    }

    /// R45: the longest promise that any member was heard to allow, whatever becomes of the frame.
    #[inline]
    pub(super) fn hear_longest(&mut self, body: &Body) {
        if let Some(longest) = longest_in(body) {
            self.state.this_life.note_detection(longest);
        }
    }

    /// Notes what the newest frame of `peer` tells of its detection times. Whether it allows less than this node has
    /// asked it for until now.
    #[inline]
    pub(super) fn note_terms(&mut self, peer: MemberIndex, body: &Body) -> bool {
        let asked = self.detection_towards(peer);
        if let Some(longest) = longest_in(body) {
            self.state.peers.pair_mut(peer).terms_mut().note_longest(longest);
        }
        let pair = self.state.peers.pair(peer);
        let is_left_out =
            pair.birth().is_some_and(|birth| self.config.detection().ceiling() < birth.detection_min);
        let found = Warned::new(!self.is_counted(peer), is_left_out);
        if found != pair.terms().warned() {
            self.tell_terms(peer, found);
        }
        self.detection_towards(peer) < asked
    }

    /// R65: both sides warn, once for each life.
    #[cold]
    fn tell_terms(&mut self, peer: MemberIndex, found: Warned) {
        let (own, other) = (self.config.node(), self.config.members().id(peer));
        let pair = self.state.peers.pair_mut(peer);
        let (leaves_out, is_left_out) = found.beyond(pair.terms().warned());
        pair.terms_mut().note_warned(found);
        if leaves_out && let Some(allowed) = pair.terms().longest() {
            let needed = self.config.detection_min();
            self.warn_of_short_promise(peer, other, allowed, own, needed);
        }
        if is_left_out && let Some(birth) = self.state.peers.pair(peer).birth() {
            let allowed = self.config.detection().ceiling();
            self.warn_of_short_promise(peer, own, allowed, other, birth.detection_min);
        }
    }

    /// Where one of the two never votes or never leads there is nothing to warn of.
    fn warn_of_short_promise(
        &mut self,
        peer: MemberIndex,
        voter: NodeId,
        allowed: Duration,
        leader: NodeId,
        needed: Duration,
    ) {
        let (giver, holder) = if voter == self.config.node() { (self.me, peer) } else { (peer, self.me) };
        let leads = self.config.members().get(holder).kind == MemberKind::Voter;
        if leads && self.config.members().get(giver).kind.votes() {
            self.out.happened(Notice::PromiseTooShort { voter, allowed, leader, needed });
        }
    }

    /// R56: how often this node speaks to members that do not lead: every third of the shortest detection time by which
    /// anybody counts it as connected.
    pub(super) fn follower_period(&self) -> Duration {
        let own = self.detection_in_use().min(self.config.detection().floor());
        let connected = self.other_members().filter(|&peer| self.is_connected(peer));
        let allowed = connected.filter_map(|peer| self.state.peers.pair(peer).terms().longest());
        // No configuration allows a shorter one than a millisecond, whatever a frame says.
        allowed.fold(own, Duration::min).max(DETECTION_MIN) / 3
    }

    /// R56: a member that allows less than all before is connected now: it must be spoken to sooner than was planned.
    pub(super) fn speak_sooner(&mut self) {
        if matches!(self.state.role, Role::Follower(_)) {
            let at = self.state.now + self.follower_period();
            if at < self.state.timers.get(Timer::Heartbeat) {
                self.state.timers.set(Timer::Heartbeat, at);
            }
        }
    }

    /// The detection times of this node and `peer`, for people and machines.
    pub(super) fn detection_terms(&self, peer: MemberIndex) -> DetectionTerms {
        let pair = self.state.peers.pair(peer);
        let peer_min = pair.birth().map(|birth| birth.detection_min);
        let own_max = self.config.detection().ceiling();
        DetectionTerms {
            to_this_node: self.detection_towards(peer),
            peer_max: pair.terms().longest(),
            peer_min,
            own_max,
            own_min: self.config.detection_min(),
            leaves_out: !self.is_counted(peer),
            is_left_out: peer_min.is_some_and(|needed| own_max < needed),
        }
    }
}
