//! The shadow books: what was promised, accepted, offered and led, kept from frames and records alone.

use std::collections::{BTreeMap, BTreeSet};

use elect_core::{Body, Epoch, Frame, Incarnation, Nonce, PeerState, PromiseKind, Record};

type Life = (u32, u32);

#[derive(Debug, Default)]
pub(crate) struct Books {
    /// Members do not lie: what a group owes, not only one elector, must hold.
    honest: bool,
    /// S1: who led, in which life.
    leaders: BTreeMap<Epoch, (usize, Life)>,
    /// S2: durable votes, one per voter and epoch for ever.
    votes: BTreeMap<(usize, Epoch), usize>,
    /// Offers that left: candidate, epoch, nonce.
    offers: BTreeSet<(usize, Epoch, Life, u64)>,
    /// S4: which members' accepts of these offers arrived.
    tallies: BTreeMap<(usize, Epoch, Life), u32>,
    /// S13: the life in which each process that runs has spoken.
    spoken: BTreeMap<usize, Life>,
    /// S5: the highest epoch ever led.
    highest: Epoch,
    /// S12: everything that was said and done.
    pub(crate) digest: Digest,
}

/// FNV-1a, a word at a time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Digest(pub(crate) u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    pub(crate) fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
    }

    pub(crate) fn add_bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }
}

const fn life(incarnation: Incarnation) -> Life {
    (incarnation.counter, incarnation.random)
}

fn offer_key(candidate: usize, epoch: Epoch, nonce: Nonce) -> (usize, Epoch, Life, u64) {
    (candidate, epoch, life(nonce.incarnation), nonce.sent.as_nanos())
}

impl Books {
    pub(crate) fn new(honest: bool) -> Self {
        Self { honest, ..Self::default() }
    }

    /// A process starts.
    pub(crate) fn started(&mut self, node: usize) {
        self.spoken.remove(&node);
    }

    /// A record became durable.
    pub(crate) fn saved(
        &mut self,
        node: usize,
        old: &Record,
        new: &Record,
        index: impl Fn(&Record) -> usize,
    ) {
        assert!(new.epoch >= old.epoch, "S3: the durable epoch fell from {} to {}", old.epoch, new.epoch);
        let raise = new.epoch.number() - old.epoch.number();
        assert!(raise <= (1 << 32) + (1 << 20), "S3: one step raised the epoch by {raise}");
        let lives = (old.incarnation.counter, new.incarnation.counter);
        assert!(lives.0 <= lives.1, "S13: the incarnation fell");
        if new.holder.is_some_and(|holder| holder.how == PromiseKind::Voted) {
            let candidate = index(new);
            let spent = *self.votes.entry((node, new.epoch)).or_insert(candidate);
            assert_eq!(spent, candidate, "S2: {node} voted twice in {}", new.epoch);
        }
    }

    /// A frame leaves; `durable` is what the disk holds.
    pub(crate) fn sent(&mut self, from: usize, to: usize, frame: &Frame, durable: &Record) {
        let header = &frame.header;
        assert!(header.epoch <= durable.epoch, "S3: {from} claims {} above {}", header.epoch, durable.epoch);
        let spoken = life(header.nonce.incarnation);
        if header.nonce.incarnation == durable.incarnation {
            self.spoken.insert(from, spoken);
        } else {
            // The failed save of a next life may have reached the disk; the last frame is still of this one.
            let last =
                matches!(header.state, PeerState::Stopped(_)) && self.spoken.get(&from) == Some(&spoken);
            assert!(last, "S13: {from} speaks in the life {spoken:?}, durable is {:?}", durable.incarnation);
        }
        if let PeerState::Leader(epoch) = header.state {
            assert!(epoch <= durable.epoch, "S2: {from} leads {epoch} above its durable {}", durable.epoch);
            let leader = self.leaders.get(&epoch);
            let is_known = leader.is_some_and(|&(leader, _)| leader == from || !self.honest);
            assert!(is_known, "S1: {from} claims to lead {epoch}, led by {leader:?}");
        }
        match frame.body {
            Body::Offer { epoch, .. } => {
                self.offers.insert(offer_key(from, epoch, header.nonce));
            }
            Body::Accept { epoch, .. } => {
                assert!(epoch <= durable.epoch, "S2: {from} accepts {epoch} above {}", durable.epoch);
                let vote = self.votes.get(&(from, epoch));
                assert_eq!(
                    vote,
                    Some(&to),
                    "S2: {from} accepts {to} in {epoch}, its durable vote is {vote:?}"
                );
            }
            _ => {}
        }
    }

    /// A copy of a frame is made, which is another frame: what it offers may be answered.
    pub(crate) fn copied(&mut self, from: usize, frame: &Frame) {
        if let Body::Offer { epoch, .. } = frame.body {
            self.offers.insert(offer_key(from, epoch, frame.header.nonce));
        }
    }

    /// A frame arrives, whether or not it will count.
    pub(crate) fn arrives(&mut self, from: usize, to: usize, frame: &Frame) {
        // A forger may guess a nonce that no offer carried; it still counts once.
        if let (&Body::Accept { epoch, .. }, Some(echo)) = (&frame.body, frame.header.echo)
            && (!self.honest || self.offers.contains(&offer_key(to, epoch, echo)))
        {
            *self.tallies.entry((to, epoch, life(echo.incarnation))).or_default() |= 1 << from;
        }
    }

    /// `node` leads `epoch` from now on.
    pub(crate) fn leads(&mut self, node: usize, epoch: Epoch, durable: &Record, voting: u32, quorum: usize) {
        let life = life(durable.incarnation);
        let led = self.leaders.insert(epoch, (node, life));
        assert!(led.is_none() || !self.honest, "S1: {node} leads {epoch} after {led:?}");
        assert!(durable.epoch >= epoch, "S2: {node} leads {epoch} above its durable {}", durable.epoch);
        let own = self.votes.get(&(node, epoch));
        assert_eq!(own, Some(&node), "S2: {node} leads {epoch} without its own vote");
        let accepts =
            self.tallies.get(&(node, epoch, life)).copied().unwrap_or_default() & voting & !(1 << node);
        let count = accepts.count_ones() as usize + 1;
        assert!(count >= quorum, "S4: {node} leads {epoch} with {count} of {quorum} accepts");
        assert!(epoch > self.highest || !self.honest, "S5: {epoch} is led after {}", self.highest);
        self.highest = self.highest.max(epoch);
    }
}
