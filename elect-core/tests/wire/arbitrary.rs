//! Strategies: any frame and any record that can be built.

use core::time::Duration;
use std::sync::Arc;

use elect_core::{
    Address, Birth, Body, ClusterId, Digest, Epoch, Frame, Genesis, HOST_DATA_BYTES_MAX, Header, Heartbeat,
    Holder, HostData, Incarnation, Lead, LogSync, NodeId, Nonce, PauseNumber, PauseStamp, PeerState,
    Position, Profile, PromiseKind, Record, Refusal, SavedGenesis, Storage, Time, ToldGenesis,
};
use proptest::option;
use proptest::prelude::*;

fn epoch() -> impl Strategy<Value = Epoch> {
    prop_oneof![any::<u64>(), 0..100_u64, Just(7), Just(u64::MAX)].prop_map(Epoch::new)
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._-]{1,32}"
}

fn node() -> impl Strategy<Value = NodeId> {
    name().prop_map(|name| NodeId::new(&name).unwrap())
}

fn incarnation() -> impl Strategy<Value = Incarnation> {
    any::<(u32, u32)>().prop_map(|(counter, random)| Incarnation { counter, random })
}

fn nonce() -> impl Strategy<Value = Nonce> {
    (incarnation(), any::<u64>())
        .prop_map(|(incarnation, sent)| Nonce { incarnation, sent: Time::from_nanos(sent) })
}

fn position() -> impl Strategy<Value = Option<Position>> {
    option::of((epoch(), any::<u64>()).prop_map(|(epoch, offset)| Position { epoch, offset }))
}

fn detection() -> impl Strategy<Value = Duration> {
    any::<u32>().prop_map(|micros| Duration::from_micros(micros.into()))
}

fn pause() -> impl Strategy<Value = Duration> {
    any::<u32>().prop_map(|millis| Duration::from_millis(millis.into()))
}

fn number() -> impl Strategy<Value = PauseNumber> {
    (epoch(), any::<u32>()).prop_map(|(epoch, count)| PauseNumber { epoch, count })
}

fn stamp() -> impl Strategy<Value = PauseStamp> {
    (number(), pause()).prop_map(|(number, remaining)| PauseStamp { number, remaining })
}

fn state() -> impl Strategy<Value = PeerState> {
    prop_oneof![
        epoch().prop_map(PeerState::Leader),
        epoch().prop_map(PeerState::Candidate),
        (node(), epoch()).prop_map(|(leader, epoch)| PeerState::Follower(leader, epoch)),
        Just(PeerState::Promised),
        Just(PeerState::Free),
        Just(PeerState::Replaced),
        epoch().prop_map(PeerState::Stopped),
        node().prop_map(PeerState::Reserved),
    ]
}

fn heartbeat() -> impl Strategy<Value = Heartbeat> {
    let lead = detection().prop_map(|detection| Lead { detection });
    (position(), any::<(bool, bool, u8, u32)>(), detection(), option::of(lead), option::of(stamp())).prop_map(
        |(position, (eligible, healthy, priority, application), detection_max, lead, pause)| Heartbeat {
            position,
            eligible,
            healthy,
            priority,
            application,
            detection_max,
            lead,
            pause,
        },
    )
}

fn address() -> impl Strategy<Value = Address> {
    // At most 63 characters of at most 4 bytes each, or the longest there is.
    prop_oneof![9 => "\\PC{0,63}", 1 => Just("x".repeat(255))]
        .prop_filter_map("control characters", |text| Address::new(&text).ok())
}

