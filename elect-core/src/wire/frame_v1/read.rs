//! Reading a frame.

use alloc::sync::Arc;
use core::time::Duration;

use super::{
    AcceptV1, BIRTH, BIRTH_ASYNCHRONOUS, BIRTH_POSITION, BOUND, BirthV1, CANDIDATE, ECHO, ELIGIBLE,
    FOLLOWING, FREE, FrontV1, GENESIS, GENESIS_FINAL, HEALTHY, Kind, LEAD, LEADING, NonceV1, OfferV1, PAUSE,
    POSITION, POSITION_EPOCH, PROFILE, PauseStampV1, Prefix, REFUSALS, REPLACED, RESERVED, RefuseV1,
    RejectV1, STATE, STATE_EPOCH, STOPPED, TAG_AT, VitalsV1, WentBackV1, refusal_byte,
};
use crate::address::{ADDRESS_BYTES_MAX, Address, AddressError};
use crate::birth::{Birth, LogSync};
use crate::epoch::{Epoch, Position};
use crate::frame::{Body, Frame, Header, Heartbeat, Lead, PauseNumber, PauseStamp, Refusal};
use crate::genesis::told::{Genesis, ToldGenesis};
use crate::members::Digest;
use crate::name::NodeId;
use crate::nonce::{Incarnation, Nonce};
use crate::peer_state::PeerState;
use crate::profile::{HostData, Profile};
use crate::time::Time;
use crate::wire::section::Reader;
use crate::wire::{PREFIX_BYTES, WireError};

/// A header before anything is read.
const BLANK: Header = Header {
    group: 0,
    members: Digest::from_bits(0),
    epoch: Epoch::ZERO,
    state: PeerState::Free,
    nonce: Nonce { incarnation: Incarnation { counter: 0, random: 0 }, sent: Time::ZERO },
    echo: None,
    genesis: None,
};

pub(in crate::wire) fn decode(bytes: &[u8]) -> Result<Frame, WireError> {
    let Some(&prefix) = bytes.first_chunk() else {
        return Err(WireError::Short { at: 0, end: bytes.len() });
    };
    let Prefix { kind, length } = Prefix::read(prefix)?;
    if bytes.len() != length {
        return Err(WireError::Given { declared: length, given: bytes.len() });
    }
    let mut reader = Reader::new(bytes, PREFIX_BYTES);
    // Read in place: a header that is returned beside an error is copied twice more.
    let mut header = BLANK;
    let tag = read_header(&mut reader, kind, &mut header)?;
    if tag & (BIRTH | PROFILE) != 0 {
        return read_introduction(reader, header, kind, tag);
    }
    // On a path of its own, so that the commonest frame is built in place: half the time of the other way.
    if let Kind::Heartbeat = kind {
        let heartbeat = read_heartbeat(&mut reader, tag, header.epoch)?;
        reader.end()?;
        return Ok(Frame { header, birth: None, profile: None, body: Body::Heartbeat(heartbeat) });
    }
    let body = read_body(&mut reader, kind, tag, header.epoch)?;
    reader.end()?;
    Ok(Frame { header, birth: None, profile: None, body })
}

#[inline(always)]
fn read_header(reader: &mut Reader<'_>, kind: Kind, header: &mut Header) -> Result<u16, WireError> {
    let front: FrontV1 = reader.section()?;
    let tag = front.tag;
    let allowed = front.flags(kind);
    if tag & !(STATE | allowed) != 0 {
        return Err(WireError::Flags { at: TAG_AT, found: tag & !STATE, allowed });
    }
    let durable = Epoch::new(front.epoch);
    header.group = front.group;
    header.members = Digest::from_bits(front.members);
    header.epoch = durable;
    header.state = read_state(reader, tag, durable)?;
    let nonce: NonceV1 = reader.section()?;
    header.nonce = nonce.into();
    if tag & ECHO != 0 {
        let echo: NonceV1 = reader.section()?;
        header.echo = Some(echo.into());
    }
    header.genesis = read_genesis(reader, tag)?;
    Ok(tag)
}

