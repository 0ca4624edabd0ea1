//! What is tried to make a run smaller, in which order.

use elect_core::{Detection, MemberKind};

use super::Shrinker;
use crate::clock::{MICRO, MILLI, Real, SECOND};
use crate::ids::NodeIndex;
use crate::network::Quality;
use crate::options::Options;
use crate::scenario::Scenario;

/// How long a group is left alone at first, so that it has a leader.
const LEAD: Real = 2 * SECOND;

/// A simpler world, one thing at a time; the boldest first.
const SIMPLER: [fn(&mut Options); 19] = [
    |options| options.overrides.clear(),
    |options| options.overrides.iter_mut().for_each(|overrides| overrides.heartbeat = None),
    |options| {
        options.calm = usual().calm;
        options.stormy = usual().calm;
        options.store_loss_ppm = 0;
    },
    |options| {
        options.calm = usual().calm;
        let Quality { delay_min, delay_max, .. } = options.calm;
        options.stormy = Quality { delay_min, delay_max, tail_ppm: 0, ..options.stormy };
    },
    |options| options.stormy.loss_ppm = 0,
    |options| options.stormy.duplicate_ppm = 0,
    |options| options.stormy.tail_ppm = 0,
    |options| options.stormy.stale_ppm = 0,
    |options| options.store_loss_ppm = 0,
    |options| {
        options.heartbeat = usual().heartbeat;
        options.detection = usual().detection;
    },
    |options| {
        if let Detection::Adaptive { floor, .. } = options.detection {
            options.detection = Detection::Fixed(floor);
        }
    },
    |options| options.kinds.fill(MemberKind::Voter),
    |options| options.crash_evidence = false,
    |options| options.supervised = false,
    |options| options.reading = usual().reading,
    |options| options.drift_ppm = usual().drift_ppm,
    |options| options.boot_spread = usual().boot_spread,
    |options| options.client_every = usual().client_every,
    |options| options.wild_clocks = false,
];

/// How often something happens to a message, per million.
const SHARES: [fn(&mut Options) -> &mut u32; 5] = [
    |options| &mut options.stormy.loss_ppm,
    |options| &mut options.stormy.duplicate_ppm,
    |options| &mut options.stormy.tail_ppm,
    |options| &mut options.stormy.stale_ppm,
    |options| &mut options.store_loss_ppm,
];

/// How long something takes.
const SPANS: [fn(&mut Options) -> &mut u64; 7] = [
    |options| &mut options.stormy.delay_max,
    |options| &mut options.stormy.delay_min,
    |options| &mut options.stormy.tail_max,
    |options| &mut options.stormy.stale_max,
    |options| &mut options.calm.delay_max,
    |options| &mut options.calm.delay_min,
    |options| &mut options.client_every,
];

fn usual() -> Options {
    Scenario::usual_options()
}

