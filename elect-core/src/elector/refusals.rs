//! Refusals of the open offer, and whether a quorum can still come of it.

use crate::elector::{Elector, Role};
use crate::frame::{Header, Refusal};
use crate::members::MemberIndex;

impl Elector {
    /// R33: notes a refusal of the open offer, and whether a quorum can still come of it.
    pub(super) fn note_refusal(&mut self, voter: MemberIndex, header: &Header, refusal: Refusal) {
        if let Role::Candidate(candidate) = &mut self.state.role {
            candidate.note_refusal(voter, header, refusal);
            if self.is_campaign_over() {
                self.on_campaign_over();
            }
        }
    }

    /// Whether the own vote, the accepts and those who may still accept are no quorum.
    fn is_campaign_over(&self) -> bool {
        let Role::Candidate(candidate) = &self.state.role else { return false };
        // R65: of one that is left out nothing is expected.
        let is_there = |peer| self.is_connected(peer) && self.is_counted(peer);
        let may_count = |&peer: &MemberIndex| candidate.may_count(peer, is_there(peer));
        1 + self.voting_peers().filter(may_count).count() < self.config.members().quorum()
    }
}
