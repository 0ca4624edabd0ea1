//! The greeting of a replication connection: who speaks, to whom, of which members, and how long silence may last.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use elect_core::{Digest, NodeId};
use tokio::io::AsyncReadExt;

use super::link::Link;
use super::refused::Refused;

const MAGIC: &[u8; 4] = b"ekr1";
const BYTES_MAX: u32 = 128;

/// What a greeting says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Greeting {
    pub(super) members: Digest,
    /// The detection time of whoever speaks.
    pub(super) detection: Duration,
    pub(super) from: NodeId,
    pub(super) to: NodeId,
}

impl Greeting {
    /// Length, magic, members' digest, detection time in ms, own name, addressee's name.
    pub(super) fn bytes(&self) -> Bytes {
        let mut body = BytesMut::new();
        body.put_slice(MAGIC);
        body.put_u64_le(self.members.to_bits());
        body.put_u32_le(u32::try_from(self.detection.as_millis()).unwrap_or(u32::MAX));
        for name in [self.from, self.to] {
            body.put_u8(u8::try_from(name.as_str().len()).expect("names are at most 32 bytes"));
            body.put_slice(name.as_str().as_bytes());
        }
        let mut frame = BytesMut::new();
        frame.put_u32_le(u32::try_from(body.len()).expect("a greeting is short"));
        frame.put_slice(&body);
        frame.freeze()
    }

    /// What the other side says, who must have the same members, and must be whom its certificate names, if it shows one.
    pub(super) async fn read(link: &mut Link, members: Digest) -> Result<Self, Refused> {
        let length = link.reader.read_u32_le().await.map_err(Refused::before_greeting)?;
        if length > BYTES_MAX {
            // A handshake or an alert of TLS, and its version.
            let is_tls = matches!(length.to_le_bytes(), [0x15 | 0x16, 3, ..]) && link.proven.is_none();
            return Err(if is_tls { Refused::SpeaksTls } else { Refused::Stranger });
        }
        let mut body = vec![0; length as usize];
        link.reader.read_exact(&mut body).await.map_err(Refused::before_greeting)?;
        let mut body = Bytes::from(body);
        if body.len() < 16 || &body.split_to(4)[..] != MAGIC {
            return Err(Refused::Stranger);
        }
        if body.get_u64_le() != members.to_bits() {
            return Err(Refused::OtherMembers);
        }
        let detection = Duration::from_millis(body.get_u32_le().into());
        let (from, to) = (name_of(&mut body)?, name_of(&mut body)?);
        match link.proven {
            _ if !body.is_empty() => Err(Refused::Stranger),
            Some(proven) if proven != from => Err(Refused::NotProven { proven, says: from }),
            _ => Ok(Self { members, detection, from, to }),
        }
    }
}

fn name_of(body: &mut Bytes) -> Result<NodeId, Refused> {
    let length = body.try_get_u8().map_err(|_| Refused::Stranger)? as usize;
    if length > body.len() {
        return Err(Refused::Stranger);
    }
    NodeId::from_bytes(&body.split_to(length)).map_err(|_| Refused::Stranger)
}
