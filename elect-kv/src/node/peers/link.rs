//! What a replication connection runs over: TCP, or TLS over it where this node has a certificate.

use std::fmt;
use std::io;
use std::sync::Arc;

use elect_core::NodeId;
use elect_tcp::TlsEnds;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(super) type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub(super) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// What both ends of a replication connection name as their protocol (ALPN).
pub(crate) const PROTOCOL: &str = "elect-kv-log";

/// An open stream.
pub(super) struct Link {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    /// Whom the other end's certificate names; nobody without TLS.
    pub(super) proven: Option<NodeId>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("proven", &self.proven).finish_non_exhaustive()
    }
}

impl Link {
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes).await?;
        self.writer.flush().await
    }
}

/// Makes links of streams.
#[derive(Clone, Debug)]
pub(crate) enum Links {
    Plain,
    Tls(Arc<TlsEnds>),
}

impl Links {
    /// Over a stream that this node dialled at that address.
    pub(super) async fn dialled(&self, stream: TcpStream, address: &str) -> io::Result<Link> {
        let Self::Tls(ends) = self else { return Ok(plain(stream)) };
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_matches(['[', ']']).to_owned();
        let files = Arc::clone(ends);
        let (config, name) = looked(move || files.client(&host)).await?;
        let stream = TlsConnector::from(config).connect(name, stream).await.map_err(TlsEnds::reason)?;
        let proven = Some(ends.node(stream.get_ref().1)?);
        let (reader, writer) = split(stream);
        Ok(Link { reader: Box::new(reader), writer: Box::new(writer), proven })
    }

    /// Over a stream that somebody else dialled.
    pub(super) async fn accepted(&self, stream: TcpStream) -> io::Result<Link> {
        let Self::Tls(ends) = self else { return Ok(plain(stream)) };
        let files = Arc::clone(ends);
        let config = looked(move || files.server()).await?;
        let stream = TlsAcceptor::from(config).accept(stream).await.map_err(TlsEnds::reason)?;
        let proven = Some(ends.node(stream.get_ref().1)?);
        let (reader, writer) = split(stream);
        Ok(Link { reader: Box::new(reader), writer: Box::new(writer), proven })
    }
}

/// The files are looked at, and their disk may hang: not on the thread that carries the log.
async fn looked<T: Send + 'static>(look: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(look).await.map_err(io::Error::other)?
}

fn plain(stream: TcpStream) -> Link {
    let (reader, writer) = stream.into_split();
    Link { reader: Box::new(reader), writer: Box::new(writer), proven: None }
}
