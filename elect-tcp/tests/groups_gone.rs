//! A group that ends in a process that goes on.

mod common;

use common::BOUND;
use common::groups::Sites;
use common::id;
use elect_tcp::{HandshakeRefusal, Link};

fn link(sites: &Sites, of: usize, number: u32, to: &str) -> Link {
    let links = sites.member(of, number).handle.links().unwrap();
    links.into_iter().find(|link| link.peer == id(to)).unwrap()
}

fn has_gone(sites: &Sites, of: usize, number: u32, to: &str) -> bool {
    let outbound = link(sites, of, number, to).outbound;
    !outbound.is_up && outbound.refusal == Some(HandshakeRefusal::NoGroup(number))
}

/// Its peers sent to it for as long as the process lived, and showed a link that stood.
#[test]
fn a_group_that_ends_is_told_to_its_peers_and_the_others_stay() {
    let mut sites = Sites::start(&["a", "b", "c"]);
    for number in [1, 2] {
        sites.add_everywhere(number);
    }
    sites.wait_until_settled([1, 2]);
    let stand = |sites: &Sites| {
        [0, 1].into_iter().all(|of| {
            let link = link(sites, of, 1, "c");
            link.inbound.is_up && link.outbound.is_up
        })
    };
    sites.wait("links", stand);
    let before = [0, 1].map(|of| link(&sites, of, 1, "c"));
    sites.member(2, 2).handle.shutdown_at_once(BOUND).unwrap();
    sites.wait("word of it", |sites| [0, 1].into_iter().all(|of| has_gone(sites, of, 2, "c")));
    assert_eq!([0, 1].map(|of| link(&sites, of, 1, "c")), before);
    // It comes back, and so do the links.
    sites.running[2].as_mut().unwrap().members.remove(&2);
    sites.add(2, 2, &["a", "b", "c"]);
    sites.wait("its links", |sites| (0..2).all(|of| link(sites, of, 2, "c").outbound.is_up));
    sites.wait_until_settled([1, 2]);
    sites.assert_no_loss([1]);
}

/// Of the last one nobody is told: the stream ends, and the peer asks.
#[test]
fn the_end_of_the_last_group_of_a_peer_is_found_out() {
    let mut sites = Sites::start(&["a", "b"]);
    sites.add_everywhere(1);
    sites.wait_until_settled([1]);
    sites.wait("link", |sites| link(sites, 0, 1, "b").outbound.is_up && link(sites, 0, 1, "b").inbound.is_up);
    sites.member(1, 1).handle.shutdown_at_once(BOUND).unwrap();
    sites.wait("word of it", |sites| has_gone(sites, 0, 1, "b"));
}
