//! What this node is in its group, as any thread may read it without a lock.

use std::sync::Arc;

use arc_swap::ArcSwap;
use elect_core::{Duty, Epoch, NodeId, Notice, Raised};

use crate::signal::Signal;

/// What a node is in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It knows of no leader.
    Leaderless,
    /// It follows a leader.
    Follower {
        /// Who leads.
        leader: NodeId,
        /// The epoch led.
        epoch: Epoch,
    },
    /// It stands for election.
    Candidate {
        /// The epoch it offers.
        epoch: Epoch,
    },
    /// It was elected. Whether it may serve at this moment, [`NodeHandle::lease`](crate::NodeHandle::lease) and the
    /// office say by the clock.
    Leader {
        /// The epoch led.
        epoch: Epoch,
        /// Whether its host is in office; otherwise it is on the way.
        in_office: bool,
        /// To whom it hands over.
        hands_over_to: Option<NodeId>,
    },
    /// The node has ended.
    Ended,
}

/// Follows what the elector tells its host, and is written before the host hears it.
#[derive(Clone, Debug)]
pub(crate) struct RoleCell {
    role: Arc<ArcSwap<Role>>,
    signal: Signal,
}

impl RoleCell {
    pub(crate) fn new(signal: Signal) -> Self {
        Self { role: Arc::new(ArcSwap::from_pointee(Role::Leaderless)), signal }
    }

    pub(crate) fn read(&self) -> Role {
        **self.role.load()
    }

    /// The epoch that this node leads, as its host was told.
    pub(crate) fn led(&self) -> Option<Epoch> {
        match self.read() {
            Role::Leader { epoch, .. } => Some(epoch),
            _ => None,
        }
    }

    pub(crate) fn is_handing_over(&self) -> bool {
        matches!(self.read(), Role::Leader { hands_over_to: Some(_), .. })
    }

    fn write(&self, role: Role) {
        if self.read() != role {
            self.role.store(Arc::new(role));
            self.signal.raise();
        }
    }

    pub(crate) fn on_lost(&self) {
        self.write(Role::Leaderless);
    }

    pub(crate) fn on_duty(&self, duty: &Duty) {
        let role = match (duty, self.read()) {
            (Duty::Elected(elected), _) => {
                Role::Leader { epoch: elected.epoch(), in_office: false, hands_over_to: None }
            }
            (Duty::EpochRaised { raised, .. }, Role::Leader { hands_over_to, .. }) => Role::Leader {
                epoch: raised.epoch(),
                in_office: matches!(raised, Raised::InOffice(_)),
                hands_over_to,
            },
            (Duty::HandoverBegan { target, .. }, Role::Leader { epoch, in_office, .. }) => {
                Role::Leader { epoch, in_office, hands_over_to: Some(*target) }
            }
            (Duty::HandoverAborted { .. }, Role::Leader { epoch, in_office, .. }) => {
                Role::Leader { epoch, in_office, hands_over_to: None }
            }
            _ => return,
        };
        self.write(role);
    }

    /// The host says that it is in office, and the elector, whether that is so.
    pub(crate) fn on_office(&self, is_so: bool) {
        if let (true, Role::Leader { epoch, hands_over_to, .. }) = (is_so, self.read()) {
            self.write(Role::Leader { epoch, in_office: true, hands_over_to });
        }
    }

    pub(crate) fn on_notice(&self, notice: &Notice) {
        let role = match (notice, self.read()) {
            (&Notice::Following { leader, epoch, .. }, _) => Role::Follower { leader, epoch },
            (&Notice::CampaignStarted { epoch, .. }, _) => Role::Candidate { epoch },
            (Notice::LeaderLost { .. }, Role::Follower { .. })
            | (Notice::CampaignLost { .. }, Role::Candidate { .. }) => Role::Leaderless,
            _ => return,
        };
        self.write(role);
    }

    pub(crate) fn on_ended(&self) {
        self.role.store(Arc::new(Role::Ended));
        self.signal.end();
    }
}

#[cfg(test)]
mod tests {
    use elect_core::{Address, CampaignLost, HandoverAborted, HandoverCause, LeaderLost, Time};
    use elect_harness::id;

    use super::*;

    #[test]
    fn the_cell_says_what_the_host_was_told() {
        let (signal, epoch) = (Signal::default(), Epoch::new(3));
        let cell = RoleCell::new(signal.clone());
        let (leader, address) = (id("b"), Address::default());
        let began =
            Duty::HandoverBegan { target: leader, deadline: Time::ZERO, cause: HandoverCause::Requested };
        let aborted = Duty::HandoverAborted { target: leader, reason: HandoverAborted::Cancelled };
        cell.on_office(true);
        cell.on_duty(&began);
        cell.on_duty(&aborted);
        cell.on_notice(&Notice::CampaignLost { epoch, reason: CampaignLost::Withdrawn });
        assert_eq!((cell.read(), cell.led()), (Role::Leaderless, None), "nothing leads");
        cell.on_notice(&Notice::CampaignStarted { epoch, rank: 0 });
        assert_eq!(cell.read(), Role::Candidate { epoch });
        cell.on_notice(&Notice::Following { leader, epoch, address });
        cell.on_notice(&Notice::CampaignLost { epoch, reason: CampaignLost::Withdrawn });
        assert_eq!(cell.read(), Role::Follower { leader, epoch });
        cell.on_notice(&Notice::LeaderLost { leader, epoch, reason: LeaderLost::Silent });
        assert_eq!(cell.read(), Role::Leaderless);
        let leads = |in_office, hands_over_to| Role::Leader { epoch, in_office, hands_over_to };
        cell.write(leads(false, None));
        cell.on_office(false);
        assert_eq!(cell.read(), leads(false, None), "its host errs");
        cell.on_office(true);
        assert!(!cell.is_handing_over());
        cell.on_duty(&began);
        assert_eq!((cell.read(), cell.is_handing_over()), (leads(true, Some(leader)), true));
        cell.on_duty(&aborted);
        assert_eq!((cell.read(), cell.led()), (leads(true, None), Some(epoch)));
        let mut listener = signal.listen();
        cell.on_office(true);
        let now = Some(std::time::Instant::now());
        assert_eq!(listener.wait(now), crate::signal::Waited::DeadlinePassed, "nothing changed");
        cell.on_lost();
        assert_eq!((cell.read(), listener.wait(now)), (Role::Leaderless, crate::signal::Waited::Changed));
        cell.on_ended();
        assert_eq!(cell.read(), Role::Ended);
    }
}
