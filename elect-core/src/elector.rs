//! The elector (interface first; the bodies follow).
#![allow(clippy::all, clippy::pedantic, unused, missing_docs)]
use alloc::vec::Vec;
use core::time::Duration;
use crate::*;
#[derive(Debug)]
pub struct Elector { out: Out }
#[derive(Debug, Default)]
pub(crate) struct Out {
    pub(crate) losses: Vec<Loss>,
    pub(crate) frames: Vec<(NodeId, Frame)>,
    pub(crate) gate: Option<Gate>,
    pub(crate) events: Vec<Event>,
}
impl Out {
    pub(crate) fn is_empty(&self) -> bool {
        self.losses.is_empty() && self.frames.is_empty() && self.gate.is_none() && self.events.is_empty()
    }
}
/// Why an elector did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartRefused {
    #[error("the record belongs to cluster {record}, the configuration to {config}")]
    OtherCluster { record: ClusterId, config: ClusterId },
    #[error("the record belongs to node {record}, the configuration to {config}")]
    OtherNode { record: NodeId, config: NodeId },
    #[error("the record was made for another member list ({record:?}, now {config:?})")]
    OtherMembers { record: Digest, config: Digest },
}
impl Elector {
    pub fn new(config: Config, record: Record, now: Time) -> Result<Self, StartRefused> { Ok(Self { out: Out::default() }) }
    pub fn tick(&mut self, now: Time) -> Step<'_> { Step::new(self) }
    pub fn on_message(&mut self, from: NodeId, frame: &Frame, now: Time) -> Step<'_> { Step::new(self) }
    pub fn on_gated(&mut self, result: Result<Gated, StorageFailed>, now: Time) -> Step<'_> { Step::new(self) }
    pub fn on_link(&mut self, peer: NodeId, state: LinkState, now: Time) -> Step<'_> { Step::new(self) }
    pub fn set_position(&mut self, position: Option<Position>, now: Time) -> Step<'_> { Step::new(self) }
    pub fn set_health(&mut self, health: Health, now: Time) -> Step<'_> { Step::new(self) }
    /// The host is in office.
    pub fn on_office(&mut self, office: &Office, now: Time) -> Step<'_> { Step::new(self) }
    /// The catch-up source is lost or no longer has what it reported.
    pub fn on_source_lost(&mut self, now: Time) -> Step<'_> { Step::new(self) }
    /// Everything that began before the handover is finished.
    pub fn on_drained(&mut self, now: Time) -> Step<'_> { Step::new(self) }
    pub fn on_rebuilt(&mut self, to: RebuiltTo, now: Time) -> Step<'_> { Step::new(self) }
    /// `to: None` picks the best; `timeout: None` takes the configured one.
    pub fn request_handover(&mut self, to: Option<NodeId>, timeout: Option<Duration>, now: Time) -> Result<Step<'_>, RequestRefused> { Ok(Step::new(self)) }
    pub fn resign(&mut self, now: Time) -> Result<Step<'_>, RequestRefused> { Ok(Step::new(self)) }
    pub fn pause(&mut self, span: Duration, now: Time) -> Result<Step<'_>, RequestRefused> { Ok(Step::new(self)) }
    pub fn resume(&mut self, now: Time) -> Result<Step<'_>, RequestRefused> { Ok(Step::new(self)) }
    pub fn deadline(&self) -> Time { Time::NEVER }
    /// The lease cell, for the host's threads.
    pub fn authority(&self) -> Authority { Authority::new() }
    pub fn explain(&self, now: Time) -> Explanation { Explanation {} }
    pub fn status(&self, now: Time) -> Status { Status {} }
    pub(crate) fn out(&self) -> &Out { &self.out }
    pub(crate) fn out_mut(&mut self) -> &mut Out { &mut self.out }
}
/// (serde::Serialize + Display later)
#[derive(Clone, Debug)]
pub struct Explanation {}
/// (serde::Serialize later)
#[derive(Clone, Debug)]
pub struct Status {}
