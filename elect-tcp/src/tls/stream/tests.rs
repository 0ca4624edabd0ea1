use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use elect_core::ClusterId;
use rustls::Connection;
use tempfile::TempDir;

use super::*;
use crate::testing::certificates::{by_authority, issued};
use crate::testing::id;

/// Short, where it is to run out.
const SHORT: Duration = Duration::from_millis(200);
/// Generous, where it is not.
const LONG: Duration = Duration::from_secs(20);

/// The credentials of two nodes of a cluster.
struct Scene {
    _directory: TempDir,
    a: Arc<Credentials>,
    b: Arc<Credentials>,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        issued(directory.path(), &["a", "b"]);
        let credentials = |node: &str| {
            let (cluster, config) = (ClusterId::new("test").unwrap(), by_authority(directory.path(), node));
            Arc::new(Credentials::open(config, cluster, id(node)).unwrap())
        };
        Self { a: credentials("a"), b: credentials("b"), _directory: directory }
    }

    fn accepting(&self, socket: TcpStream) -> TlsStream {
        TlsStream::new(socket, Side::Accepting, Arc::clone(&self.b))
    }

    fn dialling(&self, socket: TcpStream) -> TlsStream {
        TlsStream::new(socket, Side::Dialling { host: "localhost".into() }, Arc::clone(&self.a))
    }

    /// The listener's stream, and rustls at the other end, whose bytes the test sends as it likes.
    fn established(&self) -> (TlsStream, Connection, TcpStream) {
        let (mut socket, far) = sockets();
        let mut stream = self.accepting(far);
        stream.set_timeouts(Some(LONG), Some(LONG)).unwrap();
        let mut raw = self.a.dialling("localhost").unwrap().connection;
        thread::scope(|scope| {
            scope.spawn(|| {
                raw.complete_io(&mut socket).unwrap();
                raw.writer().write_all(b"!").unwrap();
                raw.complete_io(&mut socket).unwrap();
            });
            assert_eq!(stream.read(&mut [0; 8]).unwrap(), 1);
        });
        (stream, raw, socket)
    }
}

fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn record(connection: &mut Connection, bytes: &[u8]) -> Vec<u8> {
    connection.writer().write_all(bytes).unwrap();
    let mut record = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut record).unwrap();
    }
    record
}

/// Sends a byte now and then until the other end has gone.
fn trickle(mut socket: TcpStream, bytes: Vec<u8>) {
    // It listens between them: what comes is no matter, unless it is the end.
    socket.set_read_timeout(Some(SHORT / 20)).unwrap();
    thread::spawn(move || {
        for byte in bytes {
            if socket.write_all(&[byte]).is_err() || matches!(socket.read(&mut [0; 512]), Ok(0)) {
                return;
            }
        }
    });
}

fn assert_in_time(began: Instant, error: &io::Error) {
    assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock), "{error}");
    assert!(began.elapsed() >= SHORT && began.elapsed() < LONG / 4, "{:?}", began.elapsed());
}

