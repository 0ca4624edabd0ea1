//! What an explanation says, and how it reads.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::blocker::CampaignBlocker;
use crate::detection::DetectionTerms;
use crate::epoch::{Epoch, Position};
use crate::genesis::told::Genesis;
use crate::name::NodeId;
use crate::pace::SlowRoundTrip;
use crate::peer_state::PeerState;
use crate::status::{GenesisStatus, PauseStatus};
use crate::time::{Readable, Time};

/// A straight answer to "who leads, and if nobody, why". `Display` is one line.
///
/// Points in time are on this node's clock; `Display` shows them relative to `now`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct Explanation {
    /// This node.
    pub node: NodeId,
    /// The moment explained.
    #[cfg_attr(feature = "wire", serde(rename = "now_ms"))]
    pub now: Time,
    /// The pause of failover that is in force.
    pub pause: Option<PauseStatus>,
    /// Who leads, as far as this node knows, and in which epoch.
    pub leader: Option<(NodeId, Epoch)>,
    /// Until when: the own lease of a leader, the own promise of a follower.
    #[cfg_attr(feature = "wire", serde(rename = "until_ms"))]
    pub until: Option<Time>,
    /// Whose promise binds this node, in which epoch and until when.
    pub promised_to: Option<(NodeId, Epoch, Time)>,
    /// Which history of the group its storage belongs to.
    pub genesis: GenesisStatus,
    /// Who is heard and who is not.
    pub peers: Vec<Hearing>,
    /// The detection times of this node and each peer that allows other ones, or that needs others.
    pub detections: Vec<(NodeId, DetectionTerms)>,
    /// The slowest round trip to a connected peer, if it takes longer than configured.
    pub slow: Option<SlowRoundTrip>,
    /// The first rule that keeps this node from campaigning.
    pub blocker: Option<CampaignBlocker>,
    /// Why this node has stopped, if it has.
    pub stopped: Option<String>,
}

/// Whether a peer is heard.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct Hearing {
    /// The peer.
    pub node: NodeId,
    /// Whether it is heard *and* hears this node.
    pub connected: bool,
    /// How long ago its last frame came; none if none came since this node started.
    #[cfg_attr(
        feature = "wire",
        serde(rename = "heard_ago_ms", serialize_with = "crate::millis::maybe_span")
    )]
    pub heard_ago: Option<Duration>,
    /// What it last said of its vote.
    pub says: PeerState,
    /// What its storage belongs to, where that is not this node's history of the group.
    pub history: Option<OtherHistory>,
}

/// Why what a peer says does not count here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum OtherHistory {
    /// Its storage lacks what is final here: it was lost and given a first boot, so it counts as replaced.
    CountsAsReplaced,
    /// It belongs to another group of the same name and list, by this genesis.
    TwoGroups(Genesis),
}

impl Explanation {
    /// A pause comes first: with its end, who asked for it, and who may lead.
    fn write_pause(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(pause) = &self.pause else { return Ok(()) };
        write!(f, "failover is paused for {} more", Readable(pause.remaining))?;
        match (pause.asked_by, pause.taken_by) {
            (Some(asker), _) => write!(f, ", asked for on {asker}")?,
            (None, Some(leader)) => write!(f, ", taken by {leader}")?,
            (None, None) => write!(f, ", taken by the leader of epoch {}", pause.number.epoch)?,
        }
        match pause.reserved_for {
            Some(leader) => write!(f, ", and nobody but {leader} is elected meanwhile; "),
            None => f.write_str(", and nobody is elected meanwhile; "),
        }
    }

