//! One task per client: requests in order, replies in order, runs of writes in one go.

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::access::Access;
use super::commands::{Session, upper};
use super::reply::Reply;
use super::request::take_request;
use super::wait::wait;
use super::write::{parse_write, reply_to};
use crate::node::input::WriteFailed;
use crate::node::shared::Shared;
use crate::store::CommandResult;

/// Clients at a time.
const CLIENTS_MAX: usize = 10_000;
/// Writes of one client that wait for a quorum together.
const RUN_MAX: usize = 1024;
/// Replies of this many bytes are sent before more requests are read.
const REPLY_BYTES_MAX: usize = 1 << 20;

/// How long a client whose request was refused as a whole may go on sending it: an end before that could reach it before
/// the error does.
const LINGER: Duration = Duration::from_secs(5);

/// The client port.
#[derive(Debug)]
pub(crate) struct Clients {
    shared: Arc<Shared>,
    /// Turns true when clients are to be sent home.
    closing: watch::Sender<bool>,
    places: Arc<Semaphore>,
}

/// A write that waits for a quorum.
struct Waiting {
    name: String,
    key: Bytes,
    result: oneshot::Receiver<Result<CommandResult, WriteFailed>>,
}

impl Clients {
    pub(crate) fn start(shared: Arc<Shared>, listener: StdListener) -> io::Result<Arc<Self>> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let places = Arc::new(Semaphore::new(CLIENTS_MAX));
        let clients = Arc::new(Self { shared, closing: watch::Sender::new(false), places });
        tokio::spawn(clients.clone().accept(listener));
        Ok(clients)
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let ids = AtomicU64::new(1);
        let mut closing = self.closing.subscribe();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = closing.wait_for(|closing| *closing) => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let id = ids.fetch_add(1, Ordering::Relaxed);
                    let place = self.places.clone().try_acquire_owned().ok();
                    tokio::spawn(self.clone().serve(stream, id, place));
                }
                // Out of descriptors, mostly: the next attempt needs some to be closed first.
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn serve(self: Arc<Self>, mut stream: TcpStream, id: u64, place: Option<OwnedSemaphorePermit>) {
        if place.is_none() {
            let full = format!("-ERR max number of clients reached: {CLIENTS_MAX}\r\n");
            let _ = stream.write_all(full.as_bytes()).await;
            return;
        }
        let _ = stream.set_nodelay(true);
        let closing = self.closing.subscribe();
        // A client that goes away is no error of the server.
        let _ = Connection::new(&self.shared, stream, id, closing).run().await;
    }

    /// Sends clients home: what they have asked is answered first. Waits until all are gone, or `bound` is over.
    pub(crate) async fn close(&self, bound: Duration) {
        self.closing.send_replace(true);
        let all = u32::try_from(CLIENTS_MAX).expect("a small number");
        let _ = timeout(bound, self.places.acquire_many(all)).await;
    }
}

struct Connection<'a> {
    shared: &'a Shared,
    stream: TcpStream,
    session: Session,
    requests: BytesMut,
    replies: BytesMut,
    waiting: VecDeque<Waiting>,
    /// Turns true when clients are to be sent home.
    closing: watch::Receiver<bool>,
    /// Whether what follows cannot be read: the connection ends once the client has been told.
    is_broken: bool,
}

impl<'a> Connection<'a> {
    fn new(shared: &'a Shared, stream: TcpStream, id: u64, closing: watch::Receiver<bool>) -> Self {
        Self {
            shared,
            stream,
            session: Session::new(id, Access::without_password(&shared.settings.file)),
            requests: BytesMut::new(),
            replies: BytesMut::new(),
            waiting: VecDeque::new(),
            closing,
            is_broken: false,
        }
    }

    async fn run(mut self) -> io::Result<()> {
        loop {
            self.answer_all().await?;
            self.flush().await?;
            if self.session.closing || *self.closing.borrow() {
                self.stream.shutdown().await?;
                if self.is_broken {
                    let _ = timeout(LINGER, self.discard()).await;
                }
                return Ok(());
            }
            self.requests.reserve(16 << 10);
            let read = tokio::select! {
                read = self.stream.read_buf(&mut self.requests) => read?,
                _ = self.closing.wait_for(|closing| *closing) => continue,
            };
            if read == 0 {
                return Ok(());
            }
        }
    }

    /// Reads what nobody needs.
    async fn discard(&mut self) -> io::Result<()> {
        loop {
            self.requests.clear();
            self.requests.reserve(16 << 10);
            if self.stream.read_buf(&mut self.requests).await? == 0 {
                return Ok(());
            }
        }
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
                    self.put(Reply::error(format!("ERR {malformed}")));
                    (self.session.closing, self.is_broken) = (true, true);
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
            match parse_write(&name, &words) {
                Ok(Some(write)) => {
                    let result = self.shared.write(write.command.encode());
                    self.waiting.push_back(Waiting { name, key: write.key, result });
                    if self.waiting.len() >= RUN_MAX {
                        self.finish_writes().await;
                    }
                }
                Ok(None) if name == "WAIT" => {
                    self.finish_writes().await;
                    let waited = tokio::select! {
                        waited = wait(self.shared, &words[1..], &mut self.closing) => waited,
                        () = gone(&self.stream) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    };
                    self.put(waited);
                }
                Ok(None) => {
                    self.finish_writes().await;
                    let reply = self.session.answer(self.shared, &name, &words);
                    self.put(reply);
                }
                Err(reply) => {
                    self.finish_writes().await;
                    self.put(reply);
                }
            }
            if self.replies.len() >= REPLY_BYTES_MAX {
                self.flush().await?;
            }
        }
        self.finish_writes().await;
        Ok(())
    }

    /// Waits for the writes under way and puts their replies, in order.
    async fn finish_writes(&mut self) {
        while let Some(Waiting { name, key, result }) = self.waiting.pop_front() {
            // A host that ended without a reply may have appended the write.
            let result = result.await.unwrap_or(Err(WriteFailed::Unknown(elect_core::Epoch::ZERO)));
            let reply = match result {
                Ok(result) => reply_to(&name, result),
                Err(failed) => Reply::Error(failed.text(self.shared, Some(&key))),
            };
            self.put(reply);
        }
    }

    fn put(&mut self, reply: Reply) {
        reply.encode(self.session.version, &mut self.replies);
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.replies).await
    }
}

/// Ends when the client does.
async fn gone(stream: &TcpStream) {
    if matches!(stream.peek(&mut [0]).await, Ok(1..)) {
        // It has sent more requests: whether it ends after them is not to be seen.
        std::future::pending::<()>().await;
    }
}
