//! Named scenarios, as short stories.

use bytes::Bytes;
use elect_core::{Epoch, Position, Source, Stamp};

use super::Mutant;
use super::cluster::{Cluster, name};
use super::disk::Disk;
use crate::replication::{Entry, History, Message, Output, Replica, ReplicaConfig, ReplicaPeer};

fn at(epoch: u64, offset: u64) -> Position {
    Position::new(Epoch::new(epoch), offset)
}

fn stamp(epoch: u64) -> Stamp {
    Stamp::received(Epoch::new(epoch))
}

/// Node `a` of three voters with a log of these epochs, all durable, its fence at the last one; connected to `b` and
/// `c`.
fn node_a(epochs: &[u64]) -> (Replica, Disk) {
    node_a_with(epochs, true)
}

fn node_a_with(epochs: &[u64], c_counts: bool) -> (Replica, Disk) {
    let mut disk = Disk::new(Mutant::None);
    let mut history = History::new();
    for epoch in epochs.iter().copied().map(Epoch::new) {
        disk.content.log.push(Entry { epoch, command: Bytes::from_static(b"old") });
        history.append(epoch);
        disk.floor = epoch;
    }
    disk.sync();
    let config = ReplicaConfig {
        node: name(0),
        peers: vec![ReplicaPeer { id: name(1), counts: true }, ReplicaPeer { id: name(2), counts: c_counts }],
        write_quorum: 2,
        counts: true,
        intact: true,
        window: 2,
        message_bytes: 1,
    };
    let mut replica = Replica::new(config, history, 0);
    replica.on_up(name(1));
    replica.on_up(name(2));
    (replica, disk)
}

/// `a` leads `epoch` without a source; its own entry is written and durable.
fn leading(epochs: &[u64], epoch: u64, c_counts: bool) -> (Replica, Disk) {
    let (mut replica, mut disk) = node_a_with(epochs, c_counts);
    disk.floor = Epoch::new(epoch);
    replica.elected(Epoch::new(epoch), None);
    replica.begin(stamp(epoch), &mut disk);
    replica.on_synced(&mut disk);
    replica.take_output();
    (replica, disk)
}

fn follow(epoch: u64, attempt: u64, last: Position, intact: bool) -> Message {
    Message::Follow { stamp: stamp(epoch), attempt, last, intact }
}

fn ack(epoch: u64, matched: u64) -> Message {
    Message::Ack { stamp: stamp(epoch), matched }
}

/// What was sent to a node.
fn sent_to(outputs: &[Output], node: usize) -> Vec<&Message> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Send { to, message } if *to == name(node) => Some(message),
            _ => None,
        })
        .collect()
}

/// Raft's figure 8: what an earlier leader wrote is on a quorum, and still not committed before the own entry is.
#[test]
fn serves_before_own_entry_is_not_possible() {
    let (mut a, mut disk) = leading(&[1, 1], 3, true);
    a.on_message(name(1), follow(3, 1, at(1, 2), true), &mut disk);
    a.on_message(name(1), ack(3, 2), &mut disk);
    assert_eq!(a.commit(), 0, "both old entries are on a quorum");
    a.take_output();
    a.on_message(name(1), ack(3, 3), &mut disk);
    let outputs = a.take_output();
    assert!(outputs.contains(&Output::Committed(3)));
    assert!(outputs.contains(&Output::OwnEntryCommitted(at(3, 3))), "{outputs:?}");
}

#[test]
fn observer_counts_as_holder_in_no_quorum() {
    let (mut a, mut disk) = leading(&[], 1, false);
    a.on_message(name(2), follow(1, 1, Position::EMPTY, true), &mut disk);
    a.on_message(name(2), ack(1, 1), &mut disk);
    assert_eq!(a.commit(), 0);
    a.on_message(name(1), follow(1, 1, Position::EMPTY, true), &mut disk);
    a.on_message(name(1), ack(1, 1), &mut disk);
    assert_eq!(a.commit(), 1);
}

/// A replaced storage confirms nothing until it holds an entry that was written after its return and committed without
/// it.
#[test]
fn a_replaced_storage_counts_only_once_it_is_rebuilt() {
    let (mut a, mut disk) = leading(&[], 1, true);
    a.on_message(name(1), follow(1, 1, Position::EMPTY, false), &mut disk);
    a.on_synced(&mut disk);
    assert_eq!(a.last(), at(1, 2), "an entry is written for the proof");
    a.take_output();
    a.on_message(name(1), ack(1, 2), &mut disk);
    assert_eq!(a.commit(), 0);
    assert!(!sent_to(&a.take_output(), 1).iter().any(|message| matches!(message, Message::Rebuilt { .. })));
    a.on_message(name(2), follow(1, 1, Position::EMPTY, true), &mut disk);
    a.on_message(name(2), ack(1, 2), &mut disk);
    assert_eq!(a.commit(), 2);
    let outputs = a.take_output();
    let proof = Message::Rebuilt { stamp: stamp(1), entry: at(1, 2) };
    assert!(sent_to(&outputs, 1).contains(&&proof), "{outputs:?}");
}

