//! Writing a frame.

use core::time::Duration;

use super::{
    AcceptV1, BIRTH, BIRTH_ASYNCHRONOUS, BIRTH_POSITION, BOUND, BYTES_MAX, BirthV1, CANDIDATE, ECHO,
    ELIGIBLE, FOLLOWING, FREE, FrontV1, GENESIS, GENESIS_FINAL, HEALTHY, Kind, LEAD, LEADING, MAGIC, NonceV1,
    OfferV1, PAUSE, POSITION, POSITION_EPOCH, PROFILE, PauseStampV1, REPLACED, RESERVED, RefuseV1, RejectV1,
    STATE_EPOCH, STOPPED, VERSION, VitalsV1, WentBackV1, refusal_byte,
};
use crate::birth::{Birth, LogSync};
use crate::epoch::{Epoch, Position};
use crate::frame::{Body, Frame, Heartbeat, PauseStamp};
use crate::genesis::told::ToldGenesis;
use crate::peer_state::PeerState;
use crate::profile::Profile;
use crate::wire::PREFIX_BYTES;
use crate::wire::section::Writer;

pub(in crate::wire) fn encode(frame: &Frame, bytes: &mut [u8; BYTES_MAX]) -> usize {
    let mut writer = Writer::new(bytes, PREFIX_BYTES);
    write_header(&mut writer, frame);
    write_body(&mut writer, frame);
    let length = writer.at();
    #[expect(clippy::cast_possible_truncation, reason = "at most BYTES_MAX")]
    let [low, high] = (length as u16).to_le_bytes();
    bytes[..PREFIX_BYTES].copy_from_slice(&[MAGIC, VERSION, Kind::of(&frame.body) as u8, low, high]);
    length
}

#[inline(always)]
fn write_header(writer: &mut Writer<'_>, Frame { header, birth, profile, body }: &Frame) {
    writer.section(FrontV1 {
        group: header.group,
        members: header.members.to_bits(),
        epoch: header.epoch.number(),
        tag: state_bits(header.state, header.epoch)
            | flag(ECHO, header.echo.is_some())
            | flag(BIRTH, birth.is_some())
            | flag(PROFILE, profile.is_some())
            | genesis_flags(header.genesis)
            | body_flags(body, header.epoch),
    });
    match &header.state {
        PeerState::Leader(epoch) | PeerState::Candidate(epoch) | PeerState::Stopped(epoch) => {
            write_other(writer, *epoch, header.epoch);
        }
        PeerState::Follower(leader, epoch) => {
            write_other(writer, *epoch, header.epoch);
            writer.name(leader.as_padded_bytes());
        }
        PeerState::Reserved(leader) => writer.name(leader.as_padded_bytes()),
        PeerState::Promised | PeerState::Free | PeerState::Replaced => {}
    }
    writer.section(NonceV1::from(header.nonce));
    if let Some(echo) = header.echo {
        writer.section(NonceV1::from(echo));
    }
    if let Some(told) = header.genesis {
        writer.section(told.genesis.to_bits());
    }
    if let Some(birth) = birth {
        write_birth(writer, birth);
    }
    if let Some(profile) = profile {
        write_profile(writer, profile);
    }
}

fn write_profile(writer: &mut Writer<'_>, Profile { version, data, address }: &Profile) {
    writer.section(*version);
    writer.counted(data.as_bytes());
    writer.counted(address.as_str().as_bytes());
}

fn write_birth(writer: &mut Writer<'_>, birth: &Birth) {
    let position = if birth.position.is_some() { BIRTH_POSITION } else { 0 };
    let log = match birth.log {
        LogSync::Synchronous => position,
        LogSync::Asynchronous => position | BIRTH_ASYNCHRONOUS,
    };
    writer.section(BirthV1 {
        first_life: birth.first_life,
        epoch: birth.epoch.number(),
        detection_min_micros: micros(birth.detection_min),
        log,
    });
    if let Some(Position { epoch, offset }) = birth.position {
        writer.section((epoch.number(), offset));
    }
}

