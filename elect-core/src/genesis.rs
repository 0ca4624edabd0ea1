//! The rules of the genesis, and what is known of others': which storages belong to one history of the group.

pub(crate) mod told;

use alloc::boxed::Box;

#[cfg(feature = "explore")]
use crate::describe::{StateSink, option, words};
use crate::epoch::Epoch;
use crate::genesis::told::{Genesis, SavedGenesis, ToldGenesis};
use crate::members::MemberIndex;
use crate::nonce::Nonce;
use crate::time::Time;

/// How a frame's genesis and the own one go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// One history, as far as is known.
    One,
    /// A frame lacks what is final, or tells what is lacking here: another one must say so too, and not be delayed.
    Unclear,
    /// The sender lacks what is final here: it counts as replaced. The first frame that shows it is new.
    PeerReplaced { is_new: bool },
    /// This node lacks what is final there: it counts as replaced.
    SelfReplaced(Genesis),
    /// Both are final, and differ: two groups under one name.
    Other { is_new: bool },
}

/// What is beside the two that [`GenesisBook::judge`] compares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    nonce: Nonce,
    echoed: Option<Time>,
    is_older: bool,
    peer_may_lack: bool,
    self_may_lack: bool,
}

impl Circumstances {
    /// Of a frame with this nonce, that echoes what left this node's present life at `echoed`. `is_older` if a newer
    /// one of the sender's life was seen.
    pub(crate) const fn new(nonce: Nonce, echoed: Option<Time>, is_older: bool) -> Self {
        Self { nonce, echoed, is_older, peer_may_lack: false, self_may_lack: false }
    }

    /// Who may lack what is final: an observer, and storage that is marked as replaced.
    pub(crate) const fn may_lack(self, peer: bool, own: bool) -> Self {
        Self { peer_may_lack: peer, self_may_lack: own, ..self }
    }
}

/// What is known of a node, as far as its genesis depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Leads(Epoch),
    /// Follows a leader, whose newest claim tells this.
    Follows(Epoch, Option<ToldGenesis>),
    /// Neither, or nobody knows.
    Elsewhere,
}

/// What is known of geneses beside the own durable one, which the record holds.
///
/// Invariants: what is chosen does not change within an epoch · a member is known to hold what is chosen only in the
/// epoch in which it said so.
#[derive(Clone, Debug)]
pub(crate) struct GenesisBook {
    peers: Box<[PeerGenesis]>,
    /// What this node chose when it won, or raised, this epoch.
    chosen: Option<Chosen>,
    /// A frame that told a final one that this node lacks.
    lacked: Option<Witnessed>,
    /// Until when that one frame keeps this node from voting.
    doubt_until: Time,
    /// The own one was told as final, by this frame.
    told_final: Option<Witnessed>,
    /// The own one was told as final by another frame too.
    known_final: Option<Genesis>,
    /// Nonces from here on left when the own one was final already.
    final_from: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chosen {
    epoch: Epoch,
    genesis: Genesis,
}

/// A frame that says something that one frame alone does not prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Witnessed {
    genesis: Genesis,
    by: MemberIndex,
    nonce: Nonce,
}

#[derive(Clone, Copy, Debug, Default)]
struct PeerGenesis {
    /// What its newest frame that counted told.
    told: Option<ToldGenesis>,
    history: PeerHistory,
    /// The epoch in which it said, following this node, that it holds what was chosen in it.
    holds_in: Epoch,
}

/// Whether a peer's storage belongs to this group's history, by its newest frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PeerHistory {
    #[default]
    One,
    /// This frame lacks what is final here.
    Unclear(Nonce),
    /// Two frames did: it counts as replaced.
    Replaced,
    /// It is another group under this name.
    Other(Genesis),
}

impl GenesisBook {
    pub(crate) fn new(members: usize) -> Self {
        Self {
            peers: core::iter::repeat_n(PeerGenesis::default(), members).collect(),
            chosen: None,
            lacked: None,
            doubt_until: Time::ZERO,
            told_final: None,
            known_final: None,
            final_from: Time::ZERO,
        }
    }

