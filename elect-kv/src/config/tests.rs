use std::path::Path;
use std::time::Duration;

use elect_core::MemberKind;

use super::check::fresh_seed;
use super::{ConfigFileError, Settings};

const GOOD: &str = r#"
    cluster = "shop"
    node = "a"
    data_dir = "data"
    listen_election = "127.0.0.1:7101"
    listen_replication = "127.0.0.1:7201"
    listen_client = "127.0.0.1:7001"
    heartbeat_ms = 20

    [[peer]]
    node = "b"
    election = "127.0.0.1:7102"
    replication = "127.0.0.1:7202"
    client = "127.0.0.1:7002"

    [[peer]]
    node = "w"
    kind = "witness"
    election = "127.0.0.1:7103"
"#;

/// A good file that begins with these lines.
pub(crate) fn example(lines: &str) -> Settings {
    parse(&format!("{lines}{GOOD}")).unwrap()
}

fn parse(text: &str) -> Result<Settings, ConfigFileError> {
    Settings::parse(text, Path::new("/etc/elect/node.toml"))
}

#[test]
fn a_good_file_is_taken_as_written() {
    let settings = parse(GOOD).unwrap();
    assert_eq!(settings.advertise_client, "127.0.0.1:7001");
    assert_eq!(settings.data_dir, Path::new("/etc/elect/data"));
    assert_eq!(settings.elect.heartbeat_interval(), Duration::from_millis(20));
    assert_eq!(settings.elect.members().quorum(), 2);
    assert_eq!(settings.peers[1].kind, MemberKind::Witness);
    assert_eq!(settings.elect.address().as_str(), "127.0.0.1:7001");
}

#[test]
fn nonsense_is_refused_with_file_key_value_and_rule() {
    let table = [
        ("node = \"a\"", "node = \"a b\"", &["node = \"a b\"", "may hold only"][..]),
        ("heartbeat_ms = 20", "heartbeat = 20", &["unknown field `heartbeat`", "heartbeat_ms"]),
        ("heartbeat_ms = 20", "heartbeat_ms = 0", &["heartbeat_ms = 0: ", "1ms to 60s"]),
        ("heartbeat_ms = 20", "heartbeat_ms = -5", &["heartbeat_ms = -5", "invalid value"]),
        (
            "heartbeat_ms = 20",
            "detection_ms = 100",
            &["detection_ms = 100: ", "a lease of 98ms", "two heartbeats"],
        ),
        (
            "heartbeat_ms = 20",
            "advertise_client = \"nowhere\"",
            &["advertise_client = \"nowhere\"", "host:port"],
        ),
        ("heartbeat_ms = 20", "preferred_leader = \"w\"", &["preferred_leader = w", "must be a voter"]),
        ("node = \"b\"", "node = \"a\"", &["node and peer", "a stands twice"]),
        ("kind = \"witness\"", "", &["peer w: replication = (missing)", "holds data"]),
        ("kind = \"witness\"", "kind = \"arbiter\"", &["arbiter", "witness"]),
        ("\"127.0.0.1:7202\"", "\"127.0.0.1:0\"", &["peer b: replication = \"127.0.0.1:0\"", "1 to 65535"]),
        (
            "\"127.0.0.1:7201\"",
            "\"10.0.0.1:7201\"",
            &["listen_replication = 10.0.0.1:7201", "allow_plaintext"],
        ),
        ("heartbeat_ms = 20", "repl-backlog-size = \"1kb\"", &["repl-backlog-size", "1mb to"]),
        (
            "heartbeat_ms = 20",
            "client-output-buffer-limit = \"pubsub 1mb 1mb 1\"",
            &["client-output-buffer-limit", "<soft seconds>"],
        ),
        (
            "\"127.0.0.1:7001\"",
            "\"0.0.0.0:7001\"\nallow_open_clients = true",
            &["advertise_client", "wildcard"],
        ),
        (
            "\"127.0.0.1:7001\"",
            "\"10.0.0.1:7001\"",
            &["listen_client = 10.0.0.1:7001", "password", "allow_open_clients"],
        ),
        ("data_dir = \"data\"", "data_dir = \"\"", &["data_dir = \"\"", "must name a directory"]),
        ("heartbeat_ms = 20", "password = \"\"", &["password = \"\"", "not be empty"]),
        (
            "heartbeat_ms = 20",
            "password = \"same\"\noperator_password = \"same\"",
            &["operator_password = (hidden)", "differ from password"],
        ),
        ("listen_replication = \"127.0.0.1:7201\"", "", &["listen_replication = (missing)", "holds data"]),
        ("\"127.0.0.1:7101\"", "\"10.0.0.1:7101\"", &["listen_election = 10.0.0.1:7101", "allow_plaintext"]),
        (
            "\"127.0.0.1:7102\"",
            "\"10.0.0.1:7102\"",
            &["peer b: election = \"10.0.0.1:7102\"", "allow_plaintext"],
        ),
        (
            "\"127.0.0.1:7201\"",
            "\"127.0.0.1:7101\"",
            &["listen_replication = \"127.0.0.1:7101\"", "listen_election"],
        ),
        ("\"127.0.0.1:7102\"", "\"127.0.0.1:7202\"", &["peer b: replication", "is peer b: election already"]),
        ("\"127.0.0.1:7103\"", "\"127.0.0.1:7102\"", &["peer w: election", "is peer b: election already"]),
        ("\"127.0.0.1:7103\"", "\"127.0.0.1:7101\"", &["peer w: election", "is listen_election already"]),
        ("\"127.0.0.1:7101\"", "\"127.0.0.1:0\"", &["listen_election = 127.0.0.1:0", "1 to 65535"]),
        ("heartbeat_ms = 20", "tls_cert = \"a.pem\"", &["tls_cert = a.pem", "needs tls_cert and tls_key"]),
        ("heartbeat_ms = 20", "tls_key = \"a.key\"", &["tls_key = a.key", "needs tls_cert and tls_key"]),
        ("heartbeat_ms = 20", "tls_ca = \"ca.pem\"", &["tls_ca = ca.pem", "needs tls_cert and tls_key"]),
        ("heartbeat_ms = 20", "tls_pins = \"pins\"", &["tls_pins = pins", "needs tls_cert and tls_key"]),
        (
            "heartbeat_ms = 20",
            "tls_spiffe = \"spiffe://o/{node}\"",
            &["tls_spiffe = spiffe://o/{node}", "needs"],
        ),
        (
            "heartbeat_ms = 20",
            "tls_cert = \"a.pem\"\ntls_key = \"a.key\"",
            &["tls_cert = /etc/elect/a.pem", "tls_ca or tls_pins"],
        ),
        ("\"127.0.0.1:7001\"", "\"localhost\"", &["listen_client", "socket address"]),
    ];
    for (good, bad, expected) in table {
        let text = GOOD.replacen(good, bad, 1);
        assert_ne!(text, GOOD, "{good} stands in the file");
        let error = parse(&text).expect_err(bad).to_string();
        assert!(error.contains("/etc/elect/node.toml"), "{error}");
        for word in expected {
            assert!(error.contains(word), "{bad}: {error} should say {word}");
        }
    }
}