#[test]
fn bytes_pass_and_both_ends_know_who_the_other_is() {
    let (scene, (near, far)) = (Scene::new(), sockets());
    let (mut dialled, mut accepted) = (scene.dialling(near), scene.accepting(far));
    assert_eq!((dialled.proven(), accepted.proven()), (None, None));
    // Many records.
    let sent = vec![7; 100_000];
    let mut bytes = vec![0; sent.len()];
    thread::scope(|scope| {
        scope.spawn(|| dialled.write_all(&sent).unwrap());
        accepted.read_exact(&mut bytes).unwrap();
    });
    assert!(bytes == sent);
    assert_eq!((dialled.proven(), accepted.proven()), (Some(id("b")), Some(id("a"))));
    dialled.closer().unwrap().close();
    assert_eq!(accepted.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_handshake_that_trickles_takes_no_longer_than_its_timeout() {
    let (scene, (near, far)) = (Scene::new(), sockets());
    // The head of a long record, and its bytes one by one.
    let mut hello = vec![0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb];
    hello.resize(4096, 0);
    trickle(near, hello);
    let mut accepted = scene.accepting(far);
    accepted.set_timeouts(Some(SHORT), None).unwrap();
    let began = Instant::now();
    assert_in_time(began, &accepted.read(&mut [0]).unwrap_err());
    assert_eq!(
        accepted.read(&mut [0]).unwrap_err().kind(),
        ErrorKind::BrokenPipe,
        "half a handshake is none"
    );

    let (near, far) = sockets();
    trickle(far, vec![0x16, 3, 3, 0x3f, 0xff].into_iter().chain([2; 4096]).collect());
    let mut dialled = scene.dialling(near);
    dialled.set_timeouts(None, Some(SHORT)).unwrap();
    let began = Instant::now();
    assert_in_time(began, &dialled.write(&[0]).unwrap_err());
}

#[test]
fn a_record_that_trickles_takes_no_longer_than_the_timeout_and_is_read_on_later() {
    let scene = Scene::new();
    let (mut stream, mut raw, mut socket) = scene.established();
    let sent = record(&mut raw, &[9; 1000]);
    socket.write_all(&sent[..500]).unwrap();
    stream.set_timeouts(Some(SHORT), None).unwrap();
    let began = Instant::now();
    assert_in_time(began, &stream.read(&mut [0; 8]).unwrap_err());
    socket.write_all(&sent[500..]).unwrap();
    stream.set_timeouts(Some(LONG), None).unwrap();
    let mut bytes = [0; 1000];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, [9; 1000]);

    trickle(socket, record(&mut raw, &[9; 4000]));
    stream.set_timeouts(Some(SHORT), None).unwrap();
    let began = Instant::now();
    assert_in_time(began, &stream.read(&mut [0; 8]).unwrap_err());
}

#[test]
fn a_peer_that_takes_nothing_ends_the_writing_in_time_and_for_good() {
    let scene = Scene::new();
    let (mut stream, _raw, _socket) = scene.established();
    stream.set_timeouts(None, Some(SHORT)).unwrap();
    let bytes = vec![0; 1 << 20];
    let (began, error) = loop {
        let began = Instant::now();
        if let Err(error) = stream.write(&bytes) {
            break (began, error);
        }
    };
    assert_in_time(began, &error);
    assert_eq!(stream.write(&[0]).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_record_that_was_changed_on_its_way_ends_the_stream() {
    let scene = Scene::new();
    let (mut stream, mut raw, mut socket) = scene.established();
    let mut sent = record(&mut raw, b"bytes");
    *sent.last_mut().unwrap() ^= 1;
    socket.write_all(&sent).unwrap();
    let error = stream.read(&mut [0; 8]).unwrap_err();
    assert!(Unproven::of(&error).is_none() && error.kind() == ErrorKind::InvalidData, "{error:?}");
}

/// A timeout left over from the handshake looked like the end of every stream, a second after it had begun.
#[test]
fn watching_has_no_timeout() {
    let scene = Scene::new();
    let (stream, _raw, _socket) = scene.established();
    assert!(stream.socket.read_timeout().unwrap().is_some());
    stream.set_timeouts(None, Some(SHORT)).unwrap();
    assert_eq!(stream.socket.read_timeout().unwrap(), None);
}

/// Whatever the other end does, the thread that waits for the end of the stream ends.
#[test]
fn watching_ends_with_the_stream_however_that_ends() {
    type Ending = fn(&mut Connection, &mut TcpStream);
    let endings: [(&str, Ending); 4] = [
        ("closed", |_, socket| socket.shutdown(Shutdown::Both).unwrap()),
        ("half closed", |_, socket| socket.shutdown(Shutdown::Write).unwrap()),
        ("said to be over", |raw, socket| {
            raw.send_close_notify();
            raw.complete_io(socket).unwrap();
        }),
        ("spoken on", |raw, socket| socket.write_all(&record(raw, b"more")).unwrap()),
    ];
    let scene = Scene::new();
    for (how, end) in endings {
        let (stream, mut raw, mut socket) = scene.established();
        let mut watcher = stream.watcher().unwrap();
        let (ended, wait) = mpsc::channel();
        thread::spawn(move || {
            watcher.wait();
            ended.send(()).unwrap();
        });
        end(&mut raw, &mut socket);
        wait.recv_timeout(LONG).unwrap_or_else(|_| panic!("still watched after it was {how}"));
    }
}

/// The end of the stream may be read together with the bytes before it: the socket stays silent then.
#[test]
fn an_end_that_came_with_the_last_bytes_is_no_secret() {
    let scene = Scene::new();
    for more in [b"".as_slice(), b"more"] {
        let (mut stream, mut raw, mut socket) = scene.established();
        let mut sent = record(&mut raw, b"answer");
        if more.is_empty() {
            raw.send_close_notify();
        }
        sent.extend(record(&mut raw, more));
        socket.write_all(&sent).unwrap();
        stream.read_exact(&mut [0; 6]).unwrap();
        // All of it came in one segment, or the rest ends the watching on the socket.
        let mut watcher = stream.watcher().unwrap();
        let (ended, wait) = mpsc::channel();
        thread::spawn(move || {
            watcher.wait();
            ended.send(()).unwrap();
        });
        wait.recv_timeout(LONG).expect("still watched");
    }
}
