//! All points in time that an elector waits for, reduced to one deadline.

use crate::time::Time;

/// What an elector may wait for, in the order in which due timers are served: losses first (R25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The lease ends.
    Lease,
    /// The save in progress counts as stalled.
    Save,
    /// The way into office must be behind.
    Office,
    /// The host must have said again that it is well.
    Health,
    /// The handover must be done.
    Handover,
    /// The campaign must be won.
    Round,
    /// The promise ends.
    Promise,
    /// The pause of failover ends.
    Pause,
    /// A reason to wait before campaigning may have ended.
    Campaign,
    /// The next heartbeat is due.
    Heartbeat,
}

impl Timer {
    const COUNT: usize = 10;
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Lease,
        Self::Save,
        Self::Office,
        Self::Health,
        Self::Handover,
        Self::Round,
        Self::Promise,
        Self::Pause,
        Self::Campaign,
        Self::Heartbeat,
    ];
}

/// One point per timer, [`Time::NEVER`] where it is not set.
#[derive(Clone, Debug)]
pub(crate) struct Timers {
    points: [Time; Timer::COUNT],
    deadline: Time,
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Self { points: [Time::NEVER; Timer::COUNT], deadline: Time::NEVER }
    }

    /// The earliest point.
    #[inline]
    pub(crate) const fn deadline(&self) -> Time {
        self.deadline
    }

    #[inline]
    pub(crate) fn set(&mut self, timer: Timer, at: Time) {
        let slot = &mut self.points[timer as usize];
        let was = core::mem::replace(slot, at);
        if at <= self.deadline {
            self.deadline = at;
        } else if was == self.deadline {
            self.deadline = self.points.iter().copied().fold(Time::NEVER, Time::min);
        }
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.set(timer, Time::NEVER);
    }

    pub(crate) fn clear_all(&mut self) {
        *self = Self::new();
    }

    pub(crate) fn get(&self, timer: Timer) -> Time {
        self.points[timer as usize]
    }

    /// Takes the first timer that is due at `now`.
    pub(crate) fn take_due(&mut self, now: Time) -> Option<Timer> {
        if now < self.deadline {
            return None;
        }
        let is_due = |&timer: &Timer| self.get(timer) <= now && self.get(timer) != Time::NEVER;
        let due = Timer::ALL.into_iter().find(is_due)?;
        self.clear(due);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_the_earliest_point_and_losses_come_first() {
        let at = Time::from_nanos;
        let mut timers = Timers::new();
        assert_eq!(timers.deadline(), Time::NEVER);
        timers.set(Timer::Heartbeat, at(5));
        timers.set(Timer::Lease, at(9));
        assert_eq!(timers.deadline(), at(5));
        timers.set(Timer::Heartbeat, at(20));
        assert_eq!(timers.deadline(), at(9));
        assert_eq!(timers.take_due(at(8)), None);
        timers.set(Timer::Promise, at(8));
        assert_eq!(timers.take_due(at(30)), Some(Timer::Lease));
        assert_eq!(timers.take_due(at(30)), Some(Timer::Promise));
        assert_eq!(timers.take_due(at(30)), Some(Timer::Heartbeat));
        assert_eq!(timers.take_due(at(30)), None);
        assert_eq!(timers.deadline(), Time::NEVER);
        assert_eq!(timers.take_due(Time::NEVER), None, "what is not set is never due");
    }
}
