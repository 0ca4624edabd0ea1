//! TLS 1.3 over TCP, with certificates on both sides that say which node somebody is.
//!
//! ```text
//! config    what the host chose: files or its own rustls configurations, and where names come from
//! credentials   what of it is in force: read again when the files change, looked at in each handshake
//! both_ends one judge as what rustls asks of either end
//! dates     whether the own certificate is over, or will be soon
//! verifier  a chain to an authority, then a name; the signature of the handshake proves the key
//! names     a certificate's one name in this cluster: its URI names, and pinned keys
//! stream    rustls over a socket, with one deadline over each call
//! transport dials and accepts such streams over `TcpTransport`
//! ends      the same certificates for the host's own streams
//! ```

mod both_ends;
mod config;
mod credentials;
mod dates;
mod ends;
mod material;
mod names;
mod pins;
mod reason;
mod stream;
mod transport;
mod verifier;

pub use config::TlsConfig;
pub use ends::TlsEnds;
pub use pins::{KeyPin, PinsError};
pub use stream::TlsStream;
pub use transport::TlsTransport;
