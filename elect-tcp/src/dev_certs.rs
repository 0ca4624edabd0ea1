//! Certificates for development, demonstrations and tests.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use elect_core::{ClusterId, NodeId};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};

use crate::tls::TlsConfig;

/// How long they hold.
const DAYS: u32 = 90;

/// An authority in a directory, for development: its key lies beside its certificate, without a password, so that later calls
/// can issue more. Whoever can read the directory can be every node.
///
/// `ca.pem` and `ca.key`; for each node `NODE.pem` and `NODE.key`. Keys can be read by their owner only. All hold 90 days.
#[derive(Debug)]
pub struct DevCerts {
    cluster: ClusterId,
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl DevCerts {
    /// Opens the authority of that directory, or makes both.
    pub fn open(directory: impl Into<PathBuf>, cluster: ClusterId) -> io::Result<Self> {
        let directory = directory.into();
        fs::create_dir_all(&directory)?;
        let (certificate, key) = (directory.join("ca.pem"), directory.join("ca.key"));
        let params = authority(cluster);
        let pair = if certificate.exists() {
            KeyPair::from_pem(&fs::read_to_string(key)?).map_err(io::Error::other)?
        } else {
            let pair = KeyPair::generate().map_err(io::Error::other)?;
            let signed = params.self_signed(&pair).map_err(io::Error::other)?;
            // The key first: an authority without one can issue nothing.
            write_key(&key, &pair)?;
            fs::write(certificate, signed.pem())?;
            pair
        };
        Ok(Self { cluster, directory, issuer: Issuer::new(params, pair) })
    }

    /// Writes a certificate and a key for a node, in place of those that are there, and says how the node is configured with
    /// them.
    ///
    /// An authority that is over, or was made for another cluster, issues nothing; nor does one to a node that is named `ca`.
    pub fn issue(&self, node: NodeId) -> io::Result<TlsConfig> {
        if node.as_str().eq_ignore_ascii_case("ca") {
            let text = "a node named `ca` would take the place of the authority's files: name it otherwise";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let pair = KeyPair::generate().map_err(io::Error::other)?;
        let uri = format!("elect://{}/{node}", self.cluster);
        let mut params = lasting(CertificateParams::default());
        params.distinguished_name.push(DnType::CommonName, node.as_str());
        params.subject_alt_names = vec![SanType::URI(uri.try_into().map_err(io::Error::other)?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let signed = params.signed_by(&pair, &self.issuer).map_err(io::Error::other)?;
        self.check(signed.der())?;
        let file = |end: &str| self.directory.join(format!("{node}.{end}"));
        write_key(&file("key"), &pair)?;
        fs::write(file("pem"), signed.pem())?;
        Ok(TlsConfig::files(file("pem"), file("key")).authorities(self.directory.join("ca.pem")))
    }
}

impl DevCerts {
    /// Whether those who have the authority's file believe that certificate.
    fn check(&self, certificate: &CertificateDer<'_>) -> io::Result<()> {
        let file = self.directory.join("ca.pem");
        let refused = |why: String| {
            let text = format!(
                "the authority {} does not vouch for nodes of cluster {}: {why}; move it away with all it has issued, and begin \
                 anew",
                file.display(),
                self.cluster
            );
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        let authority = CertificateDer::from_pem_file(&file).map_err(|error| refused(error.to_string()))?;
        let anchors =
            [webpki::anchor_from_trusted_cert(&authority).map_err(|error| refused(error.to_string()))?];
        let certificate =
            webpki::EndEntityCert::try_from(certificate).map_err(|error| refused(error.to_string()))?;
        let (algorithms, usage) = (webpki::ALL_VERIFICATION_ALGS, webpki::KeyUsage::client_auth());
        let verified =
            certificate.verify_for_usage(algorithms, &anchors, &[], UnixTime::now(), usage, None, None);
        verified.map(drop).map_err(|error| refused(error.to_string()))
    }
}

fn authority(cluster: ClusterId) -> CertificateParams {
    let mut params = lasting(CertificateParams::default());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, format!("development of {cluster}"));
    params
}

fn lasting(mut params: CertificateParams) -> CertificateParams {
    let (now, day) = (SystemTime::now(), Duration::from_hours(24));
    // A machine whose clock is a little behind believes them, too.
    (params.not_before, params.not_after) = ((now - day).into(), (now + day * DAYS).into());
    params
}

fn write_key(path: &Path, pair: &KeyPair) -> io::Result<()> {
    // A new file, whose mode is that of no older one.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(pair.serialize_pem().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::id;

    #[test]
    fn an_authority_issues_on_after_it_was_opened_again_and_keeps_keys_to_itself() {
        let directory = tempfile::tempdir().unwrap();
        let cluster = ClusterId::new("test").unwrap();
        let open = || DevCerts::open(directory.path().join("certificates"), cluster).unwrap();
        for node in ["a", "b"] {
            open().issue(id(node)).unwrap();
        }
        // Both were issued by the same authority, in two sittings.
        let pem = |name: &str| fs::read(directory.path().join("certificates").join(name)).unwrap();
        let ca = CertificateDer::from_pem_slice(&pem("ca.pem")).unwrap();
        let anchor = webpki::anchor_from_trusted_cert(&ca).unwrap();
        for node in ["a.pem", "b.pem"] {
            let certificate = CertificateDer::from_pem_slice(&pem(node)).unwrap();
            let certificate = webpki::EndEntityCert::try_from(&certificate).unwrap();
            let now = UnixTime::now();
            let usage = webpki::KeyUsage::client_auth();
            let verified = certificate.verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                std::slice::from_ref(&anchor),
                &[],
                now,
                usage,
                None,
                None,
            );
            verified.unwrap();
        }
        #[cfg(unix)]
        for key in ["ca.key", "a.key"] {
            let metadata = fs::metadata(directory.path().join("certificates").join(key)).unwrap();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777, 0o600);
        }
    }
    #[test]
    fn an_authority_is_not_overwritten_and_issues_nothing_that_nobody_believes() {
        let directory = tempfile::tempdir().unwrap();
        let open = |cluster| DevCerts::open(directory.path(), ClusterId::new(cluster).unwrap()).unwrap();
        let authority = || fs::read(directory.path().join("ca.pem")).unwrap();
        let certificates = open("test");
        let before = authority();
        for name in ["ca", "CA"] {
            assert!(certificates.issue(id(name)).unwrap_err().to_string().contains("named `ca`"));
        }
        assert_eq!(authority(), before);
        let error = open("other").issue(id("a")).unwrap_err().to_string();
        assert!(error.contains("does not vouch for nodes of cluster other"), "{error}");
        assert!(!directory.path().join("a.key").exists());
    }
}