impl Shrinker<'_> {
    pub(super) fn shrink(&mut self) {
        self.only_the_last();
        loop {
            let before = self.best.text();
            self.simpler_world();
            self.fewer_deeds();
            self.fewer_nodes();
            self.less_remains();
            if self.best.text() == before {
                break;
            }
        }
        self.rounder_times();
        self.rounder_world();
        self.fewer_deeds();
        self.rounder_times();
        self.campaign_end();
    }

    /// What led to it mostly happened shortly before: 0, 1, 2, 4, … last actions, after a quiet beginning.
    fn only_the_last(&mut self) {
        self.stage = "only the last actions";
        let whole = self.best.clone();
        let count = whole.actions.len();
        let shares = std::iter::once(0).chain((0..).map(|power| 1 << power));
        for keep in shares.take_while(|&keep| keep < count) {
            let mut candidate = whole.clone();
            candidate.actions.drain(..count - keep);
            let begin = candidate.time_of(0);
            let candidate = candidate.moved(0, begin.min(LEAD));
            if self.holds_on(candidate, self.effort.seeds) {
                return;
            }
        }
    }

    fn simpler_world(&mut self) {
        self.stage = "a simpler world";
        if self.best.calm.is_some() {
            let mut candidate = self.best.clone();
            candidate.calm = None;
            candidate.end += self.best.calm.unwrap_or(0).min(5 * SECOND);
            self.holds_on(candidate, self.effort.seeds);
        }
        for simpler in SIMPLER {
            let mut candidate = self.best.clone();
            simpler(&mut candidate.options);
            if candidate.text() != self.best.text() {
                self.holds_on(candidate, self.effort.seeds);
            }
        }
    }

    /// Delta debugging: without half of them, a quarter, …, one.
    fn fewer_deeds(&mut self) {
        self.stage = "fewer actions";
        let mut chunk = self.best.actions.len().div_ceil(2);
        while chunk > 0 {
            let mut begin = 0;
            while begin < self.best.actions.len() {
                let mut candidate = self.best.clone();
                let end = (begin + chunk).min(candidate.actions.len());
                candidate.actions.drain(begin..end);
                // Large parts are hardly ever without effect: many seeds would be a waste.
                let seeds = if chunk > 4 { 2 } else { self.effort.seeds };
                if !self.holds_on(candidate, seeds) {
                    begin += chunk;
                }
            }
            chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
        }
    }

    fn fewer_nodes(&mut self) {
        self.stage = "fewer nodes";
        if !self.best.options.twins.is_empty() {
            let candidate = self.best.without_twins();
            self.holds_on(candidate, self.effort.seeds);
        }
        for node in NodeIndex::all(self.best.options.kinds.len()).rev() {
            if self.best.options.kinds.len() <= 3 {
                break;
            }
            let candidate = self.best.without_node(node);
            self.holds_on(candidate, self.effort.seeds);
        }
    }

    /// Less stays broken when it is calm, and the calm is shorter.
    fn less_remains(&mut self) {
        let Some(calm) = self.best.calm else { return };
        self.stage = "less that stays broken";
        let mut candidate = self.best.clone();
        candidate.options.remaining = usual().remaining;
        if candidate.text() != self.best.text() && !self.holds_on(candidate, self.effort.seeds) {
            for index in (0..self.best.options.remaining.cuts.len()).rev() {
                let mut candidate = self.best.clone();
                candidate.options.remaining.cuts.remove(index);
                self.holds_on(candidate, self.effort.seeds);
            }
            for index in (0..self.best.options.remaining.retired.len()).rev() {
                let mut candidate = self.best.clone();
                candidate.options.remaining.retired.remove(index);
                self.holds_on(candidate, self.effort.seeds);
            }
        }
        for shorter in [SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND] {
            let mut candidate = self.best.clone();
            candidate.calm = Some(shorter);
            if shorter < calm && self.holds_on(candidate, 0) {
                break;
            }
        }
    }

    /// Waits and spans become nothing, or a round number.
    fn rounder_times(&mut self) {
        self.stage = "rounder times";
        let mut index = 0;
        while index < self.best.actions.len() + usize::from(self.best.calm.is_some()) {
            let before = index.checked_sub(1).map_or(0, |before| self.best.time_of(before));
            let gap = self.best.time_of(index) - before;
            for rounder in rounder(gap) {
                let candidate = self.best.moved(index, before + rounder);
                if self.holds_on(candidate, self.effort.seeds / 4) {
                    break;
                }
            }
            index += 1;
        }
        let mut index = 0;
        while index < self.best.actions.len() {
            let mut candidate = self.best.clone();
            let span = candidate.span_in(index).map_or(0, |span| *span);
            for rounder in rounder(span) {
                let mut candidate = self.best.clone();
                if let Some(span) = candidate.span_in(index) {
                    *span = rounder;
                }
                if self.holds_on(candidate, self.effort.seeds / 4) {
                    break;
                }
            }
            index += 1;
        }
    }

    /// The world's numbers become round.
    fn rounder_world(&mut self) {
        self.stage = "a rounder world";
        for share in SHARES {
            let now = *share(&mut self.best.options);
            for unit in [100_000, 10_000, 1_000].into_iter().filter(|unit| unit < &now) {
                let mut candidate = self.best.clone();
                *share(&mut candidate.options) = now - now % unit;
                if now % unit == 0 || self.holds_on(candidate, self.effort.seeds / 4) {
                    break;
                }
            }
        }
        for span in SPANS {
            let now = *span(&mut self.best.options);
            for unit in
                [SECOND, 100 * MILLI, 10 * MILLI, MILLI, 100 * MICRO].into_iter().filter(|&unit| unit < now)
            {
                let mut candidate = self.best.clone();
                *span(&mut candidate.options) = now - now % unit;
                let is_shown = candidate.text() != self.best.text();
                if now % unit == 0 || !is_shown || self.holds_on(candidate, self.effort.seeds / 4) {
                    break;
                }
            }
        }
    }

    /// The last wait only has to be long enough.
    fn campaign_end(&mut self) {
        if self.best.calm.is_none() {
            let last = self.best.actions.last().map_or(0, |&(at, _)| at);
            self.best.end = last + (self.best.end - last).next_multiple_of(100 * MILLI);
        }
    }
}

/// Simpler spans than this one, the simplest first.
fn rounder(span: u64) -> Vec<u64> {
    let shorter = [0, SECOND, 2 * SECOND, 5 * SECOND];
    let mut simpler: Vec<u64> = shorter.into_iter().filter(|&shorter| shorter < span).collect();
    for unit in [SECOND, 100 * MILLI, 10 * MILLI, MILLI, 100 * MICRO, 10 * MICRO, MICRO] {
        let down = span - span % unit;
        simpler.push(down);
        if unit <= span {
            simpler.push(down + unit);
        }
    }
    let mut seen = Vec::new();
    for candidate in simpler {
        if candidate != span && !seen.contains(&candidate) {
            seen.push(candidate);
        }
        if candidate == span {
            break; // It is as round as this already.
        }
    }
    seen
}
