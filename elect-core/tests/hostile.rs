//! Frames with extreme values everywhere, to a receiver in every role: no panic, always a reason, and afterwards the
//! group still elects.
#![cfg(feature = "std")]

use std::sync::Arc;
use std::time::Duration;

use elect_core::{
    Address, Body, Digest, Duty, Epoch, Frame, Genesis, Header, Heartbeat, HostData, Incarnation, Lead,
    NodeId, Nonce, Notice, PauseNumber, PauseStamp, PeerState, Position, Profile, Refusal, RoleName, Time,
    ToldGenesis,
};
use elect_harness::{Group, Seen, builder, id, ms, told_genesis};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// What the receiver is when the frame arrives.
#[derive(Clone, Copy, Debug)]
enum Receiver {
    Starting,
    Free,
    Candidate,
    Leader,
    Follower,
    Promised,
    Saving,
    Replaced,
    Stopped,
    Witness,
    Observer,
}

const RECEIVERS: [Receiver; 11] = [
    Receiver::Starting,
    Receiver::Free,
    Receiver::Candidate,
    Receiver::Leader,
    Receiver::Follower,
    Receiver::Promised,
    Receiver::Saving,
    Receiver::Replaced,
    Receiver::Stopped,
    Receiver::Witness,
    Receiver::Observer,
];

/// A group in which `c` is the receiver, in the role asked for.
fn group(receiver: Receiver) -> Group {
    let mut group = match receiver {
        Receiver::Witness => {
            Group::with(["a", "b", "c"].map(|name| builder(name, &["a", "b"]).witnesses([id("c")])))
        }
        Receiver::Observer => {
            Group::with(["a", "b", "c", "d"].map(|name| builder(name, &["a", "b", "d"]).observers([id("c")])))
        }
        Receiver::Leader | Receiver::Candidate | Receiver::Saving => {
            Group::with(NAMES.map(|name| builder(name, &NAMES).never_leader(name != "c")))
        }
        _ => Group::voters(&NAMES),
    };
    group.record_traffic = true;
    group.members_lie = true;
    match receiver {
        Receiver::Starting => {
            group.node_mut("c").hangs = true;
            group.start_all().run(ms(30));
        }
        Receiver::Free => {
            group.cut("a", "b").cut("a", "c").cut("b", "c").start_all().run(ms(30)).heal();
        }
        Receiver::Candidate | Receiver::Saving => {
            group.start_all();
            let stands = |group: &Group| group.count("c", |seen| is_event(seen, "CampaignStarted")) > 0;
            group.run_until(ms(500), stands).expect("c stands");
            if matches!(receiver, Receiver::Candidate) {
                group.cut("a", "c").cut("b", "c").run(ms(5)).heal();
            }
        }
        Receiver::Promised => {
            group.start_all().run(ms(300));
            group.kill("a").restart("c").run(ms(5));
        }
        Receiver::Replaced => {
            group.start_all().run(ms(300)).kill("c");
            let record = elect_core::Record::replacement(&group.node("c").config);
            group.node_mut("c").disk.record = record;
            group.start("c").run(ms(20));
        }
        Receiver::Stopped => {
            group.start_all().run(ms(300)).kill("c");
            group.node_mut("c").disk.fails = true;
            group.start("c").run(ms(20));
        }
        Receiver::Leader | Receiver::Follower | Receiver::Witness | Receiver::Observer => {
            group.start_all().run(ms(300));
            assert_eq!(
                group.leader() == Some(id("c")),
                matches!(receiver, Receiver::Leader),
                "{}",
                group.story()
            );
        }
    }
    let node = group.node("c");
    let role = group.elector("c").status(group.now).role;
    let expected = match receiver {
        Receiver::Starting => RoleName::Starting,
        Receiver::Candidate | Receiver::Saving => RoleName::Candidate,
        Receiver::Leader => RoleName::Leader,
        Receiver::Stopped => RoleName::Stopped,
        _ => RoleName::Follower,
    };
    assert_eq!(role, expected, "{receiver:?}\n{}", group.story());
    assert_eq!(node.is_saving(), matches!(receiver, Receiver::Starting | Receiver::Saving), "{receiver:?}");
    group
}

fn is_event(seen: &Seen, text: &str) -> bool {
    matches!(seen, Seen::Other(event) if event.starts_with(text))
}

