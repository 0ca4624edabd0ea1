//! Rules for single frames and messages.

use elect_core::Frame;

use super::World;
use crate::ids::NodeIndex;
use crate::network::{Arrivals, Fate};
use crate::rule::{Kind, Treatment};

impl World {
    /// The fate of a frame to which a rule applies.
    pub(crate) fn apply_rules(&mut self, from: NodeIndex, to: NodeIndex, frame: &Frame) -> Option<Fate> {
        self.apply_rule(from, to, |kind| kind.matches(&frame.body))
    }

    /// The fate of a message of the store to which a rule applies.
    pub(crate) fn apply_store_rules(&mut self, from: NodeIndex, to: NodeIndex) -> Option<Fate> {
        self.apply_rule(from, to, |kind| kind == Kind::Store)
    }

    fn apply_rule(&mut self, from: NodeIndex, to: NodeIndex, matches: impl Fn(Kind) -> bool) -> Option<Fate> {
        let index =
            self.rules.iter().position(|rule| (rule.from, rule.to) == (from, to) && matches(rule.kind))?;
        let rule = &mut self.rules[index];
        rule.left -= 1;
        let treatment = rule.treatment;
        if rule.left == 0 {
            self.rules.remove(index);
        }
        let usual = self.now + self.network.delay();
        let mut arrivals = Arrivals::default();
        match treatment {
            Treatment::Lose => {}
            Treatment::Late(by) => arrivals.add(usual + by),
            Treatment::Again(by) => {
                arrivals.add(usual);
                arrivals.add(usual + by);
            }
        }
        Some(Fate::Arrives(arrivals))
    }
}
