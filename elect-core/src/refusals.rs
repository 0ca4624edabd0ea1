//! Who can give an offer no vote any more.

use alloc::vec::Vec;

use crate::epoch::Epoch;
use crate::frame::{Header, Refusal};
use crate::members::MemberIndex;
use crate::peer_state::PeerState;

/// The voters that have refused an offer for good, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct FinalRefusals(Vec<MemberIndex>);

impl FinalRefusals {
    /// Notes a refusal of the offer for `epoch`, if its voter will not come to another answer.
    pub(crate) fn note(&mut self, voter: MemberIndex, header: &Header, epoch: Epoch, refusal: Refusal) {
        if is_final(header, epoch, refusal) && !self.holds(voter) {
            self.0.push(voter);
        }
    }

    pub(crate) fn holds(&self, voter: MemberIndex) -> bool {
        self.0.contains(&voter)
    }
}

/// A spent vote and a higher epoch stay what they are, and so does an office at or above the offer. A promise, a pause
/// or a leadership below the offer may end while the campaign lasts.
fn is_final(header: &Header, epoch: Epoch, refusal: Refusal) -> bool {
    match refusal {
        Refusal::VoteSpent | Refusal::EpochTooLow => true,
        Refusal::OwnOffice => {
            matches!(header.state, PeerState::Leader(own) | PeerState::Candidate(own) if own >= epoch)
        }
        Refusal::Promised | Refusal::Paused | Refusal::Replaced | Refusal::DetectionTooLong => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::Digest;
    use crate::nonce::Nonce;

    #[test]
    fn r33_a_voter_that_refuses_again_is_noted_once() {
        let mut refusals = FinalRefusals::default();
        let voter = MemberIndex::at(1);
        let header = Header {
            group: 0,
            members: Digest::from_bits(1),
            epoch: Epoch::ZERO,
            state: PeerState::Free,
            nonce: Nonce::default(),
            echo: None,
            genesis: None,
        };
        for _ in 0..2 {
            refusals.note(voter, &header, Epoch::new(4), Refusal::VoteSpent);
        }
        assert!(refusals.holds(voter) && refusals.0.len() == 1);
    }
}
