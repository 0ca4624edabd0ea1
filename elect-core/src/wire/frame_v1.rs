//! Frames, version 1: the layout is in the documentation of [`wire`](super).

#![expect(
    clippy::inline_always,
    reason = "measured: without it a heartbeat decodes in 36 ns instead of 21 in a release build without LTO"
)]

mod read;
mod write;

use serde::{Deserialize, Serialize};

use super::{PREFIX_BYTES, WireError};
use crate::address::ADDRESS_BYTES_MAX;
use crate::frame::{Body, Refusal};
use crate::name::NAME_BYTES_MAX;
use crate::nonce::{Incarnation, Nonce};
use crate::profile::HOST_DATA_BYTES_MAX;
use crate::time::Time;

pub(super) use read::decode;
pub(super) use write::encode;

const MAGIC: u8 = 0xec;
const VERSION: u8 = 1;

/// A header without state epoch, leader and echo.
const HEADER_BYTES_MIN: usize = 9 + 8 + 8 + 2 + 16;
const HEADER_BYTES_MAX: usize =
    HEADER_BYTES_MIN + 8 + NAME_BYTES_COUNTED_MAX + 16 + GENESIS_BYTES + BIRTH_BYTES_MAX;
const PROFILE_BYTES_MAX: usize = 4 + 1 + HOST_DATA_BYTES_MAX + 1 + ADDRESS_BYTES_MAX;
const GENESIS_BYTES: usize = 8;
const BIRTH_BYTES_MAX: usize = 4 + 8 + 4 + 1 + 16;
const NAME_BYTES_COUNTED_MAX: usize = 1 + NAME_BYTES_MAX;
const HEARTBEAT_BYTES_MAX: usize = 16 + 1 + 4 + 4 + 4 + 16;

/// The longest frame: an announcement.
pub(super) const BYTES_MAX: usize =
    HEADER_BYTES_MAX + PROFILE_BYTES_MAX + HEARTBEAT_BYTES_MAX + 1 + ADDRESS_BYTES_MAX;
/// The shortest: a heartbeat.
const BYTES_MIN: usize = HEADER_BYTES_MIN + 9;

/// Where the tag is.
const TAG_AT: usize = 25;
/// The tag's bits: what follows, and a heartbeat's two answers.
const STATE: u16 = 0b1111;
const ECHO: u16 = 1 << 4;
const POSITION: u16 = 1 << 5;
const ELIGIBLE: u16 = 1 << 6;
const HEALTHY: u16 = 1 << 7;
const LEAD: u16 = 1 << 8;
/// The sender's genesis is durable, and follows.
const GENESIS: u16 = 1 << 9;
/// It is final.
const GENESIS_FINAL: u16 = 1 << 10;
/// A pause or resume of failover is known, and follows.
const PAUSE: u16 = 1 << 11;
/// What the sender's life began with.
const BIRTH: u16 = 1 << 12;
/// The epoch of the state is not the durable one, and follows.
const STATE_EPOCH: u16 = 1 << 13;
/// The epoch of the position is not the durable one, and follows.
const POSITION_EPOCH: u16 = 1 << 14;
/// What the sender's host says of itself.
const PROFILE: u16 = 1 << 15;

/// What a birth says of the log: whether a position follows, and whether it may be lost.
const BIRTH_POSITION: u8 = 1 << 0;
const BIRTH_ASYNCHRONOUS: u8 = 1 << 1;

const FREE: u16 = 0;
const BOUND: u16 = 1;
const FOLLOWING: u16 = 2;
const CANDIDATE: u16 = 3;
const LEADING: u16 = 4;
const REPLACED: u16 = 5;
const STOPPED: u16 = 6;
const RESERVED: u16 = 7;

/// What a frame is, as its third byte says.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Heartbeat = 1,
    Offer,
    Accept,
    Refuse,
    Announce,
    Release,
    Pause,
    Reject,
    WentBack,
}

impl Kind {
    const MAX: u8 = Self::WentBack as u8;

    fn of(body: &Body) -> Self {
        match body {
            Body::Heartbeat(_) => Self::Heartbeat,
            Body::Offer { .. } => Self::Offer,
            Body::Accept { .. } => Self::Accept,
            Body::Refuse { .. } => Self::Refuse,
            Body::Announce { .. } => Self::Announce,
            Body::Release { .. } => Self::Release,
            Body::Pause { .. } => Self::Pause,
            Body::Reject { .. } => Self::Reject,
            Body::WentBack { .. } => Self::WentBack,
        }
    }

    fn read(kind: u8) -> Result<Self, WireError> {
        Ok(match kind {
            1 => Self::Heartbeat,
            2 => Self::Offer,
            3 => Self::Accept,
            4 => Self::Refuse,
            5 => Self::Announce,
            6 => Self::Release,
            7 => Self::Pause,
            8 => Self::Reject,
            9 => Self::WentBack,
            found => return Err(WireError::Kind { found, max: Self::MAX }),
        })
    }