const EPOCHS: [u64; 9] = [0, 1, 2, 1 << 20, (1 << 20) + 2, 1 << 32, (1 << 32) + 2, u64::MAX - 1, u64::MAX];
const SPANS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_millis(500),
    Duration::from_millis(501),
    Duration::from_secs(1 << 40),
    Duration::MAX,
];

fn states() -> Vec<PeerState> {
    let mut all = vec![PeerState::Promised, PeerState::Free, PeerState::Replaced];
    for number in EPOCHS {
        let epoch = Epoch::new(number);
        all.extend([PeerState::Leader(epoch), PeerState::Candidate(epoch), PeerState::Stopped(epoch)]);
        all.extend(["c", "b", "x"].map(|leader| PeerState::Follower(id(leader), epoch)));
    }
    all.extend(["c", "b", "x"].map(|leader| PeerState::Reserved(id(leader))));
    all
}

fn positions() -> [Option<Position>; 4] {
    let far = Epoch::new(u64::MAX);
    [
        None,
        Some(Position::EMPTY),
        Some(Position::new(far, u64::MAX)),
        Some(Position::new(Epoch::ZERO, u64::MAX)),
    ]
}

fn heartbeats() -> Vec<Heartbeat> {
    let mut all = Vec::new();
    for (index, position) in positions().into_iter().enumerate() {
        for detection in SPANS {
            let remaining = SPANS[(index + usize::from(detection.is_zero())) % SPANS.len()];
            let number = PauseNumber { epoch: Epoch::new(EPOCHS[index]), count: [0, 1, u32::MAX][index % 3] };
            all.push(Heartbeat {
                position,
                eligible: index % 2 == 0,
                healthy: index < 2,
                priority: if index == 0 { 255 } else { 0 },
                application: if index == 0 { u32::MAX } else { 0 },
                detection_max: detection,
                lead: (index != 1).then_some(Lead { detection }),
                pause: (index != 2).then_some(PauseStamp { number, remaining }),
            });
        }
    }
    all
}

fn incarnations() -> [Incarnation; 3] {
    let of = |counter, random| Incarnation { counter, random };
    [of(0, 0), of(1, u32::MAX), of(u32::MAX, 0)]
}

fn bodies() -> Vec<Body> {
    let mut all: Vec<_> = heartbeats().into_iter().map(Body::Heartbeat).collect();
    let address = Address::new(&"x".repeat(elect_core::ADDRESS_BYTES_MAX)).unwrap();
    all.extend(
        heartbeats().into_iter().map(|heartbeat| Body::Announce { heartbeat, address: address.clone() }),
    );
    for number in EPOCHS {
        let epoch = Epoch::new(number);
        for detection in SPANS {
            all.extend(SPANS.map(|detection_max| Body::Offer { epoch, detection, detection_max }));
            all.extend(positions().map(|position| Body::Accept {
                epoch,
                detection,
                position,
                pause: None,
                genesis_epoch: Epoch::ZERO,
            }));
        }
        let number = PauseNumber { epoch, count: 1 };
        all.extend(SPANS.map(|remaining| {
            let pause = Some(PauseStamp { number, remaining });
            Body::Accept {
                epoch: Epoch::new(9),
                detection: remaining,
                position: None,
                pause,
                genesis_epoch: Epoch::ZERO,
            }
        }));
        all.extend(SPANS.map(|remaining| Body::Pause { after: number, remaining }));
        all.extend(
            [Refusal::Promised, Refusal::Paused, Refusal::Replaced, Refusal::DetectionTooLong]
                .into_iter()
                .zip(SPANS)
                .map(|(refusal, detection_max)| Body::Refuse { epoch, refusal, detection_max }),
        );
        all.extend(["a", "c", "x"].map(|target| Body::Release { epoch, target: id(target) }));
    }
    for rejected in incarnations() {
        all.extend(incarnations().map(|known| Body::Reject { rejected, known }));
    }
    all
}

/// A rejection hits only if it names the life that `c` lives.
fn aimed(group: &Group, body: &Body) -> Body {
    match body.clone() {
        Body::Reject { known, .. } => {
            Body::Reject { rejected: group.node("c").disk.record.incarnation, known }
        }
        other => other,
    }
}

/// What a header may say of nonces: fresh, or at the ends of time.
#[derive(Clone, Copy, Debug)]
enum Nonces {
    Fresh,
    NoEcho,
    StaleEcho,
    EchoNever,
    EchoOfAnotherLife,
}

