//! What is in force of what the host chose, and the ends of rustls that are made of it.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, TryLockError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use elect_core::{ClusterId, NodeId};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::ProducesTickets;
use rustls::{
    ClientConfig, ClientConnection, CommonState, Connection, Error, ProtocolVersion, ServerConfig,
    ServerConnection,
};

use super::both_ends::BothEnds;
use super::config::TlsConfig;
use super::dates::Dates;
use super::material::{Material, Own};
use super::names::NameRules;
use super::verifier::{PeerVerifier, Presented};
use crate::transport::{Tell, TransportNotice, Unproven};

/// Both ends say that they speak this protocol, or the one that the host has named, and whoever names none is refused: a
/// certificate that serves another protocol as well is no way in.
pub(super) const PROTOCOL: &[u8] = b"elect";

/// The credentials of one node.
pub(super) struct Credentials {
    config: TlsConfig,
    node: NodeId,
    rules: Arc<NameRules>,
    material: ArcSwap<Material>,
    read_last: Mutex<ReadLast>,
    tell: OnceLock<Tell>,
}

/// An end of TLS before its handshake, and what judges the other one.
pub(super) struct End {
    pub(super) connection: Connection,
    pub(super) presented: Presented,
    pub(super) material: Arc<Material>,
}

/// What is known of the files since they were read, whether they could be used or not.
#[derive(Debug)]
struct ReadLast {
    stamps: Vec<Option<Stamp>>,
    /// Why they could not be used, and when.
    failure: Option<(String, Instant)>,
    /// What the own certificate's dates were told to be, and when they were looked at.
    dates: (Dates, Option<Instant>),
}

/// Files that could not be used are read again after this span, though they look the same: what was missing may be what
/// their metadata does not show, such as descriptors of this process.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How often the dates of the own certificate are looked at.
const DATES_EVERY: Duration = Duration::from_hours(1);

/// What changes with the content of a file, or with who may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    /// The inode, and when it changed last: owner, mode and content, whatever its file's dates say.
    inode: (u64, i64, i64),
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let metadata = fs::metadata(file).ok()?;
        #[cfg(unix)]
        let inode = {
            use std::os::unix::fs::MetadataExt;
            (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        };
        #[cfg(not(unix))]
        let inode = (0, 0, 0);
        Some(Self { modified: metadata.modified().ok(), bytes: metadata.len(), inode })
    }
}

impl Credentials {
    /// Reads every file; what is wrong is said for an operator.
    pub(super) fn open(config: TlsConfig, cluster: ClusterId, node: NodeId) -> Result<Self, String> {
        let rules = Arc::new(config.rules(cluster));
        // Before the files are read: what changes meanwhile is read again.
        let stamps = stamps(&config);
        let material = read(&config, &rules, node)?;
        Ok(Self {
            config,
            node,
            rules,
            material: ArcSwap::from_pointee(material),
            read_last: Mutex::new(ReadLast { stamps, failure: None, dates: (Dates::Fine, None) }),
            tell: OnceLock::new(),
        })
    }

    /// Who hears when the files change, and at once what is wrong with the dates of the own certificate.
    pub(super) fn tell(&self, tell: Tell) {
        let _ = self.tell.set(tell);
        self.current();
    }

    /// For a stream that this node dialled. `host` is where, for verifiers of the host that look at it.
    pub(super) fn dialling(&self, host: &str) -> Result<End, Error> {
        let (material, presented) = (self.current(), Presented::default());
        let (config, name) = self.client(&material, &presented, host)?;
        Ok(End { connection: ClientConnection::new(config, name)?.into(), presented, material })
    }

    /// For a stream that somebody else dialled.
    pub(super) fn accepting(&self) -> Result<End, Error> {
        let (material, presented) = (self.current(), Presented::default());
        let config = self.server(&material, &presented)?;
        Ok(End { connection: ServerConnection::new(config)?.into(), presented, material })
    }