#[test]
fn seeds_differ() {
    assert_ne!(fresh_seed(), fresh_seed());
}

#[test]
fn a_witness_needs_no_port_for_a_log() {
    let witness = GOOD
        .replacen("node = \"a\"", "node = \"a\"\nkind = \"witness\"", 1)
        .replacen("listen_replication = \"127.0.0.1:7201\"", "", 1)
        .replacen("kind = \"witness\"\n    election", "replication = \"127.0.0.1:7203\"\n    election", 1);
    assert_eq!(parse(&witness).unwrap().file.listen_replication, None);
}

#[test]
fn clients_of_other_machines_are_allowed_in_so_many_words() {
    for words in ["password = \"secret\"", "allow_open_clients = true"] {
        let far = GOOD.replacen("\"127.0.0.1:7001\"", &format!("\"10.0.0.1:7001\"\n{words}"), 1);
        let settings = parse(&far).unwrap();
        assert!(!format!("{settings:?}").contains("secret"), "no log shows a password");
    }
}

/// The example is taken as it is, names every key, and what it calls a default is what a file without it means.
#[test]
fn the_example_is_in_order_and_names_every_key() {
    let written = parse(super::EXAMPLE).unwrap();
    assert_eq!(written.peers.len(), 2);
    let unknown = parse(&format!("no_such_key = 1\n{}", super::EXAMPLE)).unwrap_err().to_string();
    let listed = unknown.split_once("expected one of ").unwrap().1;
    let keys: Vec<_> = listed.split('`').skip(1).step_by(2).filter(|key| *key != "peer").collect();
    assert!(keys.len() > 30, "{keys:?}");
    let is_named = |key: &str| {
        let lines = super::EXAMPLE.lines().map(|line| line.trim_start_matches('#'));
        lines.map(|line| line.split(' ').next()).any(|word| word == Some(key))
    };
    for key in keys.iter().filter(|key| !key.contains('-')) {
        assert!(is_named(key), "{key} is not in example.toml");
    }
    let is_default = |line: &str| {
        let names_files = [
            "tls_",
            "#kind",
            "#listen_http",
            "#rank_step",
            "#advertise",
            "#password",
            "#operator_",
            "#preferred_leader",
        ];
        line.starts_with('#')
            && !names_files.iter().any(|name| line.starts_with(name) || line.starts_with(&format!("#{name}")))
    };
    let is_key = |line: &str| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(rest) if is_default(line) && is_key(rest) => rest.to_owned(),
        _ => line.to_owned(),
    };
    let (own, peers) = super::EXAMPLE.split_once("[[peer]]").unwrap();
    let own: Vec<_> = own.lines().map(uncomment).collect();
    assert!(own.iter().filter(|line| is_key(line)).count() > 20);
    let spelled_out = parse(&format!("{}\n[[peer]]{peers}", own.join("\n"))).unwrap();
    let elect = |settings: &Settings| {
        let text = format!("{:?}", settings.elect);
        let (before, seed) = text.split_once("seed: ").unwrap();
        before.to_owned() + seed.trim_start_matches(|c: char| c.is_ascii_digit())
    };
    assert_eq!(elect(&spelled_out), elect(&written));
    assert_eq!(spelled_out.log_level, written.log_level);
    assert_eq!(spelled_out.file.client_output_buffer_limit, written.file.client_output_buffer_limit);
}