fn refusal() -> impl Strategy<Value = Refusal> {
    prop::sample::select(vec![
        Refusal::Promised,
        Refusal::EpochTooLow,
        Refusal::VoteSpent,
        Refusal::OwnOffice,
        Refusal::Paused,
        Refusal::Replaced,
        Refusal::DetectionTooLong,
    ])
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        heartbeat().prop_map(Body::Heartbeat),
        (epoch(), detection(), detection()).prop_map(|(epoch, detection, detection_max)| Body::Offer {
            epoch,
            detection,
            detection_max
        }),
        (epoch(), detection(), position(), option::of(stamp())).prop_map(
            |(epoch, detection, position, pause)| Body::Accept {
                epoch,
                detection,
                position,
                pause,
                genesis_epoch: Epoch::ZERO
            }
        ),
        (epoch(), refusal(), detection()).prop_map(|(epoch, refusal, detection_max)| Body::Refuse {
            epoch,
            refusal,
            detection_max
        }),
        (heartbeat(), address()).prop_map(|(heartbeat, address)| Body::Announce { heartbeat, address }),
        (epoch(), node()).prop_map(|(epoch, target)| Body::Release { epoch, target }),
        (number(), pause()).prop_map(|(after, remaining)| Body::Pause { after, remaining }),
        (incarnation(), incarnation()).prop_map(|(rejected, known)| Body::Reject { rejected, known }),
        (incarnation(), epoch(), any::<Option<u64>>()).prop_map(|(rejected, epoch, offset)| Body::WentBack {
            rejected,
            epoch,
            offset
        }),
    ]
}

fn birth() -> impl Strategy<Value = Birth> {
    let log = prop::sample::select(vec![LogSync::Synchronous, LogSync::Asynchronous]);
    (any::<u32>(), epoch(), position(), log, detection()).prop_map(
        |(first_life, epoch, position, log, detection_min)| Birth {
            first_life,
            epoch,
            position,
            log,
            detection_min,
        },
    )
}

fn profile() -> impl Strategy<Value = Arc<Profile>> {
    let data = prop::collection::vec(any::<u8>(), 0..=HOST_DATA_BYTES_MAX);
    (any::<u32>(), data, address()).prop_map(|(version, data, address)| {
        Arc::new(Profile { version, data: HostData::new(&data).unwrap(), address })
    })
}

fn genesis() -> impl Strategy<Value = Option<ToldGenesis>> {
    let told = |(bits, is_final)| ToldGenesis { genesis: Genesis::from_bits(bits), is_final };
    option::of(any::<(u64, bool)>().prop_map(told))
}

fn saved_genesis() -> impl Strategy<Value = Option<SavedGenesis>> {
    option::of((any::<(u64, bool)>(), epoch()).prop_map(|((bits, is_final), epoch)| SavedGenesis {
        genesis: Genesis::from_bits(bits),
        epoch,
        is_final,
    }))
}

/// Any frame whose spans are whole microseconds and milliseconds.
pub(crate) fn frame() -> impl Strategy<Value = Frame> {
    let nonces = (nonce(), option::of(nonce()));
    let genesis = (genesis(), epoch());
    let told = (option::of(birth()), option::of(profile()));
    (any::<(u32, u64)>(), epoch(), state(), nonces, told, genesis, body()).prop_map(
        |((group, members), epoch, state, (nonce, echo), (birth, profile), (genesis, saved_in), mut body)| {
            let members = Digest::from_bits(members);
            if let (Some(_), Body::Accept { genesis_epoch, .. }) = (genesis, &mut body) {
                *genesis_epoch = saved_in;
            }
            Frame {
                header: Header { group, members, epoch, state, nonce, echo, genesis },
                birth: birth.map(Arc::new),
                profile,
                body,
            }
        },
    )
}

/// Any record.
pub(crate) fn record() -> impl Strategy<Value = Record> {
    let word = prop::sample::select(vec![PromiseKind::Voted, PromiseKind::Followed]);
    let holder = option::of((node(), word).prop_map(|(node, how)| Holder { node, how }));
    let storage = prop::sample::select(vec![Storage::Intact, Storage::Replaced]);
    (
        name(),
        node(),
        (any::<u64>(), 0..=3_600_000_000_000_u64),
        (incarnation(), any::<u32>()),
        epoch(),
        holder,
        (storage, saved_genesis()),
    )
        .prop_map(|(cluster, node, (members, nanos), lives, epoch, holder, (storage, genesis))| Record {
            cluster: ClusterId::new(&cluster).unwrap(),
            node,
            members: Digest::from_bits(members),
            incarnation: lives.0,
            first_life: lives.1,
            epoch,
            holder,
            detection_max: Duration::from_nanos(nanos),
            storage,
            genesis,
        })
}
