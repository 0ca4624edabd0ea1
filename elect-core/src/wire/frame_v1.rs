//! Frames, version 1: the layout is in the documentation of [`wire`](super).

#![expect(
    clippy::inline_always,
    reason = "measured: without it a heartbeat decodes in 36 ns instead of 21 in a release build without LTO"
)]

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::section::{Reader, Writer};
use super::{PREFIX_BYTES, WireError};
use crate::epoch::{Epoch, Position};
use crate::frame::{ADDRESS_BYTES_MAX, Address, Body, Frame, Header, Heartbeat, Lead, Refusal, Standing};
use crate::members::Digest;
use crate::name::{NAME_BYTES_MAX, NodeId};
use crate::nonce::{Incarnation, Nonce};
use crate::time::Time;

const MAGIC: u8 = 0xec;
const VERSION: u8 = 1;

/// A header without standing epoch, leader and echo.
const HEADER_BYTES_MIN: usize = 9 + 8 + 8 + 1 + 16;
const HEADER_BYTES_MAX: usize = HEADER_BYTES_MIN + 8 + NAME_BYTES_COUNTED_MAX + 16;
const NAME_BYTES_COUNTED_MAX: usize = 1 + NAME_BYTES_MAX;
const HEARTBEAT_BYTES_MAX: usize = 16 + 1 + 4 + 8;

/// The longest frame: an announcement.
pub(super) const BYTES_MAX: usize = HEADER_BYTES_MAX + HEARTBEAT_BYTES_MAX + 1 + ADDRESS_BYTES_MAX;
/// The shortest: a pause.
const BYTES_MIN: usize = HEADER_BYTES_MIN + 4;

/// Where the tag is.
const TAG_AT: usize = 25;
/// The tag's bits: what follows, and a heartbeat's two answers.
const STANDING: u8 = 0b0000_0111;
const ECHO: u8 = 0b0000_1000;
const POSITION: u8 = 0b0001_0000;
const ELIGIBLE: u8 = 0b0010_0000;
const HEALTHY: u8 = 0b0100_0000;
const LEAD: u8 = 0b1000_0000;

const FREE: u8 = 0;
const BOUND: u8 = 1;
const FOLLOWING: u8 = 2;
const STANDS: u8 = 3;
const LEADING: u8 = 4;
const REPLACED: u8 = 5;
const STOPPED: u8 = 6;

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
}

