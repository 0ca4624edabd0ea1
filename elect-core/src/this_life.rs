//! What belongs to the present life of this node and is not durable: a restart begins anew with all of it.

use core::time::Duration;

use alloc::sync::Arc;

use crate::birth::Birth;
use crate::config::DETECTION_MAX;
use crate::epoch::Epoch;
use crate::nonce::{Incarnation, Nonce};

/// The present life of this node.
#[derive(Clone, Debug, Default)]
pub(crate) struct ThisLife {
    birth: Arc<Birth>,
    offered: Epoch,
    detection_heard: Duration,
    far: FarLife,
}

impl ThisLife {
    /// A new incarnation is durable.
    pub(crate) fn begin(&mut self, birth: Birth) {
        self.birth = Arc::new(birth);
    }

    /// What it began with.
    #[inline]
    pub(crate) fn birth(&self) -> Birth {
        *self.birth
    }

    /// The same, to be shared with frames.
    pub(crate) fn told(&self) -> Arc<Birth> {
        Arc::clone(&self.birth)
    }

    /// This node offers `epoch`, or raises its own to it.
    pub(crate) fn note_offered(&mut self, epoch: Epoch) {
        self.offered = self.offered.max(epoch);
    }

    /// The highest epoch that was offered: others may have voted in it, durable here or not.
    pub(crate) const fn offered(&self) -> Epoch {
        self.offered
    }

    /// A member is heard to allow `detection`, which is no less than what it uses.
    #[inline]
    pub(crate) fn note_detection(&mut self, detection: Duration) {
        if detection > self.detection_heard {
            self.detection_heard = detection.min(DETECTION_MAX);
        }
    }

    /// The longest detection time that any member was heard to allow.
    pub(crate) const fn detection_heard(&self) -> Duration {
        self.detection_heard
    }

    /// A REJECT frame with this nonce names `known`. Whether another one did so before.
    pub(crate) fn is_named_again(&mut self, known: Incarnation, nonce: Nonce) -> bool {
        self.far.is_borne_again(known, nonce)
    }
}

/// R61: a life too far above the one known to be believed because of one frame, and the frame that bore it first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FarLife(Option<(Incarnation, Nonce)>);

impl FarLife {
    /// A frame with this nonce bears `life`. Whether another frame did so before.
    pub(crate) fn is_borne_again(&mut self, life: Incarnation, nonce: Nonce) -> bool {
        match self.0 {
            Some((borne, first)) if borne == life => first != nonce,
            _ => {
                self.0 = Some((life, nonce));
                false
            }
        }
    }

    #[cfg(feature = "explore")]
    pub(crate) fn life(&self) -> Option<Incarnation> {
        self.0.map(|(life, _)| life)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    #[test]
    fn a_far_life_is_borne_again_by_another_frame_only() {
        let life = |random| Incarnation { counter: u32::MAX, random };
        let nonce = |sent| Nonce { incarnation: life(1), sent: Time::from_nanos(sent) };
        let mut far = FarLife::default();
        assert!(!far.is_borne_again(life(1), nonce(5)));
        assert!(!far.is_borne_again(life(1), nonce(5)), "a copy of the same frame");
        assert!(far.is_borne_again(life(1), nonce(6)));
        assert!(!far.is_borne_again(life(2), nonce(7)), "another life");
    }

    #[test]
    fn the_most_that_was_offered_or_heard_stays() {
        let mut life = ThisLife::default();
        for number in [5, 3] {
            life.note_offered(Epoch::new(number));
            life.note_detection(Duration::from_secs(number));
        }
        assert_eq!((life.offered(), life.detection_heard()), (Epoch::new(5), Duration::from_secs(5)));
        life.note_detection(DETECTION_MAX * 2);
        assert_eq!(life.detection_heard(), DETECTION_MAX, "no configuration allows more");
    }
}