/// What follows the header of a frame that tells what its sender's life began with, or what its host says of itself:
/// both end with the first echo. They are allocated once everything else was found right.
#[cold]
fn read_introduction(
    mut reader: Reader<'_>,
    header: Header,
    kind: Kind,
    tag: u16,
) -> Result<Frame, WireError> {
    let birth = if tag & BIRTH == 0 { None } else { Some(read_birth(&mut reader)?) };
    if tag & PROFILE == 0 {
        let body = read_body(&mut reader, kind, tag, header.epoch)?;
        reader.end()?;
        return Ok(Frame { header, birth: birth.map(Arc::new), profile: None, body });
    }
    let version = reader.section()?;
    let at = reader.at();
    let data = HostData::new(reader.counted()?).map_err(|rule| WireError::HostData { at, rule })?;
    let address_at = reader.at();
    let address = reader.text()?;
    let body = read_body(&mut reader, kind, tag, header.epoch)?;
    reader.end()?;
    let address = checked_address(address, address_at)?;
    let profile = Arc::new(Profile { version, data, address });
    Ok(Frame { header, birth: birth.map(Arc::new), profile: Some(profile), body })
}

fn checked_address(text: &str, at: usize) -> Result<Address, WireError> {
    Address::new(text).map_err(|error| {
        let valid = match error {
            AddressError::Control { at } => at,
            AddressError::TooLong(_) => ADDRESS_BYTES_MAX,
        };
        WireError::Address { at, valid }
    })
}

#[inline(always)]
fn read_genesis(reader: &mut Reader<'_>, tag: u16) -> Result<Option<ToldGenesis>, WireError> {
    if tag & GENESIS == 0 {
        return Ok(None);
    }
    let genesis = Genesis::from_bits(reader.section()?);
    Ok(Some(ToldGenesis { genesis, is_final: tag & GENESIS_FINAL != 0 }))
}

fn read_birth(reader: &mut Reader<'_>) -> Result<Birth, WireError> {
    let at = reader.at() + 4 + 8 + 4;
    let BirthV1 { first_life, epoch, detection_min_micros, log } = reader.section()?;
    let allowed = BIRTH_POSITION | BIRTH_ASYNCHRONOUS;
    if log & !allowed != 0 {
        return Err(WireError::Flags { at, found: log.into(), allowed: allowed.into() });
    }
    let position = if log & BIRTH_POSITION == 0 {
        None
    } else {
        Some(Position { epoch: read_epoch(reader)?, offset: reader.section()? })
    };
    let log = if log & BIRTH_ASYNCHRONOUS == 0 { LogSync::Synchronous } else { LogSync::Asynchronous };
    let detection_min = from_micros(detection_min_micros);
    Ok(Birth { first_life, epoch: Epoch::new(epoch), position, log, detection_min })
}

#[inline(always)]
fn read_state(reader: &mut Reader<'_>, tag: u16, durable: Epoch) -> Result<PeerState, WireError> {
    let differs = tag & STATE_EPOCH != 0;
    Ok(match tag & STATE {
        FREE => PeerState::Free,
        BOUND => PeerState::Promised,
        FOLLOWING => {
            let epoch = read_epoch_unless(reader, differs, durable)?;
            PeerState::Follower(reader.name(NodeId::from_bytes)?, epoch)
        }
        CANDIDATE => PeerState::Candidate(read_epoch_unless(reader, differs, durable)?),
        LEADING => PeerState::Leader(read_epoch_unless(reader, differs, durable)?),
        REPLACED => PeerState::Replaced,
        STOPPED => PeerState::Stopped(read_epoch_unless(reader, differs, durable)?),
        RESERVED => PeerState::Reserved(reader.name(NodeId::from_bytes)?),
        found => return Err(WireError::State { at: TAG_AT, found, max: RESERVED }),
    })
}

