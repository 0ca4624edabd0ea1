//! Records, version 1: the layout is in the documentation of [`wire`](super).

use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::WireError;
use super::section::{Reader, Writer};
use crate::config::DETECTION_MAX;
use crate::epoch::Epoch;
use crate::genesis::told::{Genesis, SavedGenesis};
use crate::members::Digest;
use crate::name::{ClusterId, NAME_BYTES_MAX, NodeId};
use crate::nonce::Incarnation;
use crate::record::{Holder, PromiseKind, Record, Storage};
use crate::time::nanos;

const MAGIC: u8 = 0xed;
const VERSION: u8 = 1;

const FRONT_BYTES: usize = 4 + 8 + 8 + 4 + 8 + 8 + 1;
/// Three names and a genesis.
const BYTES_MAX: usize = FRONT_BYTES + 3 * (1 + NAME_BYTES_MAX) + 16;
/// Two names of one byte each.
const BYTES_MIN: usize = FRONT_BYTES + 2 * (1 + 1);

const _: () = assert!(BYTES_MAX <= super::RECORD_BYTES_MAX);

/// Where the longest detection time is.
const DETECTION_AT: usize = TAG_AT - 8;
/// Where the tag is, and its bits.
const TAG_AT: usize = FRONT_BYTES - 1;
const REPLACED: u8 = 1 << 0;
const HOLDER: u8 = 1 << 1;
const VOTE: u8 = 1 << 2;
const GENESIS: u8 = 1 << 3;
const GENESIS_FINAL: u8 = 1 << 4;

/// All but the names and the genesis.
#[derive(Serialize, Deserialize)]
struct Front {
    magic: u8,
    version: u8,
    length: u16,
    members: u64,
    incarnation_counter: u32,
    incarnation_random: u32,
    first_life: u32,
    epoch: u64,
    detection_max_nanos: u64,
    tag: u8,
}

#[derive(Serialize, Deserialize)]
struct GenesisV1 {
    genesis: u64,
    epoch: u64,
}

pub(super) fn encode(record: &Record) -> Vec<u8> {
    let mut bytes = [0; BYTES_MAX];
    let mut writer = Writer::new(&mut bytes, 0);
    writer.section(Front {
        magic: MAGIC,
        version: VERSION,
        length: 0,
        members: record.members.to_bits(),
        incarnation_counter: record.incarnation.counter,
        incarnation_random: record.incarnation.random,
        first_life: record.first_life,
        epoch: record.epoch.number(),
        detection_max_nanos: nanos(record.detection_max),
        tag: tag(record),
    });
    writer.name(record.cluster.as_padded_bytes());
    writer.name(record.node.as_padded_bytes());
    if let Some(holder) = &record.holder {
        writer.name(holder.node.as_padded_bytes());
    }
    if let Some(SavedGenesis { genesis, epoch, is_final: _ }) = &record.genesis {
        writer.section(GenesisV1 { genesis: genesis.to_bits(), epoch: epoch.number() });
    }
    let length = writer.at();
    #[expect(clippy::cast_possible_truncation, reason = "at most BYTES_MAX")]
    bytes[2..4].copy_from_slice(&(length as u16).to_le_bytes());
    bytes[..length].to_vec()
}

fn tag(record: &Record) -> u8 {
    let storage = match record.storage {
        Storage::Intact => 0,
        Storage::Replaced => REPLACED,
    };
    let holder = match record.holder.map(|holder| holder.how) {
        None => 0,
        Some(PromiseKind::Followed) => HOLDER,
        Some(PromiseKind::Voted) => HOLDER | VOTE,
    };
    let genesis = match record.genesis.map(|saved| saved.is_final) {
        None => 0,
        Some(false) => GENESIS,
        Some(true) => GENESIS | GENESIS_FINAL,
    };
    storage | holder | genesis
}

pub(super) fn decode(bytes: &[u8]) -> Result<Record, WireError> {
    let mut reader = Reader::new(bytes, 0);
    let front: Front = reader.section()?;
    check_front(&front, bytes.len())?;
    let cluster = reader.name(ClusterId::from_bytes)?;
    let node = reader.name(NodeId::from_bytes)?;
    let holder = if front.tag & HOLDER == 0 {
        None
    } else {
        let how = if front.tag & VOTE == 0 { PromiseKind::Followed } else { PromiseKind::Voted };
        Some(Holder { node: reader.name(NodeId::from_bytes)?, how })
    };
    let genesis = if front.tag & GENESIS == 0 {
        None
    } else {
        let GenesisV1 { genesis, epoch } = reader.section()?;
        let is_final = front.tag & GENESIS_FINAL != 0;
        Some(SavedGenesis { genesis: Genesis::from_bits(genesis), epoch: Epoch::new(epoch), is_final })
    };
    reader.end()?;
    Ok(Record {
        cluster,
        node,
        members: Digest::from_bits(front.members),
        incarnation: Incarnation { counter: front.incarnation_counter, random: front.incarnation_random },
        first_life: front.first_life,
        epoch: Epoch::new(front.epoch),
        holder,
        detection_max: Duration::from_nanos(front.detection_max_nanos),
        storage: if front.tag & REPLACED == 0 { Storage::Intact } else { Storage::Replaced },
        genesis,
    })
}

fn check_front(front: &Front, given: usize) -> Result<(), WireError> {
    let declared = usize::from(front.length);
    if front.magic != MAGIC {
        return Err(WireError::Magic { found: front.magic, allowed: MAGIC });
    }
    if front.version != VERSION {
        return Err(WireError::Version { found: front.version, allowed: VERSION });
    }
    if !(BYTES_MIN..=BYTES_MAX).contains(&declared) {
        return Err(WireError::Length { found: declared, min: BYTES_MIN, max: BYTES_MAX });
    }
    if declared != given {
        return Err(WireError::Given { declared, given });
    }
    let vote = if front.tag & HOLDER == 0 { 0 } else { VOTE };
    let is_final = if front.tag & GENESIS == 0 { 0 } else { GENESIS_FINAL };
    let allowed = REPLACED | HOLDER | vote | GENESIS | is_final;
    if front.tag & !allowed != 0 {
        return Err(WireError::Flags { at: TAG_AT, found: front.tag.into(), allowed: allowed.into() });
    }
    let detection = Duration::from_nanos(front.detection_max_nanos);
    if detection > DETECTION_MAX {
        return Err(WireError::Detection { at: DETECTION_AT, found: detection, max: DETECTION_MAX });
    }
    Ok(())
}