    /// Why nobody leads, or who does, in one sentence without the peers.
    fn headline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.leader, self.until) {
            (Some((leader, epoch)), Some(until)) if leader == self.node => {
                write!(
                    f,
                    "{leader} (this node) leads epoch {epoch}, its lease runs for {} more",
                    Readable(until.since(self.now))
                )
            }
            (Some((leader, epoch)), Some(until)) => {
                write!(
                    f,
                    "{leader} leads epoch {epoch}, {} follows it for {} more unless it hears of it",
                    self.node,
                    Readable(until.since(self.now))
                )
            }
            (Some((leader, epoch)), None) => write!(f, "{leader} leads epoch {epoch}"),
            (None, _) => write!(f, "{} knows no leader", self.node),
        }
    }

    fn write_blocker(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = |until: Time| Readable(until.since(self.now));
        let Some(blocker) = self.blocker else { return Ok(()) };
        f.write_str(", and it does not campaign because ")?;
        match blocker {
            CampaignBlocker::Stopped => {
                write!(f, "it has stopped: {}", self.stopped.as_deref().unwrap_or("for good"))
            }
            CampaignBlocker::Starting => f.write_str("it is still saving its incarnation"),
            CampaignBlocker::Leads => f.write_str("it leads"),
            CampaignBlocker::Campaigns => {
                f.write_str("it campaigns already and waits for a quorum of accepts")
            }
            CampaignBlocker::NotAVoter => f.write_str("it is a witness or an observer"),
            CampaignBlocker::NeverLeader => f.write_str("its configuration says that it never leads"),
            CampaignBlocker::Replaced => f.write_str("its storage was replaced and has not caught up"),
            CampaignBlocker::Unhealthy => f.write_str("its host reported itself unfit"),
            CampaignBlocker::Paused(until) => {
                write!(f, "failover is paused for {} more, and not for it", left(until))
            }
            CampaignBlocker::Follows(leader, epoch) => write!(f, "it follows {leader} in epoch {epoch}"),
            CampaignBlocker::Promised(to, epoch, until) => {
                write!(f, "its vote is promised to {to} in epoch {epoch} for {} more", left(until))
            }
            CampaignBlocker::Saving(since) => {
                write!(f, "a record has been saving for {}", Readable(self.now.since(since)))
            }
            CampaignBlocker::InDoubt(until) => write!(
                f,
                "a frame said that its storage belongs to another history of the group: it waits {} more for a second one",
                left(until)
            ),
            CampaignBlocker::Waits(until) => {
                write!(f, "it waits {} more after a lost campaign or a resignation", left(until))
            }
            CampaignBlocker::HeadStart(target, until) => {
                write!(f, "{target} has a head start of {} after a handover", left(until))
            }
            CampaignBlocker::EpochsExhausted => f.write_str("the epochs are used up"),
            CampaignBlocker::NotConnected { connected, needed } => {
                write!(f, "only {connected} of the {needed} voting members it needs are connected")
            }
            CampaignBlocker::NotFree { free, needed } => {
                write!(f, "only {free} of the {needed} voting members it needs are free")
            }
            CampaignBlocker::Lags { own, best } => {
                write!(f, "its log lags too far: ")?;
                write_position(f, own)?;
                f.write_str(", the best connected one ")?;
                write_position(f, best)
            }
            CampaignBlocker::Rank { rank, at } => {
                write!(f, "{rank} better placed nodes go first; it campaigns in {}", left(at))
            }
        }
    }

    fn write_slow(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(SlowRoundTrip { peer, measured, configured }) = self.slow else { return Ok(()) };
        let (measured, configured) = (Readable(measured), Readable(configured));
        write!(
            f,
            "; a round trip to {peer} takes {measured}, {configured} are configured, so elections take longer"
        )
    }

    /// Both sides' figures, and what follows from them.
    fn write_detections(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (peer, terms) in &self.detections {
            let (own, allowed) = (Readable(terms.own_max), terms.peer_max.map(Readable));
            if let Some(allowed) = allowed.filter(|_| terms.peer_max != Some(terms.own_max)) {
                write!(f, "; {peer} allows promises of at most {allowed}, {} of {own}", self.node)?;
            }
            if let Some(allowed) = allowed.filter(|_| terms.leaves_out) {
                let needed = Readable(terms.own_min);
                write!(f, "; {peer} allows only {allowed}, {} needs {needed} to lead: ", self.node)?;
                write!(f, "it leaves {peer}'s promise out")?;
            }
            if let Some(needed) = terms.peer_min.filter(|_| terms.is_left_out) {
                let needed = Readable(needed);
                write!(f, "; {} allows only {own}, {peer} needs {needed} to lead: ", self.node)?;
                write!(f, "{peer} leaves this node's promise out")?;
            }
        }
        Ok(())
    }

    /// Only while something is missing.
    fn write_genesis(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GenesisStatus { genesis: Some(_), is_final: false, waits_for } = &self.genesis else {
            return Ok(());
        };
        for (index, node) in waits_for.iter().enumerate() {
            f.write_str(match index {
                0 => "; a lost disk that is given a first boot is noticed only once all hold the group's genesis, which waits for ",
                _ => ", ",
            })?;
            write!(f, "{node}")?;
        }
        Ok(())
    }

    fn write_peers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for peer in &self.peers {
            write!(f, "; {}", peer.node)?;
            match (peer.connected, peer.heard_ago) {
                (true, _) => write!(f, " is connected and {}", peer.says)?,
                (false, Some(ago)) => {
                    write!(f, " is not connected, last heard {} ago, then it {}", Readable(ago), peer.says)?;
                }
                (false, None) => f.write_str(" has not been heard since this node started")?,
            }
            match peer.history {
                None => {}
                Some(OtherHistory::CountsAsReplaced) => f.write_str(
                    ", and counts as replaced: its storage lacks what this group has held, so it was lost and given a first \
                     boot in place of `replace-lost`",
                )?,
                Some(OtherHistory::TwoGroups(other)) => write!(
                    f,
                    ", and counts for nothing: two groups under one name, it belongs to {other} and {} to {}",
                    self.node,
                    self.genesis.genesis.unwrap_or(other)
                )?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_pause(f)?;
        self.headline(f)?;
        if self.leader.is_none() {
            self.write_blocker(f)?;
        }
        self.write_peers(f)?;
        self.write_detections(f)?;
        self.write_genesis(f)?;
        self.write_slow(f)
    }
}

fn write_position(f: &mut fmt::Formatter<'_>, position: Option<Position>) -> fmt::Result {
    match position {
        Some(position) => write!(f, "{position}"),
        None => f.write_str("no entry"),
    }
}
