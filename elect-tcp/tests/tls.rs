//! Groups whose links are TLS: with certificates of an authority, pinned keys, SPIFFE ids, the host's own configurations of
//! rustls; and files that change while the nodes run.
#![cfg(feature = "tls")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::certificates::{Authority, by_authority, files, issued, self_signed};
use common::{Cluster, hear, id, spin};
use elect_core::{Epoch, NoLog};
use elect_tcp::{
    HostEvent, InboundFailure, Node, NodeConfig, NodeConfigBuilder, NodeNotice, TlsConfig, TransportNotice,
    VoteFile,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// Elects, fails over, and takes the one that was down back.
fn assert_works(cluster: &mut Cluster) {
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    cluster.stop(leader);
    let (next, _) = cluster.wait_for_leader(epoch);
    assert_ne!(next, leader);
    // Where it stood: the evidence of a crash, where that is configured.
    let refusal = Some("the connection is refused");
    spin("refusal", || {
        let links = cluster.handle(next).links().unwrap();
        links.iter().any(|link| link.outbound.reason.as_deref() == refusal)
    });
    cluster.restart(leader);
    cluster.wait_for_follower(leader, next);
    spin("links", || cluster.handle(next).links().unwrap().iter().all(|link| link.outbound.is_up));
}

#[test]
fn nodes_elect_fail_over_and_come_back_over_tls() {
    let (mut cluster, _) = Cluster::secured(&NAMES, |directory| issued(directory, &NAMES), by_authority);
    assert_works(&mut cluster);
}

#[test]
fn spiffe_ids_and_names_that_the_host_understands_do_as_well() {
    let issue = |directory: &Path| {
        let authority = Authority::new(directory, "authority");
        authority.issue("a", &["spiffe://example.org/ns/test/a"]);
        authority.issue("b", &["urn:node:b"]);
        // More than one URI, all of which mean the same.
        authority.issue("c", &["https://c.example", "elect://test/c", "spiffe://example.org/ns/test/c"]);
    };
    let (mut cluster, ()) = Cluster::secured(&NAMES, issue, |directory, name| {
        by_authority(directory, name)
            .spiffe("spiffe://example.org/ns/{cluster}/{node}")
            .name_uris(|uri| id(uri.strip_prefix("urn:node:")?).into())
    });
    assert_works(&mut cluster);
}

/// Writes certificates that nobody has signed, and the pins of their keys.
fn pinned(directory: &Path, names: &[&str]) {
    let pins: Vec<_> =
        names.iter().map(|name| format!("{name} {}", self_signed(directory, name, &[]))).collect();
    fs::write(directory.join("pins"), pins.join("\n")).unwrap();
}

fn by_pins(directory: &Path, name: &str) -> TlsConfig {
    files(directory, name).pins(directory.join("pins"))
}

#[test]
fn pinned_keys_need_no_authority_and_are_taken_back_and_given_while_nodes_run() {
    let (mut cluster, ()) = Cluster::secured(&NAMES, |directory| pinned(directory, &NAMES), by_pins);
    assert_works(&mut cluster);
    let directory = cluster.directory.path().to_owned();
    let (a, c) = (0, 2);
    cluster.stop(c);
    // Another key for `c`, of which the others do not know yet.
    let pin = self_signed(&directory, "c", &["elect://test/c"]);
    cluster.restart(c);
    spin("refusal", || {
        let refused = cluster.handle(a).refused_diallers().unwrap();
        let said = format!("it names c, and its key {pin} is not pinned for it");
        refused.iter().any(|refused| refused.to_string().contains(&said))
    });
    let pins = fs::read_to_string(directory.join("pins")).unwrap();
    let others = pins.lines().filter(|line| !line.starts_with("c "));
    let lines: Vec<_> = others.map(str::to_owned).chain([format!("c {pin}")]).collect();
    fs::write(directory.join("pins"), lines.join("\n")).unwrap();
    cluster.wait("c to follow", |cluster| {
        cluster.member(c).follows.is_some() || cluster.member(c).office.is_some()
    });
    spin("link", || cluster.handle(a).links().unwrap().iter().all(|link| link.outbound.is_up));
}

fn by_both(directory: &Path, name: &str) -> TlsConfig {
    by_authority(directory, name).pins(directory.join("pins"))
}

/// An authority that errs, or was broken into, issues a second certificate in a member's name.
#[test]
fn a_pinned_node_needs_its_key_beside_its_certificate() {
    let issue = |directory: &Path| {
        let authority = issued(directory, &["a", "b"]);
        let pin = authority.issue("c", &["elect://test/c"]);
        fs::write(directory.join("pins"), format!("c {pin}\n")).unwrap();
        authority
    };
    let (mut cluster, authority) = Cluster::secured(&NAMES, issue, by_both);
    assert_works(&mut cluster);
    cluster.stop(2);
    let pin = authority.issue("c", &["elect://test/c"]);
    cluster.restart(2);
    let said = format!("it names c, and its key {pin} is not pinned for it");
    spin("refusals", || {
        let refused = cluster.handle(0).refused_diallers().unwrap();
        refused.iter().any(|refused| refused.to_string().contains(&said))
    });
}

/// A certificate, its key and the authorities are replaced one after the other, and every stream dialled anew.
#[test]
fn certificates_and_authorities_change_while_nodes_run() {
    let (mut cluster, old) = Cluster::secured(&NAMES, |directory| issued(directory, &NAMES), by_authority);
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let directory = cluster.directory.path().to_owned();
    let follower = (leader + 1) % 3;
    let new = Authority::new(&directory, "new");
    let (old_bytes, new_bytes) = (fs::read(&old.file).unwrap(), fs::read(&new.file).unwrap());
    // Both authorities hold; every certificate is replaced; the old authority ends.
    fs::write(&old.file, [old_bytes, new_bytes.clone()].concat()).unwrap();
    for name in NAMES {
        new.issue(name, &[&format!("elect://test/{name}")]);
    }
    fs::write(&old.file, new_bytes).unwrap();
    cluster.stop(follower);
    cluster.restart(follower);
    hear(&cluster.member(leader).events, "new certificates", |event| renewed(&event).then_some(()));
    cluster.wait_for_follower(follower, leader);
    spin("links", || cluster.handle(leader).links().unwrap().iter().all(|link| link.outbound.is_up));
    // Who has a certificate of the old one only is a stranger now.
    cluster.stop(follower);
    old.issue(NAMES[follower], &[&format!("elect://test/{}", NAMES[follower])]);
    cluster.restart(follower);
    spin("refusal", || {
        let refused = cluster.handle(leader).refused_diallers().unwrap();
        let said = "it leads to none of the authorities";
        refused.iter().any(|refused| refused.to_string().contains(said))
    });
}

fn renewed(event: &HostEvent) -> bool {
    matches!(event, HostEvent::Happened(NodeNotice::Transport(TransportNotice::CredentialsRenewed)))
}

#[test]
fn files_that_cannot_be_used_leave_the_old_in_force_and_are_told_once() {
    let (mut cluster, _) = Cluster::secured(&NAMES, |directory| issued(directory, &NAMES), by_authority);
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let directory = cluster.directory.path().to_owned();
    let (follower, own) = ((leader + 1) % 3, NAMES[leader]);
    let certificate = directory.join(format!("{own}.pem"));
    let good = fs::read(&certificate).unwrap();
    let other = fs::read(directory.join(format!("{}.pem", NAMES[follower]))).unwrap();
    // Nothing, garbage, half of it, and a certificate that does not go with the key.
    let wrong: [(Option<&[u8]>, &str); 4] = [
        (None, "No such file"),
        (Some(b"garbage"), "no certificate in PEM"),
        (Some(&good[..good.len() / 2]), &format!("{own}.pem: ")),
        (Some(&other), "it is not the key of"),
    ];
    for (bytes, said) in wrong {
        match bytes {
            Some(bytes) => fs::write(&certificate, bytes).unwrap(),
            None => fs::remove_file(&certificate).unwrap(),
        }
        let mut told = Vec::new();
        for _ in 0..2 {
            cluster.stop(follower);
            cluster.restart(follower);
            spin("links", || {
                told.extend(cluster.member(leader).events.try_iter().filter_map(kept));
                let links = cluster.handle(leader).links().unwrap();
                links.iter().all(|link| link.outbound.is_up && link.inbound.is_up)
            });
        }
        assert!(matches!(&told[..], [reason] if reason.contains(said)), "{said}: {told:?}");
    }
}

fn kept(event: HostEvent) -> Option<String> {
    match event {
        HostEvent::Happened(NodeNotice::Transport(TransportNotice::CredentialsKept { reason })) => {
            Some(reason)
        }
        _ => None,
    }
}

/// What a host has that uses rustls already, here with a name in DNS as its verifier wants it.
fn rustls_configs(directory: &Path, name: &str) -> (ClientConfig, ServerConfig) {
    let read = |end: &str| fs::read(directory.join(format!("{name}.{end}"))).unwrap();
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read("pem")).map(Result::unwrap).collect();
    let key = || PrivateKeyDer::from_pem_slice(&read("key")).unwrap();
    let mut roots = RootCertStore::empty();
    let authority = fs::read(directory.join("authority.pem")).unwrap();
    roots.add(CertificateDer::from_pem_slice(&authority).unwrap()).unwrap();
    let provider = Arc::new(default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), Arc::clone(&provider));
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(chain.clone(), key())
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key())
        .unwrap();
    (client, server)
}

