//! Frames that no elector wrote.

use std::time::Duration;

use elect_core::{
    Address, Body, Epoch, Frame, Header, Heartbeat, Incarnation, Lead, Nonce, PeerState, Time, ToldGenesis,
};

use super::play::Player;
use super::{Echo, Forged};
use crate::clock::MILLI;
use crate::ids::NodeIndex;
use crate::world::World;

impl Player {
    /// Hands a frame that no elector wrote to `to`, as the transport would if `from` were its sender.
    pub(super) fn forge(&mut self, from: NodeIndex, to: NodeIndex, forged: Forged, echo: Echo) {
        let world = &mut self.run.world;
        let now = world.local(to);
        let sent = match echo {
            Echo::Unsent => now,
            // Every node sends more often than this.
            Echo::Recent => Time::from_nanos(now.as_nanos().saturating_sub(200 * MILLI)),
        };
        let record = world.node(to).record();
        let echo = record.map(|record| Nonce { incarnation: record.incarnation, sent });
        let incarnation =
            match world.machines().find(|&node| node == from).and_then(|node| world.node(node).record()) {
                Some(record) => record.incarnation,
                // A stranger's life that no member has lived yet: only its name keeps it out.
                None => Incarnation { counter: 1_000, random: 1 },
            };
        let (incarnation, genesis) = match forged {
            // Of the same history: R59 is asked first.
            Forged::Life(counter) => (Incarnation { counter, random: 1 }, told_genesis(world, to)),
            _ => (incarnation, None),
        };
        let nonce = Nonce { incarnation, sent: world.local_of_anybody(from) };
        let detection = Duration::from_millis(500);
        // What the forged sender may be configured with.
        let detection_max = world.config(to, 0).detection().ceiling().max(detection);
        let (state, epoch, body) = forged_body(forged, detection, detection_max);
        let members = world.config(to, 0).digest();
        let header = Header { group: 0, members, epoch, state, nonce, echo, genesis };
        world.note(Some(to), || format!("forged from {from}: {state:?} {body:?}"));
        world.elector(to, now, |elector| {
            elector.on_message(from.id(), &Frame { header, birth: None, profile: None, body }, now).into()
        });
    }
}

fn told_genesis(world: &World, node: NodeIndex) -> Option<ToldGenesis> {
    let saved = world.node(node).record().and_then(|record| record.genesis)?;
    Some(ToldGenesis { genesis: saved.genesis, is_final: saved.is_final })
}

fn forged_body(forged: Forged, detection: Duration, detection_max: Duration) -> (PeerState, Epoch, Body) {
    let beat = |lead| Heartbeat {
        position: None,
        eligible: true,
        healthy: true,
        priority: 100,
        application: 0,
        detection_max,
        lead,
        pause: None,
    };
    match forged {
        Forged::Accept(epoch) => {
            let epoch = Epoch::new(epoch);
            (
                PeerState::Promised,
                epoch,
                Body::Accept { epoch, detection, position: None, pause: None, genesis_epoch: Epoch::ZERO },
            )
        }
        Forged::Announce(epoch) => {
            let epoch = Epoch::new(epoch);
            let heartbeat = beat(Some(Lead { detection }));
            (PeerState::Leader(epoch), epoch, Body::Announce { heartbeat, address: Address::default() })
        }
        Forged::Offer(epoch) => {
            let epoch = Epoch::new(epoch);
            (PeerState::Candidate(epoch), Epoch::ZERO, Body::Offer { epoch, detection, detection_max })
        }
        Forged::Life(_) => (PeerState::Free, Epoch::ZERO, Body::Heartbeat(beat(None))),
        Forged::Heartbeat(epoch) => (PeerState::Free, Epoch::new(epoch), Body::Heartbeat(beat(None))),
    }
}