const NONCES: [Nonces; 5] =
    [Nonces::Fresh, Nonces::NoEcho, Nonces::StaleEcho, Nonces::EchoNever, Nonces::EchoOfAnotherLife];

fn header(group: &Group, from: NodeId, epoch: u64, state: PeerState, nonces: Nonces) -> Header {
    let last = group.sent.iter().rev().find(|sent| sent.1 == id("c") && sent.2 == from);
    let last = last.map(|sent| sent.3.header.nonce);
    let own = group.node("c").disk.record.incarnation;
    let echo = match nonces {
        Nonces::Fresh => last,
        Nonces::NoEcho => None,
        Nonces::StaleEcho => Some(Nonce { incarnation: own, sent: Time::ZERO }),
        Nonces::EchoNever => Some(Nonce { incarnation: own, sent: Time::NEVER }),
        Nonces::EchoOfAnotherLife => Some(Nonce { incarnation: Incarnation::default(), sent: group.now }),
    };
    let incarnation = group.nodes.get(&from).map_or(own, |node| node.disk.record.incarnation);
    Header {
        group: 0,
        members: group.node("c").config.digest(),
        epoch: Epoch::new(epoch),
        state,
        nonce: Nonce { incarnation, sent: group.now },
        echo,
        genesis: told_genesis(&group.node("c").disk.record),
    }
}

/// What a broken frame may say of its genesis, beside the truth.
fn geneses(own: Option<ToldGenesis>) -> [Option<ToldGenesis>; 5] {
    let other = |is_final| Some(ToldGenesis { genesis: Genesis::from_bits(7), is_final });
    [own, own.map(|own| ToldGenesis { is_final: !own.is_final, ..own }), None, other(false), other(true)]
}

/// What a broken frame may say of its host.
fn profiles() -> [Option<Arc<Profile>>; 4] {
    let says = |version, data: &[u8], address: &str| {
        let (data, address) = (HostData::new(data).unwrap(), Address::new(address).unwrap());
        Some(Arc::new(Profile { version, data, address }))
    };
    let longest = "x".repeat(elect_core::ADDRESS_BYTES_MAX);
    [None, says(u32::MAX, &[0xff; 64], &longest), says(0, &[], ""), says(u32::MAX, &[], "x:1")]
}

/// Every body under every state, in turn with every other extreme, to every role.
#[test]
fn every_body_under_every_state_in_every_role() {
    let (bodies, states) = (bodies(), states());
    for receiver in RECEIVERS {
        let mut delivered = 0_usize;
        let mut target = group(receiver);
        for state in &states {
            for body in &bodies {
                delivered += 1;
                // A group that has seen some hundreds may be in any state: begin again from this role.
                if delivered.is_multiple_of(400) {
                    target = group(receiver);
                }
                let epoch = EPOCHS[delivered % EPOCHS.len()];
                let nonces = NONCES[delivered / 7 % NONCES.len()];
                let header = header(&target, id("b"), epoch, *state, nonces);
                let genesis = if delivered.is_multiple_of(11) {
                    geneses(header.genesis)[delivered % 5]
                } else {
                    header.genesis
                };
                let header = Header { genesis, ..header };
                let profile = profiles()[delivered % 4].clone();
                let frame = Frame { header, birth: None, profile, body: aimed(&target, body) };
                deliver(&mut target, "b", &frame);
                if delivered.is_multiple_of(50) {
                    target.run(ms(10));
                }
            }
        }
        assert!(delivered > 10_000, "{delivered}");
    }
}

/// Delivers a frame to `c` and carries out what follows.
fn deliver(group: &mut Group, from: &str, frame: &Frame) {
    let durable = group.node("c").disk.record.epoch;
    group.inject(from, "c", frame);
    let raised = group.node("c").disk.record.epoch.number() - durable.number();
    assert!(raised <= 1 << 32, "S3: {frame:?} raised the epoch by {raised}");
}

