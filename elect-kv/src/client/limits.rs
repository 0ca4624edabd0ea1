//! What clients may take: descriptors, memory and time. Named as in redis, where redis has a name.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::reply::Reply;
use super::short_reads::ShortReads;
use crate::config::{NodeFile, OutputLimit};

/// Clients at a time, where the file says nothing.
const MAXCLIENTS: usize = 10_000;
/// Descriptors that clients never get: the store's files, the streams between nodes, the files of the process.
const RESERVED: u64 = 256;
/// Connections beyond `maxclients`, for whoever sends an operator's command at once.
pub(super) const OPERATORS_MAX: usize = 8;
/// How long a connection beyond `maxclients` has for its first command.
pub(super) const OPERATOR_TIMEOUT: Duration = Duration::from_secs(1);
/// A client may hold this many bytes of a request, or of replies, without asking.
pub(super) const FREE_BYTES: usize = 16 << 10;
/// Requests that are longer than that and not whole yet, or not let in yet, over all clients.
const LONG_REQUESTS_MAX: usize = 24;
/// How long a request may take to become whole once it is longer than that, and a read to come from the disk.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long such a request may make no progress while others wait for its place.
pub(super) const LONG_REQUEST_PAUSE: Duration = Duration::from_secs(1);
/// Bytes of replies over all clients that are longer than that.
const REPLY_BYTES_MAX: usize = 64 << 20;
/// What one client may hold of that for values that its writes return, before it has taken them.
pub(super) const VALUES_BYTES_MAX: usize = REPLY_BYTES_MAX / 8;
/// Bytes of what is queued between `MULTI` and `EXEC`, over all clients.
const QUEUED_BYTES_MAX: usize = 16 << 20;
/// Reads that run beside them at the same time.
const LONG_READS_MAX: usize = 2;

/// The limits of one node, and what is left of them.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Clients at a time.
    pub(crate) maxclients: usize,
    /// After how long a client that asks nothing is closed; zero for never.
    pub(crate) timeout: Duration,
    pub(super) output: OutputLimit,
    pub(super) clients: Arc<Semaphore>,
    pub(super) operators: Arc<Semaphore>,
    pub(super) long_requests: Arc<Semaphore>,
    pub(super) short_reads: ShortReads,
    pub(super) long_reads: Arc<Semaphore>,
    replies: Arc<Semaphore>,
    queued: Arc<Semaphore>,
}

impl Limits {
    /// The limits that a file asks for, as far as the process has descriptors for them. Raises the soft limit of these to
    /// the hard one. The text says what is less than was asked for.
    pub(crate) fn new(file: &NodeFile) -> (Self, Option<String>) {
        let descriptors = raise_descriptors();
        let (maxclients, warning) = maxclients(file.maxclients, descriptors);
        let limits = Self {
            maxclients,
            timeout: Duration::from_secs(file.timeout),
            output: file.client_output_buffer_limit,
            clients: Arc::new(Semaphore::new(maxclients)),
            operators: Arc::new(Semaphore::new(OPERATORS_MAX)),
            long_requests: Arc::new(Semaphore::new(LONG_REQUESTS_MAX)),
            short_reads: ShortReads::default(),
            long_reads: Arc::new(Semaphore::new(LONG_READS_MAX)),
            replies: Arc::new(Semaphore::new(REPLY_BYTES_MAX)),
            queued: Arc::new(Semaphore::new(QUEUED_BYTES_MAX)),
        };
        (limits, warning)
    }

    /// How many clients are connected.
    pub(crate) fn connected(&self) -> usize {
        self.maxclients.saturating_sub(self.clients.available_permits())
    }

    /// Room for this many bytes of replies, if there is any left.
    pub(super) fn reply_room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        self.replies.clone().try_acquire_many_owned(bytes).ok()
    }
}

/// Room for this many more bytes of a transaction; what is too much is the reply instead.
pub(super) fn queued_room(limits: &Limits, bytes: usize) -> Result<OwnedSemaphorePermit, Reply> {
    let room =
        u32::try_from(bytes).ok().and_then(|bytes| limits.queued.clone().try_acquire_many_owned(bytes).ok());
    room.ok_or_else(|| {
        Reply::error(format!(
            "OOM transactions that are not executed yet hold all of {QUEUED_BYTES_MAX} bytes: try again"
        ))
    })
}

