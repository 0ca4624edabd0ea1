//! The member list of a group, its digest and its quorum.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::name::{ClusterId, NodeId};

/// What a member is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum MemberKind {
    /// Votes, holds data and may lead.
    Voter,
    /// Votes, holds no data and never leads.
    Witness,
    /// Holds data and counts for nothing.
    Observer,
}

impl MemberKind {
    /// Whether its accepts and acknowledgements count towards a quorum.
    pub const fn votes(self) -> bool {
        matches!(self, Self::Voter | Self::Witness)
    }
}

/// One member of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub id: NodeId,
    /// What it is for.
    pub kind: MemberKind,
}

/// Digest of a cluster id and a member list: frames under another digest count for nothing (S10).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Digest(u64);

impl Digest {
    /// The digest with these bits, as read from a frame or a record.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its bits.
    pub const fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Index of a member in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MemberIndex(u16);

impl MemberIndex {
    #[cfg(test)]
    pub(crate) const fn at(index: u16) -> Self {
        Self(index)
    }

    pub(crate) const fn get(self) -> usize {
        self.0 as usize
    }
}

/// The members of a group, sorted by name, and what counts as a quorum of them.
///
/// A type of its own so that a later version can change it while the group runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    list: Box<[Member]>,
    /// Open addressing over the names, so that a lookup costs the same at any number of members.
    slots: Box<[Option<MemberIndex>]>,
    quorum: usize,
}

impl Members {
    /// At most this many members.
    pub const COUNT_MAX: usize = 1024;

    /// Sorts the list; the caller has checked that it holds no duplicates and at most `COUNT_MAX` members.
    pub(crate) fn new(mut list: Vec<Member>) -> Self {
        assert!(list.len() <= Self::COUNT_MAX, "member lists are checked when the configuration is built");
        list.sort_unstable_by_key(|member| member.id);
        let voting = list.iter().filter(|member| member.kind.votes()).count();
        let mut slots: Box<[_]> = core::iter::repeat_n(None, (list.len() * 2).next_power_of_two()).collect();
        for (index, member) in list.iter().enumerate() {
            let mask = slots.len() - 1;
            let mut slot = hash(member.id) & mask;
            while slots[slot].is_some() {
                slot = (slot + 1) & mask;
            }
            slots[slot] = Some(Self::index_at(index));
        }
        Self { list: list.into_boxed_slice(), slots, quorum: majority(voting) }
    }

    /// All members, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Member> + Clone {
        self.list.iter()
    }

    /// How many members there are.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// How many voters and witnesses make a quorum: more than half of them.
    ///
    /// A *write* quorum has this size too, but only data-holding voters count towards it (S7).
    pub const fn quorum(&self) -> usize {
        self.quorum
    }

    /// The member with this name.
    pub fn find(&self, id: NodeId) -> Option<&Member> {
        self.index(id).map(|index| self.get(index))
    }

    /// FNV-1a over the cluster id and the sorted list: equal for equal lists, whatever order they came in.
    ///
    /// It guards against mistakes, not against malice: members do not lie.
    pub fn digest(&self, cluster: ClusterId) -> Digest {
        let start = fnv1a(0xcbf2_9ce4_8422_2325, cluster.as_padded_bytes());
        Digest(self.list.iter().fold(start, |hash, member| {
            let kind = match member.kind {
                MemberKind::Voter => 1,
                MemberKind::Witness => 2,
                MemberKind::Observer => 3,
            };
            fnv1a(fnv1a(hash, member.id.as_padded_bytes()), &[kind])
        }))
    }

    #[inline]
    pub(crate) fn index(&self, id: NodeId) -> Option<MemberIndex> {
        let mask = self.slots.len() - 1;
        let mut slot = hash(id) & mask;
        // At most half of the slots are taken, so an empty one ends the search.
        while let Some(index) = self.slots[slot] {
            if self.id(index) == id {
                return Some(index);
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    pub(crate) fn get(&self, index: MemberIndex) -> &Member {
        &self.list[index.get()]
    }

    pub(crate) fn id(&self, index: MemberIndex) -> NodeId {
        self.get(index).id
    }

    pub(crate) fn indices(&self) -> impl Iterator<Item = MemberIndex> + Clone + use<> {
        (0..self.list.len()).map(Self::index_at)
    }

    #[expect(clippy::cast_possible_truncation, reason = "COUNT_MAX fits")]
    const fn index_at(index: usize) -> MemberIndex {
        MemberIndex(index as u16)
    }
}

/// Where the search for a name begins.
#[expect(clippy::cast_possible_truncation, reason = "any bits of a hash will do")]
fn hash(id: NodeId) -> usize {
    let (words, _) = id.as_padded_bytes().as_chunks::<8>();
    let mix = |hash: u64, word: &[u8; 8]| {
        (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    };
    words.iter().fold(0, mix) as usize
}

/// R55: the smallest number that is more than half of `count`.
pub(crate) const fn majority(count: usize) -> usize {
    count / 2 + 1
}

/// Fowler, Noll, Vo: the 64-bit FNV-1a hash.
fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(kinds: &[(&str, MemberKind)]) -> Members {
        Members::new(kinds.iter().map(|&(id, kind)| Member { id: NodeId::new(id).unwrap(), kind }).collect())
    }

    #[test]
    fn quorum_lookup_table() {
        use MemberKind::{Observer, Voter, Witness};
        let table: [(&[MemberKind], usize); 8] = [
            (&[Voter], 1),
            (&[Voter, Voter], 2),
            (&[Voter, Voter, Voter], 2),
            (&[Voter, Voter, Witness], 2),
            (&[Voter, Observer, Observer], 1),
            (&[Voter, Voter, Voter, Voter], 3),
            (&[Voter, Voter, Voter, Voter, Voter], 3),
            (&[Voter, Voter, Voter, Witness, Witness, Observer], 3),
        ];
        let names = ["a", "b", "c", "d", "e", "f"];
        for (kinds, quorum) in table {
            let list: Vec<_> = names.iter().copied().zip(kinds.iter().copied()).collect();
            assert_eq!(members(&list).quorum(), quorum, "{kinds:?}");
        }
    }

    #[test]
    fn the_digest_depends_on_cluster_names_and_kinds_but_not_on_order() {
        let cluster = ClusterId::new("c").unwrap();
        let one = members(&[("a", MemberKind::Voter), ("b", MemberKind::Witness)]);
        let turned = members(&[("b", MemberKind::Witness), ("a", MemberKind::Voter)]);
        let other_kind = members(&[("a", MemberKind::Voter), ("b", MemberKind::Voter)]);
        let other_name = members(&[("a", MemberKind::Voter), ("c", MemberKind::Witness)]);
        assert_eq!(one.digest(cluster), turned.digest(cluster));
        assert_ne!(one.digest(cluster), other_kind.digest(cluster));
        assert_ne!(one.digest(cluster), other_name.digest(cluster));
        assert_ne!(one.digest(cluster), one.digest(ClusterId::new("d").unwrap()));
    }

    #[test]
    fn members_are_found_in_short_and_long_lists() {
        let names: Vec<_> = (0..40).map(|n| alloc::format!("node-{n}")).collect();
        for count in [1, 8, 9, 40] {
            let list: Vec<_> = names[..count].iter().map(|name| (name.as_str(), MemberKind::Voter)).collect();
            let group = members(&list);
            for name in &names {
                let id = NodeId::new(name).unwrap();
                let expected = list.iter().any(|(listed, _)| listed == name);
                assert_eq!(group.find(id).map(|member| member.id), expected.then_some(id));
            }
        }
    }
}
