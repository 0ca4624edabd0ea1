//! What the tests of this crate share.

#[cfg(feature = "tls")]
#[path = "../tests/common/certificates.rs"]
#[allow(dead_code, reason = "tests beside this crate use the rest")]
pub(crate) mod certificates;

use std::time::Duration;

use elect_core::{
    Address, Body, Config, Epoch, Frame, Header, Heartbeat, Incarnation, Nonce, PeerState, Time,
};
use elect_harness::{builder, cluster};

use crate::handshake::{Greeting, VERSIONS};
use crate::introduction::Introduction;
use crate::own_address::OwnAddress;

pub(crate) use elect_harness::id;

/// A configuration for `node` of a group of three.
pub(crate) fn config(node: &str) -> Config {
    builder(node, &["a", "b", "c"]).build().unwrap()
}

/// What `node` says to `addressee` first.
pub(crate) fn greeting(node: &str, addressee: &str) -> Greeting {
    Greeting {
        versions: VERSIONS,
        cluster: cluster(),
        node: id(node),
        addressee: id(addressee),
        incarnation: Incarnation { counter: 3, random: 0xfeed },
        group: 0,
        members: config("a").digest(),
        address: Address::new("10.1.2.3:6379").unwrap(),
        listen: Address::default(),
        is_supervisor: false,
        birth: None,
    }
}

/// A frame whose nonce says `sent`.
pub(crate) fn frame(sent: u64, body: Body) -> Frame {
    let nonce = Nonce { incarnation: Incarnation { counter: 1, random: 2 }, sent: Time::from_nanos(sent) };
    let header = Header {
        group: 0,
        members: config("a").digest(),
        epoch: Epoch::new(1),
        state: PeerState::Free,
        nonce,
        echo: None,
        genesis: None,
    };
    Frame { header, birth: None, profile: None, body }
}

const D: Duration = Duration::from_millis(500);

pub(crate) fn heartbeat(sent: u64) -> Frame {
    let heartbeat = Heartbeat {
        position: None,
        eligible: true,
        healthy: true,
        priority: 1,
        application: 0,
        detection_max: D,
        lead: None,
        pause: None,
    };
    frame(sent, Body::Heartbeat(heartbeat))
}

pub(crate) fn accept(sent: u64) -> Frame {
    frame(
        sent,
        Body::Accept {
            epoch: Epoch::new(1),
            detection: D,
            position: None,
            pause: None,
            genesis_epoch: Epoch::ZERO,
        },
    )
}

pub(crate) fn offer(sent: u64) -> Frame {
    frame(sent, Body::Offer { epoch: Epoch::new(1), detection: D, detection_max: D })
}

/// What `node` says of itself, as [`greeting`] has it.
pub(crate) fn introduction(node: &str) -> Introduction {
    let Greeting { incarnation, address, listen, birth, .. } = greeting(node, node);
    Introduction::new(&config(node), OwnAddress::new(address), listen, incarnation, birth)
}
