//! Preference: when office goes to the node that should have it (R40), and when preferences contradict each other.

use core::time::Duration;

use crate::elector::{Elector, Role};
use crate::epoch::Position;
use crate::event::Notice;
use crate::handover::HandoverCause;
use crate::members::{MemberIndex, MemberKind};
use crate::progress::Progress;
use crate::ranking::lag;

impl Elector {
    /// R40: priority and preference act only through handover, and only after the better node has been fit and
    /// caught up for the whole cooldown without interruption.
    pub(super) fn consider_fail_back(&mut self) {
        let Role::Leader(leader) = &self.state.role else { return };
        let past = leader.past_position();
        let quiet = leader.is_in_office() && leader.handover().is_none() && !self.state.pause.is_active();
        let mut best: Option<MemberIndex> = None;
        for peer in self.other_members() {
            let keeps_up = self.keeps_up(peer, past);
            let fit = keeps_up && self.is_preferable(peer) && self.unfit(peer).is_none();
            let (now, interval) = (self.state.now, self.config.heartbeat_interval());
            let position = self.state.peers.view(peer).position();
            let Role::Leader(leader) = &mut self.state.role else { return };
            if keeps_up {
                *leader.progress_mut(peer) = Progress::default();
            } else {
                leader.progress_mut(peer).note(position, now, interval);
            }
            let fit_since = leader.note_fitness(peer, fit, now);
            let long_enough =
                fit_since.is_some_and(|since| now.since(since) >= self.config.fail_back_cooldown());
            if long_enough && best.is_none_or(|best| self.is_better(peer, best)) {
                best = Some(peer);
            }
        }
        let position = self.state.position;
        if let Role::Leader(leader) = &mut self.state.role {
            leader.note_position(position);
        }
        if let Some(target) = best.filter(|_| quiet) {
            self.begin_handover(target, self.config.handover_timeout(), HandoverCause::Preference);
        }
    }

    fn is_preferable(&self, peer: MemberIndex) -> bool {
        let preferred = self.config.preferred_leader();
        if preferred == Some(self.config.node()) || self.state.peers.view(peer).preference().contradicts() {
            return false;
        }
        preferred == Some(self.config.members().id(peer))
            || self.state.peers.view(peer).priority() > self.config.priority()
    }

    fn is_better(&self, peer: MemberIndex, than: MemberIndex) -> bool {
        let key = |peer: MemberIndex| {
            let preferred = self.config.preferred_leader() == Some(self.config.members().id(peer));
            (preferred, self.state.peers.view(peer).priority())
        };
        key(peer) > key(than)
    }

    /// Whether `peer` has what this leader had at `past`, two heartbeats ago: under steady writes nobody ever has what
    /// the leader has now, and the handover itself waits for that.
    pub(super) fn keeps_up(&self, peer: MemberIndex, past: Option<Position>) -> bool {
        let position = self.state.peers.view(peer).position();
        lag(position, past).is_some_and(|lag| lag <= self.config.lag_tolerance())
    }

    /// R40: office comes back to this node by a handover. Soon after this node gave it up by preference that is another
    /// one's preference, and both would go on for ever.
    pub(super) fn note_returned_office(&mut self) {
        let window = self.contradiction_window();
        for peer in self.other_members() {
            if self.state.peers.view_mut(peer).preference_mut().note_returned(self.state.now, window) {
                let peer = self.config.members().id(peer);
                self.out.happened(Notice::PreferencesContradict { peer });
            }
        }
    }

    /// A round of handovers by preference over all voters, each after its cooldown.
    pub(super) fn contradiction_window(&self) -> Duration {
        let voters = self.config.members().iter().filter(|member| member.kind == MemberKind::Voter).count();
        let voters = u32::try_from(voters).unwrap_or(u32::MAX);
        (self.config.fail_back_cooldown() + self.election_timeout() * 2).saturating_mul(voters)
    }

    /// R40: the office that was handed over by preference was lost, or its holder cannot hold it: that it comes back
    /// then says nothing of anybody's preference.
    pub(super) fn forget_handed(&mut self, peer: MemberIndex) {
        self.state.peers.view_mut(peer).preference_mut().forget_handed();
    }
}
