//! What a subscriber of `tracing` hears.
#![cfg(feature = "tracing")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use common::{Cluster, spin};
use elect_core::Epoch;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

type Line = (Level, BTreeMap<&'static str, String>);

/// Keeps the lines of this library.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Line>>>);

struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "elect"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push((*event.metadata().level(), fields.0));
    }
}

/// One test: a process has one subscriber.
#[test]
fn each_transition_is_a_line_that_says_why() {
    let kept = Kept::default();
    tracing::subscriber::set_global_default(kept.clone()).unwrap();
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    cluster.handle(leader).resign().unwrap();
    let (next, _) = cluster.wait_for_leader(epoch);
    cluster.wait_for_followers(next);
    cluster.stop(next);
    let gone = format!("the link to {} is down", cluster.names[next]);
    let is_down = |(_, fields): &Line| fields["message"].starts_with(&gone) && fields.contains_key("reason");
    spin("link that is down", || kept.0.lock().unwrap().iter().any(is_down));
    let lines = kept.0.lock().unwrap().clone();
    let (node, epoch) = (cluster.names[leader].to_string(), epoch.to_string());
    let find = |wanted: &[(&str, &str)]| {
        let fits = |(_, fields): &&Line| {
            wanted.iter().all(|(name, value)| fields.get(name).is_some_and(|found| found.contains(value)))
        };
        lines.iter().find(fits).unwrap_or_else(|| panic!("no line with {wanted:?} in {lines:#?}"))
    };
    let elected = find(&[("node", &node), ("reason", "elected")]);
    assert_eq!(elected.0, Level::INFO);
    let lost = find(&[("node", &node), ("epoch", &epoch), ("reason", "asked to resign")]);
    assert_eq!((lost.0, lost.1.contains_key("peer")), (Level::WARN, false), "{lost:?}");
    let follows = find(&[("node", &node), ("peer", cluster.names[next].as_str()), ("message", "follows")]);
    assert_eq!(follows.0, Level::INFO);
    find(&[("node", cluster.names[next].as_str()), ("message", "the node has ended")]);
    for (level, fields) in &lines {
        let text = &fields["message"];
        assert!(fields.contains_key("node") && !text.contains('\n'), "{level} {fields:?}");
    }
}