fn read_body(reader: &mut Reader<'_>, kind: Kind, tag: u16, durable: Epoch) -> Result<Body, WireError> {
    Ok(match kind {
        Kind::Heartbeat => Body::Heartbeat(read_heartbeat(reader, tag, durable)?),
        Kind::Offer => {
            let offer: OfferV1 = reader.section()?;
            Body::Offer {
                epoch: Epoch::new(offer.epoch),
                detection: from_micros(offer.detection_micros),
                detection_max: from_micros(offer.detection_max_micros),
            }
        }
        Kind::Accept => {
            let AcceptV1 { epoch, detection_micros } = reader.section()?;
            Body::Accept {
                epoch: Epoch::new(epoch),
                detection: from_micros(detection_micros),
                position: read_position(reader, tag, durable)?,
                pause: read_pause(reader, tag)?,
                genesis_epoch: if tag & GENESIS == 0 { Epoch::ZERO } else { read_epoch(reader)? },
            }
        }
        Kind::Refuse => read_refuse(reader)?,
        Kind::Announce => {
            let heartbeat = read_heartbeat(reader, tag, durable)?;
            let at = reader.at();
            Body::Announce { heartbeat, address: checked_address(reader.text()?, at)? }
        }
        Kind::Release => {
            Body::Release { epoch: read_epoch(reader)?, target: reader.name(NodeId::from_bytes)? }
        }
        Kind::Pause => {
            let PauseStamp { number: after, remaining } = read_stamp(reader)?;
            Body::Pause { after, remaining }
        }
        Kind::Reject => {
            let RejectV1 { rejected, known } = reader.section()?;
            Body::Reject { rejected: rejected.into(), known: known.into() }
        }
        Kind::WentBack => {
            let WentBackV1 { rejected, epoch } = reader.section()?;
            let offset = if tag & POSITION == 0 { None } else { Some(reader.section()?) };
            Body::WentBack { rejected: rejected.into(), epoch: Epoch::new(epoch), offset }
        }
    })
}

#[inline(always)]
fn read_heartbeat(reader: &mut Reader<'_>, tag: u16, durable: Epoch) -> Result<Heartbeat, WireError> {
    let position = read_position(reader, tag, durable)?;
    let vitals: VitalsV1 = reader.section()?;
    let detection: Option<u32> = if tag & LEAD == 0 { None } else { Some(reader.section()?) };
    Ok(Heartbeat {
        position,
        eligible: tag & ELIGIBLE != 0,
        healthy: tag & HEALTHY != 0,
        priority: vitals.priority,
        application: vitals.application,
        detection_max: from_micros(vitals.detection_max_micros),
        lead: detection.map(|micros| Lead { detection: from_micros(micros) }),
        pause: read_pause(reader, tag)?,
    })
}

#[inline(always)]
fn read_pause(reader: &mut Reader<'_>, tag: u16) -> Result<Option<PauseStamp>, WireError> {
    if tag & PAUSE == 0 { Ok(None) } else { read_stamp(reader).map(Some) }
}

fn read_stamp(reader: &mut Reader<'_>) -> Result<PauseStamp, WireError> {
    let PauseStampV1 { epoch, count, millis } = reader.section()?;
    let number = PauseNumber { epoch: Epoch::new(epoch), count };
    Ok(PauseStamp { number, remaining: from_millis(millis) })
}

#[inline(always)]
fn read_position(reader: &mut Reader<'_>, tag: u16, durable: Epoch) -> Result<Option<Position>, WireError> {
    if tag & POSITION == 0 {
        return Ok(None);
    }
    let epoch = read_epoch_unless(reader, tag & POSITION_EPOCH != 0, durable)?;
    Ok(Some(Position { epoch, offset: reader.section()? }))
}

/// The durable epoch, or another one that is said.
#[inline(always)]
fn read_epoch_unless(reader: &mut Reader<'_>, differs: bool, durable: Epoch) -> Result<Epoch, WireError> {
    if !differs {
        return Ok(durable);
    }
    let at = reader.at();
    let epoch = read_epoch(reader)?;
    if epoch == durable { Err(WireError::Repeated { at }) } else { Ok(epoch) }
}

#[inline(always)]
fn read_epoch(reader: &mut Reader<'_>) -> Result<Epoch, WireError> {
    reader.section().map(Epoch::new)
}

fn read_refuse(reader: &mut Reader<'_>) -> Result<Body, WireError> {
    let epoch = read_epoch(reader)?;
    let at = reader.at();
    let RefuseV1 { reason: found, detection_max_micros } = reader.section()?;
    let refusal = REFUSALS.get(usize::from(found)).copied().ok_or(WireError::Refusal {
        at,
        found,
        max: refusal_byte(Refusal::DetectionTooLong),
    })?;
    Ok(Body::Refuse { epoch, refusal, detection_max: from_micros(detection_max_micros) })
}

fn from_micros(micros: u32) -> Duration {
    Duration::from_micros(micros.into())
}

fn from_millis(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}
