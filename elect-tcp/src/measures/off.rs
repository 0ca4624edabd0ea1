//! Without the feature `metrics` nothing is measured.

use std::fmt::Debug;
use std::time::Duration;

use elect_core::{ClusterId, Lease, NodeId, Time};

use crate::event::HostEvent;

#[derive(Debug)]
pub(crate) struct Measures;

#[expect(clippy::unused_self, reason = "the same methods as with the feature")]
impl Measures {
    pub(crate) fn new(_: ClusterId, _: u32, _: NodeId, _: impl IntoIterator<Item = NodeId>) -> Self {
        Self
    }

    pub(crate) const fn of_process(_: ClusterId, _: NodeId) -> Self {
        Self
    }

    pub(crate) const fn on_event(&self, _: &HostEvent) {}

    pub(crate) const fn on_lease(&self, _: Option<Lease>, _: Time) {}

    pub(crate) const fn on_echo(&self, _: NodeId, _: Time, _: Time) {}

    pub(crate) const fn on_save(&self, _: Duration, _: bool) {}

    pub(crate) fn on_handshake_refused(&self, _: String) {}
}

pub(crate) fn label(_: &impl Debug) -> String {
    String::new()
}
