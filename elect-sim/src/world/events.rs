//! What electors tell: noted, counted, and handed on to the host.

use elect_core::{Duty, Loss, Notice, Raised, Stopped};

use super::World;
use crate::clock::SECOND;
use crate::counts::Counted;
use crate::host::Call;
use crate::ids::NodeIndex;
use crate::input::Event;
use crate::queue::What;
use crate::trace::{Detail, Marked};
use crate::trigger::Moment;

impl World {
    pub(crate) fn on_lost(&mut self, node: NodeIndex, loss: Loss) {
        self.book.count(Counted::Loss);
        self.note(Some(node), || format!("LOSES epoch {}: {}", loss.epoch, loss.reason));
        self.call(node, Call::Lost(loss));
        self.mark(node, Marked::Free);
    }

    pub(crate) fn on_event(&mut self, node: NodeIndex, event: Event) {
        if self.book.wants(Detail::Events) && !matches!(event, Event::Notice(Notice::Ignored { .. })) {
            let text = describe(&event);
            self.note(Some(node), || text);
        }
        self.mark_event(node, &event);
        match &event {
            Event::Duty(Duty::Elected(elected)) => {
                self.book.count(Counted::Election { behind: elected.catch_up_from().is_some() });
            }
            Event::Duty(Duty::EpochRaised { raised: Raised::InOffice(_), .. }) => {
                self.book.count(Counted::Raise);
            }
            Event::Notice(Notice::Following { leader, epoch, .. }) => {
                let following = NodeIndex::of(*leader).map(|leader| (leader, *epoch));
                self.set_following(node, following);
            }
            Event::Notice(Notice::LeaderLost { .. }) => self.set_following(node, None),
            Event::Duty(Duty::Stopped { reason }) => self.on_stopped(node, reason),
            Event::Duty(Duty::Rebuilt) => {
                self.book.count(Counted::Rebuilt);
                self.book.checks_mut().rebuilt(node);
            }
            Event::Duty(Duty::Replaced { told_by, .. }) => {
                self.book.count(Counted::Noticed);
                let teller = NodeIndex::of(*told_by).unwrap_or(node);
                let now = self.now();
                self.book.checks_mut().counts_as_replaced(now, node, teller, node);
            }
            Event::Notice(
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
        if let Some(moment) = Moment::of(&event) {
            self.fire(node, moment);
        }
        self.call(node, Call::Told(event));
    }

    fn set_following(&mut self, node: NodeIndex, following: Option<(NodeIndex, elect_core::Epoch)>) {
        if let Some(process) = self.node_mut(node).process_mut() {
            process.set_following(following);
        }
    }

    pub(crate) fn mark_event(&mut self, node: NodeIndex, event: &Event) {
        let what = match event {
            Event::Duty(Duty::Elected(elected)) => Marked::Leads(elected.epoch().number()),
            Event::Duty(Duty::EpochRaised { raised: Raised::InOffice(stamp), .. }) => {
                Marked::Serves(stamp.epoch().number())
            }
            Event::Duty(Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. }) => {
                Marked::Leads(elected.epoch().number())
            }
            Event::Notice(Notice::Stood { epoch, .. }) => Marked::Stands(epoch.number()),
            Event::Notice(Notice::Following { leader, epoch, .. }) => {
                Marked::Follows(NodeIndex::of(*leader).unwrap_or(node), epoch.number())
            }
            Event::Notice(Notice::RoundLost { .. } | Notice::LeaderLost { .. }) => Marked::Free,
            Event::Duty(Duty::Stopped { .. }) => Marked::Stops,
            _ => return,
        };
        self.mark(node, what);
    }

    /// An operator notices, repairs or replaces the storage, and starts the node again.
    pub(crate) fn on_stopped(&mut self, node: NodeIndex, reason: &Stopped) {
        if !self.is_member(node) {
            return; // A machine that runs a copied disk is not repaired.
        }
        if !matches!(reason, Stopped::StorageFailed(_)) {
            self.node_mut(node).disk_mut().wipe();
            self.book.checks_mut().lost_disk(node);
        }
        let wait = self.luck.between(SECOND, 5 * SECOND);
        let life = self.node(node).life();
        self.queue.push(self.clocks.now() + wait, What::Repair { node, life });
    }
}

/// What happened, in few words.
fn describe(event: &Event) -> String {
    match event {
        Event::Duty(Duty::Elected(elected)) => match elected.catch_up_from() {
            Some(source) => format!("LEADS epoch {}, catches up from {source}", elected.epoch()),
            None => format!("LEADS epoch {}", elected.epoch()),
        },
        Event::Duty(Duty::EpochRaised { from, raised: Raised::InOffice(stamp) }) => {
            format!("raises its epoch from {from} to {}, in office", stamp.epoch())
        }
        Event::Duty(Duty::EpochRaised { from, raised: Raised::OnTheWay(elected) }) => {
            format!("raises its epoch from {from} to {}, on its way", elected.epoch())
        }
        Event::Notice(Notice::Following { leader, epoch, .. }) => format!("follows {leader} in {epoch}"),
        Event::Notice(Notice::LeaderLost { leader, epoch, reason }) => {
            format!("follows {leader} in {epoch} no longer: {reason}")
        }
        Event::Notice(Notice::Stood { epoch, rank }) => format!("stands in {epoch}, rank {rank}"),
        Event::Notice(Notice::RoundLost { epoch, reason }) => {
            format!("ends its round in {epoch}: {reason:?}")
        }
        Event::Notice(Notice::Accepted { candidate, epoch }) => format!("accepts {candidate} in {epoch}"),
        Event::Notice(Notice::RefusedOffer { candidate, epoch, refusal }) => {
            format!("refuses {candidate} in {epoch}: {refusal}")
        }
        Event::Notice(Notice::OfferRefused { voter, epoch, refusal }) => {
            format!("is refused by {voter} in {epoch}: {refusal}")
        }
        Event::Duty(Duty::HandoverBegan { target, cause, .. }) => {
            format!("hands over to {target} ({cause:?})")
        }
        Event::Duty(Duty::HandoverAborted { target, reason }) => {
            format!("does not hand over to {target}: {reason:?}")
        }
        Event::Notice(Notice::Paused { .. }) => "failover is frozen".into(),
        Event::Duty(Duty::Stopped { reason }) => format!("STOPS: {reason}"),
        Event::Duty(duty) => format!("{duty:?}"),
        Event::Notice(notice) => format!("{notice:?}"),
    }
}
