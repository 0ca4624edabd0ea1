//! Where a peer may be dialled: where its configured name leads, and while nobody can say, where it was.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use elect_core::Address;

/// Looks a name up, or fails.
type LookUp = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// What is known of one peer.
#[derive(Debug)]
pub(super) struct Whereabouts {
    configured: String,
    /// A look-up that outlasted its dial.
    pending: Mutex<Option<Receiver<io::Result<Vec<SocketAddr>>>>>,
    known: Mutex<Known>,
    look_up: LookUp,
}

/// Where it was.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The last address that took a connection.
    worked: Option<SocketAddr>,
    /// Where the peer said that it is dialled, when it was last heard.
    told: Option<SocketAddr>,
    /// Where the last stream led on which the peer itself answered.
    stood: Option<SocketAddr>,
    /// That address has refused since.
    is_proven: bool,
}

/// What addresses that refuse prove of the process to which the last stream led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing.
    None,
    /// It no longer listens where it did, which was not known.
    New,
    /// The same, as before.
    Old,
}

impl Whereabouts {
    pub(super) fn new(configured: String) -> Self {
        Self::with(configured, |name| name.to_socket_addrs().map(Iterator::collect))
    }

    pub(super) fn with(configured: String, look_up: LookUp) -> Self {
        Self { configured, pending: Mutex::default(), known: Mutex::default(), look_up }
    }

    #[cfg(feature = "tls")]
    pub(super) fn configured(&self) -> &str {
        &self.configured
    }

    /// That address took a connection.
    pub(super) fn worked(&self, address: SocketAddr) {
        self.known().worked = Some(address);
    }

    /// There the peer itself answered.
    pub(super) fn stood(&self, address: SocketAddr) {
        let mut known = self.known();
        (known.stood, known.is_proven) = (Some(address), false);
    }

    /// What it proves that `refused` refuse. Wherever else its name may lead now, its process lived where the last stream
    /// to it led.
    pub(super) fn judge(&self, all_refuse: bool, refused: &[SocketAddr]) -> Proof {
        let mut known = self.known();
        if !all_refuse || known.stood.is_none_or(|stood| !refused.contains(&stood)) {
            return Proof::None;
        }
        if std::mem::replace(&mut known.is_proven, true) { Proof::Old } else { Proof::New }
    }

    /// Where it says that it is, if that is none of `addresses`.
    pub(super) fn told_besides(&self, addresses: &[SocketAddr]) -> Option<SocketAddr> {
        self.known().told.filter(|told| !addresses.contains(told))
    }

    /// The peer was heard and says that it is dialled at `address`. An address without a host is that which the peer
    /// dials from.
    pub(super) fn learn(&self, address: &Address, remote: &Address) {
        let parse = |address: &Address| address.as_str().parse::<SocketAddr>().ok();
        let Some(mut told) = parse(address) else { return };
        if told.ip().is_unspecified() {
            let Some(remote) = parse(remote) else { return };
            told.set_ip(remote.ip());
        }
        self.known().told = Some(told);
    }

    /// Where to dial it now. Where its name cannot be looked up in time, where it was, and why.
    pub(super) fn addresses(&self, timeout: Duration) -> io::Result<(Vec<SocketAddr>, Option<io::Error>)> {
        let Known { worked, told, .. } = *self.known();
        let mut before: Vec<_> = worked.into_iter().chain(told).collect();
        before.dedup();
        // What was known before takes its time, too.
        let patience = if before.is_empty() { timeout } else { timeout / 2 };
        match self.resolve(patience) {
            Ok(addresses) => Ok((addresses, None)),
            Err(error) if before.is_empty() => Err(error),
            Err(error) => Ok((before, Some(error))),
        }
    }

    /// Looks the name up on a thread of its own: `getaddrinfo` cannot be woken and may block for minutes.
    fn resolve(&self, timeout: Duration) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = self.configured.parse() {
            return Ok(vec![address]);
        }
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match pending.take() {
            Some(answer) => answer,
            None => self.begin_look_up()?,
        };
        match answer.recv_timeout(timeout) {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(error)) => {
                let text = format!("looking up {} failed: {error}", self.configured);
                Err(io::Error::new(error.kind(), text))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(io::Error::other("the look-up thread ended without an answer"))
            }
            Err(RecvTimeoutError::Timeout) => {
                *pending = Some(answer);
                let text = format!("looking up {} takes longer than {timeout:?}", self.configured);
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
        }
    }

    fn begin_look_up(&self) -> io::Result<Receiver<io::Result<Vec<SocketAddr>>>> {
        let (sender, receiver) = bounded(1);
        let (name, look_up) = (self.configured.clone(), self.look_up);
        thread::Builder::new().name("elect-resolve".into()).spawn(move || {
            let _ = sender.send(look_up(&name));
        })?;
        Ok(receiver)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
