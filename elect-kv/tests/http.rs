//! What a node shows over HTTP: to load balancers, to Prometheus, to people; and what it does not put up with.

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod cluster;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use cluster::{BOUND, Cluster, free_port};

fn with_http() -> (Cluster, Vec<u16>) {
    let cluster = Cluster::new();
    let held: Vec<_> = (0..3).map(|_| free_port()).collect();
    let ports: Vec<_> = held.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    for (node, port) in ports.iter().enumerate() {
        cluster.configure(node, &format!("listen_http = \"127.0.0.1:{port}\""));
    }
    (cluster, ports)
}

/// The answer to a request, as it comes.
fn exchange(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    // Whoever sends too much may be cut off meanwhile.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn get(port: u16, path: &str) -> (u16, String) {
    let answer = exchange(port, &format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"));
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    (code.unwrap_or_else(|| panic!("{answer}")), answer)
}

/// Waits until a path has this code.
fn until(cluster: &mut Cluster, port: u16, path: &str, code: u16) -> String {
    cluster.until(path, |_| {
        let (got, answer) = get(port, path);
        if got == code { Ok(answer) } else { Err(answer) }
    })
}

#[test]
fn load_balancers_find_the_primary_and_people_see_why_there_is_none() {
    let (mut cluster, ports) = with_http();
    cluster.start_all();
    let (primary, office) = cluster.wait("primary", |_, event| event["kind"] == "in_office");
    let followers = [(primary + 1) % 3, (primary + 2) % 3];
    for node in followers {
        until(&mut cluster, ports[node], "/replica", 200);
    }
    let codes =
        |node: usize| ["/live", "/ready", "/primary", "/replica"].map(|path| get(ports[node], path).0);
    assert_eq!(codes(primary), [200, 200, 200, 503]);
    for node in followers {
        assert_eq!(codes(node), [200, 200, 503, 200]);
    }
    let (_, page) = get(ports[primary], "/");
    // At a first boot it may raise its epoch, now and then.
    let led = |port| {
        let (_, status) = get(port, "/status");
        let status: serde_json::Value =
            serde_json::from_str(status.split_once("\r\n\r\n").unwrap().1).unwrap();
        status["leader_epoch"].to_string()
    };
    let name = cluster.name(primary);
    assert!(page.contains(&format!("<title>{name}: primary</title>")), "{page}");
    assert!(
        page.contains(&format!("{name} serves as the primary of epoch {}", office["epoch"])),
        "a transition: {page}"
    );
    let (_, page) = get(ports[followers[0]], "/");
    assert!(
        page.contains(&format!("{name} is the primary of epoch {}.", led(ports[followers[0]]))),
        "{page}"
    );
    for outside in ["<script", "<img", "<link", "src=", "@import", "url(", "://"] {
        assert!(!page.contains(outside), "{outside} in {page}");
    }
    let (code, status) = get(ports[primary], "/status");
    let (_, body) = status.split_once("\r\n\r\n").unwrap();
    let status: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((code, &status["kv"]["serves"]), (200, &"primary".into()));

    let lost = format!("no longer leads epoch {}: no quorum acknowledged it in time", led(ports[primary]));
    for node in followers {
        cluster.kill(node);
    }
    let answer = until(&mut cluster, ports[primary], "/primary", 503);
    assert!(answer.contains("nothing: "), "{answer}");
    until(&mut cluster, ports[primary], "/ready", 503);
    let words = [
        "http-equiv=\"refresh\"",
        "No primary, as far as this node knows.",
        "only 1 of the 2 voting members it needs are connected",
        &lost,
        "down: the connection is refused",
    ];
    cluster.until("page", |_| {
        let (_, page) = get(ports[primary], "/watch");
        match words.iter().find(|words| !page.contains(**words)) {
            None => Ok(()),
            Some(words) => Err(format!("{words} in {page}")),
        }
    });
    assert_eq!(get(ports[primary], "/live").0, 200, "a restart would not help");
}

#[test]
fn every_figure_that_alerts_ask_for_is_there() {
    let (mut cluster, ports) = with_http();
    cluster.start_all();
    let primary = cluster.wait_primary();
    // Somebody who is no node.
    TcpStream::connect(("127.0.0.1", cluster.election_port(primary)))
        .unwrap()
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .unwrap();
    let alerts =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alerts.yml")).unwrap();
    let names: std::collections::BTreeSet<_> = alerts
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("elect_"))
        .collect();
    assert!(names.len() > 6, "{names:?}");
    // The stranger is refused a moment later, and that is an event.
    let text = cluster.until("figures", |_| {
        let (_, text) = get(ports[primary], "/metrics");
        let missing: Vec<_> = names.iter().filter(|name| !text.contains(&format!("\n{name}{{"))).collect();
        if missing.is_empty() { Ok(text) } else { Err(format!("{missing:?} in {text}")) }
    });
    let name = cluster.name(primary);
    assert!(text.contains(&format!("elect_kv_serves{{cluster=\"test\",node=\"{name}\"}} 1\n")), "{text}");
    assert!(text.contains("elect_kv_follower_lag{cluster=\"test\",node="), "{text}");
}

/// The name of a page from elsewhere may lead here for a moment; its browser says the name.
#[test]
fn a_port_of_this_machine_answers_to_its_names_alone() {
    let (mut cluster, ports) = with_http();
    cluster.start(0);
    cluster.wait_kind(0, "started");
    let code = |host: &str| {
        let answer = exchange(ports[0], &format!("GET /live HTTP/1.1\r\n{host}\r\n"));
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    for host in
        ["host: localhost:7301\r\n", "host: LOCALHOST\r\n", "host: 127.0.0.1:1\r\n", "host: [::1]:7301\r\n"]
    {
        assert_eq!(code(host), "200", "{host}");
    }
    for host in [
        "host: evil.example\r\n",
        "host: localhost.evil.example:7301\r\n",
        "host: 10.0.0.1\r\n",
        "host: \r\n",
    ] {
        assert_eq!(code(host), "421", "{host}");
    }
}

#[test]
fn what_a_request_takes_is_bounded() {
    let (mut cluster, ports) = with_http();
    cluster.start(0);
    cluster.wait_kind(0, "started");
    let port = ports[0];
    assert_eq!(get(port, "/nothing").0, 404);
    assert!(
        exchange(port, "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\nhi").contains(" 405 ")
    );
    assert!(!exchange(port, "SET key value\r\n").contains(" 200 "));
    let long = exchange(port, &format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(64 << 10)));
    assert!(long.contains(" 431 ") || long.is_empty(), "{long}");
    // More than there is room for, none of which says anything.
    let silent: Vec<_> = (0..100).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let began = Instant::now();
    assert_eq!(get(port, "/live").0, 200);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop(silent);
    let open = Cluster::new();
    open.configure(0, "listen_http = \"0.0.0.0:7301\"");
    let refused = cluster::elect_kv(&["check-config"], &open.config(0));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("allow_open_http = true"), "{refused:?}");
}