    /// The flags that may be set in its tag, whatever the others are.
    const fn flags(self) -> u16 {
        let of_the_kind = match self {
            Self::Heartbeat | Self::Announce => POSITION | POSITION_EPOCH | ELIGIBLE | HEALTHY | LEAD | PAUSE,
            Self::Accept => POSITION | POSITION_EPOCH | PAUSE,
            Self::WentBack => POSITION,
            Self::Offer | Self::Refuse | Self::Release | Self::Pause | Self::Reject => 0,
        };
        of_the_kind | ECHO | BIRTH | PROFILE | GENESIS | GENESIS_FINAL
    }
}

/// What the first bytes of a frame say.
pub(super) struct Prefix {
    kind: Kind,
    pub(super) length: usize,
}

impl Prefix {
    #[inline(always)]
    pub(super) fn read([magic, version, kind, low, high]: [u8; PREFIX_BYTES]) -> Result<Self, WireError> {
        if magic != MAGIC {
            return Err(WireError::Magic { found: magic, allowed: MAGIC });
        }
        if version != VERSION {
            return Err(WireError::Version { found: version, allowed: VERSION });
        }
        let kind = Kind::read(kind)?;
        let length = usize::from(u16::from_le_bytes([low, high]));
        if !(BYTES_MIN..=BYTES_MAX).contains(&length) {
            return Err(WireError::Length { found: length, min: BYTES_MIN, max: BYTES_MAX });
        }
        Ok(Self { kind, length })
    }
}

/// What every frame has after its prefix.
#[derive(Serialize, Deserialize)]
struct FrontV1 {
    group: u32,
    members: u64,
    epoch: u64,
    tag: u16,
}

impl FrontV1 {
    /// The flags that may be set in this tag of a frame of this kind: an epoch's or that a genesis is final, only
    /// beside what it belongs to.
    const fn flags(&self, kind: Kind) -> u16 {
        let state_epoch = match self.tag & STATE {
            FOLLOWING | CANDIDATE | LEADING | STOPPED => STATE_EPOCH,
            _ => 0,
        };
        let position = if self.tag & POSITION == 0 { POSITION_EPOCH } else { 0 };
        let genesis = if self.tag & GENESIS == 0 { GENESIS_FINAL } else { 0 };
        (kind.flags() & !(position | genesis)) | state_epoch
    }
}

#[derive(Serialize, Deserialize)]
struct IncarnationV1 {
    counter: u32,
    random: u32,
}

#[derive(Serialize, Deserialize)]
struct NonceV1 {
    incarnation: IncarnationV1,
    sent: u64,
}

#[derive(Serialize, Deserialize)]
struct BirthV1 {
    first_life: u32,
    epoch: u64,
    detection_min_micros: u32,
    log: u8,
}

#[derive(Serialize, Deserialize)]
struct WentBackV1 {
    rejected: IncarnationV1,
    epoch: u64,
}

#[derive(Serialize, Deserialize)]
struct VitalsV1 {
    priority: u8,
    application: u32,
    detection_max_micros: u32,
}

#[derive(Serialize, Deserialize)]
struct PauseStampV1 {
    epoch: u64,
    count: u32,
    millis: u32,
}

#[derive(Serialize, Deserialize)]
struct OfferV1 {
    epoch: u64,
    detection_micros: u32,
    detection_max_micros: u32,
}

#[derive(Serialize, Deserialize)]
struct AcceptV1 {
    epoch: u64,
    detection_micros: u32,
}

#[derive(Serialize, Deserialize)]
struct RefuseV1 {
    reason: u8,
    detection_max_micros: u32,
}

#[derive(Serialize, Deserialize)]
struct RejectV1 {
    rejected: IncarnationV1,
    known: IncarnationV1,
}

/// The reasons of a refusal in the order of their bytes.
const REFUSALS: [Refusal; 7] = [
    Refusal::Promised,
    Refusal::EpochTooLow,
    Refusal::VoteSpent,
    Refusal::OwnOffice,
    Refusal::Paused,
    Refusal::Replaced,
    Refusal::DetectionTooLong,
];

const fn refusal_byte(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::Promised => 0,
        Refusal::EpochTooLow => 1,
        Refusal::VoteSpent => 2,
        Refusal::OwnOffice => 3,
        Refusal::Paused => 4,
        Refusal::Replaced => 5,
        Refusal::DetectionTooLong => 6,
    }
}

impl From<Incarnation> for IncarnationV1 {
    fn from(Incarnation { counter, random }: Incarnation) -> Self {
        Self { counter, random }
    }
}

impl From<IncarnationV1> for Incarnation {
    fn from(IncarnationV1 { counter, random }: IncarnationV1) -> Self {
        Self { counter, random }
    }
}

impl From<Nonce> for NonceV1 {
    fn from(nonce: Nonce) -> Self {
        Self { incarnation: nonce.incarnation.into(), sent: nonce.sent.as_nanos() }
    }
}

impl From<NonceV1> for Nonce {
    fn from(nonce: NonceV1) -> Self {
        Self { incarnation: nonce.incarnation.into(), sent: Time::from_nanos(nonce.sent) }
    }
}
