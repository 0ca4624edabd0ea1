//! Whether a node's own certificate is still, or already, what its peers will believe.

use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error};

use super::material::{Material, Own};

/// A certificate that ends within this span is told of.
const SOON: Duration = Duration::from_hours(14 * 24);

/// What the clock says of a certificate that authorities vouch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dates {
    /// Nothing against it. So it is where nobody looks at dates (pins alone), or the host judges (its own rustls).
    Fine,
    EndsSoon,
    Over,
    NotYet,
}

impl Dates {
    /// Of the own certificate and those that lead to the authority.
    pub(super) fn of(material: &Material, now: UnixTime) -> Self {
        let (Own::Certificate { chain, .. }, Some(authorities)) = (&material.own, &material.authorities)
        else {
            return Self::Fine;
        };
        let Some((certificate, intermediates)) = chain.split_first() else { return Self::Fine };
        let against = |at| match authorities.clients.verify_client_cert(certificate, intermediates, at) {
            Err(Error::InvalidCertificate(error)) => Some(error),
            _ => None,
        };
        match against(now) {
            Some(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => Self::Over,
            Some(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => Self::NotYet,
            _ => {
                let soon = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + SOON);
                match against(soon) {
                    Some(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
                        Self::EndsSoon
                    }
                    _ => Self::Fine,
                }
            }
        }
    }

    /// Whether no peer believes the certificate.
    pub(super) const fn is_refused(self) -> bool {
        matches!(self, Self::Over | Self::NotYet)
    }

    /// What an operator should know.
    pub(super) const fn text(self) -> Option<&'static str> {
        match self {
            Self::Fine => None,
            Self::EndsSoon => Some(
                "the certificate of this node ends within 14 days: renew it, or nobody will connect to this node then",
            ),
            Self::Over => Some(
                "the certificate of this node is over: streams that stand go on, and no new one will. Renew it",
            ),
            Self::NotYet => Some(
                "the certificate of this node is not valid yet: its dates or this machine's clock are wrong",
            ),
        }
    }
}
