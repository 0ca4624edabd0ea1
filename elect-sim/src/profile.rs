//! What hosts of the simulator say of themselves.

use elect_core::{Address, HostData};

use crate::ids::NodeIndex;

/// Where clients reach a node: in each life elsewhere, and again when it is asked to move.
pub(crate) fn address_of(node: NodeIndex, number: u32) -> Address {
    Address::new(&format!("{node}:{number}")).expect("a short text")
}

/// The bytes that belong to a version of a host: none to the one that it begins with.
pub(crate) fn data_of(version: u32) -> HostData {
    if version == 0 {
        return HostData::default();
    }
    HostData::new(format!("config {version}").as_bytes()).expect("a short text")
}