#[inline(always)]
fn write_body(writer: &mut Writer<'_>, Frame { header, body, .. }: &Frame) {
    let durable = header.epoch;
    match body {
        Body::Heartbeat(heartbeat) => write_heartbeat(writer, heartbeat, durable),
        Body::Offer { epoch, detection, detection_max } => writer.section(OfferV1 {
            epoch: epoch.number(),
            detection_micros: micros(*detection),
            detection_max_micros: micros(*detection_max),
        }),
        Body::Accept { epoch, detection, position, pause, genesis_epoch } => {
            writer.section(AcceptV1 { epoch: epoch.number(), detection_micros: micros(*detection) });
            write_position(writer, *position, durable);
            write_pause(writer, pause.as_ref());
            if header.genesis.is_some() {
                writer.section(genesis_epoch.number());
            }
        }
        Body::Refuse { epoch, refusal, detection_max } => {
            writer.section(epoch.number());
            let (reason, detection_max_micros) = (refusal_byte(*refusal), micros(*detection_max));
            writer.section(RefuseV1 { reason, detection_max_micros });
        }
        Body::Announce { heartbeat, address } => {
            write_heartbeat(writer, heartbeat, durable);
            writer.counted(address.as_str().as_bytes());
        }
        Body::Release { epoch, target } => {
            writer.section(epoch.number());
            writer.name(target.as_padded_bytes());
        }
        Body::Pause { after, remaining } => {
            write_pause(writer, Some(&PauseStamp { number: *after, remaining: *remaining }));
        }
        Body::Reject { rejected, known } => {
            writer.section(RejectV1 { rejected: (*rejected).into(), known: (*known).into() });
        }
        Body::WentBack { rejected, epoch, offset } => {
            writer.section(WentBackV1 { rejected: (*rejected).into(), epoch: epoch.number() });
            if let Some(offset) = offset {
                writer.section(*offset);
            }
        }
    }
}

#[inline(always)]
fn write_heartbeat(writer: &mut Writer<'_>, heartbeat: &Heartbeat, durable: Epoch) {
    write_position(writer, heartbeat.position, durable);
    writer.section(VitalsV1 {
        priority: heartbeat.priority,
        application: heartbeat.application,
        detection_max_micros: micros(heartbeat.detection_max),
    });
    if let Some(lead) = &heartbeat.lead {
        writer.section(micros(lead.detection));
    }
    write_pause(writer, heartbeat.pause.as_ref());
}

#[inline(always)]
fn write_pause(writer: &mut Writer<'_>, pause: Option<&PauseStamp>) {
    if let Some(PauseStamp { number, remaining }) = pause {
        let (epoch, count) = (number.epoch.number(), number.count);
        writer.section(PauseStampV1 { epoch, count, millis: millis(*remaining) });
    }
}

#[inline(always)]
fn write_position(writer: &mut Writer<'_>, position: Option<Position>, durable: Epoch) {
    if let Some(Position { epoch, offset }) = position {
        write_other(writer, epoch, durable);
        writer.section(offset);
    }
}

/// An epoch that is not the durable one: the tag says whether it follows.
#[inline(always)]
fn write_other(writer: &mut Writer<'_>, epoch: Epoch, durable: Epoch) {
    if epoch != durable {
        writer.section(epoch.number());
    }
}

fn state_bits(state: PeerState, durable: Epoch) -> u16 {
    match state {
        PeerState::Free => FREE,
        PeerState::Promised => BOUND,
        PeerState::Follower(_, epoch) => FOLLOWING | flag(STATE_EPOCH, epoch != durable),
        PeerState::Candidate(epoch) => CANDIDATE | flag(STATE_EPOCH, epoch != durable),
        PeerState::Leader(epoch) => LEADING | flag(STATE_EPOCH, epoch != durable),
        PeerState::Replaced => REPLACED,
        PeerState::Stopped(epoch) => STOPPED | flag(STATE_EPOCH, epoch != durable),
        PeerState::Reserved(_) => RESERVED,
    }
}

fn body_flags(body: &Body, durable: Epoch) -> u16 {
    match body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => {
            position_flags(heartbeat.position, durable)
                | flag(ELIGIBLE, heartbeat.eligible)
                | flag(HEALTHY, heartbeat.healthy)
                | flag(LEAD, heartbeat.lead.is_some())
                | flag(PAUSE, heartbeat.pause.is_some())
        }
        Body::Accept { position, pause, .. } => {
            position_flags(*position, durable) | flag(PAUSE, pause.is_some())
        }
        Body::WentBack { offset, .. } => flag(POSITION, offset.is_some()),
        Body::Offer { .. }
        | Body::Refuse { .. }
        | Body::Release { .. }
        | Body::Pause { .. }
        | Body::Reject { .. } => 0,
    }
}

#[inline(always)]
fn genesis_flags(told: Option<ToldGenesis>) -> u16 {
    told.map_or(0, |told| GENESIS | flag(GENESIS_FINAL, told.is_final))
}

fn position_flags(position: Option<Position>, durable: Epoch) -> u16 {
    position.map_or(0, |position| POSITION | flag(POSITION_EPOCH, position.epoch != durable))
}

const fn flag(bit: u16, set: bool) -> u16 {
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
    // No field holds as many seconds, and fewer do not overflow.
    let units = span.as_secs().min(u32::MAX.into()) * per_second + rest;
    u32::try_from(units).unwrap_or(u32::MAX)
}
