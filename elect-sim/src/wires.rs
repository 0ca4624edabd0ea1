//! What nodes send to each other, on its way: the links, the frames and messages under way, and what a scenario does to
//! single ones.

use elect_core::Frame;
use elect_core::wire::WireError;

use crate::clock::Real;
use crate::ids::NodeIndex;
use crate::network::{Arrivals, Fate, Held, Network};
use crate::packet::Packet;
use crate::rule::{Kind, Rule, Treatment};
use crate::slab::{Bytes, Slab};

/// Everything between the nodes of a world.
#[derive(Debug)]
pub(crate) struct Wires {
    links: Network,
    frames: Slab<Bytes>,
    packets: Slab<Packet>,
    /// What a scenario does to single frames and messages.
    rules: Vec<Rule>,
}

impl Wires {
    pub(crate) fn new(links: Network) -> Self {
        Self { links, frames: Slab::default(), packets: Slab::default(), rules: Vec::new() }
    }

    pub(crate) fn links(&self) -> &Network {
        &self.links
    }

    pub(crate) fn links_mut(&mut self) -> &mut Network {
        &mut self.links
    }

    // Frames.

    /// What becomes of a frame that leaves now.
    #[inline]
    pub(crate) fn fate_of_frame(&mut self, from: NodeIndex, to: NodeIndex, frame: &Frame, now: Real) -> Fate {
        let ruled = self.apply_rule(from, to, now, |kind| kind.matches(&frame.body));
        ruled.unwrap_or_else(|| self.links.carry(from, to, now))
    }

    /// A place for a frame under way.
    #[inline]
    pub(crate) fn put_frame(&mut self, frame: &Frame, now: Real) -> u32 {
        let slot = self.frames.take();
        self.frames.get_mut(slot).encode(frame, now);
        slot
    }

    /// A frame waits at a clogged link.
    pub(crate) fn hold_frame(&mut self, from: NodeIndex, to: NodeIndex, frame: &Frame, now: Real) {
        let slot = self.put_frame(frame, now);
        self.links.hold(from, to, Held::Frame(slot));
    }

    /// The bytes of a frame under way.
    pub(crate) fn bytes(&self, slot: u32) -> &[u8] {
        self.frames.get(slot).as_slice()
    }

    /// Whether a frame is of a time before it was calm, and later than anything that left since could be.
    pub(crate) fn is_ghost(&self, slot: u32, calm_since: Real, now: Real) -> bool {
        self.frames.get(slot).sent() < calm_since && now > calm_since + self.links.longest_delay()
    }

    /// A frame loses its last byte.
    pub(crate) fn garble(&mut self, slot: u32) {
        self.frames.get_mut(slot).garble();
    }

    /// Takes a frame from its place.
    pub(crate) fn take_frame(&mut self, slot: u32) -> Result<Frame, WireError> {
        let decoded = self.frames.get(slot).decode();
        self.frames.free(slot);
        decoded
    }

    /// Nobody receives it.
    pub(crate) fn drop_frame(&mut self, slot: u32) {
        self.frames.free(slot);
    }

    // Messages of hosts.

    /// What becomes of a message that leaves now; `None` if its link is cut for what hosts send.
    pub(crate) fn fate_of_packet(&mut self, from: NodeIndex, to: NodeIndex, now: Real) -> Option<Fate> {
        if self.links.is_data_cut(from, to) {
            return None;
        }
        let ruled = self.apply_rule(from, to, now, |kind| kind == Kind::Store);
        Some(ruled.unwrap_or_else(|| self.links.carry(from, to, now)))
    }

    /// A place for a message under way.
    pub(crate) fn put_packet(&mut self, packet: &Packet) -> u32 {
        self.packets.put(packet.clone())
    }

    /// A message waits at a clogged link.
    pub(crate) fn hold_packet(&mut self, from: NodeIndex, to: NodeIndex, packet: &Packet) {
        let slot = self.put_packet(packet);
        self.links.hold(from, to, Held::Message(slot));
    }

    /// Takes a message from its place.
    pub(crate) fn take_packet(&mut self, slot: u32) -> Packet {
        let packet = std::mem::take(self.packets.get_mut(slot));
        self.packets.free(slot);
        packet
    }

    /// Nobody receives it.
    pub(crate) fn drop_packet(&mut self, slot: u32) {
        self.packets.free(slot);
    }

    // Links and rules.

    /// Opens a clogged link: what waited there, and when each of it arrives.
    pub(crate) fn unclog(&mut self, from: NodeIndex, to: NodeIndex, now: Real) -> Vec<(Real, Held)> {
        let held = self.links.unclog(from, to);
        held.into_iter().map(|held| (now + self.links.delay(), held)).collect()
    }

    pub(crate) fn add_rule(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(crate) fn clear_rules(&mut self) {
        self.rules.clear();
    }

    /// The fate of what a rule applies to.
    fn apply_rule(
        &mut self,
        from: NodeIndex,
        to: NodeIndex,
        now: Real,
        matches: impl Fn(Kind) -> bool,
    ) -> Option<Fate> {
        let index =
            self.rules.iter().position(|rule| (rule.from, rule.to) == (from, to) && matches(rule.kind))?;
        let rule = &mut self.rules[index];
        rule.left -= 1;
        let treatment = rule.treatment;
        if rule.left == 0 {
            self.rules.remove(index);
        }
        let usual = now + self.links.delay();
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