    /// How to dial, and the name to ask for.
    pub(super) fn client(
        &self,
        material: &Arc<Material>,
        presented: &Presented,
        host: &str,
    ) -> Result<(Arc<ClientConfig>, ServerName<'static>), Error> {
        let (config, name) = match &material.own {
            Own::Certificate { resolver, .. } => {
                let verifier = Arc::new(self.verifier(material, presented));
                let config = ClientConfig::builder_with_provider(Arc::clone(&material.provider))
                    .with_protocol_versions(&[&rustls::version::TLS13])?
                    .dangerous()
                    .with_custom_certificate_verifier(verifier)
                    .with_client_cert_resolver(Arc::clone(resolver) as Arc<_>);
                (Arc::new(client_settings(config)), None)
            }
            Own::Rustls { client, .. } => (Arc::clone(client), ServerName::try_from(host.to_owned()).ok()),
        };
        let name = name.map_or_else(|| ServerName::try_from("elect.invalid"), Ok);
        Ok((config, name.map_err(|error| Error::General(error.to_string()))?))
    }

    /// How to accept.
    pub(super) fn server(
        &self,
        material: &Arc<Material>,
        presented: &Presented,
    ) -> Result<Arc<ServerConfig>, Error> {
        Ok(match &material.own {
            Own::Certificate { resolver, .. } => {
                let verifier = Arc::new(self.verifier(material, presented));
                let config = ServerConfig::builder_with_provider(Arc::clone(&material.provider))
                    .with_protocol_versions(&[&rustls::version::TLS13])?
                    .with_client_cert_verifier(verifier)
                    .with_cert_resolver(Arc::clone(resolver) as Arc<_>);
                Arc::new(server_settings(config))
            }
            Own::Rustls { server, .. } => Arc::clone(server),
        })
    }

    /// Which node the other end has proved to be, once the handshake is over.
    pub(super) fn proven(&self, connection: &CommonState, material: &Material) -> io::Result<NodeId> {
        // Where the host's own configuration allows another version or no certificate.
        if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
            return Err(Unproven::new("it speaks no TLS 1.3").into());
        }
        if connection.alpn_protocol().is_none() {
            return Err(Unproven::new("it names no protocol that it speaks over TLS (ALPN)").into());
        }
        let certificate = connection.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.ok_or_else(|| Unproven::new("it shows no certificate"))?;
        let name = self.rules.name(certificate, &material.pins);
        name.map_err(|error| Unproven::new(format!("its certificate is not accepted: {error}")).into())
    }

    fn verifier(&self, material: &Arc<Material>, presented: &Presented) -> BothEnds<PeerVerifier> {
        BothEnds(PeerVerifier {
            material: Arc::clone(material),
            rules: Arc::clone(&self.rules),
            presented: presented.clone(),
        })
    }

    /// What is in force, after a look at the files.
    pub(super) fn current(&self) -> Arc<Material> {
        let told = match self.read_last.try_lock() {
            Ok(mut read_last) => self.look(&mut read_last),
            Err(TryLockError::Poisoned(poisoned)) => self.look(&mut poisoned.into_inner()),
            // Another thread reads them.
            Err(TryLockError::WouldBlock) => [None, None],
        };
        // Without the lock: the host may be slow to hear it.
        if let Some(tell) = self.tell.get() {
            told.into_iter().flatten().for_each(tell);
        }
        self.in_force()
    }

    /// What is in force, without a look at the files.
    pub(super) fn in_force(&self) -> Arc<Material> {
        self.material.load_full()
    }

    fn look(&self, last: &mut ReadLast) -> [Option<TransportNotice>; 2] {
        [self.renew(last), self.look_at_dates(last)]
    }

    /// Where nobody hears it yet, it stays to be told.
    fn look_at_dates(&self, last: &mut ReadLast) -> Option<TransportNotice> {
        let (told, looked) = last.dates;
        if self.tell.get().is_none() || looked.is_some_and(|at| at.elapsed() < DATES_EVERY) {
            return None;
        }
        let dates = Dates::of(&self.material.load(), UnixTime::now());
        last.dates = (dates, Some(Instant::now()));
        dates.text().filter(|_| dates != told).map(|text| TransportNotice::CertificateDates { text })
    }

    fn renew(&self, last: &mut ReadLast) -> Option<TransportNotice> {
        let stamps = stamps(&self.config);
        let have_changed = last.stamps != stamps;
        let again = last.failure.as_ref().is_some_and(|(_, at)| at.elapsed() >= AGAIN_AFTER);
        if !have_changed && !again {
            return None;
        }
        last.stamps = stamps;
        match read(&self.config, &self.rules, self.node).and_then(|material| self.no_worse(material)) {
            Ok(material) => {
                self.material.store(Arc::new(material));
                (last.failure, last.dates.1) = (None, None);
                Some(TransportNotice::CredentialsRenewed)
            }
            Err(reason) => {
                let is_news = have_changed || last.failure.as_ref().is_none_or(|(known, _)| *known != reason);
                last.failure = Some((reason.clone(), Instant::now()));
                is_news.then_some(TransportNotice::CredentialsKept { reason })
            }
        }
    }
}

