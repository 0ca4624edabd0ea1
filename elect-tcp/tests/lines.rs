//! What a subscriber of `tracing` hears.
#![cfg(feature = "tracing")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use common::subscriber::Lines;
use common::{Cluster, spin};
use elect_core::Epoch;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

type Line = (Level, BTreeMap<&'static str, String>);

struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// One test: a process has one subscriber.
#[test]
fn each_transition_is_a_line_that_says_why() {
    let kept = Arc::<Mutex<Vec<Line>>>::default();
    let keeping = Arc::clone(&kept);
    let keep = move |event: &Event<'_>| {
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        keeping.lock().unwrap().push((*event.metadata().level(), fields.0));
    };
    tracing::subscriber::set_global_default(Lines(keep)).unwrap();
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    cluster.handle(leader).resign().unwrap();
    let (next, _) = cluster.wait_for_leader(epoch);
    cluster.wait_for_followers(next);
    cluster.stop(next);
    let gone = format!("the link to {} is down", cluster.names[next]);
    let is_down = |(_, fields): &Line| fields["message"].starts_with(&gone) && fields.contains_key("reason");
    spin("link that is down", || kept.lock().unwrap().iter().any(is_down));
    let lines = kept.lock().unwrap().clone();
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
