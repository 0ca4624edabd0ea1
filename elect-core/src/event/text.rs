//! How events read: one line each, which says what happened, to whom, and why.

use core::fmt;

use super::{CampaignLost, HandoverAborted, LinkState, Notice, SteppedDown};
use crate::address::Address;
use crate::handover::HandoverCause;
use crate::time::Readable;

impl fmt::Display for SteppedDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this node no longer leads epoch {}: {}", self.epoch, self.reason)
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Following { leader, epoch, address } => {
                write!(f, "this node follows {leader} in epoch {epoch}{}", At(address))
            }
            Self::LeaderAddress { leader, address } => {
                write!(f, "{leader}, which leads, serves clients{}", At(address))
            }
            Self::LeaderLost { leader, epoch, reason } => {
                write!(f, "this node no longer follows {leader}, which led epoch {epoch}: {reason}")
            }
            Self::CampaignStarted { epoch, rank: 0 } => {
                write!(f, "this node campaigns for epoch {epoch}, as the best")
            }
            Self::CampaignStarted { epoch, rank } => {
                write!(f, "this node campaigns for epoch {epoch}, with rank {rank} behind the best")
            }
            Self::CampaignLost { epoch, reason } => {
                write!(f, "this node does not win epoch {epoch}: {reason}")
            }
            Self::Accepted { candidate, epoch } => {
                write!(f, "this node votes for {candidate} in epoch {epoch}")
            }
            Self::RefusedOffer { candidate, epoch, refusal } => {
                write!(f, "this node refused the offer of {candidate} for epoch {epoch}: {refusal}")
            }
            Self::OfferRefused { voter, epoch, refusal } => {
                write!(f, "{voter} refused this node's offer for epoch {epoch}: {refusal}")
            }
            Self::SlowerThanConfigured(slow) => slow.fmt(f),
            Self::PromiseTooShort { voter, allowed, leader, needed } => write!(
                f,
                "{voter} is configured with a detection time of at most {}, and {leader} needs {} to lead (two heartbeats, a \
                 round trip and a save): {leader} leaves {voter}'s vote out until that changes",
                Readable(*allowed),
                Readable(*needed)
            ),
            Self::PreferencesContradict { peer } => write!(
                f,
                "office came back from {peer}, to which it was handed over by preference: the preferences of these nodes \
                 contradict each other, and this node's acts no more until one of them restarts"
            ),
            Self::NewerApplication { peer, version, data, address } => {
                write!(
                    f,
                    "{peer} runs version {version} of the host, newer than this node's{}",
                    At(address)
                )?;
                if data.as_bytes().is_empty() { Ok(()) } else { write!(f, ", and says {data} of it") }
            }
            // It resumes at a point of this node's clock, which says nothing to a person; `explain` says how long that
            // is.
            Self::Paused { .. } => {
                f.write_str("failover is paused: the leader stays, and nobody else is elected")
            }
            Self::Resumed => f.write_str("failover works again"),
            Self::Ignored { from, reason } => write!(f, "a frame from {from} was ignored: {reason}"),
            Self::EntriesLost { node, known, began } => {
                write!(
                    f,
                    "{node} told that it held {known}, and restarted with {began}: its log was not synced"
                )
            }
            Self::GenesisSaved { genesis, is_final: false, .. } => {
                write!(
                    f,
                    "the genesis of this group is {genesis}, not yet final: not every member is known to hold it"
                )
            }
            Self::GenesisSaved { genesis, is_final: true, .. } => {
                write!(
                    f,
                    "the genesis {genesis} of this group is final: a disk that lacks it counts as replaced"
                )
            }
            Self::CountsAsReplaced { node, lacks, told } => {
                write!(
                    f,
                    "{node} counts as replaced: this group has held genesis {lacks}, and its storage holds "
                )?;
                match told {
                    Some(told) => write!(f, "{told}")?,
                    None => f.write_str("none")?,
                }
                f.write_str("; it was lost and given a first boot in place of `replace-lost`")
            }
            Self::TwoGroups { node, own, other } => write!(
                f,
                "two groups under one name: this node belongs to {own} and {node} to {other}, so nothing that it says \
                 counts; one of them was set up anew under the name and the addresses of the other"
            ),
        }
    }
}

impl fmt::Display for CampaignLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoQuorum { wait } => {
                write!(f, "no quorum accepted in time, it waits {} before the next campaign", Readable(*wait))
            }
            Self::HigherOffer { candidate, epoch } => {
                write!(f, "{candidate} offers the higher epoch {epoch}")
            }
            Self::LeaderAppeared { leader, epoch } => write!(f, "{leader} leads epoch {epoch}"),
            Self::SaveStalled => f.write_str("its own vote takes too long to save"),
            Self::Withdrawn => f.write_str("its host is unfit, or resigned"),
            Self::Paused => f.write_str("failover is paused, and not for this node"),
            Self::Replaced => f.write_str("its storage may not be the one that this group has held"),
            Self::Stopped => f.write_str("it has stopped"),
        }
    }
}

impl fmt::Display for HandoverCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "it was asked to",
            Self::Preference => "that one is preferred",
        })
    }
}

impl fmt::Display for HandoverAborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeadlinePassed => f.write_str("the deadline came before the target was ready"),
            Self::TargetUnfit(unfit) => write!(f, "its target cannot lead now: {unfit}"),
            Self::Cancelled => f.write_str("it was taken back"),
            Self::Paused => f.write_str("failover is paused: preference waits until that ends"),
        }
    }
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "connected",
            Self::Closed => "closed",
            Self::Refused { .. } => "closed, and the address refuses a new connection",
            Self::Ended { .. } => "its process has ended, says who held it",
        })
    }
}

/// Where a leader serves clients, once that is known.
struct At<'a>(&'a Address);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.as_str().is_empty() { Ok(()) } else { write!(f, " at {}", self.0) }
    }
}