    /// R59: judges a frame by what it tells and what this node holds. What one frame says against a final genesis only
    /// makes that frame count for nothing: another one must say so too.
    pub(crate) fn judge(
        &mut self,
        peer: MemberIndex,
        own: Option<SavedGenesis>,
        told: Option<ToldGenesis>,
        about: Circumstances,
    ) -> Verdict {
        let own_final = own.filter(|own| own.is_final);
        let is_same = own.map(|own| own.genesis) == told.map(|told| told.genesis);
        match (own_final, told.filter(|told| told.is_final)) {
            (Some(_), Some(other)) if !is_same => return self.note_other(peer, other.genesis),
            (Some(_), _) if !is_same && !about.peer_may_lack && !about.is_older => {
                // One that may have left before all held it says nothing, and counts for nothing.
                let is_proven = about.echoed.is_some_and(|sent| sent >= self.final_from);
                return if is_proven { self.note_lacking(peer, about.nonce) } else { Verdict::Unclear };
            }
            (None, Some(told)) if !is_same && !about.self_may_lack && !about.is_older => {
                return self.note_lacked(Witnessed { genesis: told.genesis, by: peer, nonce: about.nonce });
            }
            (None, Some(told)) if is_same && !about.is_older => {
                self.note_final(Witnessed { genesis: told.genesis, by: peer, nonce: about.nonce });
            }
            _ => {}
        }
        if !about.is_older {
            self.peers[peer.get()].history = PeerHistory::One;
        }
        Verdict::One
    }

    /// A frame tells the final one that this node holds.
    #[inline]
    pub(crate) fn note_same(&mut self, peer: MemberIndex) {
        self.peers[peer.get()].history = PeerHistory::One;
    }

    fn note_other(&mut self, peer: MemberIndex, genesis: Genesis) -> Verdict {
        let other = PeerHistory::Other(genesis);
        let before = core::mem::replace(&mut self.peers[peer.get()].history, other);
        Verdict::Other { is_new: before != other }
    }

    /// A peer lacks what is final here.
    fn note_lacking(&mut self, peer: MemberIndex, nonce: Nonce) -> Verdict {
        let history = &mut self.peers[peer.get()].history;
        match *history {
            PeerHistory::Replaced => Verdict::PeerReplaced { is_new: false },
            PeerHistory::Unclear(first) if first != nonce => {
                *history = PeerHistory::Replaced;
                Verdict::PeerReplaced { is_new: true }
            }
            _ => {
                *history = PeerHistory::Unclear(nonce);
                Verdict::Unclear
            }
        }
    }

    /// This node lacks what is final elsewhere.
    fn note_lacked(&mut self, witnessed: Witnessed) -> Verdict {
        match self.lacked {
            Some(first) if first.genesis == witnessed.genesis && first != witnessed => {
                Verdict::SelfReplaced(witnessed.genesis)
            }
            _ => {
                self.lacked = Some(witnessed);
                Verdict::Unclear
            }
        }
    }

    /// R59: a holder hears that its genesis is final: by two frames.
    fn note_final(&mut self, witnessed: Witnessed) {
        match self.told_final {
            Some(first) if first.genesis == witnessed.genesis => {
                if first != witnessed {
                    self.known_final = Some(witnessed.genesis);
                }
            }
            _ => self.told_final = Some(witnessed),
        }
    }

    /// One frame told a final genesis that this node lacks: it neither campaigns nor votes until another one has had
    /// the time to come.
    pub(crate) fn begin_doubt(&mut self, until: Time) {
        self.doubt_until = until;
    }

    /// Until when this node neither campaigns nor votes for that reason.
    #[inline]
    pub(crate) fn doubt_until(&self, now: Time) -> Option<Time> {
        (self.doubt_until > now).then_some(self.doubt_until)
    }

    /// What this node holds is final: nothing but what contradicts it is of interest any more.
    pub(crate) fn settle(&mut self, final_from: Time) {
        *self = Self { final_from, ..Self::new(self.peers.len()) };
    }

    /// A frame of `peer` counts, and is its newest.
    #[inline]
    pub(crate) fn note_told(&mut self, peer: MemberIndex, told: Option<ToldGenesis>) {
        self.peers[peer.get()].told = told;
    }

    /// R59: `peer` says, following this node in `epoch`, what it holds.
    #[inline]
    pub(crate) fn note_held(&mut self, peer: MemberIndex, epoch: Epoch, told: Option<ToldGenesis>) {
        let holds =
            |chosen: Chosen| chosen.epoch == epoch && Some(chosen.genesis) == told.map(|told| told.genesis);
        if self.chosen.is_some_and(holds) {
            self.peers[peer.get()].holds_in = epoch;
        }
    }

