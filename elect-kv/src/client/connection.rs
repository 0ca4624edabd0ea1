//! One task per client: requests in order, replies in order, runs of writes in one go.
//!
//! What clients hold is bounded over all of them: connections, requests that are not whole, replies that are not taken.

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf as _, Bytes, BytesMut};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio::time::timeout;

use super::access::Access;
use super::commands::Session;
use super::limits::{
    FREE_BYTES, LONG_REQUEST_PAUSE, OPERATOR_TIMEOUT, REQUEST_TIMEOUT, Room, VALUES_BYTES_MAX, no_reply_room,
};
use super::long_read;
use super::outgoing::{send_array, write_all};
use super::refusal::write_failed;
use super::reply::Reply;
use super::request::{REQUEST_BYTES_MAX, take_request};
use super::table::reads;
use super::transaction::{self, Step};
use super::wait::wait;
use super::words::upper;
use super::write::{Write, parse_write, reply_to};
use crate::node::input::WriteFailed;
use crate::node::shared::Shared;
use crate::node::writes::WriteResult;
use crate::store::{Command, SetReply};

/// Writes of one client that wait for a quorum together.
const RUN_MAX: usize = 1024;
/// Replies of this many bytes are sent before more requests are read.
const REPLY_BYTES_MAX: usize = 64 << 10;
/// Words with which a connection beyond `maxclients` is let in.
const OPERATORS_WORDS: [&str; 11] =
    ["ELECT", "FAILOVER", "INFO", "ROLE", "PING", "CLIENT", "HELLO", "AUTH", "COMMAND", "CONFIG", "QUIT"];

/// How long a client whose request was refused as a whole may go on sending it: an end before that could reach it before
/// the error does.
const LINGER: Duration = Duration::from_secs(5);

/// Why a connection has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Client,
    /// Beyond `maxclients`: for an operator's commands only.
    Operator,
}

/// A write that waits for a quorum.
struct Waiting {
    key: Bytes,
    result: oneshot::Receiver<WriteResult>,
}

/// What a client is told for which there is no place, in redis' words.
pub(super) const FULL: &str = "ERR max number of clients reached";

/// What a client is told whose long request is not let in.
const NO_PLACE: &str = "BUSY other long requests hold all places: try again";

pub(super) struct Connection<'a> {
    shared: &'a Arc<Shared>,
    stream: Arc<TcpStream>,
    session: Session,
    place: Place,
    requests: BytesMut,
    /// Held while a long request is not whole, or waits to be let in; and since when.
    long: Option<(OwnedSemaphorePermit, Instant)>,
    replies: BytesMut,
    waiting: VecDeque<Waiting>,
    /// Turns true when clients are to be sent home.
    closing: watch::Receiver<bool>,
    /// Whether what follows cannot be read: the connection ends once the client has been told.
    is_broken: bool,
}

impl<'a> Connection<'a> {
    pub(super) fn new(
        shared: &'a Arc<Shared>,
        stream: TcpStream,
        id: u64,
        place: Place,
        closing: watch::Receiver<bool>,
    ) -> Self {
        Self {
            shared,
            stream: Arc::new(stream),
            session: Session::new(id, Access::without_password(&shared.settings.file)),
            place,
            requests: BytesMut::new(),
            long: None,
            replies: BytesMut::new(),
            waiting: VecDeque::new(),
            closing,
            is_broken: false,
        }
    }

    pub(super) async fn run(mut self) -> io::Result<()> {
        let mut closing = self.closing.clone();
        // Once for the connection, and not for each request.
        let mut sent_home = pin!(async move { drop(closing.wait_for(|closing| *closing).await) });
        loop {
            self.answer_all().await?;
            self.flush().await?;
            if self.session.closing || *self.closing.borrow() {
                self.end()?;
                if self.is_broken {
                    let _ = timeout(LINGER, self.discard()).await;
                }
                return Ok(());
            }
            if self.session.access == Access::Nothing && self.requests.len() > FREE_BYTES {
                self.refuse_the_rest("ERR Protocol error: before AUTH a request is short");
                continue;
            }
            let read = async {
                self.make_room().await?;
                self.read().await
            };
            let read = tokio::select! {
                read = read => read,
                () = &mut sent_home => {
                    self.session.closing = true;
                    continue;
                }
            };
            match read {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return self.send_home().await,
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => self.refuse_the_rest(NO_PLACE),
                Err(error) => return Err(error),
            }
        }
    }

