//! A node's certificates for the host's own streams between the same nodes.

use std::io;
use std::sync::Arc;

use elect_core::NodeId;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, CommonState, ServerConfig};

use super::credentials::Credentials;
use super::reason;
use super::transport::credentials_of;
use super::verifier::Presented;
use crate::config::NodeConfig;

/// A node's certificates, for streams of the host's own between the same nodes (those of its log, say), with any
/// implementation of streams over rustls. The rules are those of the election's streams: mutual TLS 1.3, the same names and
/// pins, files that are read again when they have changed.
///
/// Take new configurations for each stream ([`client`](Self::client) and [`server`](Self::server) look at the files, and so may
/// block for as long as the file system does), and ask [`node`](Self::node) whose it is once its handshake is over:
///
/// ```
/// # use std::io;
/// # use elect_core::NodeId;
/// use elect_tcp::TlsEnds;
///
/// // Over any stream: `rustls::Stream` here, `tokio_rustls` in a program that is asynchronous.
/// fn accept(ends: &TlsEnds, mut socket: std::net::TcpStream) -> io::Result<NodeId> {
///     let mut end = rustls::ServerConnection::new(ends.server()?).map_err(io::Error::other)?;
///     while end.is_handshaking() {
///         end.complete_io(&mut socket).map_err(TlsEnds::reason)?;
///     }
///     ends.node(&end)
/// }
/// # let _ = accept;
/// ```
#[derive(Debug)]
pub struct TlsEnds {
    credentials: Arc<Credentials>,
    protocol: Vec<u8>,
}

impl TlsEnds {
    /// Reads the files that the node's configuration names. Both ends of a stream must name the same `protocol` (ALPN, 1 to 255
    /// bytes): a stream of another one, or of the election, is refused.
    ///
    /// # Errors
    ///
    /// The configuration has no TLS, or a file cannot be used; for an operator.
    pub fn open(config: &NodeConfig, protocol: &str) -> io::Result<Self> {
        if !(1..=255).contains(&protocol.len()) || protocol.as_bytes() == super::credentials::PROTOCOL {
            let rule =
                format!("protocol = {protocol:?}: must be 1 to 255 bytes, and not that of the election");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, rule));
        }
        Ok(Self { credentials: credentials_of(config)?, protocol: protocol.into() })
    }

    /// How to dial, and the name to ask for. `host` is where the peer is dialled, for verifiers of the host's that look at it.
    ///
    /// # Errors
    ///
    /// rustls refuses what was configured.
    pub fn client(&self, host: &str) -> io::Result<(Arc<ClientConfig>, ServerName<'static>)> {
        let made = self.credentials.client(&self.credentials.current(), &Presented::default(), host);
        let (mut config, name) = made.map_err(|error| reason::refusal(&error, None))?;
        Arc::make_mut(&mut config).alpn_protocols = vec![self.protocol.clone()];
        Ok((config, name))
    }

    /// How to accept.
    ///
    /// # Errors
    ///
    /// rustls refuses what was configured.
    pub fn server(&self) -> io::Result<Arc<ServerConfig>> {
        let made = self.credentials.server(&self.credentials.current(), &Presented::default());
        let mut config = made.map_err(|error| reason::refusal(&error, None))?;
        Arc::make_mut(&mut config).alpn_protocols = vec![self.protocol.clone()];
        Ok(config)
    }

    /// Which node the other end of a stream has proved to be. Ask once the handshake is over.
    ///
    /// # Errors
    ///
    /// It has proved to be none; the error says what is wrong.
    pub fn node(&self, connection: &CommonState) -> io::Result<NodeId> {
        self.credentials.proven(connection, &self.credentials.in_force())
    }

    /// An error of a stream over rustls in the words of this library; any other stays as it is.
    pub fn reason(error: io::Error) -> io::Error {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => reason::refusal(error, None),
            None => error,
        }
    }
}
