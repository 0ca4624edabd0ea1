//! Directed links: what they lose, double, delay, hold back and bring again much later.

use crate::clock::Real;
use crate::ids::NodeIndex;
use crate::random::Random;

/// How a link treats what it carries. Reordering follows from the spread of delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    /// Shortest delay, in nanoseconds.
    pub delay_min: u64,
    /// Longest ordinary delay.
    pub delay_max: u64,
    /// How often a delay is up to `tail_max` instead, per million.
    pub tail_ppm: u32,
    /// The longest extraordinary delay.
    pub tail_max: u64,
    /// How often a message is lost, per million.
    pub loss_ppm: u32,
    /// How often it comes twice.
    pub duplicate_ppm: u32,
    /// How often a copy comes again up to `stale_max` later.
    pub stale_ppm: u32,
    /// How late a stale copy may come.
    pub stale_max: u64,
}

impl Quality {
    /// Nothing is lost, and every delay lies between these two.
    pub const fn calm(delay_min: u64, delay_max: u64) -> Self {
        Self {
            delay_min,
            delay_max,
            tail_ppm: 0,
            tail_max: 0,
            loss_ppm: 0,
            duplicate_ppm: 0,
            stale_ppm: 0,
            stale_max: 0,
        }
    }

    fn delay(&self, random: &mut Random) -> u64 {
        if random.chance(self.tail_ppm) {
            return random.between(self.delay_min, self.tail_max.max(self.delay_min));
        }
        if self.delay_max > self.delay_min {
            random.between(self.delay_min, self.delay_max)
        } else {
            self.delay_min
        }
    }
}

/// When copies of one message arrive: at most the message, its double and a stale copy.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arrivals {
    at: [Real; 3],
    count: usize,
}

impl Arrivals {
    pub(crate) fn add(&mut self, at: Real) {
        self.at[self.count] = at;
        self.count += 1;
    }

    /// When each copy arrives, the message itself first.
    pub(crate) fn times(&self) -> &[Real] {
        &self.at[..self.count]
    }
}

/// What is held back at a clogged link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// The slot of a frame.
    Frame(u32),
    /// The slot of a message of the model store.
    Message(u32),
}

/// What keeps a link from carrying anything now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    Cut,
    Clogged,
}

#[derive(Clone, Debug, Default)]
struct Link {
    /// How many episodes cut it now.
    cuts: u32,
    /// How many cut it for what hosts send alone.
    data_cuts: u32,
    clogged: bool,
    held: Vec<Held>,
    /// When the last message arrives, where order is kept.
    last: Real,
}

/// All directed links of a world.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    nodes: usize,
    links: Vec<Link>,
    quality: Quality,
    /// Every message takes this much longer.
    slower: u64,
    /// Whether nothing overtakes anything, as on a connection.
    in_order: bool,
    random: Random,
}

/// What becomes of a message at its link.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// It arrives so often, also never.
    Arrives(Arrivals),
    /// The link is clogged.
    Waits,
}

impl Network {
    pub(crate) fn new(nodes: usize, quality: Quality, random: Random) -> Self {
        Self {
            nodes,
            links: vec![Link::default(); nodes * nodes],
            quality,
            slower: 0,
            in_order: false,
            random,
        }
    }

    /// From now on messages are treated so.
    pub(crate) fn set_quality(&mut self, quality: Quality) {
        self.quality = quality;
    }

    /// The longest ordinary delay.
    pub(crate) fn longest_delay(&self) -> u64 {
        self.quality.delay_max
    }

    /// From now on every message takes this much longer.
    pub(crate) fn set_slower(&mut self, extra: u64) {
        self.slower = extra;
    }

    /// From now on nothing overtakes anything.
    pub(crate) fn keep_order(&mut self) {
        self.in_order = true;
    }

    fn at(&self, from: NodeIndex, to: NodeIndex) -> usize {
        from.place() * self.nodes + to.place()
    }

    /// Decides on one message that leaves now.
    pub(crate) fn carry(&mut self, from: NodeIndex, to: NodeIndex, now: Real) -> Fate {
        let link = &self.links[self.at(from, to)];
        let mut arrivals = Arrivals::default();
        if link.cuts > 0 || self.random.chance(self.quality.loss_ppm) {
            return Fate::Arrives(arrivals);
        }
        if link.clogged {
            return Fate::Waits;
        }
        let now = now + self.slower;
        let mut first = now + self.quality.delay(&mut self.random);
        if self.in_order {
            let at = self.at(from, to);
            first = first.max(self.links[at].last);
            self.links[at].last = first;
        }
        arrivals.add(first);
        if self.random.chance(self.quality.duplicate_ppm) {
            arrivals.add(now + self.quality.delay(&mut self.random));
        }
        if self.random.chance(self.quality.stale_ppm) {
            arrivals.add(now + self.random.between(self.quality.delay_min, self.quality.stale_max));
        }
        Fate::Arrives(arrivals)
    }

    /// One delay, for what is neither lost nor doubled.
    pub(crate) fn delay(&mut self) -> u64 {
        self.slower + self.quality.delay(&mut self.random)
    }

