//! Certificates, keys, authorities and pins, as they are read from files.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::config::{Source, TlsConfig};
use super::pins::Pins;

/// What is in force.
#[derive(Debug)]
pub(super) struct Material {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) own: Own,
    pub(super) authorities: Option<Authorities>,
    pub(super) pins: Pins,
}

/// With what this node proves who it is.
#[derive(Debug)]
pub(super) enum Own {
    Certificate { chain: Vec<CertificateDer<'static>>, resolver: Arc<SingleCertAndKey> },
    Rustls { client: Arc<rustls::ClientConfig>, server: Arc<rustls::ServerConfig> },
}

/// Who vouches for certificates.
#[derive(Debug)]
pub(super) struct Authorities {
    pub(super) roots: RootCertStore,
    pub(super) clients: Arc<dyn ClientCertVerifier>,
}

/// A file, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", file.display())]
pub(super) struct Unusable {
    pub(super) file: PathBuf,
    pub(super) reason: String,
}

impl Material {
    /// Reads every file.
    pub(super) fn read(config: &TlsConfig) -> Result<Self, Unusable> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let own = match &config.source {
            Source::Files { certificate, key } => own_certificate(certificate, key, &provider)?,
            Source::Rustls { client, server } => {
                Own::Rustls { client: Arc::clone(client), server: Arc::clone(server) }
            }
        };
        let authorities =
            config.authorities.as_deref().map(|file| authorities(file, &provider)).transpose()?;
        let pins = config.pins.as_deref().map_or_else(|| Ok(Pins::default()), pins)?;
        Ok(Self { provider, own, authorities, pins })
    }
}

fn own_certificate(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<Own, Unusable> {
    let chain = certificates(certificate)?;
    let bytes = read(key)?;
    let private = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| unusable(key, error))?;
    let certified = CertifiedKey::from_der(chain.clone(), private, provider)
        .map_err(|error| unusable(key, format!("it is not the key of {}: {error}", certificate.display())))?;
    Ok(Own::Certificate { chain, resolver: Arc::new(certified.into()) })
}

fn authorities(file: &Path, provider: &Arc<CryptoProvider>) -> Result<Authorities, Unusable> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| unusable(file, error))?;
    }
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), Arc::clone(provider)).build();
    let clients = clients.map_err(|error| unusable(file, error))?;
    Ok(Authorities { roots, clients })
}

fn pins(file: &Path) -> Result<Pins, Unusable> {
    let text = String::from_utf8(read(file)?).map_err(|error| unusable(file, error))?;
    Pins::parse(&text).map_err(|error| unusable(file, error))
}

/// At least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let bytes = read(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let certificates = certificates.map_err(|error| unusable(file, error))?;
    if certificates.is_empty() {
        Err(unusable(file, "no certificate in PEM is in it"))
    } else {
        Ok(certificates)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Unusable> {
    fs::read(file).map_err(|error| unusable(file, error))
}

fn unusable(file: &Path, reason: impl Display) -> Unusable {
    Unusable { file: file.to_owned(), reason: format!("{reason}") }
}
