//! What electors tell: noted, counted, and handed on to the host.

use elect_core::{Event, Loss, Raised, Stopped};

use crate::clock::SECOND;
use crate::host::Call;
use crate::queue::{NodeIndex, What};
use crate::trace::{Detail, Marked};
use crate::world::{World, index_of};

impl World {
    pub(crate) fn on_lost(&mut self, node: NodeIndex, loss: Loss) {
        self.counts.losses += 1;
        self.note(Some(node), || format!("LOSES epoch {}: {}", loss.epoch, loss.reason));
        self.call(node, Call::Lost(loss));
        self.mark(node, Marked::Free);
    }

    pub(crate) fn on_event(&mut self, node: NodeIndex, event: Event) {
        if self.trace.wants(Detail::Events) && !matches!(event, Event::Ignored { .. }) {
            let text = describe(&event);
            self.note(Some(node), || text);
        }
        self.mark_event(node, &event);
        match &event {
            Event::Elected(elected) => {
                self.counts.elections += 1;
                self.counts.behind += u64::from(elected.catch_up_from().is_some());
            }
            Event::EpochRaised { raised: Raised::InOffice(_), .. } => self.counts.raises += 1,
            Event::Following { leader, epoch, .. } => {
                let following = index_of(*leader).map(|leader| (leader, *epoch));
                self.set_following(node, following);
            }
            Event::LeaderLost { .. } => self.set_following(node, None),
            Event::Stopped { reason } => self.on_stopped(node, reason),
            Event::Rebuilt => self.counts.rebuilt += 1,
            _ => {}
        }
        self.call(node, Call::Happened(event));
    }

    fn set_following(&mut self, node: NodeIndex, following: Option<(NodeIndex, elect_core::Epoch)>) {
        if let Some(process) = &mut self.node_mut(node).process {
            process.following = following;
        }
    }

    pub(crate) fn mark_event(&mut self, node: NodeIndex, event: &Event) {
        let what = match event {
            Event::Elected(elected) => Marked::Leads(elected.epoch().number()),
            Event::EpochRaised { raised: Raised::InOffice(office), .. } => {
                Marked::Serves(office.epoch().number())
            }
            Event::EpochRaised { raised: Raised::OnTheWay(elected), .. } => {
                Marked::Leads(elected.epoch().number())
            }
            Event::Stood { epoch, .. } => Marked::Stands(epoch.number()),
            Event::Following { leader, epoch, .. } => {
                Marked::Follows(index_of(*leader).unwrap_or(node), epoch.number())
            }
            Event::RoundLost { .. } | Event::LeaderLost { .. } => Marked::Free,
            Event::Stopped { .. } => Marked::Stops,
            _ => return,
        };
        self.mark(node, what);
    }

    /// An operator notices, repairs or replaces the storage, and starts the node again.
    pub(crate) fn on_stopped(&mut self, node: NodeIndex, reason: &Stopped) {
        if !self.members().contains(&node) {
            return; // A machine that runs a copied disk is not repaired.
        }
        if matches!(reason, Stopped::Cloned { .. }) {
            self.node_mut(node).disk.wipe();
        }
        let wait = self.luck.between(SECOND, 5 * SECOND);
        let life = self.node(node).life;
        self.queue.push(self.now + wait, What::Repair { node, life });
    }
}

/// What happened, in few words.
fn describe(event: &Event) -> String {
    match event {
        Event::Elected(elected) => match elected.catch_up_from() {
            Some(source) => format!("LEADS epoch {}, catches up from {source}", elected.epoch()),
            None => format!("LEADS epoch {}", elected.epoch()),
        },
        Event::EpochRaised { from, raised: Raised::InOffice(office) } => {
            format!("raises its epoch from {from} to {}, in office", office.epoch())
        }
        Event::EpochRaised { from, raised: Raised::OnTheWay(elected) } => {
            format!("raises its epoch from {from} to {}, on its way", elected.epoch())
        }
        Event::Following { leader, epoch, .. } => format!("follows {leader} in {epoch}"),
        Event::LeaderLost { leader, epoch, reason } => {
            format!("follows {leader} in {epoch} no longer: {reason}")
        }
        Event::Stood { epoch, rank } => format!("stands in {epoch}, rank {rank}"),
        Event::RoundLost { epoch, reason } => format!("ends its round in {epoch}: {reason:?}"),
        Event::Accepted { candidate, epoch } => format!("accepts {candidate} in {epoch}"),
        Event::RefusedOffer { candidate, epoch, refusal } => {
            format!("refuses {candidate} in {epoch}: {refusal}")
        }
        Event::OfferRefused { voter, epoch, refusal } => {
            format!("is refused by {voter} in {epoch}: {refusal}")
        }
        Event::HandoverBegan { target, cause, .. } => format!("hands over to {target} ({cause:?})"),
        Event::HandoverAborted { target, reason } => format!("does not hand over to {target}: {reason:?}"),
        Event::Paused { .. } => "failover is frozen".into(),
        Event::Stopped { reason } => format!("STOPS: {reason}"),
        other => format!("{other:?}"),
    }
}
