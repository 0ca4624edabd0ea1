use std::thread;

use elect_core::{Config, Duty, NoLog, StepDown};
use elect_harness::{cluster, id};
use tempfile::TempDir;

use super::*;
use crate::event::HostEvent;
use crate::{Node, NodeConfig, VoteFile};

/// The only node of a group of one.
fn only() -> (TempDir, NodeHandle, Events) {
    let directory = tempfile::tempdir().unwrap();
    let elect = Config::builder(cluster(), id("only")).voters([id("only")]).build().unwrap();
    let vote_file = directory.path().join("only.vote");
    VoteFile::init(&vote_file, &elect).unwrap();
    let config = NodeConfig::builder(elect, &vote_file).listen(([127, 0, 0, 1], 0).into());
    let (node, events) = Node::start(config.build().unwrap(), Arc::new(NoLog)).unwrap();
    (directory, node, events)
}

/// The one thread without which nothing can say that it is over.
#[test]
fn a_leader_whose_own_thread_panics_tells_its_loss_and_its_end() {
    let (_directory, node, events) = only();
    let mut told = events.into_iter();
    let led = told.find_map(|event| match event {
        HostEvent::Act(Duty::Elected(elected)) => Some(elected.epoch()),
        _ => None,
    });
    node.tell(|_, _| panic!("a bug of the elector"));
    let lost = told.find_map(|event| match event {
        HostEvent::Lost(loss) => Some((loss.epoch, loss.reason)),
        _ => None,
    });
    assert_eq!(lost, led.map(|epoch| (epoch, StepDown::DriverFailed)));
    assert!(
        matches!(told.next(), Some(HostEvent::Ended(Ended::Panicked { thread })) if thread == "elect-node")
    );
    assert_eq!((node.lease(), node.role()), (None, Role::Ended));
    node.shutdown().unwrap();
}

/// A log that takes no more lines holds it up, say.
#[test]
fn a_shutdown_keeps_its_bound_though_the_node_takes_no_commands() {
    let (_directory, node, _events) = only();
    let ((release, held), (holding, is_held)) = (bounded::<()>(0), bounded(1));
    node.tell(move |elector, now| {
        holding.send(()).unwrap();
        let _ = held.recv();
        elector.tick(now)
    });
    is_held.recv().unwrap();
    while node.shared.desk.command_within(Box::new(|_| ()), Duration::ZERO) {}
    let (done, outcome) = bounded(1);
    let stopping = node.clone();
    let thread = thread::spawn(move || {
        let bound = Duration::from_millis(50);
        done.send((stopping.shutdown_within(bound), stopping.shutdown_at_once(bound))).unwrap();
    });
    let (within, at_once) = outcome.recv_timeout(Duration::from_secs(20)).expect("both return");
    for refused in [within.unwrap_err(), at_once.unwrap_err()] {
        assert!(refused.threads.contains(&"elect-node".into()), "{refused}");
    }
    drop(release);
    thread.join().unwrap();
    assert!(node.status().is_ok(), "it has not heard of it");
    node.shutdown().unwrap();
}

/// What is asked may rest on what was reported: that the host has drained, for one, on where its log ends.
#[test]
fn what_was_reported_before_a_question_counts_in_its_answer() {
    let (_directory, node, _events) = only();
    for offset in 1..=300 {
        let position = Some(Position::new(elect_core::Epoch::new(1), offset));
        node.set_position(position);
        assert_eq!(node.status().unwrap().position, position);
    }
    node.shutdown_at_once(SHUTDOWN_BOUND).unwrap();
}
