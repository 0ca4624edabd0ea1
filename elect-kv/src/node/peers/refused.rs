//! Why a replication connection is not used, or ended, in words for an operator.

use std::io;
use std::time::Duration;

use elect_core::NodeId;
use elect_tcp::TlsEnds;

use crate::replication::DecodeError;

/// How long a peer may take to greet, TLS included, and to answer a dial.
pub(super) const GREETING_TIMEOUT: Duration = Duration::from_secs(2);
pub(super) const DIAL_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a connection is not used, or ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("no connection within {} s", DIAL_TIMEOUT.as_secs())]
    Unreachable,
    #[error("no greeting within {} s: is it a replication port?", GREETING_TIMEOUT.as_secs())]
    Late,
    #[error("closed before it greeted: it is no replication port, or refuses this node and says there why")]
    Closed,
    #[error("it does not speak this protocol in this version: is it a replication port?")]
    Stranger,
    #[error("it speaks TLS, and this node does not: tls_cert is set in one file and not in the other")]
    SpeaksTls,
    #[error("its certificate is that of {proven}, and it says that it is {says}")]
    NotProven { proven: NodeId, says: NodeId },
    #[error("its cluster or its member list differs: the election links say which, see ELECT EXPLAIN")]
    OtherMembers,
    #[error("node {found} answers where {expected} was expected: the addresses are mixed up")]
    OtherNode { expected: NodeId, found: NodeId },
    #[error("it takes this node for {0}: its address for {0} is wrong")]
    Mistaken(NodeId),
    #[error("{0} is not a node of this cluster that holds data")]
    Unknown(NodeId),
    #[error("nothing was heard for {} ms", .0.as_millis())]
    Silent(Duration),
    #[error("a message of {0} bytes exceeds the limit")]
    TooLong(usize),
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Refused {
    /// An error before the greetings are exchanged. An end there is the other side's refusal.
    pub(super) fn before_greeting(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Self::Closed,
            _ => TlsEnds::reason(error).into(),
        }
    }
}
