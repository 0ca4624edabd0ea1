//! Who has no certificate of a member's name can neither greet, displace, reject nor stop a node, as a dialler and as a
//! listener; and both sides say who was refused and for what.
#![cfg(feature = "tls")]

#[path = "../src/tls/both_ends.rs"]
mod both_ends;
mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use both_ends::{BothEnds, Judge, Role};
use common::certificates::{Authority, Validity, by_authority, issued, self_signed};
use common::raw::{RawGreeting, dial};
use common::{BOUND, Cluster, hear, id, spin};
use elect_core::{Epoch, Incarnation, NoLog, Time};
use elect_tcp::{
    HandshakeRefusal, HostEvent, InboundFailure, Node, NodeHandle, NodeNotice, TlsConfig, VoteFile,
};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};

/// A group of three over TLS whose node `c` is down, and what the others know of their links.
struct Scene {
    cluster: Cluster,
    authority: Authority,
    leader: usize,
    epoch: Epoch,
    since: Vec<Time>,
    started: usize,
}

impl Scene {
    fn new() -> Self {
        let names = ["a", "b", "c"];
        let (mut cluster, authority) =
            Cluster::secured(&names, |directory| issued(directory, &names), by_authority);
        let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
        cluster.wait_for_followers(leader);
        let (leader, epoch) = if leader == 2 {
            cluster.stop(2);
            cluster.wait_for_leader(epoch)
        } else {
            cluster.stop(2);
            (leader, epoch)
        };
        cluster.wait_for_follower(1 - leader, leader);
        // At a first boot `c` may have stood above the leader, which has then raised its epoch.
        let epoch = cluster.handle(leader).lease().map_or(epoch, |lease| lease.epoch);
        let mut scene = Self { cluster, authority, leader, epoch, since: Vec::new(), started: 0 };
        scene.since = scene.links_between();
        scene
    }

    /// Since when the streams between the two that run stand.
    fn links_between(&self) -> Vec<Time> {
        let ends = [0, 1].map(|index| {
            let links = self.cluster.handle(index).links().unwrap();
            let link = links.into_iter().find(|link| link.peer != id("c")).unwrap();
            assert!(link.inbound.is_up && link.outbound.is_up, "{link:?}");
            [link.inbound.since, link.outbound.since]
        });
        ends.concat()
    }

    /// Starts a node under the name `c`, at the address of `c`, which shows that certificate to everybody and believes everybody.
    fn impostor(&mut self, certificate: Option<&str>) -> NodeHandle {
        let elect = self.cluster.elect(2);
        self.started += 1;
        let vote_file = self.cluster.directory.path().join(format!("impostor-{}.vote", self.started));
        VoteFile::init(&vote_file, &elect).unwrap();
        let peers = self.cluster.names.iter().zip(&self.cluster.addresses);
        let config = elect_tcp::NodeConfig::builder(elect, &vote_file)
            .peers(peers.map(|(name, address)| (*name, address.to_string())))
            .listen(self.cluster.addresses[2])
            .tls(believing_everybody(&self.authority.directory, certificate));
        Node::start(config.build().unwrap(), Arc::new(NoLog)).unwrap().0
    }

    /// What the impostor reads of its stream to `a`, and `a` of the one to it, and of whom it refused.
    fn seen(&self, impostor: &NodeHandle, said: &str) -> [String; 3] {
        let a = self.cluster.handle(0);
        let reason = |handle: &NodeHandle, peer| {
            let links = handle.links().unwrap();
            let link = links.into_iter().find(|link| link.peer == id(peer)).unwrap();
            assert!(!link.outbound.is_up, "it was let in: {link:?}");
            link.outbound.reason.unwrap_or_default()
        };
        // A dialler whose certificate is refused reads no more than an alert.
        let is_said =
            |text: &str| text.contains(said) || text.contains("does not accept this node's certificate");
        let (mut heard, mut found) = (String::new(), String::new());
        let began = Instant::now();
        while !is_said(&heard) || !found.contains(said) {
            assert!(began.elapsed() < BOUND, "{said:?} is not said: {heard:?} there, {found:?} here");
            thread::yield_now();
            (heard, found) = (reason(impostor, "a"), reason(a, "c"));
        }
        let mut refused = String::new();
        spin("refused dialler", || {
            let last = a.refused_diallers().unwrap().into_iter().rev().find(|refused| {
                matches!(refused.failure, InboundFailure::Unproven(_) | InboundFailure::Refused(_))
            });
            refused = last.map(|refused| refused.to_string()).unwrap_or_default();
            refused.contains(said)
        });
        [heard, found, refused]
    }

