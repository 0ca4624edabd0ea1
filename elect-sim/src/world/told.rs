//! What electors tell: noted, counted, and handed on to the host.

use elect_core::{Duty, Notice, Raised, SteppedDown, Stopped};

use super::World;
use crate::checkers::Checker;
use crate::clock::SECOND;
use crate::counts::Counted;
use crate::host::Call;
use crate::ids::NodeIndex;
use crate::input::Told;
use crate::profile::data_of;
use crate::queue::Event;
use crate::trace::{Detail, Marked};
use crate::trigger::Moment;

impl World {
    pub(crate) fn on_lost(&mut self, node: NodeIndex, loss: SteppedDown) {
        self.book.count(Counted::SteppedDown);
        self.note(Some(node), || format!("LOSES epoch {}: {}", loss.epoch, loss.reason));
        self.call(node, Call::Lost(loss));
        self.mark(node, Marked::Free);
    }

    pub(crate) fn on_told(&mut self, node: NodeIndex, told: Told) {
        if self.book.wants(Detail::Events) && !matches!(told, Told::Notice(Notice::Ignored { .. })) {
            let text = describe(&told);
            self.note(Some(node), || text);
        }
        self.mark_told(node, &told);
        match &told {
            Told::Duty(Duty::Elected(elected)) => {
                self.book.count(Counted::Election { behind: elected.catch_up_from().is_some() });
            }
            Told::Duty(Duty::EpochRaised { raised: Raised::InOffice(_), .. }) => {
                self.book.count(Counted::Raise);
            }
            Told::Notice(Notice::Following { leader, epoch, .. }) => {
                let following = NodeIndex::of(*leader).map(|leader| (leader, *epoch));
                self.set_following(node, following);
            }
            Told::Notice(Notice::LeaderLost { .. }) => self.set_following(node, None),
            &Told::Notice(Notice::NewerApplication { version, data, .. }) if data != data_of(version) => {
                let now = self.now();
                self.book.checks_mut().fail(Checker::HostsKnown, now, node, || {
                    format!("of version {version} it is told {data}")
                });
            }
            Told::Duty(Duty::Stopped { reason }) => self.on_stopped(node, reason),
            Told::Duty(Duty::Rebuilt) => {
                self.book.count(Counted::Rebuilt);
                self.book.checks_mut().rebuilt(node);
            }
            Told::Duty(Duty::Replaced { told_by, .. }) => {
                self.book.count(Counted::Noticed);
                let teller = NodeIndex::of(*told_by).unwrap_or(node);
                let now = self.now();
                self.book.checks_mut().counts_as_replaced(now, node, teller, node);
            }
            Told::Notice(
                Notice::CountsAsReplaced { node: peer, .. } | Notice::TwoGroups { node: peer, .. },
            ) => {
                if let Some(peer) = NodeIndex::of(*peer) {
                    let own = self.member(node);
                    let now = self.now();
                    self.book.checks_mut().counts_as_replaced(now, node, own, peer);
                }
            }
            _ => {}
        }
        if let Some(moment) = Moment::of(&told) {
            self.fire(node, moment);
        }
        self.call(node, Call::Told(told));
    }

    fn set_following(&mut self, node: NodeIndex, following: Option<(NodeIndex, elect_core::Epoch)>) {
        if let Some(process) = self.node_mut(node).process_mut() {
            process.set_following(following);
        }
    }

    pub(crate) fn mark_told(&mut self, node: NodeIndex, told: &Told) {
        let what = match told {
            Told::Duty(Duty::Elected(elected)) => Marked::Leads(elected.epoch().number()),
            Told::Duty(Duty::EpochRaised { raised: Raised::InOffice(stamp), .. }) => {
                Marked::Serves(stamp.epoch().number())
            }
            Told::Duty(Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. }) => {
                Marked::Leads(elected.epoch().number())
            }
            Told::Notice(Notice::CampaignStarted { epoch, .. }) => Marked::Stands(epoch.number()),
            Told::Notice(Notice::Following { leader, epoch, .. }) => {
                Marked::Follows(NodeIndex::of(*leader).unwrap_or(node), epoch.number())
            }
            Told::Notice(Notice::CampaignLost { .. } | Notice::LeaderLost { .. }) => Marked::Free,
            Told::Duty(Duty::Stopped { .. }) => Marked::Stops,
            _ => return,
        };
        self.mark(node, what);
    }

    /// An operator notices, repairs or replaces the storage, and starts the node again.
    pub(crate) fn on_stopped(&mut self, node: NodeIndex, reason: &Stopped) {
        if !self.is_member(node) {
            self.twin_stopped(node);
            return;
        }
        if !matches!(reason, Stopped::StorageFailed(_)) {
            self.notice_set_back(node);
            self.node_mut(node).disk_mut().wipe();
            self.book.checks_mut().lost_disk(node);
        }
        let wait = self.consequence_rng.between(SECOND, 5 * SECOND);
        let life = self.node(node).life();
        self.queue.push(self.clocks.now() + wait, Event::Repair { node, life });
    }
}

/// What happened, in few words.
fn describe(told: &Told) -> String {
    match told {
        Told::Duty(Duty::Elected(elected)) => match elected.catch_up_from() {
            Some(source) => format!("LEADS epoch {}, catches up from {source}", elected.epoch()),
            None => format!("LEADS epoch {}", elected.epoch()),
        },
        Told::Duty(Duty::EpochRaised { from, raised: Raised::InOffice(stamp) }) => {
            format!("raises its epoch from {from} to {}, in office", stamp.epoch())
        }
        Told::Duty(Duty::EpochRaised { from, raised: Raised::OnTheWay(elected) }) => {
            format!("raises its epoch from {from} to {}, on its way", elected.epoch())
        }
        Told::Notice(Notice::Following { leader, epoch, .. }) => format!("follows {leader} in {epoch}"),
        Told::Notice(Notice::LeaderLost { leader, epoch, reason }) => {
            format!("follows {leader} in {epoch} no longer: {reason}")
        }
        Told::Notice(Notice::CampaignStarted { epoch, rank }) => format!("campaigns in {epoch}, rank {rank}"),
        Told::Notice(Notice::CampaignLost { epoch, reason }) => {
            format!("ends its campaign in {epoch}: {reason:?}")
        }
        Told::Notice(Notice::Accepted { candidate, epoch }) => format!("accepts {candidate} in {epoch}"),
        Told::Notice(Notice::RefusedOffer { candidate, epoch, refusal }) => {
            format!("refuses {candidate} in {epoch}: {refusal}")
        }
        Told::Notice(Notice::OfferRefused { voter, epoch, refusal }) => {
            format!("is refused by {voter} in {epoch}: {refusal}")
        }
        Told::Duty(Duty::HandoverBegan { target, cause, .. }) => {
            format!("hands over to {target} ({cause:?})")
        }
        Told::Duty(Duty::HandoverAborted { target, reason }) => {
            format!("does not hand over to {target}: {reason:?}")
        }
        Told::Notice(Notice::Paused { .. }) => "failover is frozen".into(),
        Told::Duty(Duty::Stopped { reason }) => format!("STOPS: {reason}"),
        Told::Duty(duty) => format!("{duty:?}"),
        Told::Notice(notice) => format!("{notice:?}"),
    }
}
