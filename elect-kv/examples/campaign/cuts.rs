//! What goes wrong between nodes.

use std::fmt;

use super::cluster::NAMES;
use super::network::{NODES, Network, Passage, Plane};
use super::random::Random;

/// Some directions of some links, on one plane or on both.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    how: How,
    planes: Vec<Plane>,
    /// From whom, to whom.
    directions: Vec<(usize, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Passage(Passage),
    /// The connections of now go silent and stay so; new ones work.
    HalfOpen,
}

impl Cut {
    pub(crate) fn draw(random: &mut Random, primary: usize) -> Self {
        let how = match random.below(8) {
            0..3 => How::Passage(Passage::Held),
            3..5 => How::Passage(Passage::Cut),
            5 => How::Passage(Passage::Trickle),
            _ => How::HalfOpen,
        };
        let planes = match random.below(4) {
            0 => vec![Plane::Election],
            1 => vec![Plane::Replication],
            _ => vec![Plane::Election, Plane::Replication],
        };
        let node = if random.one_in(3) { random.below(NODES) } else { primary };
        let others: Vec<_> = (0..NODES).filter(|other| *other != node).collect();
        let other = *random.pick(&others);
        let away = |others: &[usize]| others.iter().map(|other| (node, *other)).collect::<Vec<_>>();
        let back = |others: &[usize]| others.iter().map(|other| (*other, node)).collect::<Vec<_>>();
        let directions = match random.below(6) {
            0 => away(&others),
            1 => back(&others),
            2 => away(&[other]),
            3 => back(&[other]),
            4 => [away(&[other]), back(&[other])].concat(),
            _ => [away(&others), back(&others)].concat(),
        };
        Self { how, planes, directions }
    }

    pub(crate) fn kind(&self) -> &'static str {
        let is_whole = self.planes.len() == 2;
        match (self.how, is_whole, self.planes[0]) {
            (How::HalfOpen, ..) => "half-open connections",
            (How::Passage(Passage::Trickle), ..) => "trickle",
            (_, true, _) => "cut of both planes",
            (_, false, Plane::Election) => "cut of the election",
            (_, false, Plane::Replication) => "cut of the replication",
        }
    }

    pub(crate) fn begin(&self, network: &Network) {
        for plane in &self.planes {
            for (from, to) in &self.directions {
                match self.how {
                    How::Passage(passage) => network.set(*plane, *from, *to, passage),
                    How::HalfOpen => network.silence(*plane, *from, *to),
                }
            }
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            How::Passage(passage) => format!("{passage:?}").to_lowercase(),
            How::HalfOpen => "half-open".into(),
        };
        let planes: Vec<_> = self.planes.iter().map(|plane| format!("{plane:?}").to_lowercase()).collect();
        write!(f, "{how}, {}:", planes.join(" and "))?;
        self.directions.iter().try_for_each(|(from, to)| write!(f, " {}→{}", NAMES[*from], NAMES[*to]))
    }
}