    /// The one that leads leads on in its epoch, and no stream between the two was touched.
    fn assert_undisturbed(&mut self) {
        self.cluster.catch_up();
        assert_eq!(self.cluster.handle(self.leader).lease().map(|lease| lease.epoch), Some(self.epoch));
        assert!(self.cluster.members[..2].iter().flatten().all(|member| member.losses.is_empty()));
        assert_eq!(self.links_between(), self.since);
        for index in [0, 1] {
            assert_eq!(self.cluster.handle(index).explain().unwrap().elector.stopped, None);
        }
    }
}

#[test]
fn whoever_cannot_prove_a_members_name_is_refused_as_dialler_and_as_listener() {
    let mut scene = Scene::new();
    let directory = scene.authority.directory.clone();
    let stranger = Authority::new(&directory, "stranger");
    stranger.issue("of-stranger", &["elect://test/c"]);
    let own = &scene.authority;
    own.issue("of-other-cluster", &["elect://other/c"]);
    own.issue("of-nobody", &["https://c.example"]);
    own.issue("of-two", &["elect://test/c", "elect://test/b"]);
    own.issue_for("over", &["elect://test/c"], Validity::Over);
    own.issue_for("later", &["elect://test/c"], Validity::Later);
    // What everybody sees of `c`, with another key.
    fs::copy(directory.join("c.pem"), directory.join("stolen.pem")).unwrap();
    fs::copy(directory.join("b.key"), directory.join("stolen.key")).unwrap();
    self_signed(&directory, "alone", &["elect://test/c"]);
    // The certificate, the alert that its owner hears of, and what the node says of it.
    let table = [
        (
            "of-stranger",
            "UnknownCA",
            "of elect://test/c is not accepted: it leads to none of the authorities",
        ),
        ("stolen", "DecryptError", "of elect://test/c is not accepted: its signature is wrong"),
        ("alone", "UnknownCA", "of elect://test/c is not accepted: it leads to none of the authorities"),
        (
            "of-other-cluster",
            "CertificateUnknown",
            "of elect://other/c is not accepted: it belongs to cluster other",
        ),
        (
            "of-nobody",
            "CertificateUnknown",
            "of https://c.example is not accepted: it names no node of cluster test",
        ),
        ("of-two", "CertificateUnknown", "it names both c and b: a certificate belongs to one node"),
        ("over", "CertificateExpired", "of elect://test/c is not accepted: certificate expired"),
        ("later", "CertificateExpired", "of elect://test/c is not accepted: certificate not valid yet"),
    ];
    for (certificate, alert, said) in table {
        let impostor = scene.impostor(Some(certificate));
        let [heard, found, refused] = scene.seen(&impostor, said);
        assert!(heard.contains("it does not accept this node's certificate"), "{certificate}: {heard}");
        assert!(heard.contains(alert), "{certificate}: {heard}");
        assert!(found.contains(said), "{certificate}: {found}");
        assert!(refused.contains(said) && refused.contains("127.0.0.1"), "{certificate}: {refused}");
        scene.assert_undisturbed();
        impostor.shutdown().unwrap();
    }
}

#[test]
fn another_members_certificate_is_that_of_another_member() {
    let mut scene = Scene::new();
    let impostor = scene.impostor(Some("b"));
    let said = "it claims to be c, and its transport proves that it is b";
    let [heard, found, refused] = scene.seen(&impostor, said);
    assert!([&heard, &found, &refused].iter().all(|text| text.contains(said)), "{heard}\n{found}\n{refused}");
    assert!(refused.contains("a dialler named c at 127.0.0.1"), "{refused}");
    scene.assert_undisturbed();
    impostor.shutdown().unwrap();
}

#[test]
fn a_dialler_without_a_certificate_is_told_that_it_needs_one() {
    let scene = Scene::new();
    let mut scene = scene;
    let config = client(&scene.authority.directory, None);
    let mut stream = Raw::dial(&scene, config);
    stream.greet(&RawGreeting::of(&scene.cluster.elect(2), "a", Incarnation { counter: 9, random: 1 }));
    assert!(stream.answer().contains("CertificateRequired"));
    let refused = hear(&scene.cluster.member(0).events, "refused dialler", |event| match event {
        HostEvent::Happened(NodeNotice::DiallerRefused(refused))
            if matches!(refused.failure, InboundFailure::Unproven(_)) =>
        {
            Some(refused)
        }
        _ => None,
    });
    assert_eq!(
        (refused.failure, refused.claimed),
        (InboundFailure::Unproven("it shows no certificate".into()), None)
    );
    scene.assert_undisturbed();
}

