use std::fs::File;
use std::sync::mpsc;

use rustls::HandshakeKind;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;

use super::*;
use crate::testing::certificates::{Validity, by_authority, files, issued, self_signed};
use crate::testing::id;

fn open(config: TlsConfig) -> (Credentials, mpsc::Receiver<TransportNotice>) {
    let credentials = Credentials::open(config, ClusterId::new("test").unwrap(), id("a")).unwrap();
    let (tell, told) = mpsc::channel();
    credentials.tell(Box::new(move |notice| tell.send(notice).unwrap()));
    (credentials, told)
}

/// `cp -p` and the like: as long as before, as old as before, in the same file.
#[cfg(unix)]
#[test]
fn a_file_that_changes_is_read_again_whatever_its_dates_say() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pins");
    let pins = [self_signed(directory.path(), "b", &[]), self_signed(directory.path(), "a", &[])];
    std::fs::write(&path, format!("c {}", pins[0])).unwrap();
    let (credentials, told) = open(files(directory.path(), "a").pins(&path));
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, format!("c {}", pins[1])).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    credentials.current();
    // The own key is pinned for another node.
    assert!(matches!(told.try_recv(), Ok(TransportNotice::CredentialsKept { .. })));
}

/// What kept them from being read may be over, and their metadata as before.
#[test]
fn files_that_could_not_be_used_are_read_again_and_the_same_reason_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    issued(directory.path(), &["a"]);
    let (credentials, told) = open(by_authority(directory.path(), "a"));
    let long_ago = Instant::now().checked_sub(AGAIN_AFTER).unwrap();
    let fail = |reason: &str, at| credentials.read_last.lock().unwrap().failure = Some((reason.into(), at));
    fail("too many open files", Instant::now());
    credentials.current();
    assert!(told.try_recv().is_err(), "not with each handshake");
    fail("too many open files", long_ago);
    credentials.current();
    assert_eq!(told.try_recv(), Ok(TransportNotice::CredentialsRenewed));
    let key = directory.path().join("a.key");
    std::fs::write(&key, "no key").unwrap();
    credentials.current();
    let Ok(TransportNotice::CredentialsKept { reason }) = told.try_recv() else { panic!("not told") };
    fail(&reason, long_ago);
    credentials.current();
    assert!(told.try_recv().is_err(), "the same reason");
    std::fs::write(&key, "no key").unwrap();
    credentials.current();
    assert!(matches!(told.try_recv(), Ok(TransportNotice::CredentialsKept { .. })), "new files");
}

/// What a host has for its own clients: certificates on both sides, and tickets.
fn with_tickets() -> (TempDir, ClientConfig, ServerConfig) {
    let directory = tempfile::tempdir().unwrap();
    issued(directory.path(), &[]).issue_with_address("a", &["elect://test/a"]);
    let read = |name: &str| std::fs::read(directory.path().join(name)).unwrap();
    let certificate = || vec![CertificateDer::from_pem_slice(&read("a.pem")).unwrap()];
    let key = || PrivateKeyDer::from_pem_slice(&read("a.key")).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&read("authority.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), Arc::clone(&provider));
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(certificate(), key())
        .unwrap();
    server.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(certificate(), key())
        .unwrap();
    (directory, client, server)
}

fn shake_hands(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Option<HandshakeKind> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = Connection::from(ClientConnection::new(Arc::clone(client), name).unwrap());
    let mut server = Connection::from(ServerConnection::new(Arc::clone(server)).unwrap());
    for _ in 0..4 {
        pass(&mut client, &mut server).unwrap();
        pass(&mut server, &mut client).unwrap();
    }
    server.handshake_kind()
}

/// A session that is resumed is one whose certificate nobody looks at again: one that is over, say, or of an authority that
/// was taken out.
#[test]
fn a_ticket_of_the_hosts_other_listener_resumes_nothing_here() {
    let (_directory, client, server) = with_tickets();
    let ours = Arc::new(server_settings(server.clone()));
    let (client, server) = (Arc::new(client), Arc::new(server));
    assert_eq!(shake_hands(&client, &server), Some(HandshakeKind::Full));
    assert_eq!(shake_hands(&client, &server), Some(HandshakeKind::Resumed), "there it does");
    assert_eq!(shake_hands(&client, &ours), Some(HandshakeKind::Full));
}

fn dates(notice: Option<TransportNotice>) -> Option<&'static str> {
    match notice {
        Some(TransportNotice::CertificateDates { text }) => Some(text),
        None => None,
        other => panic!("{other:?}"),
    }
}

/// A node whose certificate is over says nothing wrong itself: its peers refuse it, later, one by one.
#[test]
fn the_dates_of_the_own_certificate_are_told_at_the_start_and_once() {
    for (validity, expected) in [
        (Validity::Now, None),
        (Validity::Soon, Some("ends within 14 days")),
        (Validity::Over, Some("is over")),
        (Validity::Later, Some("is not valid yet")),
    ] {
        let directory = tempfile::tempdir().unwrap();
        issued(directory.path(), &[]).issue_for("a", &["elect://test/a"], validity);
        let (credentials, told) = open(by_authority(directory.path(), "a"));
        let text = dates(told.try_recv().ok());
        assert_eq!(text.is_some(), expected.is_some(), "{text:?}");
        assert!(expected.is_none_or(|expected| text.unwrap().contains(expected)), "{text:?}");
        let long_ago = Instant::now().checked_sub(DATES_EVERY).unwrap();
        credentials.read_last.lock().unwrap().dates.1 = Some(long_ago);
        credentials.current();
        assert!(told.try_recv().is_err(), "nothing has changed");
        credentials.read_last.lock().unwrap().dates = (Dates::Fine, Some(long_ago));
        credentials.current();
        assert_eq!(dates(told.try_recv().ok()), text, "as soon as time has changed it");
    }
}

#[test]
fn a_certificate_that_is_over_takes_the_place_of_no_good_one() {
    let directory = tempfile::tempdir().unwrap();
    let authority = issued(directory.path(), &["a"]);
    let (credentials, told) = open(by_authority(directory.path(), "a"));
    authority.issue_for("a", &["elect://test/a"], Validity::Over);
    credentials.current();
    let Ok(TransportNotice::CredentialsKept { reason }) = told.try_recv() else { panic!("not told") };
    assert!(reason.contains("is over"), "{reason}");
    authority.issue_for("a", &["elect://test/a"], Validity::Soon);
    credentials.current();
    assert_eq!(told.try_recv(), Ok(TransportNotice::CredentialsRenewed));
    assert!(dates(told.try_recv().ok()).unwrap().contains("ends within 14 days"));
}