/// Whatever one broken frame says to a member, the whole group elects again when its leader is killed, and no epoch
/// space is used up.
#[test]
fn after_any_broken_frame_the_group_still_elects() {
    let mut tried = 0;
    for state in states() {
        for (index, body) in bodies().into_iter().enumerate().skip(tried % 5).step_by(5) {
            tried += 1;
            let mut group = Group::voters(&NAMES);
            group.record_traffic = true;
            group.start_all().run(ms(120));
            let epoch = EPOCHS[index % EPOCHS.len()];
            let header = header(&group, id("b"), epoch, state, NONCES[tried % NONCES.len()]);
            let header = Header { genesis: geneses(header.genesis)[tried % 5], ..header };
            let frame = Frame { header, birth: None, profile: None, body: aimed(&group, &body) };
            group.members_lie = true;
            group.inject("b", "c", &frame);
            group.request("c", elect_core::Elector::resume).ok();
            group.run(ms(100));
            for name in NAMES {
                if group.leader() == Some(id(name)) {
                    group.kill(name).run(ms(30));
                }
            }
            for name in NAMES {
                if group.node(name).elector.is_none() {
                    group.start(name);
                }
            }
            let elected = group.run_until(ms(3000), |group| group.leader().is_some());
            assert!(elected.is_some(), "{frame:?}\n{}", group.story());
            let highest =
                NAMES.map(|name| group.node(name).disk.record.epoch.number()).into_iter().max().unwrap();
            assert!(highest <= (1 << 32) + (1 << 21), "{frame:?} led to epoch {highest}");
        }
    }
    assert!(tried > 2_000, "{tried}");
}

/// A frame that counts for nothing says why, in words.
#[test]
fn what_is_ignored_says_why() {
    let group = group(Receiver::Follower);
    let fresh = header(&group, id("b"), 1, PeerState::Free, Nonces::Fresh);
    let quiet = heartbeats()[0];
    let lead = Heartbeat { lead: Some(Lead { detection: ms(500) }), ..quiet };
    let leading = |number| Header { state: PeerState::Leader(Epoch::new(number)), ..fresh };
    let cases: [(&str, Header, Body, &str); 12] = [
        ("x", fresh, Body::Heartbeat(quiet), "not a member"),
        ("c", fresh, Body::Heartbeat(quiet), "from this node itself"),
        ("b", Header { group: 9, ..fresh }, Body::Heartbeat(quiet), "another group"),
        ("b", Header { members: Digest::from_bits(0), ..fresh }, Body::Heartbeat(quiet), "another group"),
        ("b", Header { nonce: Nonce::default(), ..fresh }, Body::Heartbeat(quiet), "is over or cloned"),
        (
            "b",
            Header { nonce: Nonce { sent: Time::ZERO, ..fresh.nonce }, ..fresh },
            Body::Heartbeat(quiet),
            "newer frame",
        ),
        ("b", Header { epoch: Epoch::new(u64::MAX), ..fresh }, Body::Heartbeat(quiet), "too far above"),
        ("b", leading(9), Body::Heartbeat(lead), "over for its sender"),
        (
            "b",
            Header { echo: None, epoch: Epoch::new(9), ..leading(9) },
            Body::Heartbeat(lead),
            "may have been delayed",
        ),
        (
            "b",
            fresh,
            Body::Offer { epoch: Epoch::new(9), detection: ms(0), detection_max: ms(500) },
            "is zero",
        ),
        (
            "b",
            fresh,
            Body::Accept {
                epoch: Epoch::new(9),
                detection: ms(500),
                position: None,
                pause: None,
                genesis_epoch: Epoch::ZERO,
            },
            "not open",
        ),
        (
            "b",
            fresh,
            Body::Refuse { epoch: Epoch::new(9), refusal: Refusal::Promised, detection_max: ms(500) },
            "not open",
        ),
    ];
    for (from, header, body, reason) in cases {
        let mut elector = Silent::default();
        let mut fresh_group = self::group(Receiver::Follower);
        let frame = Frame { header, birth: None, profile: None, body };
        let now = fresh_group.now;
        let node = fresh_group.node_mut("c").elector.as_mut().unwrap();
        node.on_message(id(from), &frame, now).resolve(&mut elector);
        let said = elector.0.expect(reason);
        assert!(said.contains(reason), "{said} should say: {reason}");
    }
}

/// Keeps the reason, drops the rest.
#[derive(Default)]
struct Silent(Option<String>);

impl elect_core::Driver for Silent {
    fn lost(&mut self, _: elect_core::SteppedDown) {}
    fn send(&mut self, _: NodeId, _: &Frame) {}
    fn save(&mut self, gate: elect_core::Gate) {
        drop(gate);
    }
    fn act(&mut self, _: Duty) {}

    fn happened(&mut self, notice: Notice) {
        if let Notice::Ignored { reason, .. } = notice {
            self.0 = Some(reason.to_string());
        }
    }
}
