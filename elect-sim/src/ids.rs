//! Who is who: nodes by place and by name, links between them, and the lives of their processes.

use std::fmt;
use std::ops::{Index, IndexMut};

use elect_core::NodeId;

/// The most nodes that one world holds.
pub const NODES_MAX: usize = 16;

/// Which life of a node's process something belongs to: what a dead process left behind never happens.
pub(crate) type Life = u32;

/// A machine of a world: members come first, further ones are twins. Its name is a letter, `a` for the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeIndex(u8);

impl NodeIndex {
    /// The node with this number.
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// The node at this place of a list.
    pub fn at(place: usize) -> Self {
        Self(u8::try_from(place).unwrap_or(u8::MAX))
    }

    /// Its place in a list.
    pub fn place(self) -> usize {
        usize::from(self.0)
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The first `count` nodes.
    pub fn all(count: usize) -> impl DoubleEndedIterator<Item = Self> + Clone {
        (0..Self::at(count).0).map(Self)
    }

    /// The member of this name.
    pub fn of(id: NodeId) -> Option<Self> {
        match id.as_str().as_bytes() {
            [letter @ b'a'..=b'z'] => Some(Self(letter - b'a')),
            _ => None,
        }
    }

    /// Its name, as members call it.
    ///
    /// # Panics
    /// If a world has no place for it.
    pub fn id(self) -> NodeId {
        NodeId::new(&self.to_string()).expect("a letter is a name")
    }
}

impl fmt::Display for NodeIndex {
    /// Its letter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(char::from(b'a' + self.0).encode_utf8(&mut [0; 4]))
    }
}

impl fmt::Debug for NodeIndex {
    /// Its number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Index<NodeIndex> for [T] {
    type Output = T;

    fn index(&self, node: NodeIndex) -> &T {
        &self[node.place()]
    }
}

impl<T> IndexMut<NodeIndex> for [T] {
    fn index_mut(&mut self, node: NodeIndex) -> &mut T {
        &mut self[node.place()]
    }
}

impl<T> Index<NodeIndex> for Vec<T> {
    type Output = T;

    fn index(&self, node: NodeIndex) -> &T {
        &self[node.place()]
    }
}

impl<T> IndexMut<NodeIndex> for Vec<T> {
    fn index_mut(&mut self, node: NodeIndex) -> &mut T {
        &mut self[node.place()]
    }
}

/// A directed link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// Who sends.
    pub from: NodeIndex,
    /// Who receives.
    pub to: NodeIndex,
}

impl Link {
    /// From one node to another.
    pub const fn new(from: NodeIndex, to: NodeIndex) -> Self {
        Self { from, to }
    }

    /// All links among the first `count` nodes.
    pub fn all(count: usize) -> impl Iterator<Item = Self> {
        let pairs =
            NodeIndex::all(count).flat_map(move |from| NodeIndex::all(count).map(move |to| (from, to)));
        pairs.filter(|(from, to)| from != to).map(|(from, to)| Self { from, to })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}→{}", self.from, self.to)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_a_letter_a_number_and_a_name() {
        let node = NodeIndex::new(2);
        assert_eq!((node.to_string(), format!("{node:?}")), ("c".into(), "2".into()));
        assert_eq!(NodeIndex::of(node.id()), Some(node));
        assert_eq!(NodeIndex::of(NodeId::new("cc").unwrap()), None);
        assert_eq!(([5, 6, 7][node], vec![5, 6, 7][node]), (7, 7));
    }

    #[test]
    fn links_are_directed_and_join_no_node_to_itself() {
        let all: Vec<_> = Link::all(3).collect();
        assert_eq!(format!("{all:?}"), "[a→b, a→c, b→a, b→c, c→a, c→b]");
    }
}
