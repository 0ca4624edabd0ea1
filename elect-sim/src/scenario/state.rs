//! What a script can wait for or expect.

use elect_core::{Epoch, PeerStatus, Storage};

use super::State;
use super::play::Player;
use crate::ids::NodeIndex;
use crate::profile::{address_of, data_of};

impl Player {
    pub(super) fn holds(&self, state: &State) -> Result<bool, String> {
        let world = &self.run.world;
        let leader = world.leader().map(|(node, _)| node);
        let counts = world.counts();
        let storage = |name| -> Result<_, String> {
            let node = world.node(self.node(name)?);
            Ok(node.process().and_then(|_| node.record()).map(|record| record.storage))
        };
        Ok(match *state {
            State::Leads(None) => leader.is_some(),
            State::Leads(Some(name)) => leader == Some(self.node(name)?),
            State::LeadsNot(name) => leader.is_some() && leader != Some(self.node(name)?),
            State::InOffice(name) => world.in_office() == Some(self.node(name)?),
            State::Nobody => leader.is_none(),
            State::Stopped(name) => world.checks().is_stopped(self.node(name)?),
            State::Replaced(name) => storage(name)? == Some(Storage::Replaced),
            State::Intact(name) => storage(name)? == Some(Storage::Intact),
            State::EpochAtMost(name, epoch) => {
                let record = world.node(self.node(name)?).record();
                record.is_some_and(|record| record.epoch <= Epoch::new(epoch))
            }
            State::Elections(count) => counts.elections - self.mark.elections == count,
            State::Losses(count) => counts.losses - self.mark.losses == count,
            State::Acknowledged(count) => counts.acknowledged - self.mark.acknowledged >= count,
            State::AcknowledgedAtMost(count) => counts.acknowledged - self.mark.acknowledged <= count,
            State::FramesAtMost(count) => counts.frames - self.mark.frames <= count,
            State::InputsAtMost(count) => counts.inputs - self.mark.inputs <= count,
            State::DetectionAtMost(name, span) => self.detection(self.node(name)?) <= span,
            State::DetectionAtLeast(name, span) => self.detection(self.node(name)?) >= span,
            State::NoOffice => world.in_office().is_none(),
            State::EpochAtLeast(name, epoch) => {
                let record = world.node(self.node(name)?).record();
                record.is_some_and(|record| record.epoch >= Epoch::new(epoch))
            }
            State::FenceAtLeast(name, epoch) => {
                self.fence(self.node(name)?).is_some_and(|floor| floor >= Epoch::new(epoch))
            }
            State::FenceAtMost(name, epoch) => {
                self.fence(self.node(name)?).is_some_and(|floor| floor <= Epoch::new(epoch))
            }
            State::Refused(name, ref words) => {
                world.node(self.node(name)?).refusal().is_some_and(|why| why.contains(words))
            }
            State::Knows(name, peer, version, number) => {
                let (node, peer) = (self.node(name)?, self.node(peer)?);
                let is_it = |known: &PeerStatus| {
                    (known.node, known.application, known.host_data) == (peer.id(), version, data_of(version))
                        && known.address == address_of(peer, number)
                };
                let process = world.node(node).process();
                process.is_some_and(|process| {
                    process.elector().status(world.local(node)).peers.iter().any(is_it)
                })
            }
            State::Explains(name, ref words) => self.explanation(self.node(name)?).contains(words),
        })
    }

    /// The floor of a node's fence, if it has a log.
    fn fence(&self, node: NodeIndex) -> Option<Epoch> {
        self.run.world.store(node)?.log().map(elect_core::Fence::floor)
    }

    /// The detection time that a node uses, in nanoseconds; zero without a process.
    fn detection(&self, node: NodeIndex) -> u64 {
        let world = &self.run.world;
        world.node(node).process().map_or(0, |process| {
            let detection = process.elector().status(world.local(node)).detection;
            u64::try_from(detection.as_nanos()).unwrap_or(u64::MAX)
        })
    }

    /// What a node says of itself.
    pub(super) fn explanation(&self, node: NodeIndex) -> String {
        let world = &self.run.world;
        match world.node(node).process() {
            Some(process) => process.explain(world.local(node)).to_string(),
            None => "no process".into(),
        }
    }
}
