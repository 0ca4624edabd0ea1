//! One frame of every body and every state, and one record of every form: what the golden vectors pin.

use core::time::Duration;
use std::sync::Arc;

use elect_core::{
    Address, Birth, Body, ClusterId, Digest, Epoch, Frame, Genesis, HOST_DATA_BYTES_MAX, Header, Heartbeat,
    Holder, HostData, Incarnation, Lead, LogSync, NodeId, Nonce, PauseNumber, PauseStamp, PeerState,
    Position, Profile, PromiseKind, Record, Refusal, SavedGenesis, Storage, Time, ToldGenesis,
};

const NONCE: Nonce = Nonce {
    incarnation: Incarnation { counter: 0x0000_0007, random: 0xc0ff_ee11 },
    sent: Time::from_nanos(0x0102_0304_0506_0708),
};
const ECHO: Nonce = Nonce {
    incarnation: Incarnation { counter: 0x0000_0003, random: 0x5eed_5eed },
    sent: Time::from_nanos(0x1112_1314_1516_1718),
};

fn epoch(number: u64) -> Epoch {
    Epoch::new(number)
}

pub(crate) fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn header(state: PeerState, echo: Option<Nonce>) -> Header {
    Header {
        group: 0x0a0b_0c0d,
        members: Digest::from_bits(0xfeed_face_cafe_beef),
        epoch: epoch(41),
        state,
        nonce: NONCE,
        echo,
        genesis: None,
    }
}

/// The longest detection time that the sender allows.
const D: Duration = Duration::from_micros(2_000_750);

fn heartbeat(lead: Option<Lead>) -> Heartbeat {
    Heartbeat {
        position: Some(Position::new(epoch(40), 0x2122_2324)),
        eligible: true,
        healthy: true,
        priority: 100,
        application: 0x0001_0203,
        detection_max: D,
        lead,
        pause: None,
    }
}

/// A pause in force.
fn pause() -> PauseStamp {
    PauseStamp { number: number(), remaining: Duration::from_millis(90_001) }
}

fn number() -> PauseNumber {
    PauseNumber { epoch: epoch(39), count: 0x4142 }
}

/// The same, as in steady state: the last entry is of the durable epoch.
fn steady_heartbeat(lead: Option<Lead>) -> Heartbeat {
    Heartbeat { position: Some(Position::new(epoch(41), 0x2122_2324)), ..heartbeat(lead) }
}

/// The heartbeat that a leader sends.
pub(crate) fn leaders_heartbeat() -> Frame {
    let lead = Lead { detection: Duration::from_micros(500_250) };
    Frame {
        header: header(PeerState::Leader(epoch(41)), Some(ECHO)),
        birth: None,
        profile: None,
        body: Body::Heartbeat(steady_heartbeat(Some(lead))),
    }
}

/// The heartbeat of a follower that was asked for a shorter promise than it allows.
pub(crate) fn followers_heartbeat_with_less() -> Frame {
    let lead = Lead { detection: Duration::from_micros(500_250) };
    Frame { body: Body::Heartbeat(steady_heartbeat(Some(lead))), ..followers_heartbeat() }
}

/// The same, with a pause in force.
pub(crate) fn paused_heartbeat() -> Frame {
    let mut frame = leaders_heartbeat();
    if let Body::Heartbeat(heartbeat) = &mut frame.body {
        heartbeat.pause = Some(pause());
    }
    frame
}

/// The heartbeat that a follower answers with; its leader's name has 8 bytes.
pub(crate) fn followers_heartbeat() -> Frame {
    let state = PeerState::Follower(node("berlin-1"), epoch(41));
    Frame {
        header: header(state, Some(ECHO)),
        birth: None,
        profile: None,
        body: Body::Heartbeat(steady_heartbeat(None)),
    }
}

