//! Dials and accepts streams of TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use elect_core::{Address, NodeId};

use super::credentials::Credentials;
use super::stream::{Side, TlsStream};
use crate::config::NodeConfig;
use crate::tcp::TcpTransport;
use crate::transport::{DialError, Tell, Transport};

/// Mutual TLS 1.3 over TCP: each end proves which node it is, and nobody else is let in.
#[derive(Debug)]
pub struct TlsTransport {
    tcp: TcpTransport,
    credentials: Arc<Credentials>,
}

impl TlsTransport {
    /// Reads certificates and binds the configured address: the transport of [`Node::start`](crate::Node::start) with
    /// [`NodeConfigBuilder::tls`](crate::NodeConfigBuilder::tls).
    pub fn bind(config: &NodeConfig) -> io::Result<Self> {
        let credentials = credentials_of(config)?;
        Ok(Self { tcp: TcpTransport::bind_for_tls(config)?, credentials })
    }

    /// The same for somebody who only dials.
    pub(crate) fn dialling(config: &NodeConfig) -> io::Result<Self> {
        let credentials = credentials_of(config)?;
        Ok(Self { tcp: TcpTransport::dialling_for_tls(config), credentials })
    }

    /// Whether certificates, keys and pins can be read and belong to this node, without listening.
    pub fn check(config: &NodeConfig) -> io::Result<()> {
        credentials_of(config).map(drop)
    }

    /// The address on which this node listens.
    pub const fn local_address(&self) -> SocketAddr {
        self.tcp.local_address()
    }
}

impl Transport for TlsTransport {
    type Stream = TlsStream;

    fn accept(&self) -> io::Result<TlsStream> {
        let socket = self.tcp.accept()?;
        // Its handshake is part of the first read, on the thread that reads: a slow one holds nobody up.
        Ok(TlsStream::new(socket, Side::Accepting, Arc::clone(&self.credentials)))
    }

    fn close(&self) {
        self.tcp.close();
    }

    fn dial(&self, peer: NodeId, timeout: Duration) -> Result<TlsStream, DialError> {
        let socket = self.tcp.dial(peer, timeout)?;
        let host = self.tcp.host_of(peer);
        Ok(TlsStream::new(socket, Side::Dialling { host }, Arc::clone(&self.credentials)))
    }

    fn own_address(&self) -> Address {
        self.tcp.own_address()
    }

    fn learn(&self, peer: NodeId, address: &Address, remote: &Address) {
        self.tcp.learn(peer, address, remote);
    }

    fn welcomed(&self, peer: NodeId, remote: &Address) {
        self.tcp.welcomed(peer, remote);
    }

    fn tell(&self, tell: Tell) {
        self.credentials.tell(tell);
    }
}

/// What a node's configuration says of its certificates, read.
pub(super) fn credentials_of(config: &NodeConfig) -> io::Result<Arc<Credentials>> {
    let missing = || io::Error::new(io::ErrorKind::InvalidInput, "the configuration has no TLS");
    let tls = config.tls.as_ref().ok_or_else(missing)?;
    let elect = &config.elect;
    let credentials = Credentials::open(tls.clone(), elect.cluster(), elect.node());
    credentials.map(Arc::new).map_err(|reason| io::Error::new(io::ErrorKind::InvalidInput, reason))
}
