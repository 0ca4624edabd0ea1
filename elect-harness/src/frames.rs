//! What members usually say, and the times of the usual configuration.

use std::time::Duration;

use elect_core::{Body, Epoch, Frame, Heartbeat, Lead, PauseNumber, PauseStamp, PeerState, Position};

use crate::id;

/// The detection time of every configuration here, unless a test says otherwise.
pub const D: Duration = Duration::from_millis(500);
/// A detection time that a test leaves open: the sender's maximum, or that of the frame echoed.
pub const OPEN: Duration = Duration::ZERO;
/// The shortest detection time that every configuration here can lead with (R54).
pub const NEEDED: Duration = Duration::from_micros(142_425);
/// D(1 + ρ): how long a promise runs on the voter's clock.
pub const PROMISE: Duration = Duration::from_millis(505);
/// D(1 - ρ) - σ: how long a lease runs on the leader's clock.
pub const LEASE: Duration = Duration::from_millis(494);
/// The heartbeat interval.
pub const INTERVAL: Duration = Duration::from_millis(50);
/// The delay per rank.
pub const RANK_STEP: Duration = Duration::from_millis(80);
/// The election timeout of three voters.
pub const ELECTION_TIMEOUT: Duration = Duration::from_millis(745);

/// The names of five voters.
pub const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];

/// An epoch.
pub fn epoch(number: u64) -> Epoch {
    Epoch::new(number)
}

/// A position; some place where one may be missing.
pub fn at(epoch_of_entry: u64, offset: u64) -> Option<Position> {
    Some(Position::new(epoch(epoch_of_entry), offset))
}

/// It leads this epoch.
pub fn leading(number: u64) -> PeerState {
    PeerState::Leader(epoch(number))
}

/// It campaigns in this epoch.
pub fn stands(number: u64) -> PeerState {
    PeerState::Candidate(epoch(number))
}

/// It follows this leader.
pub fn follows(leader: &str, number: u64) -> PeerState {
    PeerState::Follower(id(leader), epoch(number))
}

/// A healthy voter's heartbeat.
pub fn heartbeat() -> Heartbeat {
    Heartbeat {
        position: None,
        eligible: true,
        healthy: true,
        priority: 100,
        application: 0,
        detection_max: OPEN,
        lead: None,
        pause: None,
    }
}

/// The same, as what a frame carries.
pub fn beat() -> Body {
    Body::Heartbeat(heartbeat())
}

/// The same of a voter whose log ends here.
pub fn beat_at(position: Option<Position>) -> Body {
    Body::Heartbeat(Heartbeat { position, ..heartbeat() })
}

/// A leader's heartbeat.
pub fn lead(detection: Duration) -> Body {
    let lead = Some(Lead { detection });
    Body::Heartbeat(Heartbeat { lead, ..heartbeat() })
}

/// Pause `count` of epoch `of`, with so much left.
pub fn stamp(of: u64, count: u32, remaining: Duration) -> PauseStamp {
    PauseStamp { number: PauseNumber { epoch: epoch(of), count }, remaining }
}

/// The resume that ends it.
pub fn resume(of: u64, count: u32) -> PauseStamp {
    stamp(of, count, Duration::ZERO)
}

/// A heartbeat that tells a pause or resume.
pub fn beat_with(pause: PauseStamp) -> Body {
    Body::Heartbeat(Heartbeat { pause: Some(pause), ..heartbeat() })
}

/// A leader's heartbeat that does.
pub fn lead_with(pause: PauseStamp) -> Body {
    let lead = Some(Lead { detection: D });
    Body::Heartbeat(Heartbeat { lead, pause: Some(pause), ..heartbeat() })
}

/// An offer with the usual detection time.
pub fn offer(number: u64) -> Body {
    Body::Offer { epoch: epoch(number), detection: D, detection_max: OPEN }
}

/// An accept without a position.
pub fn accept(number: u64) -> Body {
    Body::Accept {
        epoch: epoch(number),
        detection: OPEN,
        position: None,
        pause: None,
        genesis_epoch: epoch(0),
    }
}

/// The same as the elector sends it: it says what was promised.
pub fn given(number: u64) -> Body {
    Body::Accept { epoch: epoch(number), detection: D, position: None, pause: None, genesis_epoch: epoch(0) }
}

/// The detection time that a leader's or candidate's frame carries.
pub fn asked_by(frame: &Frame) -> Option<Duration> {
    match &frame.body {
        Body::Offer { detection, .. } => Some(*detection),
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. }
            if matches!(frame.header.state, PeerState::Leader(_)) =>
        {
            heartbeat.lead.map(|lead| lead.detection)
        }
        _ => None,
    }
}

/// What a test has left open: the sender allows promises of `longest`, and what it echoes carried `asked`.
pub fn completed(mut body: Body, longest: Duration, asked: Duration) -> Body {
    match &mut body {
        Body::Heartbeat(Heartbeat { detection_max, .. })
        | Body::Announce { heartbeat: Heartbeat { detection_max, .. }, .. }
        | Body::Offer { detection_max, .. }
        | Body::Refuse { detection_max, .. }
            if *detection_max == OPEN =>
        {
            *detection_max = longest;
        }
        Body::Accept { detection, .. } if *detection == OPEN => *detection = asked,
        _ => {}
    }
    body
}
