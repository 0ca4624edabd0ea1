//! What leaves for a client.

use std::io;

use bytes::{Buf as _, BytesMut};
use tokio::net::TcpStream;

use super::reply::{Reply, Version};

/// An array leaves in parts of about this many bytes.
const PART_BYTES: usize = 64 << 10;

/// Sends an array reply by reply, so that what is long is not in memory twice. What `bytes` holds leaves first; a last part
/// may stay there.
pub(super) async fn send_array(
    stream: &TcpStream,
    replies: Vec<Reply>,
    version: Version,
    bytes: &mut BytesMut,
) -> io::Result<()> {
    Reply::begin_array(replies.len(), bytes);
    for reply in replies {
        reply.encode(version, bytes);
        if bytes.len() >= PART_BYTES {
            write_all(stream, bytes).await?;
        }
    }
    Ok(())
}

pub(super) async fn write_all(stream: &TcpStream, bytes: &mut BytesMut) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(sent) => bytes.advance(sent),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