#[test]
fn plain_tcp_and_garbage_get_nowhere() {
    let mut scene = Scene::new();
    let a = scene.cluster.addresses[0];
    let greeting = RawGreeting::of(&scene.cluster.elect(2), "a", Incarnation { counter: 9, random: 1 });
    for bytes in [greeting.bytes(), b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0; 4096], vec![0xff; 4096]] {
        let mut answer = Vec::new();
        let _ = dial(a, &bytes).read_to_end(&mut answer);
        assert!(!answer.starts_with(b"elect-hs"), "{answer:?}");
    }
    let says = |wanted: &str| {
        let refused = scene.cluster.handle(0).refused_diallers().unwrap();
        refused.iter().any(|refused| refused.to_string().contains(wanted))
    };
    spin("reason", || says("it does not speak TLS"));
    scene.assert_undisturbed();
}

/// A client of another protocol, under whose certificate its host is a node as well, is none.
#[test]
fn a_member_that_names_no_protocol_is_refused() {
    let mut scene = Scene::new();
    let mut config = ClientConfig::clone(&client(&scene.authority.directory, Some("c")));
    config.alpn_protocols.clear();
    let mut stream = Raw::dial(&scene, Arc::new(config));
    stream.greet(&RawGreeting::of(&scene.cluster.elect(2), "a", Incarnation { counter: 9, random: 1 }));
    stream.verdict().unwrap_err();
    let wanted = InboundFailure::Unproven("it names no protocol that it speaks over TLS (ALPN)".into());
    spin("reason", || {
        let refused = scene.cluster.handle(0).refused_diallers().unwrap();
        refused.iter().any(|refused| refused.failure == wanted)
    });
    scene.assert_undisturbed();
}

/// Proven members under their own names: one may say everything in its own name, and nothing in that of another.
#[test]
fn a_member_cannot_greet_in_the_name_of_another_whatever_the_incarnation() {
    let mut scene = Scene::new();
    for counter in [1, 2, 1000, 1 << 30] {
        let mut stream = Raw::dial(&scene, client(&scene.authority.directory, Some("b")));
        stream.greet(&RawGreeting::of(&scene.cluster.elect(2), "a", Incarnation { counter, random: 1 }));
        assert_eq!(stream.verdict(), Ok(6));
    }
    let refused = scene.cluster.handle(0).refused_diallers().unwrap();
    let wanted = InboundFailure::Refused(HandshakeRefusal::Identity { claimed: id("c"), proven: id("b") });
    assert!(refused.iter().any(|refused| refused.failure == wanted), "{refused:?}");
    scene.assert_undisturbed();
}

/// A stranger's TLS.
struct Raw(rustls::StreamOwned<rustls::ClientConnection, TcpStream>);

impl Raw {
    fn dial(scene: &Scene, config: Arc<ClientConfig>) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = rustls::ClientConnection::new(config, name).unwrap();
        Self(rustls::StreamOwned::new(connection, dial(scene.cluster.addresses[0], b"")))
    }

    fn greet(&mut self, greeting: &RawGreeting) {
        self.0.write_all(&greeting.bytes()).unwrap();
    }

    fn verdict(&mut self) -> Result<u8, String> {
        let mut prefix = [0; 15];
        self.0.read_exact(&mut prefix).map_err(|error| error.to_string())?;
        Ok(prefix[8])
    }

    fn answer(&mut self) -> String {
        self.verdict().unwrap_err()
    }
}

/// What a stranger has: a certificate or none, and no scruples.
fn believing_everybody(directory: &std::path::Path, certificate: Option<&str>) -> TlsConfig {
    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(BothEnds(Everybody)))
        .with_cert_resolver(identity(directory, certificate.unwrap_or("a")));
    TlsConfig::rustls(client(directory, certificate), Arc::new(server))
}

fn client(directory: &std::path::Path, certificate: Option<&str>) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(BothEnds(Everybody)));
    let mut config = match certificate {
        None => builder.with_no_client_auth(),
        Some(name) => builder.with_client_cert_resolver(identity(directory, name)),
    };
    config.alpn_protocols = vec![b"elect".to_vec()];
    Arc::new(config)
}

/// Whether the key is that of the certificate is nobody's business here.
fn identity(directory: &std::path::Path, name: &str) -> Arc<SingleCertAndKey> {
    let read = |end: &str| fs::read(directory.join(format!("{name}.{end}"))).unwrap();
    let chain = CertificateDer::pem_slice_iter(&read("pem")).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(&read("key")).unwrap();
    let key = default_provider().key_provider.load_private_key(key).unwrap();
    Arc::new(CertifiedKey::new(chain, key).into())
}

/// Believes whatever it is shown.
#[derive(Debug)]
struct Everybody;

impl Judge for Everybody {
    fn certificate(
        &self,
        _: Role,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<(), rustls::Error> {
        Ok(())
    }

    fn signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