impl Credentials {
    /// A certificate that nobody believes does not take the place of one that is believed.
    fn no_worse(&self, material: Material) -> Result<Material, String> {
        let now = UnixTime::now();
        let dates = Dates::of(&material, now);
        match dates.text() {
            Some(text) if dates.is_refused() && !Dates::of(&self.material.load(), now).is_refused() => {
                Err(text.into())
            }
            _ => Ok(material),
        }
    }
}

fn stamps(config: &TlsConfig) -> Vec<Option<Stamp>> {
    config.paths().map(Stamp::of).collect()
}

fn read(config: &TlsConfig, rules: &NameRules, node: NodeId) -> Result<Material, String> {
    let mut material = Material::read(config).map_err(|error| error.to_string())?;
    match &mut material.own {
        Own::Certificate { chain, .. } => {
            if let Some(certificate) = chain.first() {
                rules.check_own(certificate, &material.pins, node)?;
            }
        }
        Own::Rustls { client, server } => {
            *client = Arc::new(client_settings(ClientConfig::clone(client)));
            *server = Arc::new(server_settings(ServerConfig::clone(server)));
            check(client, server)?;
        }
    }
    Ok(material)
}

fn client_settings(mut config: ClientConfig) -> ClientConfig {
    // A resumed session would outlive a certificate that was replaced.
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_early_data = false;
    if config.alpn_protocols.is_empty() {
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
    }
    config
}

fn server_settings(mut config: ServerConfig) -> ServerConfig {
    // Who dials only writes, and takes whatever comes after the answer for the end of the stream.
    (config.send_tls13_tickets, config.max_early_data_size) = (0, 0);
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    // Those of the host's other listeners are no way in either.
    config.ticketer = Arc::new(NoTickets);
    if config.alpn_protocols.is_empty() {
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
    }
    config
}

/// Neither gives tickets nor takes any: a session that is resumed shows a certificate that nobody looks at again.
#[derive(Debug)]
struct NoTickets;

impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

/// Lets the host's two configurations talk to each other. If they come to an agreement it must be TLS 1.3 with certificates on
/// both sides. If not, nothing is known: each stream is checked again.
fn check(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Result<(), String> {
    let name = ServerName::try_from("localhost").map_err(|error| error.to_string())?;
    let client = ClientConnection::new(Arc::clone(client), name).map_err(|error| error.to_string())?;
    let server = ServerConnection::new(Arc::clone(server)).map_err(|error| error.to_string())?;
    let (mut client, mut server) = (Connection::from(client), Connection::from(server));
    // Two flights each way at most.
    for _ in 0..3 {
        if pass(&mut client, &mut server).and_then(|()| pass(&mut server, &mut client)).is_none() {
            return Ok(());
        }
    }
    if server.is_handshaking() {
        return Ok(());
    }
    if server.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
        return Err("the rustls configurations must insist on TLS 1.3".into());
    }
    if server.peer_certificates().is_none_or(<[_]>::is_empty) {
        return Err(
            "the rustls configuration of the server must insist on a certificate of the client".into()
        );
    }
    Ok(())
}

/// What one end has to say to the other.
fn pass(from: &mut Connection, to: &mut Connection) -> Option<()> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).ok()?;
    }
    let mut unread = bytes.as_slice();
    while !unread.is_empty() {
        to.read_tls(&mut unread).ok()?;
        to.process_new_packets().ok()?;
    }
    Some(())
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
