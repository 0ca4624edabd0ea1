//! Whether two addresses of a file are one place.

use std::net::SocketAddr;

use super::check::{Check, ConfigFileError};
use super::file::NodeFile;

impl Check<'_> {
    /// Each address of a file stands for one port of one node: two that are equal were mixed up.
    pub(super) fn places(&self, file: &NodeFile) -> Result<(), ConfigFileError> {
        if file.data_dir.as_os_str().is_empty() {
            return Err(self.refused("data_dir", &"\"\"", "must name a directory of this node alone"));
        }
        let own = [
            ("listen_election", Some(file.listen_election)),
            ("listen_replication", file.listen_replication),
            ("listen_client", Some(file.listen_client)),
            ("listen_http", file.listen_http),
        ];
        let mut places: Vec<(String, String)> = Vec::new();
        for (key, address) in own {
            let Some(address) = address else { continue };
            if address.port() == 0 {
                return Err(self.refused(key, &address, "must have a port from 1 to 65535: others dial it"));
            }
            places.push((key.into(), address.to_string()));
        }
        for peer in &file.peers {
            let addresses = [
                ("election", Some(&peer.election)),
                ("replication", peer.replication.as_ref()),
                ("client", peer.client.as_ref()),
            ];
            for (field, address) in addresses {
                places
                    .extend(address.map(|address| (format!("peer {}: {field}", peer.node), address.clone())));
            }
        }
        for (index, (key, address)) in places.iter().enumerate() {
            if let Some((earlier, _)) = places[..index].iter().find(|(_, other)| is_same(other, address)) {
                let rule = format!("is {earlier} already: each port of each node has an address of its own");
                return Err(self.refused(key, &format_args!("{address:?}"), &rule));
            }
        }
        Ok(())
    }
}

/// The wildcard address takes the port of every other one of this machine; which those are is known of loopback only.
fn is_same(one: &str, other: &str) -> bool {
    let parsed = |text: &str| text.parse::<SocketAddr>().ok();
    match (parsed(one), parsed(other)) {
        (Some(one), Some(other)) if one.port() == other.port() => {
            let is_wide = |address: SocketAddr| address.ip().is_unspecified();
            let is_here = |address: SocketAddr| is_wide(address) || address.ip().is_loopback();
            one.ip() == other.ip() || (is_wide(one) && is_here(other)) || (is_wide(other) && is_here(one))
        }
        _ => one == other,
    }
}
