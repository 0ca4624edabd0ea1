//! What the host does on the events of the elector.

use std::time::{Duration, Instant};

use elect_core::{
    Duty, Elected, Epoch, NodeId, NotRebuilt, Notice, Position, Raised, RebuiltTo, RequestRefused, Stamp,
    SteppedDown,
};
use elect_tcp::{Ended, HostEvent, Link, NodeNotice, RequestError};

use super::host::Host;
use super::input::Ending;
use super::orders::Order;
use super::promotion::Promotion;
use super::shared::Leader;
use crate::event_log::Kind;

/// How long to wait before a proof that came too early is shown again.
const REBUILT_AGAIN: Duration = Duration::from_millis(100);

impl Host {
    pub(super) fn on_event(&mut self, event: HostEvent) {
        match event {
            HostEvent::Lost(loss) => self.on_lost(loss),
            HostEvent::Act(duty) => self.on_duty(duty),
            HostEvent::Ended(Ended::Shutdown) => {
                self.ending.get_or_insert(Ending::Stopped);
            }
            HostEvent::Ended(ended) => self.fail(format!("the election stopped: {}", name_of_end(&ended))),
            HostEvent::Happened(NodeNotice::Elector(notice)) => self.on_notice(notice),
            HostEvent::Happened(NodeNotice::VoteFileRepaired { copies }) => {
                let text = format!(
                    "{copies} of four copies in the vote file were restored: a save was cut off, or the disk rots"
                );
                self.log.tell(Kind::Warning, None, None, &text);
            }
            HostEvent::Happened(NodeNotice::DiallerRefused(refused)) => {
                self.log.tell(Kind::Warning, None, None, &refused.to_string());
            }
            HostEvent::Happened(NodeNotice::VoteFileMoved { path }) => {
                let text = format!(
                    "{} is not the file that this node wrote last: if it was restored from a backup and is not the newest, \
                     stop this node and run `elect-kv replace-lost`",
                    path.display()
                );
                self.log.tell(Kind::Warning, None, None, &text);
            }
            HostEvent::Happened(NodeNotice::LinkChanged(link)) => self.on_link(&link),
            HostEvent::Happened(NodeNotice::Transport(notice)) => {
                self.log.tell(Kind::Warning, None, None, &notice.to_string());
            }
            // Diagnostics: `ELECT EXPLAIN` shows them as they are now.
            HostEvent::Happened(_) => {}
        }
    }

    /// News of the election link are news of the way to the peer: a replication connection that stood on it is not trusted
    /// any longer, and one that does not stand is dialled at once.
    fn on_link(&mut self, link: &Link) {
        let is_up = link.outbound.is_up && link.inbound.is_up;
        if is_up {
            self.linked.insert(link.peer);
            self.shared.links_up.notify_waiters();
        } else if self.linked.remove(&link.peer) {
            self.orders.give(Order::Unlink(link.peer));
        }
        let text = format!("link to {}", link.describe(self.shared.handle.now()));
        let kind = if is_up { Kind::LinkUp } else { Kind::LinkDown };
        self.log.tell(kind, None, Some(link.peer), &text);
    }

    fn on_duty(&mut self, duty: Duty) {
        let own = self.shared.settings.node();
        match duty {
            Duty::Elected(elected) => self.on_elected(elected),
            Duty::EpochRaised { from, raised } => self.on_raised(from, raised),
            Duty::HandoverBegan { target, cause, .. } => {
                (self.draining, self.answered) = (true, false);
                self.shared.writes.drain(true);
                let text = format!("{own} hands over to {target}, because {cause}: nothing new is admitted");
                self.log.tell(Kind::HandoverBegan, self.promotion.epoch(), Some(own), &text);
            }
            Duty::HandoverAborted { target, reason } => {
                self.stop_draining();
                self.shared.handovers_aborted.send_modify(|count| *count += 1);
                let text = format!("the handover to {target} is off: {reason}");
                self.log.tell(Kind::HandoverAborted, self.promotion.epoch(), Some(own), &text);
            }
            Duty::Rebuilt => {
                self.orders.give(Order::Storage { intact: true });
                self.log.tell(
                    Kind::Rebuilt,
                    None,
                    None,
                    "the replaced storage has caught up: this node votes again",
                );
            }
            Duty::Replaced { .. } => {
                let text = duty.to_string();
                self.orders.give(Order::Storage { intact: false });
                self.log.tell(Kind::Replaced, None, None, &text);
            }
            Duty::Stopped { reason } => self.fail(reason.to_string()),
        }
    }