#[test]
fn a_hosts_own_configurations_are_taken_and_names_still_judged() {
    let issue = |directory: &Path| {
        let authority = Authority::new(directory, "authority");
        for name in ["a", "b"] {
            authority.issue_with_address(name, &[&format!("elect://test/{name}")]);
        }
        authority.issue_with_address("c", &["elect://other/c"]);
    };
    let (mut cluster, ()) = Cluster::secured(&NAMES, issue, |directory, name| {
        let (client, server) = rustls_configs(directory, name);
        TlsConfig::rustls(Arc::new(client), Arc::new(server))
    });
    // Two of three suffice; the third belongs to another cluster.
    cluster.wait_for_leader(Epoch::ZERO);
    spin("refusal", || {
        let refused = cluster.handle(0).refused_diallers().unwrap();
        let wanted =
            InboundFailure::Unproven("its certificate is not accepted: it belongs to cluster other".into());
        refused.iter().any(|refused| refused.failure == wanted)
    });
    assert!(cluster.handle(2).lease().is_none());
}

/// The builder of a node that is alone.
fn lone(directory: &Path, name: &str, tls: TlsConfig) -> NodeConfigBuilder {
    let elect = elect_core::Config::builder(elect_core::ClusterId::new("test").unwrap(), id(name));
    let elect = elect.voters([id(name)]).build().unwrap();
    let vote_file = directory.join(format!("{name}.vote"));
    if !vote_file.exists() {
        VoteFile::init(&vote_file, &elect).unwrap();
    }
    NodeConfig::builder(elect, &vote_file).listen("127.0.0.1:0".parse().unwrap()).tls(tls)
}