    /// Whether `peer` is known to hold what was chosen in `epoch`.
    pub(crate) fn is_held_by(&self, peer: MemberIndex, epoch: Epoch) -> bool {
        self.peers[peer.get()].holds_in == epoch
    }

    /// What the newest frame of `peer` told.
    #[inline]
    pub(crate) fn told_by(&self, peer: MemberIndex) -> Option<ToldGenesis> {
        self.peers[peer.get()].told
    }

    pub(crate) fn history_of(&self, peer: MemberIndex) -> PeerHistory {
        self.peers[peer.get()].history
    }

    /// R59: the winner of `epoch` takes the one that was saved under the highest epoch among its own and those of its
    /// accepts; where there is none, it draws one.
    pub(crate) fn choose(
        &mut self,
        epoch: Epoch,
        saved: impl Iterator<Item = (Epoch, Genesis)>,
        draw: impl FnOnce() -> Genesis,
    ) {
        let newest = saved.max().map(|(_, genesis)| genesis);
        self.chosen = Some(Chosen { epoch, genesis: newest.unwrap_or_else(draw) });
    }

    /// What was chosen in `epoch`, which this node leads.
    #[inline]
    pub(crate) fn chosen_in(&self, epoch: Epoch) -> Option<Genesis> {
        self.chosen.filter(|chosen| chosen.epoch == epoch).map(|chosen| chosen.genesis)
    }

    /// R59: what the record should hold beside `own`, if anything else. `is_held_by_all` is asked of a leader alone.
    pub(crate) fn wanted(
        &self,
        own: Option<SavedGenesis>,
        place: Place,
        may_lack: bool,
        is_held_by_all: impl FnOnce() -> bool,
    ) -> Option<SavedGenesis> {
        if own.is_some_and(|own| own.is_final) {
            return None;
        }
        if let Some(own) = own.filter(|own| self.known_final == Some(own.genesis)) {
            return Some(SavedGenesis { is_final: true, ..own });
        }
        match place {
            Place::Leads(epoch) => {
                let chosen = SavedGenesis { genesis: self.chosen_in(epoch)?, epoch, is_final: false };
                if own != Some(chosen) {
                    return Some(chosen);
                }
                is_held_by_all().then_some(SavedGenesis { is_final: true, ..chosen })
            }
            Place::Follows(epoch, told) => {
                let told = told?;
                // Who may lack a final one takes it from the leader as it is. Anybody else counts as replaced first,
                // and who holds it waits for a second frame.
                let adopted = SavedGenesis { genesis: told.genesis, epoch, is_final: told.is_final };
                (own != Some(adopted) && (!told.is_final || may_lack)).then_some(adopted)
            }
            Place::Elsewhere => None,
        }
    }
}

#[cfg(feature = "explore")]
impl GenesisBook {
    /// At member `own`.
    pub(crate) fn describe(&self, sink: &mut impl StateSink, own: usize) {
        let Self { peers, chosen, lacked, doubt_until, told_final, known_final, final_from } = self;
        for (index, peer) in peers.iter().enumerate().filter(|&(index, _)| index != own) {
            let PeerGenesis { told, history, holds_in } = peer;
            option(sink, told.as_ref(), |sink, told| {
                words(sink, [told.genesis.to_bits(), u64::from(told.is_final)]);
            });
            match history {
                PeerHistory::One => sink.word(0),
                PeerHistory::Unclear(nonce) => {
                    sink.word(1);
                    sink.nonce(index, own, *nonce);
                }
                PeerHistory::Replaced => sink.word(2),
                PeerHistory::Other(genesis) => words(sink, [3, genesis.to_bits()]),
            }
            sink.word(holds_in.number());
        }
        option(sink, chosen.as_ref(), |sink, chosen| {
            words(sink, [chosen.epoch.number(), chosen.genesis.to_bits()]);
        });
        for witnessed in [lacked, told_final] {
            option(sink, witnessed.as_ref(), |sink, Witnessed { genesis, by, nonce }| {
                words(sink, [genesis.to_bits(), by.get() as u64]);
                sink.nonce(by.get(), own, *nonce);
            });
        }
        option(sink, known_final.as_ref(), |sink, genesis| sink.word(genesis.to_bits()));
        sink.until(*doubt_until);
        sink.floor(own, *final_from);
    }
}

#[cfg(test)]
mod tests;