/// A follower hears of a commit that another one's acknowledgement completed, although nothing new is written.
#[test]
fn every_follower_hears_of_a_commit() {
    let (mut a, mut disk) = leading(&[], 1, true);
    for node in [1, 2] {
        a.on_message(name(node), follow(1, 1, Position::EMPTY, true), &mut disk);
    }
    a.on_message(name(1), ack(1, 1), &mut disk);
    a.on_message(name(2), ack(1, 1), &mut disk);
    a.propose(stamp(1), vec![Bytes::from_static(b"x")], &mut disk).unwrap();
    a.on_message(name(2), ack(1, 2), &mut disk);
    a.take_output();
    // The own sync is slow: the two followers are the quorum.
    a.on_message(name(1), ack(1, 2), &mut disk);
    assert_eq!(a.commit(), 2);
    let outputs = a.take_output();
    for node in [1, 2] {
        let told = |message: &&Message| matches!(message, Message::Append { commit: 2, .. });
        assert!(sent_to(&outputs, node).iter().any(told), "{outputs:?}");
    }
}

/// The winner does not cut itself down to the empty log of a voter whose disk was lost in between.
#[test]
fn source_lost_its_disk_cuts_nothing() {
    let (mut a, mut disk) = node_a(&[1, 1]);
    disk.floor = Epoch::new(3);
    a.elected(Epoch::new(3), Some(Source { peer: name(1), position: at(2, 9) }));
    let pull = Message::Pull { stamp: stamp(3), want: at(2, 9), after: at(1, 2) };
    assert_eq!(sent_to(&a.take_output(), 1), [&pull]);
    let (mut b, mut empty) = node_a(&[]);
    b.on_message(name(1), pull, &mut empty);
    let answer = Message::PullLost { stamp: stamp(3) };
    assert_eq!(b.take_output(), [Output::Send { to: name(1), message: answer.clone() }]);
    a.on_message(name(1), answer, &mut disk);
    assert_eq!(a.take_output(), [Output::SourceLost { epoch: Epoch::new(3) }]);
    assert_eq!(a.last(), at(1, 2));
    a.begin(stamp(2), &mut disk);
    assert_eq!(a.last(), at(1, 2), "and it sends no data");
}

#[test]
fn a_winner_pulls_across_a_fork_and_begins_with_what_the_accept_reported() {
    let (mut a, mut disk) = node_a(&[1, 1, 2, 2, 2]);
    disk.floor = Epoch::new(4);
    a.elected(Epoch::new(4), Some(Source { peer: name(1), position: at(3, 4) }));
    // The source: its log holds 1 1 3 3.
    let (mut b, mut source) = node_a(&[1, 1, 3, 3]);
    let mut caught_up = Vec::new();
    for _ in 0..10 {
        for output in a.take_output() {
            match output {
                Output::Send { message, .. } => b.on_message(name(1), message, &mut source),
                output => caught_up.push(output),
            }
        }
        for output in b.take_output() {
            let Output::Send { message, .. } = output else { panic!("{output:?}") };
            a.on_message(name(1), message, &mut disk);
        }
        disk.sync();
        a.on_synced(&mut disk);
    }
    assert_eq!(caught_up, [Output::CaughtUp { epoch: Epoch::new(4), held: at(3, 4) }]);
    assert_eq!(disk.content.log.iter().map(|entry| entry.epoch.number()).collect::<Vec<_>>(), [1, 1, 3, 3]);
}

