use std::os::unix::net::UnixStream;
use std::thread;

use elect_core::{Address, Birth, ClusterId, Digest, Epoch, Incarnation, LogSync, Position};

use super::bytes::PREFIX_BYTES;
use super::*;
use crate::testing::{greeting, id};

const TIMEOUT: Duration = Duration::from_secs(20);

type Accepted = Result<Greeting, (HandshakeError, Option<NodeId>)>;

/// Both ends of a handshake in which `b` answers what `verdict` says.
fn shake(
    hello: &Greeting,
    verdict: Result<Greeting, HandshakeRefusal>,
) -> (Result<Greeting, HandshakeError>, Accepted) {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let listener = thread::spawn(move || accept(&mut far, TIMEOUT, |_| verdict.map_err(Into::into)));
    let dialled = dial(&mut near, hello, TIMEOUT);
    (dialled, listener.join().unwrap())
}

fn refusal(result: Result<Greeting, HandshakeError>) -> HandshakeRefusal {
    match result {
        Err(HandshakeError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn life(random: u32) -> Incarnation {
    Incarnation { counter: 0x0102_0304, random }
}

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

/// One of each.
fn refusals() -> Vec<HandshakeRefusal> {
    let cluster = |name| ClusterId::new(name).unwrap();
    vec![
        HandshakeRefusal::Version { dialler: (2, 3), listener: (1, 1) },
        HandshakeRefusal::Cluster { dialler: cluster("shop"), listener: cluster("bank") },
        HandshakeRefusal::Addressee { wanted: id("b"), listener: id("c") },
        HandshakeRefusal::UnknownName(id("d")),
        HandshakeRefusal::Identity { claimed: id("b"), proven: id("c") },
        HandshakeRefusal::Group { dialler: 1, listener: 0x0a0b_0c0d },
        HandshakeRefusal::Members { dialler: Digest::from_bits(7), listener: Digest::from_bits(u64::MAX) },
        HandshakeRefusal::OwnName { wanted: id("b"), name: id("a") },
        HandshakeRefusal::Life {
            rejected: life(1),
            known: life(2),
            dialler: address("10.0.0.1:40000"),
            known_at: Address::default(),
        },
        HandshakeRefusal::WentBack { rejected: life(1), epoch: Epoch::new(9), offset: Some(77) },
        HandshakeRefusal::WentBack { rejected: life(1), epoch: Epoch::new(9), offset: None },
        HandshakeRefusal::Stopped(id("b")),
        HandshakeRefusal::Unknown(200),
    ]
}

#[test]
fn both_ends_learn_who_the_other_is() {
    let (dialled, accepted) = shake(&greeting("a", "b"), Ok(greeting("b", "a")));
    assert_eq!(dialled.unwrap(), greeting("b", "a"));
    assert_eq!(accepted.unwrap(), greeting("a", "b"));
}

#[test]
fn the_longest_names_and_address_fit() {
    let name = "n".repeat(32);
    let longest = |node: &str, addressee: &str| Greeting {
        address: address(&"x".repeat(255)),
        listen: address(&"y".repeat(255)),
        birth: Some(Birth {
            first_life: u32::MAX,
            epoch: Epoch::new(u64::MAX),
            position: Some(Position::new(Epoch::new(u64::MAX), u64::MAX)),
            log: LogSync::Asynchronous,
            ..Birth::default()
        }),
        ..greeting(node, addressee)
    };
    let (near, far) = (longest(&name, &name.replace('n', "m")), longest(&name.replace('n', "m"), &name));
    let (dialled, accepted) = shake(&near, Ok(far.clone()));
    assert_eq!((dialled.unwrap(), accepted.unwrap()), (far, near));
}

#[test]
fn every_refusal_arrives_with_all_that_it_says_and_what_to_do() {
    for reason in refusals() {
        let (dialled, accepted) = shake(&greeting("a", "b"), Err(reason.clone()));
        let (HandshakeError::Refused(told), claimed) = accepted.unwrap_err() else { panic!() };
        assert_eq!((refusal(dialled), told, claimed), (reason.clone(), reason.clone(), Some(id("a"))));
        assert!(!reason.to_string().is_empty() && !reason.advice().is_empty());
    }
}

#[test]
fn the_bytes_of_refusals_are_these() {
    let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let golden = [
        "02010001000800 0200030001000100",
        "03010001000a00 0473686f700462616e6b",
        "04010001000400 01620163",
        "05010001000200 0164",
        "06010001000400 01620163",
        "07010001000800 010000000d0c0b0a",
        "08010001001000 0700000000000000ffffffffffffffff",
        "09010001000400 01620161",
        "0a010001002000 04030201010000000403020102000000 0e31302e302e302e313a3430303030 00",
        "0b010001001900 0403020101000000 0900000000000000 01 4d00000000000000",
        "0b010001001100 0403020101000000 0900000000000000 00",
        "0c010001000200 0162",
        "c8010001000000",
    ];
    for (reason, golden) in refusals().iter().zip(golden) {
        let wanted = hex(b"elect-hs") + &golden.replace(' ', "");
        assert_eq!(hex(&refusal_bytes(reason)), wanted, "{reason:?}");
    }
    assert_eq!(refusals().len(), golden.len());
}

#[test]
fn the_bytes_of_a_greeting_are_these() {
    let mut said = Greeting { members: Digest::from_bits(0x11), group: 5, ..greeting("a", "b") };
    said.listen = address("h:1");
    let bytes = greeting_bytes(GREETING, &said);
    let mut wanted = b"elect-hs\0\x01\0\x01\0".to_vec();
    wanted.extend_from_slice(&u16::try_from(bytes.len() - PREFIX_BYTES).unwrap().to_le_bytes());
    let cluster = said.cluster.as_str();
    wanted.push(u8::try_from(cluster.len()).unwrap());
    wanted.extend_from_slice(cluster.as_bytes());
    wanted.extend_from_slice(b"\x01a\x01b\x03\0\0\0\xed\xfe\0\0\x05\0\0\0\x11\0\0\0\0\0\0\0");
    wanted.extend_from_slice(b"\x0d10.1.2.3:6379\x03h:1\0");
    assert_eq!(bytes, wanted);
    said.birth = Some(Birth {
        first_life: 2,
        epoch: Epoch::new(3),
        position: Some(Position::new(Epoch::new(3), 4)),
        ..Birth::default()
    });
    let born = greeting_bytes(WELCOME, &said);
    wanted[8] = WELCOME;
    wanted[13..15].copy_from_slice(&u16::try_from(born.len() - PREFIX_BYTES).unwrap().to_le_bytes());
    wanted.pop();
    wanted.extend_from_slice(b"\x05\x02\0\0\0\x03\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0");
    assert_eq!(born, wanted);
}

#[test]
fn the_dialler_checks_who_answers() {
    let other = |change: fn(&mut Greeting)| {
        let mut answer = greeting("b", "a");
        change(&mut answer);
        refusal(shake(&greeting("a", "b"), Ok(answer)).0)
    };
    let own = greeting("a", "b");
    let bank = ClusterId::new("bank").unwrap();
    let wanted = HandshakeRefusal::Addressee { wanted: id("b"), listener: id("c") };
    assert_eq!(other(|answer| answer.node = id("c")), wanted);
    let wanted = HandshakeRefusal::OwnName { wanted: id("b"), name: id("a") };
    assert_eq!(other(|answer| answer.node = id("a")), wanted);
    let wanted = HandshakeRefusal::Cluster { dialler: own.cluster, listener: bank };
    assert_eq!(other(|answer| answer.cluster = ClusterId::new("bank").unwrap()), wanted);
    let wanted = HandshakeRefusal::Group { dialler: 0, listener: 4 };
    assert_eq!(other(|answer| answer.group = 4), wanted);
    let wanted = HandshakeRefusal::Members { dialler: own.members, listener: Digest::from_bits(1) };
    assert_eq!(other(|answer| answer.members = Digest::from_bits(1)), wanted);
    let wanted = HandshakeRefusal::Version { dialler: VERSIONS, listener: (7, 9) };
    assert_eq!(other(|answer| answer.versions = (7, 9)), wanted);
}

/// A neighbour version whose greeting looks like nothing that this one knows.
#[test]
fn another_version_is_named_whatever_its_greeting_looks_like() {
    let mut bytes = b"elect-hs\0\x02\0\x05\0\x03\0".to_vec();
    bytes.extend_from_slice(&[0xff; 3]);
    let (error, claimed) = heard(&bytes).unwrap_err();
    let wanted = HandshakeRefusal::Version { dialler: (2, 5), listener: VERSIONS };
    assert!(matches!(error, HandshakeError::Refused(refusal) if refusal == wanted));
    assert_eq!(claimed, None);
}

#[test]
fn versions_meet_if_there_is_one_that_both_know() {
    assert_eq!(check_versions((1, 3), (2, 5)), Ok(()));
    assert_eq!(check_versions((2, 5), (1, 2)), Ok(()));
    let refused = HandshakeRefusal::Version { dialler: (1, 1), listener: (2, 2) };
    assert_eq!(check_versions((1, 1), (2, 2)), Err(refused));
    check_versions((3, 4), (1, 2)).unwrap_err();
}

/// A later version may say more, or something else.
#[test]
fn a_refusal_with_another_body_is_a_refusal() {
    let answered = |bytes: &[u8]| {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        far.write_all(bytes).unwrap();
        refusal(dial(&mut near, &greeting("a", "b"), TIMEOUT))
    };
    for reason in refusals() {
        let mut longer = refusal_bytes(&reason);
        longer.extend_from_slice(b"more");
        longer[13] += 4;
        assert_eq!(answered(&longer), reason);
        let code = longer[8];
        let bare = &mut longer[..PREFIX_BYTES];
        bare[13..15].fill(0);
        assert_eq!(answered(bare), HandshakeRefusal::Unknown(code));
    }
}

/// What the listener makes of these bytes, followed by the end of the stream.
fn heard(bytes: &[u8]) -> Accepted {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    near.write_all(bytes).unwrap();
    near.shutdown(std::net::Shutdown::Write).unwrap();
    accept(&mut far, TIMEOUT, |_| Ok(greeting("b", "a")))
}

#[test]
fn every_truncation_is_refused_and_what_later_versions_append_is_not() {
    let bytes = greeting_bytes(GREETING, &greeting("a", "b"));
    for length in 0..bytes.len() {
        heard(&bytes[..length]).expect_err("truncated");
    }
    let mut longer = bytes.clone();
    longer.extend_from_slice(b"from the future");
    let length = u16::try_from(longer.len() - PREFIX_BYTES).unwrap();
    longer[13..15].copy_from_slice(&length.to_le_bytes());
    assert_eq!(heard(&longer).unwrap(), greeting("a", "b"));
}

#[test]
fn nonsense_is_refused_without_being_read() {
    assert!(matches!(heard(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Err((HandshakeError::Foreign(_), None))));
    let mut huge = greeting_bytes(GREETING, &greeting("a", "b"));
    huge[13..15].copy_from_slice(&u16::MAX.to_le_bytes());
    assert!(matches!(heard(&huge), Err((HandshakeError::Foreign(_), None))));
    let mut name = greeting_bytes(GREETING, &greeting("a", "b"));
    name[PREFIX_BYTES + 1] = b' ';
    assert!(matches!(heard(&name), Err((HandshakeError::Foreign(_), None))));
    let bytes = greeting_bytes(GREETING, &greeting("a", "b"));
    for byte in 0..bytes.len() {
        for value in [0, 0xff, bytes[byte] ^ 1] {
            let mut bent = bytes.clone();
            bent[byte] = value;
            let _ = heard(&bent);
        }
    }
}

#[test]
fn word_of_groups_that_have_gone_is_taken_for_what_it_is_and_not_answered() {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    tell_gone(&mut near, &[7, u32::MAX], TIMEOUT).unwrap();
    for group in [7, u32::MAX] {
        let accepted = accept(&mut far, TIMEOUT, |_| panic!("no greeting"));
        assert!(matches!(accepted, Err((HandshakeError::Gone(gone), None)) if gone == group), "{accepted:?}");
    }
    drop(far);
    assert_eq!(near.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_byte_now_and_then_does_not_stretch_the_deadline() {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    near.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let dripping = thread::spawn(move || {
        // More bytes than the deadline allows, each well within any timeout of a single read.
        for byte in greeting_bytes(GREETING, &greeting("a", "b")).into_iter().cycle() {
            if near.write_all(&[byte]).is_err() {
                return;
            }
            // It listens for 5 ms: at the end of that there is no answer, or the other end is gone.
            if near.read(&mut [0]).is_ok() {
                return;
            }
        }
    });
    let timeout = Duration::from_millis(100);
    let began = Instant::now();
    let result = accept(&mut far, timeout, |_| panic!("the greeting was taken after {:?}", began.elapsed()));
    assert!(began.elapsed() >= timeout);
    let Err((HandshakeError::Io(error), None)) = result else { panic!("{result:?}") };
    assert_eq!(error.to_string(), "the other end was too slow");
    drop(far);
    dripping.join().unwrap();
}

#[test]
fn who_never_speaks_is_given_up() {
    let (_silent, mut far) = UnixStream::pair().unwrap();
    accept(&mut far, Duration::from_millis(20), |_| Ok(greeting("b", "a"))).unwrap_err();
    let (mut near, _silent) = UnixStream::pair().unwrap();
    dial(&mut near, &greeting("a", "b"), Duration::from_millis(20)).unwrap_err();
}

/// A stream whose transport has proved who is at the other end.
struct Proven(UnixStream, NodeId);

impl Read for Proven {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Write for Proven {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for Proven {
    fn closer(&self) -> io::Result<std::sync::Arc<dyn crate::transport::Close>> {
        self.0.closer()
    }

    fn watcher(&self) -> io::Result<Box<dyn crate::transport::Watch>> {
        self.0.watcher()
    }

    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.0.set_timeouts(read, write)
    }

    fn proven(&self) -> Option<NodeId> {
        Some(self.1)
    }
}

#[test]
fn a_claim_that_the_transport_disproves_is_refused_by_both_ends() {
    let (mut near, far) = UnixStream::pair().unwrap();
    near.write_all(&greeting_bytes(GREETING, &greeting("a", "b"))).unwrap();
    let result = accept(&mut Proven(far, id("c")), TIMEOUT, |_| panic!("no verdict on a liar"));
    let (HandshakeError::Refused(told), claimed) = result.unwrap_err() else { panic!() };
    assert_eq!((told, claimed), (identity("a"), Some(id("a"))));

    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(&greeting_bytes(WELCOME, &greeting("b", "a"))).unwrap();
    let result = dial(&mut Proven(near, id("c")), &greeting("a", "b"), TIMEOUT);
    assert_eq!(refusal(result), identity("b"));
}

fn identity(claimed: &str) -> HandshakeRefusal {
    HandshakeRefusal::Identity { claimed: id(claimed), proven: id("c") }
}

/// Another member that listens at a peer's address could say that this node is dead, in that peer's name.
#[test]
fn only_the_peer_that_was_meant_may_say_more_than_that_it_is_another() {
    for said in refusals() {
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(&refusal_bytes(&said)).unwrap();
        let result = dial(&mut Proven(near, id("c")), &greeting("a", "b"), TIMEOUT);
        let is_believed =
            matches!(said, HandshakeRefusal::Addressee { .. } | HandshakeRefusal::OwnName { .. });
        assert_eq!(refusal(result), if is_believed { said } else { identity("b") });
    }
}
