//! Who can give an offer no vote any more.

use alloc::vec::Vec;

use crate::elector::candidate::Candidate;
use crate::elector::{Elector, Role};
use crate::epoch::Epoch;
use crate::frame::{Header, Refusal, Standing};
use crate::members::MemberIndex;

/// The voters that have refused an offer for good, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct FinalRefusals(Vec<MemberIndex>);

impl FinalRefusals {
    fn note(&mut self, voter: MemberIndex) {
        if !self.holds(voter) {
            self.0.push(voter);
        }
    }

    pub(crate) fn holds(&self, voter: MemberIndex) -> bool {
        self.0.contains(&voter)
    }
}

impl Elector {
    /// R33: notes a refusal of the open offer, and whether a quorum can still come of it.
    pub(super) fn note_refusal(
        &mut self,
        voter: MemberIndex,
        header: &Header,
        epoch: Epoch,
        refusal: Refusal,
    ) {
        if let Role::Candidate(candidate) = &mut self.role {
            if is_final(header, epoch, refusal) {
                candidate.refusals.note(voter);
            }
            if self.is_round_over() {
                self.on_round_over();
            }
        }
    }

    /// Whether the own vote, the accepts and those who may still accept are no quorum.
    fn is_round_over(&self) -> bool {
        let Role::Candidate(Candidate { refusals, .. }) = &self.role else { return false };
        let may_count = |&peer: &MemberIndex| {
            let has_accepted = self.peers[peer.get()].view.ballot.is_some();
            has_accepted || (self.is_connected(peer) && !refusals.holds(peer))
        };
        1 + self.voting_peers().filter(may_count).count() < self.config.members().quorum()
    }
}

/// A spent vote and a higher epoch stay what they are, and so does an office at or above the offer. A promise, a freeze
/// or a leadership below the offer may end while the round lasts.
fn is_final(header: &Header, epoch: Epoch, refusal: Refusal) -> bool {
    match refusal {
        Refusal::VoteSpent | Refusal::EpochTooLow => true,
        Refusal::OwnOffice => {
            matches!(header.standing, Standing::Leading(own) | Standing::Standing(own) if own >= epoch)
        }
        Refusal::Bound | Refusal::Paused | Refusal::Replaced => false,
    }
}