impl Kind {
    const MAX: u8 = Self::Reject as u8;

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
            found => return Err(WireError::Kind { found, max: Self::MAX }),
        })
    }

    /// The flags that may be set in its tag.
    const fn flags(self) -> u8 {
        match self {
            Self::Heartbeat | Self::Announce => ECHO | POSITION | ELIGIBLE | HEALTHY | LEAD,
            Self::Accept => ECHO | POSITION,
            Self::Offer | Self::Refuse | Self::Release | Self::Pause | Self::Reject => ECHO,
        }
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
    tag: u8,
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
struct PositionV1 {
    epoch: u64,
    offset: u64,
}

#[derive(Serialize, Deserialize)]
struct VitalsV1 {
    priority: u8,
    application: u32,
}

#[derive(Serialize, Deserialize)]
struct LeadV1 {
    detection_micros: u32,
    pause_millis: u32,
}

#[derive(Serialize, Deserialize)]
struct OfferV1 {
    epoch: u64,
    detection_micros: u32,
}

#[derive(Serialize, Deserialize)]
struct RejectV1 {
    rejected: IncarnationV1,
    known: IncarnationV1,
}

pub(super) fn encode(frame: &Frame, bytes: &mut [u8; BYTES_MAX]) -> usize {
    let mut writer = Writer::new(bytes, PREFIX_BYTES);
    write_header(&mut writer, frame);
    write_body(&mut writer, &frame.body);
    let length = writer.at();
    #[expect(clippy::cast_possible_truncation, reason = "at most BYTES_MAX")]
    let [low, high] = (length as u16).to_le_bytes();
    bytes[..PREFIX_BYTES].copy_from_slice(&[MAGIC, VERSION, Kind::of(&frame.body) as u8, low, high]);
    length
}

#[inline(always)]
fn write_header(writer: &mut Writer<'_>, Frame { header, body }: &Frame) {
    writer.section(FrontV1 {
        group: header.group,
        members: header.members.to_bits(),
        epoch: header.epoch.number(),
        tag: standing_bits(header.standing) | flag(ECHO, header.echo.is_some()) | body_flags(body),
    });
    match &header.standing {
        Standing::Leading(epoch) | Standing::Standing(epoch) => writer.section(epoch.number()),
        Standing::Following(leader, epoch) => {
            writer.section(epoch.number());
            writer.name(leader.as_padded_bytes());
        }
        Standing::Bound | Standing::Free | Standing::Replaced | Standing::Stopped => {}
    }
    writer.section(NonceV1::from(header.nonce));
    if let Some(echo) = header.echo {
        writer.section(NonceV1::from(echo));
    }
}

#[inline(always)]
fn write_body(writer: &mut Writer<'_>, body: &Body) {
    match body {
        Body::Heartbeat(heartbeat) => write_heartbeat(writer, heartbeat),
        Body::Offer { epoch, detection } => {
            writer.section(OfferV1 { epoch: epoch.number(), detection_micros: micros(*detection) });
        }
        Body::Accept { epoch, position } => {
            writer.section(epoch.number());
            write_position(writer, *position);
        }
        Body::Refuse { epoch, refusal } => writer.section((epoch.number(), refusal_byte(*refusal))),
        Body::Announce { heartbeat, address } => {
            write_heartbeat(writer, heartbeat);
            writer.text(address.as_str());
        }
        Body::Release { epoch, target } => {
            writer.section(epoch.number());
            writer.name(target.as_padded_bytes());
        }
        Body::Pause { remaining } => writer.section(millis(*remaining)),
        Body::Reject { rejected, known } => {
            writer.section(RejectV1 { rejected: (*rejected).into(), known: (*known).into() });
        }
    }
}

#[inline(always)]
fn write_heartbeat(writer: &mut Writer<'_>, heartbeat: &Heartbeat) {
    write_position(writer, heartbeat.position);
    writer.section(VitalsV1 { priority: heartbeat.priority, application: heartbeat.application });
    if let Some(lead) = &heartbeat.lead {
        writer.section(LeadV1 {
            detection_micros: micros(lead.detection),
            pause_millis: millis(lead.paused_for),
        });
    }
}

#[inline(always)]
fn write_position(writer: &mut Writer<'_>, position: Option<Position>) {
    if let Some(Position { epoch, offset }) = position {
        writer.section(PositionV1 { epoch: epoch.number(), offset });
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<Frame, WireError> {
    let Some(&prefix) = bytes.first_chunk() else {
        return Err(WireError::Short { at: 0, end: bytes.len() });
    };
    let Prefix { kind, length } = Prefix::read(prefix)?;
    if bytes.len() != length {
        return Err(WireError::Given { declared: length, given: bytes.len() });
    }
    let mut reader = Reader::new(bytes, PREFIX_BYTES);
    let (header, tag) = read_header(&mut reader, kind)?;
    // On a path of its own, so that the commonest frame is built in place: half the time of the other way.
    if let Kind::Heartbeat = kind {
        let heartbeat = read_heartbeat(&mut reader, tag)?;
        reader.end()?;
        return Ok(Frame { header, body: Body::Heartbeat(heartbeat) });
    }
    let body = read_body(&mut reader, kind, tag)?;
    reader.end()?;
    Ok(Frame { header, body })
}

#[inline(always)]
fn read_header(reader: &mut Reader<'_>, kind: Kind) -> Result<(Header, u8), WireError> {
    let front: FrontV1 = reader.section()?;
    let tag = front.tag;
    if tag & !(STANDING | kind.flags()) != 0 {
        return Err(WireError::Flags { at: TAG_AT, found: tag & !STANDING, allowed: kind.flags() });
    }
    let standing = read_standing(reader, tag & STANDING)?;
    let nonce: NonceV1 = reader.section()?;
    let echo: Option<NonceV1> = if tag & ECHO == 0 { None } else { Some(reader.section()?) };
    let header = Header {
        group: front.group,
        members: Digest::from_bits(front.members),
        epoch: Epoch::new(front.epoch),
        standing,
        nonce: nonce.into(),
        echo: echo.map(Nonce::from),
    };
    Ok((header, tag))
}

#[inline(always)]
fn read_standing(reader: &mut Reader<'_>, standing: u8) -> Result<Standing, WireError> {
    Ok(match standing {
        FREE => Standing::Free,
        BOUND => Standing::Bound,
        FOLLOWING => {
            let epoch = read_epoch(reader)?;
            Standing::Following(reader.name(NodeId::from_bytes)?, epoch)
        }
        STANDS => Standing::Standing(read_epoch(reader)?),
        LEADING => Standing::Leading(read_epoch(reader)?),
        REPLACED => Standing::Replaced,
        STOPPED => Standing::Stopped,
        found => return Err(WireError::Standing { at: TAG_AT, found, max: STOPPED }),
    })
}

fn read_body(reader: &mut Reader<'_>, kind: Kind, tag: u8) -> Result<Body, WireError> {
    Ok(match kind {
        Kind::Heartbeat => Body::Heartbeat(read_heartbeat(reader, tag)?),
        Kind::Offer => {
            let offer: OfferV1 = reader.section()?;
            Body::Offer { epoch: Epoch::new(offer.epoch), detection: from_micros(offer.detection_micros) }
        }
        Kind::Accept => Body::Accept { epoch: read_epoch(reader)?, position: read_position(reader, tag)? },
        Kind::Refuse => Body::Refuse { epoch: read_epoch(reader)?, refusal: read_refusal(reader)? },
        Kind::Announce => {
            let heartbeat = read_heartbeat(reader, tag)?;
            let at = reader.at();
            let text = reader.text()?;
            let address = Address::new(text).map_err(|_| WireError::Address { at, valid: text.len() })?;
            Body::Announce { heartbeat, address }
        }
        Kind::Release => {
            Body::Release { epoch: read_epoch(reader)?, target: reader.name(NodeId::from_bytes)? }
        }
        Kind::Pause => Body::Pause { remaining: from_millis(reader.section()?) },
        Kind::Reject => {
            let RejectV1 { rejected, known } = reader.section()?;
            Body::Reject { rejected: rejected.into(), known: known.into() }
        }
    })
}

#[inline(always)]
fn read_heartbeat(reader: &mut Reader<'_>, tag: u8) -> Result<Heartbeat, WireError> {
    let position = read_position(reader, tag)?;
    let vitals: VitalsV1 = reader.section()?;
    let lead: Option<LeadV1> = if tag & LEAD == 0 { None } else { Some(reader.section()?) };
    Ok(Heartbeat {
        position,
        eligible: tag & ELIGIBLE != 0,
        healthy: tag & HEALTHY != 0,
        priority: vitals.priority,
        application: vitals.application,
        lead: lead.map(|lead| Lead {
            detection: from_micros(lead.detection_micros),
            paused_for: from_millis(lead.pause_millis),
        }),
    })
}

#[inline(always)]
fn read_position(reader: &mut Reader<'_>, tag: u8) -> Result<Option<Position>, WireError> {
    if tag & POSITION == 0 {
        return Ok(None);
    }
    let PositionV1 { epoch, offset } = reader.section()?;
    Ok(Some(Position { epoch: Epoch::new(epoch), offset }))
}

#[inline(always)]
fn read_epoch(reader: &mut Reader<'_>) -> Result<Epoch, WireError> {
    reader.section().map(Epoch::new)
}

/// The reasons in the order of their bytes.
const REFUSALS: [Refusal; 8] = [
    Refusal::Bound,
    Refusal::EpochTooLow,
    Refusal::VoteSpent,
    Refusal::OwnOffice,
    Refusal::Saving,
    Refusal::Paused,
    Refusal::Replaced,
    Refusal::Stopped,
];

fn read_refusal(reader: &mut Reader<'_>) -> Result<Refusal, WireError> {
    let at = reader.at();
    let found: u8 = reader.section()?;
    REFUSALS.get(usize::from(found)).copied().ok_or(WireError::Refusal {
        at,
        found,
        max: refusal_byte(Refusal::Stopped),
    })
}

const fn refusal_byte(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::Bound => 0,
        Refusal::EpochTooLow => 1,
        Refusal::VoteSpent => 2,
        Refusal::OwnOffice => 3,
        Refusal::Saving => 4,
        Refusal::Paused => 5,
        Refusal::Replaced => 6,
        Refusal::Stopped => 7,
    }
}

const fn standing_bits(standing: Standing) -> u8 {
    match standing {
        Standing::Free => FREE,
        Standing::Bound => BOUND,
        Standing::Following(..) => FOLLOWING,
        Standing::Standing(_) => STANDS,
        Standing::Leading(_) => LEADING,
        Standing::Replaced => REPLACED,
        Standing::Stopped => STOPPED,
    }
}

const fn body_flags(body: &Body) -> u8 {
    match body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => {
            flag(POSITION, heartbeat.position.is_some())
                | flag(ELIGIBLE, heartbeat.eligible)
                | flag(HEALTHY, heartbeat.healthy)
                | flag(LEAD, heartbeat.lead.is_some())
        }
        Body::Accept { position, .. } => flag(POSITION, position.is_some()),
        Body::Offer { .. }
        | Body::Refuse { .. }
        | Body::Release { .. }
        | Body::Pause { .. }
        | Body::Reject { .. } => 0,
    }
}

const fn flag(bit: u8, set: bool) -> u8 {
    if set { bit } else { 0 }
}

/// Whole microseconds, rounded up; the field's largest value beyond it.
fn micros(span: Duration) -> u32 {
    whole(span, 1_000_000)
}

/// Whole milliseconds, rounded up; the field's largest value beyond it.
fn millis(span: Duration) -> u32 {
    whole(span, 1_000)
}

#[inline(always)]
fn whole(span: Duration, per_second: u64) -> u32 {
    let rest = u64::from(span.subsec_nanos()).div_ceil(1_000_000_000 / per_second);
    let units = span.as_secs().saturating_mul(per_second).saturating_add(rest);
    u32::try_from(units).unwrap_or(u32::MAX)
}

fn from_micros(micros: u32) -> Duration {
    Duration::from_micros(micros.into())
}

fn from_millis(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
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