    fn on_notice(&mut self, notice: Notice) {
        let own = self.shared.settings.node();
        match notice {
            Notice::Following { leader, epoch, address } => {
                self.on_following(leader, epoch, address.as_str());
            }
            Notice::LeaderAddress { leader, address } => self.on_leader_address(leader, address.as_str()),
            Notice::LeaderLost { leader, epoch, reason } => {
                self.shared.set_leader(None);
                self.rebuilt = None;
                self.orders.give(Order::StandAside);
                let text = format!("{own} no longer follows {leader}: {reason}");
                self.log.tell(Kind::LeaderLost, Some(epoch), Some(leader), &text);
            }
            Notice::CampaignStarted { epoch, rank } => {
                let text = format!("{own} campaigns for epoch {epoch}, rank {rank}");
                self.log.tell(Kind::CampaignStarted, Some(epoch), None, &text);
            }
            Notice::CampaignLost { epoch, reason } => {
                let text = format!("{own} does not win epoch {epoch}: {reason}");
                self.log.tell(Kind::CampaignLost, Some(epoch), None, &text);
            }
            Notice::Accepted { candidate, epoch } => {
                let text = format!("{own} votes for {candidate} in epoch {epoch}");
                self.log.tell(Kind::Accepted, Some(epoch), None, &text);
            }
            Notice::Paused { .. } => self.log.tell(Kind::Paused, None, None, &notice.to_string()),
            Notice::Resumed => self.log.tell(Kind::Resumed, None, None, &notice.to_string()),
            Notice::EntriesLost { node, .. }
            | Notice::PromiseTooShort { voter: node, .. }
            | Notice::CountsAsReplaced { node, .. }
            | Notice::TwoGroups { node, .. } => {
                self.log.tell(Kind::Warning, None, Some(node), &notice.to_string());
            }
            Notice::GenesisSaved { epoch, .. } => {
                self.log.tell(Kind::Genesis, Some(epoch), None, &notice.to_string());
            }
            Notice::NewerApplication { .. }
            | Notice::PreferencesContradict { .. }
            | Notice::SlowerThanConfigured(_) => {
                self.log.tell(Kind::Warning, None, None, &notice.to_string());
            }
            // Diagnostics of single frames: `ELECT EXPLAIN` shows their effect.
            _ => {}
        }
    }

    /// Demotes at once. The lease cell has fallen already, and the fence refuses what is on its way.
    fn on_lost(&mut self, loss: SteppedDown) {
        let own = self.shared.settings.node();
        self.shared.set_office(None);
        self.abandon_writes();
        self.promotion = Promotion::NotElected;
        self.draining = false;
        self.source_since = None;
        self.shared.set_leader(None);
        self.orders.give(Order::StandAside);
        self.shared.leads.send_replace(false);
        let text = format!("{own} no longer leads epoch {}: {}", loss.epoch, loss.reason);
        self.log.tell(Kind::SteppedDown, Some(loss.epoch), None, &text);
    }

    fn on_elected(&mut self, elected: Elected) {
        let own = self.shared.settings.node();
        let epoch = elected.epoch();
        self.log.tell(Kind::Elected, Some(epoch), Some(own), &format!("{own} won epoch {epoch}"));
        self.begin_promotion(elected);
    }

    /// The first step into office: catching up comes next, then the own entry.
    fn begin_promotion(&mut self, elected: Elected) {
        let own = self.shared.settings.node();
        let (epoch, source) = (elected.epoch(), elected.catch_up_from());
        self.shared.set_office(None);
        self.set_own_leader(epoch);
        self.source_since = source.map(|_| self.shared.handle.now());
        if let Some(source) = source {
            let text = format!("{own} pulls from {source} before it serves");
            self.log.tell(Kind::CatchingUp, Some(epoch), Some(own), &text);
        }
        self.promotion = Promotion::Elected(elected);
        self.orders.give(Order::Elected { epoch, source });
    }

    pub(super) fn on_caught_up(&mut self, epoch: Epoch, held: Position) {
        self.promotion = match std::mem::replace(&mut self.promotion, Promotion::NotElected) {
            Promotion::Elected(elected) if elected.epoch() == epoch => match elected.caught_up(Some(held)) {
                Ok(caught_up) => {
                    self.source_since = None;
                    let own = self.shared.settings.node();
                    let text = format!("{own} holds {held}: all that was acknowledged before");
                    self.log.tell(Kind::CaughtUp, Some(epoch), Some(own), &text);
                    self.orders.give(Order::Begin(caught_up.stamp()));
                    Promotion::CaughtUp(caught_up)
                }
                Err((elected, _)) => Promotion::Elected(elected),
            },
            other => other,
        };
    }