    pub(crate) fn hold(&mut self, from: NodeIndex, to: NodeIndex, held: Held) {
        let at = self.at(from, to);
        self.links[at].held.push(held);
    }

    pub(crate) fn is_cut(&self, from: NodeIndex, to: NodeIndex) -> bool {
        self.links[self.at(from, to)].cuts > 0
    }

    pub(crate) fn trouble(&self, from: NodeIndex, to: NodeIndex) -> Option<Trouble> {
        let link = &self.links[self.at(from, to)];
        if link.cuts > 0 { Some(Trouble::Cut) } else { link.clogged.then_some(Trouble::Clogged) }
    }

    /// Cuts count: a link that two episodes cut heals with the later one.
    pub(crate) fn cut(&mut self, from: NodeIndex, to: NodeIndex) {
        let at = self.at(from, to);
        self.links[at].cuts += 1;
    }

    pub(crate) fn heal(&mut self, from: NodeIndex, to: NodeIndex) {
        let at = self.at(from, to);
        self.links[at].cuts = self.links[at].cuts.saturating_sub(1);
    }

    /// Cuts a link for what hosts send: the electors go on talking.
    pub(crate) fn cut_data(&mut self, from: NodeIndex, to: NodeIndex) {
        let at = self.at(from, to);
        self.links[at].data_cuts += 1;
    }

    pub(crate) fn heal_data(&mut self, from: NodeIndex, to: NodeIndex) {
        let at = self.at(from, to);
        self.links[at].data_cuts = self.links[at].data_cuts.saturating_sub(1);
    }

    pub(crate) fn is_data_cut(&self, from: NodeIndex, to: NodeIndex) -> bool {
        self.links[self.at(from, to)].data_cuts > 0
    }

    pub(crate) fn heal_all(&mut self) {
        for link in &mut self.links {
            (link.cuts, link.data_cuts) = (0, 0);
        }
    }

    pub(crate) fn clog(&mut self, from: NodeIndex, to: NodeIndex) {
        let at = self.at(from, to);
        self.links[at].clogged = true;
    }

    /// Opens a clogged link and returns what waited there.
    pub(crate) fn unclog(&mut self, from: NodeIndex, to: NodeIndex) -> Vec<Held> {
        let at = self.at(from, to);
        self.links[at].clogged = false;
        std::mem::take(&mut self.links[at].held)
    }

    /// Whether both directions between two nodes work.
    pub(crate) fn is_open_both_ways(&self, one: NodeIndex, other: NodeIndex) -> bool {
        !self.is_cut(one, other) && !self.is_cut(other, one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeIndex = NodeIndex::new(0);
    const B: NodeIndex = NodeIndex::new(1);

    fn count(fate: Fate) -> usize {
        match fate {
            Fate::Arrives(arrivals) => arrivals.times().len(),
            Fate::Waits => usize::MAX,
        }
    }

    #[test]
    fn cuts_are_directed_and_counted() {
        let mut network = Network::new(2, Quality::calm(5, 9), Random::new(1));
        network.cut(A, B);
        network.cut(A, B);
        assert_eq!((count(network.carry(A, B, 0)), count(network.carry(B, A, 0))), (0, 1));
        network.heal(A, B);
        assert!(network.is_cut(A, B));
        network.heal(A, B);
        assert_eq!(count(network.carry(A, B, 0)), 1);
    }

    #[test]
    fn a_link_is_cut_for_what_hosts_send_alone_and_everything_may_be_slower() {
        let mut network = Network::new(2, Quality::calm(5, 5), Random::new(1));
        network.cut_data(A, B);
        assert!(network.is_data_cut(A, B) && !network.is_data_cut(B, A) && !network.is_cut(A, B));
        network.heal_data(A, B);
        assert!(!network.is_data_cut(A, B));
        network.set_slower(100);
        let Fate::Arrives(arrivals) = network.carry(A, B, 1_000) else { panic!("nothing is clogged") };
        assert_eq!((arrivals.times()[0], network.delay()), (1_105, 105));
    }

    #[test]
    fn qualities_are_as_asked_for() {
        let quality = Quality { loss_ppm: 300_000, duplicate_ppm: 100_000, ..Quality::calm(10, 20) };
        let mut network = Network::new(2, quality, Random::new(3));
        let mut copies = [0usize; 3];
        for _ in 0..10_000 {
            let Fate::Arrives(arrivals) = network.carry(A, B, 100) else { panic!("nothing is clogged") };
            copies[arrivals.times().len()] += 1;
            assert!(arrivals.times().iter().all(|at| (110..=120).contains(at)));
        }
        assert!((2_800..3_200).contains(&copies[0]) && (600..800).contains(&copies[2]), "{copies:?}");
    }

    #[test]
    fn a_clogged_link_gives_back_everything_in_order() {
        let mut network = Network::new(2, Quality::calm(1, 1), Random::new(1));
        network.clog(B, A);
        assert!(matches!(network.carry(B, A, 0), Fate::Waits));
        network.hold(B, A, Held::Frame(4));
        network.hold(B, A, Held::Message(2));
        assert_eq!(network.unclog(B, A), [Held::Frame(4), Held::Message(2)]);
        assert!(matches!(network.carry(B, A, 0), Fate::Arrives(_)));
    }
}
