//! One request to the client port of one node, or of all of them at once, within a bound.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use crossbeam_channel::unbounded;
use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::encode::extend_encode;
use redis_protocol::resp2::types::{BytesFrame, OwnedFrame};

use crate::config::Settings;

/// How long a node has for its answer, the dial included.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// An answer has at most this many bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Asks every one of these addresses at the same time. Those that do not answer in time have said so by then, also where the
/// look-up of a name hangs.
pub(super) fn ask_all(
    settings: &Settings,
    addresses: &[Option<String>],
    words: &'static [&'static str],
) -> Vec<Result<String, String>> {
    let (answers, answered) = unbounded();
    let mut found: Vec<_> = addresses
        .iter()
        .map(|address| match address {
            Some(_) => Err(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs())),
            None => Err("the configuration does not say where its clients connect".into()),
        })
        .collect();
    for (index, address) in addresses.iter().enumerate() {
        let Some(address) = address.clone() else { continue };
        let (answers, login) = (answers.clone(), login(settings));
        thread::spawn(move || {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            // Nobody waits any more for whoever comes too late.
            let _ = answers.send((index, exchange(&address, login, words)));
        });
    }
    drop(answers);
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    while let Ok((index, answer)) = answered.recv_deadline(deadline) {
        found[index] = answer;
    }
    found
}

/// Asks one of them.
pub(super) fn ask(settings: &Settings, address: &str, words: Vec<String>) -> Result<String, String> {
    exchange(address, login(settings), words)
}

/// What an operator shows.
fn login(settings: &Settings) -> Option<Vec<String>> {
    let file = &settings.file;
    let of_operator = file.operator_password.as_ref().map(|password| ("operator", password));
    let known = of_operator.or_else(|| file.password.as_ref().map(|password| ("default", password)));
    known.map(|(user, password)| vec!["AUTH".into(), user.into(), password.reveal().into()])
}

fn exchange(address: &str, login: Option<Vec<String>>, words: Vec<String>) -> Result<String, String> {
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    let mut answer = Err("it closed the connection".to_owned());
    let mut stream = dial(address, deadline).map_err(|error| error.to_string())?;
    let mut unread = Vec::new();
    for request in login.into_iter().chain([words]) {
        send(&mut stream, request).map_err(|error| error.to_string())?;
        let frame = receive(&mut stream, &mut unread, deadline).map_err(|error| readable(&error))?;
        answer = text_of(frame);
        if answer.is_err() {
            break;
        }
    }
    answer
}

fn dial(address: &str, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::other("its name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => {
                stream.set_write_timeout(Some(left(deadline)?))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What is left, and at least a moment: no time at all would mean no bound.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn send(stream: &mut TcpStream, words: Vec<String>) -> io::Result<()> {
    let words = words.into_iter().map(|word| BytesFrame::BulkString(Bytes::from(word))).collect();
    let mut bytes = BytesMut::new();
    extend_encode(&mut bytes, &BytesFrame::Array(words), false).map_err(io::Error::other)?;
    stream.write_all(&bytes)
}

fn receive(stream: &mut TcpStream, unread: &mut Vec<u8>, deadline: Instant) -> io::Result<OwnedFrame> {
    let mut piece = [0; 16 << 10];
    loop {
        if let Some((frame, length)) =
            decode(unread).map_err(|_| io::Error::other("it does not speak RESP"))?
        {
            unread.drain(..length);
            return Ok(frame);
        }
        if unread.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other("its answer does not end"));
        }
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut piece)? {
            0 => return Err(io::Error::other("it closed the connection")),
            count => unread.extend_from_slice(&piece[..count]),
        }
    }
}

fn readable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            format!("no answer within {} s", ANSWER_TIMEOUT.as_secs())
        }
        _ => error.to_string(),
    }
}

fn text_of(frame: OwnedFrame) -> Result<String, String> {
    match frame {
        OwnedFrame::Error(text) => Err(text),
        OwnedFrame::SimpleString(bytes) | OwnedFrame::BulkString(bytes) => {
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => Err("it gave another kind of answer than was asked for".into()),
    }
}