/// Acknowledgements of the old epoch do not count after a re-offer, and do not hold the window shut either.
#[test]
fn a_raised_epoch_starts_counting_again() {
    let (mut a, mut disk) = leading(&[], 1, true);
    a.on_message(name(1), follow(1, 1, Position::EMPTY, true), &mut disk);
    a.on_message(name(1), ack(1, 1), &mut disk);
    for _ in 0..5 {
        a.propose(stamp(1), vec![Bytes::from_static(b"x")], &mut disk).unwrap();
    }
    a.take_output();
    disk.floor = Epoch::new(2);
    a.raise(Epoch::new(2), &mut disk);
    a.on_synced(&mut disk);
    let outputs = a.take_output();
    assert!(!sent_to(&outputs, 1).is_empty(), "a full window of old appends is forgotten");
    assert!(
        sent_to(&outputs, 1).iter().all(
            |message| matches!(message, Message::Append { stamp, .. } if stamp.epoch() == Epoch::new(2))
        )
    );
    a.on_message(name(1), ack(1, 7), &mut disk);
    assert_eq!(a.commit(), 1, "an acknowledgement under the old stamp");
    a.on_message(name(1), ack(2, 7), &mut disk);
    assert_eq!(a.commit(), 7);
}

/// A follower accepts a new epoch while an append of the old one is being synced: it does not acknowledge it.
#[test]
fn late_sync_acks_are_not_sent() {
    let append = || Message::Append {
        stamp: stamp(1),
        attempt: 1,
        prev: Position::EMPTY,
        entries: vec![Entry { epoch: Epoch::new(1), command: Bytes::new() }],
        commit: 0,
    };
    for adopts in [false, true] {
        let (mut a, mut disk) = node_a(&[]);
        disk.floor = Epoch::new(1);
        a.follow(name(1), Epoch::new(1));
        a.on_message(name(1), append(), &mut disk);
        a.take_output();
        if adopts {
            disk.floor = Epoch::new(2);
        }
        disk.sync();
        a.on_synced(&mut disk);
        let outputs = a.take_output();
        let acknowledged = sent_to(&outputs, 1) == [&ack(1, 1)];
        assert_eq!(acknowledged, !adopts, "{outputs:?}");
    }
}

/// A deposed primary's unacknowledged tail, longer than the new primary's log, is cut where the epochs diverge.
#[test]
fn deposed_longer_fork_is_cut_and_nothing_acknowledged_with_it() {
    let mut cluster = connected(3);
    cluster.elect(0, 0b111);
    cluster.run_until_quiet();
    cluster.write(0);
    cluster.run_until_quiet();
    assert_eq!(cluster.acknowledged.len(), 1);
    cluster.disconnect(0, 1);
    cluster.disconnect(0, 2);
    for _ in 0..6 {
        cluster.write(0);
    }
    cluster.sync(0);
    cluster.elect(1, 0b110);
    cluster.run_until_quiet();
    cluster.write(1);
    cluster.run_until_quiet();
    assert!(
        cluster.hosts[0].disk.content.log.len() > cluster.hosts[1].disk.content.log.len(),
        "the fork is longer"
    );
    cluster.adopt(0);
    cluster.connect(0, 1);
    cluster.connect(0, 2);
    cluster.run_until_quiet();
    assert_eq!(cluster.logs().len(), 1);
    assert_eq!(cluster.hosts[0].disk.content.log, cluster.hosts[1].disk.content.log);
    assert_eq!(cluster.acknowledged.len(), 2);
    assert_eq!(cluster.broken, None);
}

/// While a leader re-offers itself, its old stamps pass at its followers: writes do not stall.
#[test]
fn fence_during_reoffer_lets_writes_pass() {
    let mut cluster = connected(3);
    cluster.elect(0, 0b111);
    cluster.run_until_quiet();
    cluster.write(0);
    cluster.deliver(0, 1);
    cluster.sync(1);
    cluster.sync(0);
    // The followers have adopted the higher epoch, the leader has not heard of it yet.
    cluster.reoffer(0, 0b111);
    cluster.hosts[0].disk.floor = Epoch::new(1);
    cluster.write(0);
    cluster.deliver(1, 0);
    cluster.deliver(0, 1);
    cluster.sync(1);
    cluster.sync(0);
    cluster.deliver(1, 0);
    assert_eq!(cluster.acknowledged.len(), 2, "acknowledged under the old stamp");
    cluster.hosts[0].disk.floor = Epoch::new(2);
    cluster.write(0);
    cluster.run_until_quiet();
    assert_eq!(
        cluster.acknowledged.len(),
        2,
        "a write stamped with the old epoch is refused by the own fence"
    );
    cluster.write(0);
    cluster.run_until_quiet();
    assert_eq!(cluster.acknowledged.len(), 3);
    assert_eq!(cluster.broken, None);
}

fn connected(nodes: usize) -> Cluster {
    let mut cluster = Cluster::new(nodes, Mutant::None);
    for one in 0..nodes {
        for other in 0..one {
            cluster.connect(one, other);
        }
    }
    cluster
}
