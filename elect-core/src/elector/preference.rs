//! Preferences that contradict each other.

use core::time::Duration;

use crate::elector::Elector;
use crate::event::Notice;
use crate::members::{MemberIndex, MemberKind};

impl Elector {
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