/// The heartbeat of a follower that has accepted its leader's re-offer: its durable epoch is above the one it follows.
fn accepted_a_re_offer() -> Frame {
    let state = PeerState::Follower(node("berlin-1"), epoch(40));
    Frame {
        header: header(state, Some(ECHO)),
        birth: None,
        profile: None,
        body: Body::Heartbeat(heartbeat(None)),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a genesis may be missing wherever one is expected")]
fn genesis(is_final: bool) -> Option<ToldGenesis> {
    Some(ToldGenesis { genesis: Genesis::from_bits(0x5152_5354_5556_5758), is_final })
}

/// What belongs to a history of the group says so in every frame.
fn of_a_history() -> Vec<(String, Frame)> {
    let tentative = |state| Header { genesis: genesis(false), ..header(state, Some(ECHO)) };
    let accepted = Body::Accept {
        epoch: epoch(42),
        detection: D,
        position: None,
        pause: None,
        genesis_epoch: epoch(38),
    };
    let steady = followers_heartbeat();
    let is_final = Header { genesis: genesis(true), ..steady.header };
    [
        (
            "genesis_offer",
            Frame {
                header: tentative(PeerState::Candidate(epoch(42))),
                birth: None,
                profile: None,
                body: offer(),
            },
        ),
        (
            "genesis_accept",
            Frame { header: tentative(PeerState::Promised), birth: None, profile: None, body: accepted },
        ),
        (
            "genesis_final_heartbeat_following",
            Frame { header: is_final, birth: None, profile: None, body: steady.body },
        ),
    ]
    .map(|(name, frame)| (name.to_owned(), frame))
    .into()
}

/// What the newest life of a sender began with.
fn birth(position: Option<Position>, log: LogSync) -> Arc<Birth> {
    Arc::new(Birth {
        first_life: 0x0000_0005,
        epoch: epoch(40),
        position,
        log,
        detection_min: Duration::from_micros(143_500),
    })
}

/// The first words of a life: to a peer that has not answered it yet.
fn newborn() -> Vec<(String, Frame)> {
    let position = Some(Position::new(epoch(39), 0x4142_4344));
    let births = [
        ("synced", Some(birth(position, LogSync::Synchronous))),
        ("not_synced", Some(birth(position, LogSync::Asynchronous))),
        ("without_log", Some(birth(None, LogSync::Synchronous))),
    ];
    let mut frames: Vec<_> = births
        .map(|(name, birth)| {
            let header = header(PeerState::Free, None);
            (
                format!("birth_{name}"),
                Frame { header, birth, profile: None, body: Body::Heartbeat(heartbeat(None)) },
            )
        })
        .into();
    let header = header(PeerState::Candidate(epoch(42)), Some(ECHO));
    let birth = Some(birth(position, LogSync::Synchronous));
    frames.push(("birth_offer".to_owned(), Frame { header, birth, profile: None, body: offer() }));
    frames
}

fn profile(data: &[u8], address: &str) -> Arc<Profile> {
    let (data, address) = (HostData::new(data).unwrap(), Address::new(address).unwrap());
    Arc::new(Profile { version: 0x6162_6364, data, address })
}

/// What hosts say of themselves: all of it, nothing but a version, and beside a birth in a frame of another kind.
fn profiles() -> Vec<(String, Frame)> {
    let says = |data, address| Some(profile(data, address));
    let full = Frame { profile: says(&[0, 0x7f, 0xff], "kv-1.example:6379 ü"), ..followers_heartbeat() };
    let bare = Frame { profile: says(&[], ""), ..followers_heartbeat() };
    let birth = Some(birth(None, LogSync::Synchronous));
    let header = header(PeerState::Candidate(epoch(42)), Some(ECHO));
    let offer = Frame { header, birth, profile: says(b"config 7", "b:1"), body: offer() };
    [("profile_heartbeat", full), ("profile_of_nothing", bare), ("profile_offer", offer)]
        .map(|(name, frame)| (name.to_owned(), frame))
        .into()
}

/// The longest frame there is.
pub(crate) fn longest() -> Frame {
    let state = PeerState::Follower(node(&"n".repeat(32)), epoch(u64::MAX));
    let lead = Lead { detection: Duration::from_micros(1) };
    let resume = PauseStamp { remaining: Duration::ZERO, ..pause() };
    let heartbeat = Heartbeat { pause: Some(resume), ..heartbeat(Some(lead)) };
    let address = Address::new(&"a".repeat(255)).unwrap();
    Frame {
        header: Header { genesis: genesis(true), ..header(state, Some(ECHO)) },
        birth: Some(birth(Some(Position::new(epoch(1), 2)), LogSync::Synchronous)),
        profile: Some(profile(&[0xff; HOST_DATA_BYTES_MAX], address.as_str())),
        body: Body::Announce { heartbeat, address },
    }
}

/// A frame of every body and every state, of every refusal, and each optional part absent once.
pub(crate) fn frames() -> Vec<(String, Frame)> {
    let mut frames = vec![
        ("heartbeat_leading".to_owned(), leaders_heartbeat()),
        ("heartbeat_paused".to_owned(), paused_heartbeat()),
        ("heartbeat_following".to_owned(), followers_heartbeat()),
        ("heartbeat_following_for_less".to_owned(), followers_heartbeat_with_less()),
        ("announce_longest".to_owned(), longest()),
        ("heartbeat_accepted_a_re_offer".to_owned(), accepted_a_re_offer()),
    ];
    let quiet = Heartbeat {
        position: None,
        eligible: false,
        healthy: false,
        priority: 0,
        application: 0,
        detection_max: D,
        lead: None,
        pause: None,
    };
    for (name, state) in states() {
        let frame =
            Frame { header: header(state, None), birth: None, profile: None, body: Body::Heartbeat(quiet) };
        frames.push((format!("heartbeat_quiet_{name}"), frame));
    }
    frames.extend(newborn());
    frames.extend(profiles());
    frames.extend(of_a_history());
    for (name, state, body) in bodies() {
        frames.push((name, Frame { header: header(state, Some(ECHO)), birth: None, profile: None, body }));
    }
    frames
}

fn states() -> [(&'static str, PeerState); 9] {
    [
        ("free", PeerState::Free),
        ("promised", PeerState::Promised),
        ("follower", PeerState::Follower(node("b"), epoch(41))),
        ("candidate", PeerState::Candidate(epoch(42))),
        ("leader", PeerState::Leader(epoch(41))),
        ("replaced", PeerState::Replaced),
        ("stopped", PeerState::Stopped(epoch(41))),
        ("stopped_after_an_offer", PeerState::Stopped(epoch(42))),
        ("reserved", PeerState::Reserved(node("b"))),
    ]
}

fn bodies() -> Vec<(String, PeerState, Body)> {
    let position = Some(Position::new(epoch(40), 0x3132_3334));
    let address = Address::new("kv-1.example:6379 ü").unwrap();
    let rejected = Incarnation { counter: 7, random: 0xc0ff_ee11 };
    let known = Incarnation { counter: 8, random: 0x0bad_cafe };
    let mut bodies = vec![
        ("offer", PeerState::Candidate(epoch(42)), offer()),
        (
            "accept",
            PeerState::Promised,
            Body::Accept {
                epoch: epoch(42),
                detection: D,
                position,
                pause: Some(pause()),
                genesis_epoch: Epoch::ZERO,
            },
        ),
        (
            "accept_without_position",
            PeerState::Promised,
            Body::Accept {
                epoch: epoch(42),
                detection: D,
                position: None,
                pause: None,
                genesis_epoch: Epoch::ZERO,
            },
        ),
        ("announce", PeerState::Leader(epoch(42)), Body::Announce { heartbeat: heartbeat(None), address }),
        ("release", PeerState::Free, Body::Release { epoch: epoch(41), target: node("munich-2") }),
        ("pause", PeerState::Free, Body::Pause { after: number(), remaining: Duration::from_hours(1) }),
        ("reject", PeerState::Free, Body::Reject { rejected, known }),
        ("went_back", PeerState::Free, Body::WentBack { rejected, epoch: epoch(41), offset: None }),
        (
            "went_back_to_an_entry",
            PeerState::Free,
            Body::WentBack { rejected, epoch: epoch(41), offset: Some(9) },
        ),
    ];
    for (name, refusal) in refusals() {
        bodies.push((name, PeerState::Free, Body::Refuse { epoch: epoch(42), refusal, detection_max: D }));
    }
    bodies.into_iter().map(|(name, state, body)| (name.to_owned(), state, body)).collect()
}

fn offer() -> Body {
    Body::Offer { epoch: epoch(42), detection: Duration::from_micros(500_250), detection_max: D }
}

fn refusals() -> [(&'static str, Refusal); 7] {
    [
        ("refuse_bound", Refusal::Promised),
        ("refuse_epoch_too_low", Refusal::EpochTooLow),
        ("refuse_vote_spent", Refusal::VoteSpent),
        ("refuse_own_office", Refusal::OwnOffice),
        ("refuse_paused", Refusal::Paused),
        ("refuse_replaced", Refusal::Replaced),
        ("refuse_detection_too_long", Refusal::DetectionTooLong),
    ]
}

/// A record of every form.
pub(crate) fn records() -> Vec<(String, Record)> {
    let record = |storage, holder| Record {
        cluster: ClusterId::new("shop").unwrap(),
        node: node("berlin-1"),
        members: Digest::from_bits(0xfeed_face_cafe_beef),
        incarnation: NONCE.incarnation,
        first_life: 5,
        epoch: epoch(41),
        holder,
        detection_max: Duration::from_micros(500_250),
        storage,
        genesis: None,
    };
    let genesis = |is_final| {
        let genesis = Genesis::from_bits(0x5152_5354_5556_5758);
        Some(SavedGenesis { genesis, epoch: epoch(38), is_final })
    };
    let holder = |how| Some(Holder { node: node("munich-2"), how });
    [
        ("first_boot", record(Storage::Intact, None)),
        ("replacement", record(Storage::Replaced, None)),
        ("voted", record(Storage::Intact, holder(PromiseKind::Voted))),
        ("followed", record(Storage::Intact, holder(PromiseKind::Followed))),
        ("replaced_and_followed", record(Storage::Replaced, holder(PromiseKind::Followed))),
        (
            "genesis_tentative",
            Record { genesis: genesis(false), ..record(Storage::Intact, holder(PromiseKind::Voted)) },
        ),
        ("genesis_final", Record { genesis: genesis(true), ..record(Storage::Replaced, None) }),
    ]
    .map(|(name, record)| (name.to_owned(), record))
    .into()
}
