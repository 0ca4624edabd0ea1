use std::os::unix::net::UnixStream;
use std::thread;

use super::*;
use crate::testing::{greeting, id};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Both ends of a handshake in which `b` answers what `verdict` says.
fn shake(
    hello: &Greeting,
    verdict: Result<Greeting, HandshakeRefusal>,
) -> (Result<Greeting, HandshakeError>, Result<Greeting, HandshakeError>) {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let listener = thread::spawn(move || accept(&mut far, TIMEOUT, |_| verdict));
    let dialled = dial(&mut near, hello, TIMEOUT);
    (dialled, listener.join().unwrap())
}

fn refusal<T: fmt::Debug>(result: Result<T, HandshakeError>) -> HandshakeRefusal {
    match result {
        Err(HandshakeError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
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
    let long = Greeting { address: Address::new(&"x".repeat(255)).unwrap(), ..greeting(&name, &name) };
    let (dialled, accepted) = shake(&long, Ok(long.clone()));
    assert_eq!((dialled.unwrap(), accepted.unwrap()), (long.clone(), long));
}

#[test]
fn a_refusal_arrives_with_its_reason() {
    use HandshakeRefusal::{Addressee, Cluster, Identity, NotAMember, Unknown, Version};
    for reason in [Version, Cluster, Addressee, NotAMember, Identity, Unknown(200)] {
        let (dialled, accepted) = shake(&greeting("a", "b"), Err(reason));
        assert_eq!((refusal(dialled), refusal(accepted)), (reason, reason));
    }
}

#[test]
fn the_dialler_checks_who_answers() {
    let other = |change: fn(&mut Greeting)| {
        let mut answer = greeting("b", "a");
        change(&mut answer);
        refusal(shake(&greeting("a", "b"), Ok(answer)).0)
    };
    assert_eq!(other(|answer| answer.node = id("c")), HandshakeRefusal::Addressee);
    assert_eq!(other(|answer| answer.cluster = ClusterId::new("bank").unwrap()), HandshakeRefusal::Cluster);
    assert_eq!(other(|answer| answer.versions = (7, 9)), HandshakeRefusal::Version);
}

#[test]
fn versions_meet_at_the_newest_that_both_know() {
    let speaks = |oldest, newest| Greeting { versions: (oldest, newest), ..greeting("a", "b") };
    assert_eq!(speaks(1, 3).common_version(&speaks(2, 5)), Some(3));
    assert_eq!(speaks(2, 5).common_version(&speaks(1, 3)), Some(3));
    assert_eq!(speaks(1, 1).common_version(&speaks(2, 2)), None);
}

/// What the listener makes of these bytes, followed by the end of the stream.
fn heard(bytes: &[u8]) -> Result<Greeting, HandshakeError> {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    near.write_all(bytes).unwrap();
    near.shutdown(std::net::Shutdown::Write).unwrap();
    accept(&mut far, TIMEOUT, |_| Ok(greeting("b", "a")))
}

#[test]
fn every_truncation_is_refused_and_what_later_versions_append_is_not() {
    let bytes = encode(GREETING, &greeting("a", "b"));
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
    assert!(matches!(heard(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Err(HandshakeError::Foreign(_))));
    let mut huge = encode(GREETING, &greeting("a", "b"));
    huge[13..15].copy_from_slice(&u16::MAX.to_le_bytes());
    assert!(matches!(heard(&huge), Err(HandshakeError::Foreign(_))));
    let mut name = encode(GREETING, &greeting("a", "b"));
    name[PREFIX_BYTES + 1] = b' ';
    assert!(matches!(heard(&name), Err(HandshakeError::Foreign(_))));
    let bytes = encode(GREETING, &greeting("a", "b"));
    for byte in 0..bytes.len() {
        for value in [0, 0xff, bytes[byte] ^ 1] {
            let mut bent = bytes.clone();
            bent[byte] = value;
            let _ = heard(&bent);
        }
    }
}

#[test]
fn a_byte_now_and_then_does_not_stretch_the_deadline() {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    near.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let dripping = thread::spawn(move || {
        // More bytes than the deadline allows, each well within any timeout of a single read.
        for byte in encode(GREETING, &greeting("a", "b")).into_iter().cycle() {
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
    let Err(HandshakeError::Io(error)) = result else { panic!("{result:?}") };
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
    near.write_all(&encode(GREETING, &greeting("a", "b"))).unwrap();
    let result = accept(&mut Proven(far, id("c")), TIMEOUT, |_| panic!("no verdict on a liar"));
    assert_eq!(refusal(result), HandshakeRefusal::Identity);

    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(&encode(WELCOME, &greeting("b", "a"))).unwrap();
    let result = dial(&mut Proven(near, id("c")), &greeting("a", "b"), TIMEOUT);
    assert_eq!(refusal(result), HandshakeRefusal::Identity);
}
