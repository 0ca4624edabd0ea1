//! What a candidate keeps of its one campaign.

#[cfg(feature = "explore")]
use crate::describe::StateSink;
use crate::epoch::Epoch;
use crate::frame::{Header, Refusal};
use crate::members::MemberIndex;
use crate::offer::Offer;
use crate::refusals::FinalRefusals;

/// Stands for election in one epoch.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    offer: Offer,
    refusals: FinalRefusals,
}

impl Candidate {
    pub(crate) fn new(offer: Offer) -> Self {
        Self { offer, refusals: FinalRefusals::default() }
    }

    pub(crate) const fn epoch(&self) -> Epoch {
        self.offer.epoch()
    }

    pub(crate) const fn offer(&self) -> &Offer {
        &self.offer
    }

    pub(crate) fn offer_mut(&mut self) -> &mut Offer {
        &mut self.offer
    }

    /// R33: a voter refused; some refusals are final.
    pub(crate) fn note_refusal(&mut self, voter: MemberIndex, header: &Header, refusal: Refusal) {
        self.refusals.note(voter, header, self.offer.epoch(), refusal);
    }

    /// Whether `voter` has accepted, or may still do so.
    pub(crate) fn may_count(&self, voter: MemberIndex, is_there: bool) -> bool {
        self.offer.ballot(voter).is_some() || (is_there && !self.refusals.holds(voter))
    }

    /// Of member `own`.
    #[cfg(feature = "explore")]
    pub(crate) fn describe(
        &self,
        sink: &mut impl StateSink,
        own: usize,
        members: impl Iterator<Item = MemberIndex>,
    ) {
        let Self { offer, refusals } = self;
        offer.describe(sink, own);
        for member in members {
            sink.word(u64::from(refusals.holds(member)));
        }
    }
}