#[test]
fn a_node_does_not_start_with_what_cannot_work() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let authority = issued(directory, &["a", "b"]);
    authority.issue("nobody", &[]);
    authority.issue("other", &["elect://other/a"]);
    authority.issue_with_address("address", &["elect://test/a"]);
    let by = |name: &str| by_authority(directory, name);
    let (client, server) = rustls_configs(directory, "address");
    let lax = {
        let (chain, key) = (
            fs::read(directory.join("address.pem")).unwrap(),
            fs::read(directory.join("address.key")).unwrap(),
        );
        ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                CertificateDer::pem_slice_iter(&chain).map(Result::unwrap).collect(),
                PrivateKeyDer::from_pem_slice(&key).unwrap(),
            )
            .unwrap()
    };
    let client = Arc::new(client);
    let table = [
        (files(directory, "a"), "tls = files: must be given authorities or pins"),
        (by("a").spiffe("spiffe://example.org/"), "tls = spiffe://example.org/: must hold `{node}` once"),
        (
            TlsConfig::rustls(client.clone(), Arc::new(server)).authorities("x"),
            "tls = authorities: must be left to",
        ),
        (by("b"), "the certificate is that of b, and this node is a"),
        (by("nobody"), "the certificate of this node: it names no node of cluster test"),
        (by("other"), "the certificate of this node: it belongs to cluster other"),
        (by("missing"), "missing.pem: No such file"),
        (files(directory, "a").authorities(directory.join("a.key")), "a.key: no certificate in PEM"),
        (by("a").pins(directory.join("a.pem")), "a.pem: line 1 of the pins does not have the form"),
        (TlsConfig::rustls(client, Arc::new(lax)), "must insist on a certificate of the client"),
    ];
    for (tls, said) in table {
        let error = match lone(directory, "a", tls).build() {
            Ok(config) => Node::start(config, Arc::new(NoLog)).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(said), "{error}\n is not\n{said}");
    }
}

#[test]
fn tls_may_leave_this_machine_and_plain_tcp_may_not() {
    let directory = tempfile::tempdir().unwrap();
    issued(directory.path(), &["a"]);
    let any = "0.0.0.0:0".parse().unwrap();
    let builder = lone(directory.path(), "a", by_authority(directory.path(), "a")).listen(any);
    let (handle, _events) = Node::start(builder.build().unwrap(), Arc::new(NoLog)).unwrap();
    handle.shutdown().unwrap();
}
