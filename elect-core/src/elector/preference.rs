//! What a node remembers of the handovers that its preference brought about.

use core::time::Duration;

use crate::elector::Elector;
use crate::event::Notice;
use crate::members::{MemberIndex, MemberKind};
use crate::time::Time;

/// Whether a peer, in its present life, gives back what it is handed by preference.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Preference {
    handed_at: Option<Time>,
    contradicts: bool,
}

impl Preference {
    /// It was handed over to, because it is preferred.
    pub(crate) fn note_handed(&mut self, now: Time) {
        self.handed_at = Some(now);
    }

    /// What happens next says nothing of its preference.
    pub(crate) fn forget_handed(&mut self) {
        self.handed_at = None;
    }

    /// Office comes back by a handover. Whether that contradicts, within `window` of the handover there.
    fn note_returned(&mut self, now: Time, window: Duration) -> bool {
        let returns = self.handed_at.take().is_some_and(|at| now.since(at) <= window);
        let is_news = returns && !self.contradicts;
        self.contradicts |= returns;
        is_news
    }

    /// Its preference and this node's contradict each other: this node's acts no more towards it.
    pub(crate) const fn contradicts(&self) -> bool {
        self.contradicts
    }

    #[cfg(feature = "explore")]
    pub(crate) const fn handed_at(&self) -> Option<Time> {
        self.handed_at
    }
}

impl Elector {
    /// R40: office comes back to this node by a handover. Soon after this node gave it up by preference that is another
    /// one's preference, and both would go on for ever.
    pub(super) fn note_returned_office(&mut self) {
        let window = self.contradiction_window();
        for peer in self.other_members() {
            if self.peers[peer.get()].view.preference.note_returned(self.now, window) {
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
        self.peers[peer.get()].view.preference.forget_handed();
    }
}
