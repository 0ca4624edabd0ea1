//! Certificates of tests: good ones, and everything that can be wrong with one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use elect_tcp::{KeyPin, TlsConfig};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};

/// An authority, its file, and the certificates that it issues, in files beside it.
pub(crate) struct Authority {
    pub(crate) directory: PathBuf,
    pub(crate) file: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// When a certificate holds.
#[derive(Clone, Copy)]
pub(crate) enum Validity {
    Now,
    /// Now, for one more day.
    Soon,
    Over,
    Later,
}

impl Authority {
    pub(crate) fn new(directory: &Path, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let file = directory.join(format!("{name}.pem"));
        fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { directory: directory.to_owned(), file, issuer: Issuer::new(params, key) }
    }

    /// `NAME.pem` and `NAME.key`, with these URIs.
    pub(crate) fn issue(&self, name: &str, uris: &[&str]) -> KeyPin {
        self.issue_for(name, uris, Validity::Now)
    }

    /// The same with the address of this machine, for verifiers that look where they have dialled.
    pub(crate) fn issue_with_address(&self, name: &str, uris: &[&str]) -> KeyPin {
        let (key, mut params) = (KeyPair::generate().unwrap(), params(uris, Validity::Now));
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        params.subject_alt_names.push(SanType::DnsName("localhost".try_into().unwrap()));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        write(&self.directory, name, &certificate, &key)
    }

    pub(crate) fn issue_for(&self, name: &str, uris: &[&str], validity: Validity) -> KeyPin {
        let key = KeyPair::generate().unwrap();
        let certificate = params(uris, validity).signed_by(&key, &self.issuer).unwrap();
        write(&self.directory, name, &certificate, &key)
    }
}

/// An authority, and certificates of these nodes of the cluster `test`.
pub(crate) fn issued(directory: &Path, names: &[&str]) -> Authority {
    let authority = Authority::new(directory, "authority");
    for name in names {
        authority.issue(name, &[&format!("elect://test/{name}")]);
    }
    authority
}

/// What they are configured with.
pub(crate) fn by_authority(directory: &Path, name: &str) -> TlsConfig {
    files(directory, name).authorities(directory.join("authority.pem"))
}

/// `NAME.pem` and `NAME.key` that nobody but its own key has signed.
pub(crate) fn self_signed(directory: &Path, name: &str, uris: &[&str]) -> KeyPin {
    let key = KeyPair::generate().unwrap();
    let certificate = params(uris, Validity::Now).self_signed(&key).unwrap();
    write(directory, name, &certificate, &key)
}

/// The certificate and the key of that name.
pub(crate) fn files(directory: &Path, name: &str) -> TlsConfig {
    TlsConfig::files(directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")))
}

fn params(uris: &[&str], validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    let (now, day) = (SystemTime::now(), Duration::from_hours(24));
    let (from, until) = match validity {
        Validity::Now => (now - day, now + 30 * day),
        Validity::Soon => (now - day, now + day),
        Validity::Over => (now - 2 * day, now - day),
        Validity::Later => (now + day, now + 2 * day),
    };
    (params.not_before, params.not_after) = (from.into(), until.into());
    params
}

fn write(directory: &Path, name: &str, certificate: &rcgen::Certificate, key: &KeyPair) -> KeyPin {
    fs::write(directory.join(format!("{name}.pem")), certificate.pem()).unwrap();
    fs::write(directory.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    KeyPin::of_certificate(certificate.der()).unwrap()
}
