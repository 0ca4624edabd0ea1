//! What an operator is shown who starts a node.

use super::shared::Shared;

/// Where to connect and how.
pub(super) fn banner(shared: &Shared) -> String {
    let settings = &shared.settings;
    let (host, port) = settings.advertise_client.rsplit_once(':').unwrap_or((&settings.advertise_client, ""));
    format!(
        "elect-kv {version}: node {node} of cluster {cluster}\n  clients      {client}   redis-cli -h {host} -p {port}\n  \
         election     {election}\n  replication  {replication}\n  data         {data}\n  \
         http         {http}\n  why is there (no) primary?  redis-cli -h {host} -p {port} ELECT EXPLAIN",
        version = env!("CARGO_PKG_VERSION"),
        node = settings.node(),
        cluster = settings.elect.cluster(),
        client = settings.advertise_client,
        election = settings.file.listen_election,
        replication = match settings.file.listen_replication {
            Some(address) if shared.store.is_some() => address.to_string(),
            _ => "none: a witness holds no log".into(),
        },
        http =
            settings.file.listen_http.map_or_else(|| "none".into(), |address| format!("http://{address}/")),
        data = settings.data_dir.display(),
    )
}
