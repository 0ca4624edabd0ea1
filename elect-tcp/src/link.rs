//! What a host can read of the streams between this node and each peer, and of those that were refused.

use std::fmt::{self, Write as _};
use std::time::Duration;

use elect_core::{Address, Incarnation, NodeId, Time};
use serde::{Serialize, Serializer};

use crate::handshake::HandshakeRefusal;

/// The two streams between this node and a peer: each node sends on the one that it dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The peer.
    pub peer: NodeId,
    /// The stream that this node dialled, over which it sends.
    pub outbound: LinkEnd,
    /// The stream that the peer dialled, over which it is heard: up once a frame on it has counted.
    pub inbound: LinkEnd,
    /// The incarnation in which the peer last dialled this node.
    pub incarnation: Option<Incarnation>,
    /// Where clients reach the peer, as it said when it dialled.
    pub address: Option<Address>,
    /// The last dialler that claimed the peer's name and was refused.
    pub refused: Option<RefusedDialler>,
}

/// One of the two streams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinkEnd {
    /// Whether it stands.
    pub is_up: bool,
    /// Since when it stands, or does not.
    #[serde(rename = "since_ms")]
    pub since: Time,
    /// Why it does not, as far as that is known: one line, with what to do if there is anything to do.
    pub reason: Option<String>,
    /// The same for machines, where a handshake was refused.
    pub refusal: Option<HandshakeRefusal>,
}

/// A dialler that this node did not let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedDialler {
    /// Where it dialled from the last time; empty where the transport does not say.
    pub from: Address,
    /// The name that it claimed, if it came to that.
    pub claimed: Option<NodeId>,
    /// What was wrong.
    pub failure: InboundFailure,
    /// How often it was refused for that.
    pub count: u64,
    /// When that happened first.
    #[serde(rename = "first_ms")]
    pub first: Time,
    /// When that happened last.
    #[serde(rename = "last_ms")]
    pub last: Time,
}

/// Why a stream that somebody dialled came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InboundFailure {
    /// Its greeting was refused.
    Refused(HandshakeRefusal),
    /// The transport could not prove that it is a node of the cluster: it never came to a greeting.
    Unproven(String),
    /// It does not speak this protocol.
    Foreign(&'static str),
    /// It was closed before the handshake was over: a health check or a port scan, or one of too many at once.
    Closed,
    /// It was too slow.
    Slow,
    /// It greeted, and what followed are no frames.
    Unreadable(String),
    /// Its frames bear another incarnation than its greeting.
    OtherLife,
}

impl InboundFailure {
    /// Without what differs from attempt to attempt.
    pub(crate) fn kind(&self) -> Self {
        match self {
            Self::Refused(refusal) => Self::Refused(refusal.kind()),
            Self::Unreadable(_) => Self::Unreadable(String::new()),
            other => other.clone(),
        }
    }

    /// What an operator does about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.advice(),
            Self::Unproven(_) => {
                "give it a certificate of its own name from an authority that is known here, or find out what dials this port"
            }
            Self::Foreign(_) => "find out what dials this port, and correct its address",
            Self::Closed => "nothing, if it is a health check",
            Self::Unreadable(_) => "find out what dials under that name, and which version it is",
            Self::OtherLife => "find out what dials under that name",
            Self::Slow => "look at the network between the two, or raise `handshake_timeout`",
        }
    }
}

impl fmt::Display for InboundFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unproven(what) => f.write_str(what),
            Self::Foreign(what) => write!(f, "it does not speak this protocol: {what}"),
            Self::Closed => f.write_str("the stream ended before the handshake was over"),
            Self::Slow => f.write_str("the handshake took too long"),
            Self::Unreadable(error) => write!(f, "its frames cannot be read: {error}"),
            Self::OtherLife => f.write_str("its frames bear another incarnation than its greeting"),
        }
    }
}

/// As text.
impl Serialize for InboundFailure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One line: who, what was wrong, what to do.
impl fmt::Display for RefusedDialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.claimed {
            Some(name) => write!(f, "a dialler named {name}")?,
            None => f.write_str("a dialler without a name")?,
        }
        if !self.from.as_str().is_empty() {
            write!(f, " at {}", self.from)?;
        }
        write!(f, " was refused")?;
        if self.count > 1 {
            write!(f, " {} times", self.count)?;
        }
        write!(f, ": {}; {}", self.failure, self.failure.advice())
    }
}

impl Link {
    pub(crate) fn down(peer: NodeId, now: Time) -> Self {
        let end =
            |reason: &str| LinkEnd { is_up: false, since: now, reason: Some(reason.into()), refusal: None };
        Self {
            peer,
            outbound: end("it was not dialled yet"),
            inbound: end("it has not dialled this node yet"),
            incarnation: None,
            address: None,
            refused: None,
        }
    }

    /// One line, with spans relative to `now`.
    pub fn describe(&self, now: Time) -> String {
        let end = |end: &LinkEnd, up: &str, down: &str| {
            let span = Span(now.since(end.since));
            match &end.reason {
                _ if end.is_up => format!("{up} for {span}"),
                Some(reason) => format!("{down} for {span}: {reason}"),
                None => format!("{down} for {span}"),
            }
        };
        let mut line = format!(
            "{}: {}; {}",
            self.peer,
            end(&self.outbound, "sent to", "not sent to"),
            end(&self.inbound, "heard", "not heard")
        );
        if let Some(refused) = &self.refused {
            // Into a `String`: never fails.
            let _ = write!(line, "; {} ago {refused}", Span(now.since(refused.last)));
        }
        line
    }
}

/// A span that a person can read.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => write!(f, "{} ms", self.0.as_millis()),
            seconds => write!(f, "{seconds} s"),
        }
    }
}
