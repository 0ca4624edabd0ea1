//! What is known of every other member. [`Pair`] belongs to the two nodes, [`View`] to one group between them: many
//! groups could share the former.

use alloc::boxed::Box;

use crate::members::MemberIndex;
use crate::pair::Pair;
use crate::time::Time;
use crate::view::View;

/// All members, this node among them, of which nothing is ever known here.
#[derive(Clone, Debug)]
pub(crate) struct Peers(Box<[Peer]>);

#[derive(Clone, Debug, Default)]
struct Peer {
    pair: Pair,
    view: View,
}

impl Peers {
    pub(crate) fn new(count: usize) -> Self {
        Self((0..count).map(|_| Peer::default()).collect())
    }

    /// How many members there are, this node included.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(crate) fn pair(&self, peer: MemberIndex) -> &Pair {
        &self.0[peer.get()].pair
    }

    #[inline]
    pub(crate) fn pair_mut(&mut self, peer: MemberIndex) -> &mut Pair {
        &mut self.0[peer.get()].pair
    }

    #[inline]
    pub(crate) fn view(&self, peer: MemberIndex) -> &View {
        &self.0[peer.get()].view
    }

    #[inline]
    pub(crate) fn view_mut(&mut self, peer: MemberIndex) -> &mut View {
        &mut self.0[peer.get()].view
    }

    /// What this node says of itself has changed, and frames from this nonce on tell it: nobody knows yet.
    pub(crate) fn tell_again(&mut self, from: Time) {
        for peer in &mut self.0 {
            peer.pair.tell_again(from);
        }
    }
}
