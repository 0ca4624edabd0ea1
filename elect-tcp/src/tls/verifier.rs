//! What a certificate of the other end must be: a chain to an authority, where there are authorities, and a node's name.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::both_ends::{Judge, Role};
use super::material::Material;
use super::names::{NameRules, presented};

/// The verifier of one stream, for either end.
#[derive(Debug)]
pub(super) struct PeerVerifier {
    pub(super) material: Arc<Material>,
    pub(super) rules: Arc<NameRules>,
    pub(super) presented: Presented,
}

/// What the other end showed, whether it was accepted or not, for a person.
#[derive(Clone, Debug, Default)]
pub(super) struct Presented(Arc<Mutex<Option<String>>>);

impl Presented {
    pub(super) fn text(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, certificate: &CertificateDer<'_>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(presented(certificate));
    }
}

impl PeerVerifier {
    fn name(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let named = self.rules.name(certificate, &self.material.pins);
        named.map(drop).map_err(|error| CertificateError::Other(OtherError(Arc::new(error))).into())
    }
}

impl Judge for PeerVerifier {
    fn certificate(
        &self,
        of: Role,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        self.presented.note(certificate);
        match (&self.material.authorities, of) {
            (None, _) => {}
            (Some(authorities), Role::Dialler) => {
                authorities.clients.verify_client_cert(certificate, intermediates, now)?;
            }
            (Some(authorities), Role::Listener) => {
                let parsed = ParsedCertificate::try_from(certificate)?;
                let algorithms = self.material.provider.signature_verification_algorithms.all;
                rustls::client::verify_server_cert_signed_by_trust_anchor(
                    &parsed,
                    &authorities.roots,
                    intermediates,
                    now,
                    algorithms,
                )?;
            }
        }
        self.name(certificate)
    }

    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.material.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.material.provider.signature_verification_algorithms.supported_schemes()
    }
}
