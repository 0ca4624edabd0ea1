//! The points in time that many groups wait for: the earliest is at hand, and a change of one costs no look at the others.

use std::collections::HashMap;

use elect_core::Time;

/// A heap that knows where each group stands in it.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: Vec<(Time, u32)>,
    places: HashMap<u32, usize>,
}

impl Deadlines {
    pub(super) fn earliest(&self) -> Option<(Time, u32)> {
        self.heap.first().copied()
    }

    /// That group waits for `at` now.
    pub(super) fn set(&mut self, group: u32, at: Time) {
        let place = self.places.get(&group).copied().unwrap_or(self.heap.len());
        if place == self.heap.len() {
            self.heap.push((at, group));
            self.places.insert(group, place);
        }
        self.heap[place].0 = at;
        let place = self.rise(place);
        self.sink(place);
    }

    pub(super) fn remove(&mut self, group: u32) {
        let Some(place) = self.places.remove(&group) else { return };
        self.heap.swap_remove(place);
        if let Some(&(_, moved)) = self.heap.get(place) {
            self.places.insert(moved, place);
            let place = self.rise(place);
            self.sink(place);
        }
    }

    fn rise(&mut self, mut place: usize) -> usize {
        while place > 0 && self.heap[place] < self.heap[(place - 1) / 2] {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
        place
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let children = 2 * place + 1..(2 * place + 3).min(self.heap.len());
            let Some(least) = children.min_by_key(|child| self.heap[*child]) else { return };
            if self.heap[place] <= self.heap[least] {
                return;
            }
            self.swap(place, least);
            place = least;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        for place in [one, other] {
            self.places.insert(self.heap[place].1, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Against a map that is looked through whole.
    #[test]
    fn the_earliest_is_at_hand_after_every_change() {
        let (mut deadlines, mut model, mut seed) = (Deadlines::default(), BTreeMap::new(), 7_u64);
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (group, at) = ((seed >> 40) as u32 % 50, Time::from_nanos((seed >> 20) % 1000));
            if (seed >> 60) < 3 {
                deadlines.remove(group);
                model.remove(&group);
            } else {
                deadlines.set(group, at);
                model.insert(group, at);
            }
            let earliest = model.iter().map(|(group, at)| (*at, *group)).min();
            assert_eq!(deadlines.earliest(), earliest);
            assert_eq!(deadlines.heap.len(), model.len());
        }
    }
}