    pub(super) fn on_source_lost(&mut self, epoch: Epoch) {
        if matches!(&self.promotion, Promotion::Elected(elected) if elected.epoch() == epoch) {
            let own = self.shared.settings.node();
            self.source_since = None;
            self.log.tell(Kind::SourceLost, Some(epoch), Some(own), "the node to catch up with is lost");
            self.shared.handle.on_source_lost();
        }
    }

    pub(super) fn on_own_entry(&mut self, entry: Position) {
        self.promotion = match std::mem::replace(&mut self.promotion, Promotion::NotElected) {
            Promotion::CaughtUp(caught_up) => match caught_up.own_entry_committed(entry) {
                Ok(office) => {
                    let own = self.shared.settings.node();
                    self.shared.handle.on_office(&office);
                    let stamp = Stamp::received(entry.epoch);
                    self.shared.writes.open(office.clone(), stamp);
                    self.shared.set_office(Some(office));
                    let text = format!("{own} serves as the primary of epoch {}", entry.epoch);
                    self.log.tell(Kind::InOffice, Some(entry.epoch), Some(own), &text);
                    Promotion::InOffice(stamp)
                }
                Err((caught_up, _)) => Promotion::CaughtUp(caught_up),
            },
            other => other,
        };
    }

    fn on_raised(&mut self, from: Epoch, raised: Raised) {
        let own = self.shared.settings.node();
        match raised {
            Raised::InOffice(stamp) => {
                let epoch = stamp.epoch();
                self.set_own_leader(epoch);
                if let Promotion::InOffice(led) = &mut self.promotion {
                    *led = stamp;
                }
                self.orders.give(Order::Raise(epoch));
                self.shared.writes.raise(stamp);
                let text = format!("{own} raised its epoch from {from} to {epoch} and goes on serving");
                self.log.tell(Kind::EpochRaised, Some(epoch), Some(own), &text);
            }
            Raised::OnTheWay(elected) => {
                let epoch = elected.epoch();
                let text = format!("{own} raised its epoch from {from} to {epoch} on its way into office");
                self.log.tell(Kind::EpochRaised, Some(epoch), Some(own), &text);
                self.begin_promotion(elected);
            }
        }
    }

    fn on_following(&mut self, leader: NodeId, epoch: Epoch, address: &str) {
        let own = self.shared.settings.node();
        let address = if address.is_empty() { self.configured_address(leader) } else { address.to_owned() };
        self.shared.set_leader(Some(Leader { id: leader, epoch, address }));
        self.orders.give(Order::Follow { leader, epoch });
        let text = format!("{own} follows {leader} in epoch {epoch}");
        self.log.tell(Kind::Following, Some(epoch), Some(leader), &text);
    }

    fn on_leader_address(&mut self, leader: NodeId, address: &str) {
        if let Some(mut known) = self.shared.leader()
            && known.id == leader
            && !address.is_empty()
        {
            address.clone_into(&mut known.address);
            self.shared.set_leader(Some(known));
        }
    }

    pub(super) fn on_rebuilt(&mut self, entry: Position) {
        self.rebuilt = Some((entry, Instant::now()));
    }

    /// Shows the elector that the storage is rebuilt, again and again while that is too early.
    pub(super) fn show_rebuilt(&mut self) {
        let Some((entry, again)) = self.rebuilt else { return };
        if Instant::now() < again {
            return;
        }
        let shown = self.shared.handle.on_rebuilt(RebuiltTo { entry: Some(entry) });
        let early = NotRebuilt::TooEarly;
        self.rebuilt = match shown {
            Err(RequestError::Refused(RequestRefused::NotRebuilt(why)))
                if why == early || why == NotRebuilt::Saving =>
            {
                Some((entry, Instant::now() + REBUILT_AGAIN))
            }
            _ => None,
        };
    }

    /// The leader's address in the configuration, until the leader reports its own.
    fn configured_address(&self, leader: NodeId) -> String {
        let peer = self.shared.settings.peers.iter().find(|peer| peer.id == leader);
        peer.and_then(|peer| peer.client.clone()).unwrap_or_default()
    }

    fn set_own_leader(&self, epoch: Epoch) {
        let id = self.shared.settings.node();
        let address = self.shared.settings.advertise_client.clone();
        self.shared.set_leader(Some(Leader { id, epoch, address }));
        self.shared.leads.send_replace(true);
    }
}

fn name_of_end(ended: &Ended) -> String {
    match ended {
        Ended::Shutdown => "it was asked to".into(),
        Ended::Panicked { thread } => format!("its thread {thread} panicked"),
    }
}
