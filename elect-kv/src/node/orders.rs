//! What the host tells the log's thread. Never waits, and never holds more than a few orders: a newer role takes the place
//! of what was ordered for an older one.

use std::sync::{Mutex, PoisonError};

use elect_core::{Epoch, NodeId, Source, Stamp};

use super::bell::Bell;

/// What the host tells the log's thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// This node follows `leader`.
    Follow { leader: NodeId, epoch: Epoch },
    /// It neither leads nor follows.
    StandAside,
    /// It won `epoch`; `source` holds more than its own log.
    Elected { epoch: Epoch, source: Option<Source> },
    /// It has caught up: its own entry comes next.
    Begin(Stamp),
    /// It raised its epoch and goes on.
    Raise(Epoch),
    /// Its storage counts as intact, or as replaced.
    Storage { intact: bool },
    /// The way to a peer broke: its connection is not trusted any longer.
    Unlink(NodeId),
    /// It ends.
    Stop,
}

/// Orders that wait to be carried out.
#[derive(Debug)]
pub(super) struct Orders {
    waiting: Mutex<Vec<Order>>,
    bell: Bell,
}

impl Orders {
    pub(super) fn new(bell: Bell) -> Self {
        Self { waiting: Mutex::default(), bell }
    }

    pub(super) fn give(&self, order: Order) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|earlier| !order.replaces(*earlier));
        waiting.push(order);
        drop(waiting);
        self.bell.ring();
    }

    /// Everything that waits, in order.
    pub(super) fn take(&self) -> Vec<Order> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Order {
    /// Whether this order makes `earlier` moot.
    fn replaces(self, earlier: Self) -> bool {
        match self {
            Self::Follow { .. } | Self::StandAside | Self::Elected { .. } => {
                !matches!(earlier, Self::Storage { .. } | Self::Unlink(_) | Self::Stop)
            }
            Self::Begin(_) => matches!(earlier, Self::Begin(_)),
            Self::Raise(_) => matches!(earlier, Self::Raise(_)),
            Self::Storage { .. } => matches!(earlier, Self::Storage { .. }),
            Self::Unlink(_) => earlier == self,
            Self::Stop => matches!(earlier, Self::Stop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_role_takes_the_place_of_an_older_one_and_few_orders_wait() {
        let orders = Orders::new(Bell::new().0);
        let epoch = Epoch::new;
        for number in 1..1_000 {
            orders.give(Order::Elected { epoch: epoch(number), source: None });
            orders.give(Order::Begin(Stamp::received(epoch(number))));
            orders.give(Order::Raise(epoch(number + 1)));
            orders.give(Order::Storage { intact: number % 2 == 0 });
            orders.give(Order::Raise(epoch(number + 2)));
            orders.give(Order::Unlink(NodeId::new("b").unwrap()));
            orders.give(Order::StandAside);
        }
        orders.give(Order::Elected { epoch: epoch(2_000), source: None });
        orders.give(Order::Raise(epoch(2_001)));
        orders.give(Order::Stop);
        let elected = Order::Elected { epoch: epoch(2_000), source: None };
        let unlink = Order::Unlink(NodeId::new("b").unwrap());
        let storage = Order::Storage { intact: false };
        let expected = [storage, unlink, elected, Order::Raise(epoch(2_001)), Order::Stop];
        assert_eq!(orders.take(), expected);
        assert_eq!(orders.take(), []);
    }
}
