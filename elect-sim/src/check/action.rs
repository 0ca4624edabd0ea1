//! What can happen next in a model.

use super::bounds::{NODES, STRAYS_MAX};

/// One event of a model. Its number is its place in a fixed order of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// Whatever is next in turn: a deadline, a frame, a save.
    Proceed,
    /// Nothing is left to do: the next moment comes on every clock.
    Wait,
    /// The frame whose turn it is goes astray: it arrives at any later point, or never.
    Stray,
    /// The frame whose turn it is arrives, and a copy of it goes astray.
    Copy,
    /// The save whose turn it is turns out to be slow: it is done at any later point, or never.
    Delay,
    /// A stray frame arrives.
    Arrive(u8),
    /// A slow save is done.
    Save(u8),
    /// A process dies; a save under way has no effect.
    Crash(u8),
    /// A process dies when its save has taken effect and it does not know yet.
    CrashAfterSave(u8),
    /// A process starts from what its disk holds.
    Start(u8),
    /// A process stands still: what is due at it, and what arrives, waits.
    Sleep(u8),
    /// It goes on.
    Wake(u8),
    /// A link breaks: what is under way there, and what is sent until it heals, is lost.
    Cut(u8, u8),
    /// A link works again.
    Heal(u8, u8),
}

impl Action {
    /// All of them.
    pub(super) const ALL: [Self; Self::COUNT] = Self::all();
    /// How many there are.
    pub(super) const COUNT: usize = 5 + STRAYS_MAX + NODES * 6 + 2 * NODES * NODES;

    #[expect(clippy::cast_possible_truncation, reason = "small numbers, in a constant")]
    const fn all() -> [Self; Self::COUNT] {
        let mut all = [Self::Proceed; Self::COUNT];
        let mut number = 1;
        while number < Self::COUNT {
            all[number] = match number {
                1 => Self::Wait,
                2 => Self::Stray,
                3 => Self::Copy,
                4 => Self::Delay,
                _ if number < 5 + STRAYS_MAX => Self::Arrive((number - 5) as u8),
                _ if number < 5 + STRAYS_MAX + NODES * 6 => {
                    let number = number - 5 - STRAYS_MAX;
                    Self::of_node(number / NODES, (number % NODES) as u8)
                }
                _ => {
                    let link = number - 5 - STRAYS_MAX - NODES * 6;
                    let (from, to) = ((link / NODES % NODES) as u8, (link % NODES) as u8);
                    if link < NODES * NODES { Self::Cut(from, to) } else { Self::Heal(from, to) }
                }
            };
            number += 1;
        }
        all
    }

    const fn of_node(which: usize, node: u8) -> Self {
        match which {
            0 => Self::Save(node),
            1 => Self::Crash(node),
            2 => Self::CrashAfterSave(node),
            3 => Self::Start(node),
            4 => Self::Sleep(node),
            _ => Self::Wake(node),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_number_is_another_action() {
        let all: HashSet<_> = Action::ALL.into_iter().collect();
        assert_eq!(all.len(), Action::COUNT);
        assert!(all.contains(&Action::Heal(2, 1)) && all.contains(&Action::Wake(2)));
    }
}