    /// The last word to a client of whom nothing more is read.
    fn refuse_the_rest(&mut self, why: &str) {
        self.put(Reply::error(why));
        (self.session.closing, self.is_broken) = (true, true);
    }

    /// A client whose request has become long waits for one of the places for these. Whoever asks nothing holds nothing.
    async fn make_room(&mut self) -> io::Result<()> {
        if self.requests.len() <= FREE_BYTES {
            self.long = None;
            if self.requests.is_empty() {
                self.requests = BytesMut::new();
            }
        } else if self.long.is_none() {
            let place = self.shared.limits.long_requests.clone().acquire_owned();
            let place = timeout(REQUEST_TIMEOUT, place).await.map_err(|_| io::ErrorKind::ResourceBusy)?;
            self.long = Some((place.map_err(io::Error::other)?, Instant::now()));
            // Once, and not twice as much with each step.
            self.requests.reserve(REQUEST_BYTES_MAX + FREE_BYTES - self.requests.len());
        }
        Ok(())
    }

    /// Reads more of a request, within the time that it may take.
    async fn read(&mut self) -> io::Result<usize> {
        let idle = self.shared.limits.timeout;
        let bound = match (self.place, &self.long) {
            (Place::Operator, _) if self.requests.is_empty() => OPERATOR_TIMEOUT,
            (_, Some((_, since))) => {
                let until = *since + REQUEST_TIMEOUT;
                return self.read_long(until).await;
            }
            _ if idle.is_zero() => return self.read_some().await,
            _ => idle,
        };
        timeout(bound, self.read_some()).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Reads more of a long request. One that does not get on gives its place up as soon as somebody waits for it.
    async fn read_long(&mut self, until: Instant) -> io::Result<usize> {
        loop {
            let left = until.saturating_duration_since(Instant::now()).min(LONG_REQUEST_PAUSE);
            if let Ok(read) = timeout(left, self.read_some()).await {
                return read;
            }
            let is_wanted = self.shared.limits.long_requests.available_permits() == 0;
            if is_wanted || Instant::now() >= until {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// Nothing more is said.
    fn end(&self) -> io::Result<()> {
        SockRef::from(self.stream.as_ref()).shutdown(Shutdown::Write)
    }

    /// Reads what nobody needs.
    async fn discard(&mut self) -> io::Result<()> {
        loop {
            self.requests.clear();
            self.requests.reserve(FREE_BYTES);
            if self.read_some().await? == 0 {
                return Ok(());
            }
        }
    }

    async fn read_some(&mut self) -> io::Result<usize> {
        loop {
            self.stream.readable().await?;
            if self.long.is_none() {
                self.requests.reserve(FREE_BYTES);
            }
            match self.stream.try_read_buf(&mut self.requests) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    /// Says why, and closes: as redis, an idle client is closed without a word.
    async fn send_home(mut self) -> io::Result<()> {
        match self.place {
            Place::Operator => self.put(Reply::error(FULL)),
            Place::Client if self.long.is_some() => {
                self.put(Reply::error("ERR Protocol error: a long request was not whole in time"));
            }
            Place::Client => {}
        }
        self.flush().await?;
        self.end()
    }

    /// Answers every whole request. Consecutive writes go to the host together; anything else waits for them,
    /// so that a client reads what it wrote.
    async fn answer_all(&mut self) -> io::Result<()> {
        while !self.session.closing {
            let words = match take_request(&mut self.requests) {
                Ok(Some(words)) if words.is_empty() => continue,
                Ok(Some(words)) => words,
                Ok(None) => break,
                Err(malformed) => {
                    self.finish_writes().await;
                    self.refuse_the_rest(&format!("ERR {malformed}"));
                    break;
                }
            };
            let name = upper(&words[0]);
            // The words of a web page: a browser sends whatever body it is told to, and must not get that far.
            if name == "POST" || name == "HOST:" {
                self.session.closing = true;
                break;
            }
            if let Err(refused) = self.session.access.admit(&name) {
                self.finish_writes().await;
                self.put(refused);
                continue;
            }
            if self.place == Place::Operator && !OPERATORS_WORDS.contains(&name.as_str()) {
                self.put(Reply::error(FULL));
                self.session.closing = true;
                break;
            }
            self.answer(name, words).await?;
            if self.replies.len() >= REPLY_BYTES_MAX {
                self.flush().await?;
            }
        }
        self.finish_writes().await;
        Ok(())
    }

    async fn answer(&mut self, name: String, words: Vec<Bytes>) -> io::Result<()> {
        let write = match transaction::step(&mut self.session.transaction, self.shared, &name, &words) {
            Some(Step::Write(write)) => Ok(Some(write)),
            Some(Step::Reply(reply)) => Err(reply),
            None => parse_write(&name, &words),
        };
        if let Ok(Some(write)) = write {
            return self.ask(write).await;
        }
        self.finish_writes().await;
        let reply = match write {
            Err(reply) => reply,
            Ok(_) if name == "WAIT" => tokio::select! {
                waited = wait(self.shared, &words[1..], &mut self.closing) => waited,
                () = gone(&self.stream) => return Err(io::ErrorKind::UnexpectedEof.into()),
            },
            Ok(_) if reads(&name) => {
                long_read::answer(self.shared, &self.stream, &mut self.session, name, words).await
            }
            Ok(_) => self.session.answer(self.shared, &name, &words),
        };
        match reply {
            Reply::Array(replies) if self.session.room.bytes() > REPLY_BYTES_MAX => {
                let all = send_array(&self.stream, replies, self.session.version, &mut self.replies);
                let span = self.shared.limits.output.soft_span;
                timeout(span, all).await.map_err(|_| io::ErrorKind::TimedOut)??;
                self.flush().await
            }
            reply => {
                self.put(reply);
                Ok(())
            }
        }
    }

    async fn ask(&mut self, write: Write) -> io::Result<()> {
        if matches!(write.command, Command::Set { reply: SetReply::Old, .. })
            && !self.make_room_for_value().await?
        {
            self.put(no_reply_room());
            return Ok(());
        }
        let (writes, handle) = (&self.shared.writes, &self.shared.handle);
        let result = writes.ask(write.command.encode(), || handle.now()).await;
        self.waiting.push_back(Waiting { key: write.key, result });
        if self.waiting.len() >= RUN_MAX {
            self.finish_writes().await;
        }
        Ok(())
    }

    /// A value comes with the reply, and how long it is shows only then: few of these writes are under way at a time. Whoever
    /// waits for its turn holds nothing.
    async fn make_room_for_value(&mut self) -> io::Result<bool> {
        let limits = &self.shared.limits;
        let bytes = REQUEST_BYTES_MAX.min(limits.output.hard);
        // Some clients that take nothing leave room for those that do.
        if self.session.room.bytes() < VALUES_BYTES_MAX && self.session.room.take(bytes, limits).is_ok() {
            return Ok(true);
        }
        self.finish_writes().await;
        self.flush().await?;
        Ok(timeout(REQUEST_TIMEOUT, self.session.room.wait(bytes, limits)).await.is_ok())
    }

    /// Waits for the writes under way and puts their replies, in order.
    async fn finish_writes(&mut self) {
        while let Some(Waiting { key, result }) = self.waiting.pop_front() {
            // A host that ended without a reply may have appended the write.
            let result = result.await.unwrap_or(Err(WriteFailed::Unknown(elect_core::Epoch::ZERO)));
            let reply = match result {
                Ok(result) => reply_to(result),
                Err(failed) => write_failed(self.shared, &key, failed),
            };
            self.put(reply);
        }
    }

    fn put(&mut self, reply: Reply) {
        reply.encode(self.session.version, &mut self.replies);
    }

    /// Sends what there is. A client that does not take it has a time limit above the soft limit of bytes, and what it
    /// leaves counts among what all clients may leave.
    async fn flush(&mut self) -> io::Result<()> {
        let limits = &self.shared.limits;
        if !self.replies.is_empty()
            && let Ok(sent) = self.stream.try_write(&self.replies)
        {
            self.replies.advance(sent);
        }
        let left = self.replies.len();
        let _room = if left > FREE_BYTES && !self.session.room.is_held() {
            Some(limits.reply_room(left).ok_or(io::ErrorKind::OutOfMemory)?)
        } else {
            None
        };
        if left > limits.output.soft {
            let all = write_all(&self.stream, &mut self.replies);
            timeout(limits.output.soft_span, all).await.map_err(|_| io::ErrorKind::TimedOut)??;
        } else {
            write_all(&self.stream, &mut self.replies).await?;
        }
        self.session.room = Room::default();
        if self.replies.capacity() > REPLY_BYTES_MAX {
            self.replies = BytesMut::new();
        }
        Ok(())
    }
}

/// Ends when the client does.
async fn gone(stream: &TcpStream) {
    if matches!(stream.peek(&mut [0]).await, Ok(1..)) {
        // It has sent more requests: whether it ends after them is not to be seen.
        std::future::pending::<()>().await;
    }
}
