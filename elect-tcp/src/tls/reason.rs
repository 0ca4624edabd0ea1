//! What an operator reads when TLS comes to nothing.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use crate::transport::Unproven;

/// An error of rustls, in words. `presented` is what the other end showed, if it came to that.
pub(super) fn refusal(error: &Error, presented: Option<&str>) -> io::Error {
    let text = match error {
        Error::InvalidCertificate(error) => {
            let presented = presented.map_or_else(String::new, |presented| format!(" {presented}"));
            format!("its certificate{presented} is not accepted: {}", certificate(error))
        }
        Error::NoCertificatesPresented => "it shows no certificate".into(),
        Error::AlertReceived(alert) if is_of_certificate(*alert) => {
            format!("it does not accept this node's certificate ({alert:?}): its own log or links say why")
        }
        Error::AlertReceived(alert) => format!("it ended TLS ({alert:?})"),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "it does not speak TLS".into(),
        Error::PeerIncompatible(what) => format!("there is no common TLS 1.3 with it: {what:?}"),
        other => format!("TLS failed: {other}"),
    };
    Unproven::new(text).into()
}

/// An error after the handshake. Who dials may hear of its refusal only then.
pub(super) fn afterwards(error: &Error) -> io::Error {
    match error {
        Error::AlertReceived(alert) if is_of_certificate(*alert) => refusal(error, None),
        other => io::Error::new(io::ErrorKind::InvalidData, format!("TLS failed: {other}")),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "it leads to none of the authorities".into(),
        CertificateError::BadSignature => {
            "its signature is wrong: another authority of the same name has made it, or another key".into()
        }
        CertificateError::Other(error) => error.to_string(),
        other => other.to_string(),
    }
}

const fn is_of_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
    )
}