fn raise_descriptors() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    // Refused: then it stays as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current
}

/// How many clients there may be with this many descriptors, `None` for any number.
fn maxclients(asked: Option<usize>, descriptors: Option<u64>) -> (usize, Option<String>) {
    let asked_or_default = asked.unwrap_or(MAXCLIENTS);
    let Some(descriptors) = descriptors else { return (asked_or_default, None) };
    let left = descriptors.saturating_sub(RESERVED + OPERATORS_MAX as u64).max(descriptors / 4).max(1);
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    if left >= asked_or_default {
        return (asked_or_default, None);
    }
    let text = format!(
        "maxclients is {left}, not {asked_or_default}: the process may open {descriptors} files (ulimit -n, LimitNOFILE=), and \
         {RESERVED} are kept for the store and the other nodes"
    );
    (left, Some(text))
}

/// The room that the replies of one client take.
#[derive(Debug, Default)]
pub(super) struct Room {
    bytes: usize,
    permits: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// How much is taken.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it counts among what all clients hold.
    pub(super) fn is_held(&self) -> bool {
        self.permits.is_some()
    }

    /// Waits for room, of which it holds none.
    pub(super) async fn wait(&mut self, bytes: usize, limits: &Limits) {
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        *self = Self { bytes, permits: limits.replies.clone().acquire_many_owned(permits).await.ok() };
    }

    /// Takes room for more bytes of a reply that is being made; what is too much becomes the reply instead.
    pub(super) fn take(&mut self, bytes: usize, limits: &Limits) -> Result<(), Reply> {
        self.bytes += bytes;
        if self.bytes > limits.output.hard {
            return Err(Reply::error(format!(
                "ERR a reply of more than {} bytes, the hard limit of client-output-buffer-limit: ask for less at a time",
                limits.output.hard
            )));
        }
        let held = self.permits.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if self.bytes <= FREE_BYTES || self.bytes <= held {
            return Ok(());
        }
        match limits.reply_room(self.bytes - held) {
            None => Err(no_reply_room()),
            Some(more) => {
                match &mut self.permits {
                    Some(permits) => permits.merge(more),
                    None => self.permits = Some(more),
                }
                Ok(())
            }
        }
    }
}

pub(super) fn no_reply_room() -> Reply {
    Reply::error(format!(
        "OOM replies that clients have not taken yet hold all of {REPLY_BYTES_MAX} bytes: try again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_never_get_the_descriptors_of_the_store() {
        let table = [
            (None, None, 10_000, false),
            (None, Some(1_048_576), 10_000, false),
            (None, Some(1024), 760, true),
            (Some(500), Some(1024), 500, false),
            (Some(5_000), Some(1024), 760, true),
            (None, Some(64), 16, true),
            (Some(20_000), None, 20_000, false),
        ];
        for (asked, descriptors, expected, warns) in table {
            let (clients, warning) = maxclients(asked, descriptors);
            assert_eq!((clients, warning.is_some()), (expected, warns), "{asked:?} {descriptors:?}");
        }
    }

    #[test]
    fn replies_have_a_limit_for_one_client_and_one_for_all() {
        let file = crate::config::example("").file;
        let (limits, _) = Limits::new(&file);
        let mut room = Room::default();
        room.take(FREE_BYTES, &limits).unwrap();
        assert_eq!(limits.replies.available_permits(), REPLY_BYTES_MAX, "little is free");
        let mut rooms: Vec<Room> = Vec::new();
        let refused = loop {
            let mut room = Room::default();
            if let Err(refused) = (0..20).try_for_each(|_| room.take(1 << 20, &limits)) {
                break refused;
            }
            rooms.push(room);
        };
        assert_eq!(rooms.len(), 3);
        let Reply::Error(text) = refused else { panic!() };
        assert!(text.starts_with("OOM "), "{text}");
        rooms.clear();
        assert_eq!(limits.replies.available_permits(), REPLY_BYTES_MAX, "and it is given back");
        let Err(Reply::Error(text)) = Room::default().take((32 << 20) + 1, &limits) else { panic!() };
        assert!(text.contains("client-output-buffer-limit"), "{text}");
    }
}
