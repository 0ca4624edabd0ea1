//! A campaign: real nodes, clients whose histories are judged, and everything that goes wrong meanwhile.

pub(crate) mod audit;
pub(crate) mod bend;
pub(crate) mod check;
pub(crate) mod clients;
pub(crate) mod cluster;
pub(crate) mod cuts;
pub(crate) mod dialog;
pub(crate) mod faults;
pub(crate) mod findings;
pub(crate) mod history;
#[path = "../../tests/hung_disk/library.rs"]
mod library;
pub(crate) mod network;
pub(crate) mod operation;
#[path = "../../tests/cluster/ports.rs"]
mod ports;
pub(crate) mod random;
pub(crate) mod run;
