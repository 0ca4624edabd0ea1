//! Replies, in the words of RESP2 or RESP3 as the client chose.

use bytes::{Bytes, BytesMut};
use redis_protocol::resp2::encode::extend_encode as extend_resp2;
use redis_protocol::resp2::types::BytesFrame as Resp2;
use redis_protocol::resp3::encode::complete::extend_encode as extend_resp3;
use redis_protocol::resp3::types::{BytesFrame as Resp3, FrameMap};

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A word, `OK` for one.
    Simple(&'static str),
    /// An error; its first word is its code.
    Error(String),
    /// A number.
    Number(i64),
    /// Bytes.
    Bulk(Bytes),
    /// Nothing there.
    Null,
    /// Several replies.
    Array(Vec<Self>),
    /// Names and what they stand for; an array of twice the length in RESP2.
    Map(Vec<(&'static str, Self)>),
}

/// The version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// The version in which every connection begins.
    #[default]
    Resp2,
    /// Chosen by `HELLO 3`.
    Resp3,
}

impl Reply {
    /// `OK`.
    pub const OK: Self = Self::Simple("OK");

    /// An error with this text.
    pub fn error(text: impl Into<String>) -> Self {
        Self::Error(text.into())
    }

    /// Bytes of a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Bulk(Bytes::from(text.into()))
    }

    /// Appends the reply's bytes to `out`.
    ///
    /// # Panics
    /// Never: the encoder refuses only frames that are not built here.
    pub fn encode(self, version: Version, out: &mut BytesMut) {
        let encoded = match version {
            Version::Resp2 => extend_resp2(out, &self.into_resp2(), false),
            Version::Resp3 => extend_resp3(out, &self.into_resp3(), false),
        };
        encoded.expect("replies are built of plain frames");
    }

    /// Appends the beginning of an array whose so many replies follow; it is the same in both versions.
    pub(super) fn begin_array(count: usize, out: &mut BytesMut) {
        out.extend_from_slice(format!("*{count}\r\n").as_bytes());
    }

    fn into_resp2(self) -> Resp2 {
        match self {
            Self::Simple(word) => Resp2::SimpleString(Bytes::from_static(word.as_bytes())),
            Self::Error(text) => Resp2::Error(text.into()),
            Self::Number(number) => Resp2::Integer(number),
            Self::Bulk(bytes) => Resp2::BulkString(bytes),
            Self::Null => Resp2::Null,
            Self::Array(replies) => Resp2::Array(replies.into_iter().map(Self::into_resp2).collect()),
            Self::Map(pairs) => {
                let flat = pairs.into_iter().flat_map(|(name, reply)| [Self::text(name), reply]);
                Resp2::Array(flat.map(Self::into_resp2).collect())
            }
        }
    }

    fn into_resp3(self) -> Resp3 {
        let attributes = None;
        match self {
            Self::Simple(word) => {
                Resp3::SimpleString { data: Bytes::from_static(word.as_bytes()), attributes }
            }
            Self::Error(text) => Resp3::SimpleError { data: text.into(), attributes },
            Self::Number(data) => Resp3::Number { data, attributes },
            Self::Bulk(data) => Resp3::BlobString { data, attributes },
            Self::Null => Resp3::Null,
            Self::Array(replies) => {
                Resp3::Array { data: replies.into_iter().map(Self::into_resp3).collect(), attributes }
            }
            Self::Map(pairs) => {
                let pairs = pairs
                    .into_iter()
                    .map(|(name, reply)| (Self::text(name).into_resp3(), reply.into_resp3()));
                Resp3::Map { data: pairs.collect::<FrameMap<_, _>>(), attributes }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(reply: Reply, version: Version) -> String {
        let mut out = BytesMut::new();
        reply.encode(version, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn an_array_in_parts_is_that_array() {
        for version in [Version::Resp2, Version::Resp3] {
            for replies in [Vec::new(), vec![Reply::text("x"), Reply::Null, Reply::Number(1)]] {
                let mut parts = BytesMut::new();
                Reply::begin_array(replies.len(), &mut parts);
                for reply in &replies {
                    reply.clone().encode(version, &mut parts);
                }
                assert_eq!(parts, bytes(Reply::Array(replies), version));
            }
        }
    }

    #[test]
    fn replies_in_both_versions() {
        let map = || Reply::Map(vec![("proto", Reply::Number(3))]);
        let array = || Reply::Array(vec![Reply::OK, Reply::text("x"), Reply::Null]);
        let table = [
            (Reply::error("ERR no"), "-ERR no\r\n", "-ERR no\r\n"),
            (array(), "*3\r\n+OK\r\n$1\r\nx\r\n$-1\r\n", "*3\r\n+OK\r\n$1\r\nx\r\n_\r\n"),
            (map(), "*2\r\n$5\r\nproto\r\n:3\r\n", "%1\r\n$5\r\nproto\r\n:3\r\n"),
        ];
        for (reply, two, three) in table {
            assert_eq!(bytes(reply.clone(), Version::Resp2), two);
            assert_eq!(bytes(reply, Version::Resp3), three);
        }
    }
}
