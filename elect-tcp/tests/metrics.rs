//! What a recorder of the `metrics` facade hears, and whether `docs/alerts.yml` asks for what there is.
#![cfg(feature = "metrics")]
#![allow(clippy::cast_precision_loss, clippy::float_cmp, reason = "small whole numbers")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{Cluster, spin};
use elect_core::Epoch;
use elect_tcp::metric_names::{ALL, EPOCH, FAILOVER, HANDSHAKES_REFUSED, IS_LEADER, LEASE_END, TRANSITIONS};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

/// The last value of each gauge, the sum of each counter, the number of samples of each histogram.
type Values = Arc<Mutex<BTreeMap<String, f64>>>;

struct Kept(Values);

struct Value(Values, String);

impl Value {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut values = self.0.lock().unwrap();
        let value = values.entry(self.1.clone()).or_default();
        *value = change(*value);
    }
}

impl CounterFn for Value {
    fn increment(&self, by: u64) {
        self.change(|value| value + by as f64);
    }

    fn absolute(&self, to: u64) {
        self.change(|_| to as f64);
    }
}

impl GaugeFn for Value {
    fn increment(&self, by: f64) {
        self.change(|value| value + by);
    }

    fn decrement(&self, by: f64) {
        self.change(|value| value - by);
    }

    fn set(&self, to: f64) {
        self.change(|_| to);
    }
}

impl HistogramFn for Value {
    fn record(&self, sample: f64) {
        assert!((0.0..60.0).contains(&sample), "{} took {sample} s", self.1);
        self.change(|count| count + 1.0);
    }
}

impl Kept {
    /// Named `name{label=value,…}`.
    fn value(&self, key: &Key) -> Arc<Value> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let value = Value(Arc::clone(&self.0), format!("{}{{{}}}", key.name(), labels.join(",")));
        value.change(|value| value);
        Arc::new(value)
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.value(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.value(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.value(key))
    }
}

/// One test: a process has one recorder.
#[test]
fn a_group_tells_everything_that_it_names() {
    let values = Values::default();
    metrics::set_global_recorder(Kept(Arc::clone(&values))).map_err(|_| ()).unwrap();
    let value = |name: &str, labels: &str| {
        let wanted = format!("{name}{{cluster=test,group=0,{labels}}}");
        values.lock().unwrap().get(&wanted).copied().unwrap_or_default()
    };
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let node = |index: usize| format!("node={}", cluster.names[index]);
    let (led, other) = (node(leader), (leader + 1) % 3);
    let leaders: f64 = (0..3).map(|index| value(IS_LEADER, &node(index))).sum();
    assert_eq!((leaders, value(IS_LEADER, &led)), (1.0, 1.0));
    assert_eq!(value(EPOCH, &node(other)), epoch.number() as f64);
    assert!(value(TRANSITIONS, &format!("{led},to=leader,reason=elected")) >= 1.0);
    spin("lease", || value(LEASE_END, &led) > 0.0);
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((value(LEASE_END, &led) - unix).abs() < 5.0);
    let answered = format!(
        "elect_heartbeat_round_trip_seconds{{cluster=test,group=0,{led},peer={}}}",
        cluster.names[other]
    );
    spin("round trips", || values.lock().unwrap()[&answered] >= 5.0);

    drop(TcpStream::connect(cluster.addresses[leader]).unwrap());
    let refused = format!("{led},reason=closed");
    spin("refusal", || value(HANDSHAKES_REFUSED, &refused) >= 1.0);

    cluster.handle(leader).resign().unwrap();
    let (next, _) = cluster.wait_for_leader(epoch);
    cluster.wait_for_followers(next);
    assert_eq!(value(TRANSITIONS, &format!("{led},to=leaderless,reason=resigned")), 1.0);
    assert_eq!((value(IS_LEADER, &led), value(LEASE_END, &led)), (0.0, 0.0));
    assert!(value(FAILOVER, &led) >= 1.0, "it was without a leader for a while");

    let told: Vec<_> = values.lock().unwrap().keys().cloned().collect();
    for name in ALL {
        assert!(told.iter().any(|key| key.starts_with(&format!("{name}{{"))), "nobody tells {name}");
    }
    for key in told {
        let name = key.split('{').next().unwrap();
        assert!(ALL.contains(&name), "{name} is in no list");
    }
}

/// The names of metrics in the expressions of the alerts.
fn asked_for(alerts: &str) -> Vec<String> {
    let expressions = alerts.lines().filter(|line| line.trim_start().starts_with("expr:"));
    let words = expressions.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    words.filter(|word| word.starts_with("elect_")).map(str::to_owned).collect()
}

#[test]
fn every_alert_asks_for_a_metric_that_there_is() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alerts.yml");
    let alerts = fs::read_to_string(file).unwrap();
    let asked = asked_for(&alerts);
    assert!(asked.len() >= 8, "{asked:?}");
    for name in &asked {
        let stem = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        assert!(ALL.contains(&stem.unwrap_or(name)), "{name} is exported by nobody");
    }
    for name in [IS_LEADER, LEASE_END, TRANSITIONS] {
        assert!(asked.iter().any(|asked| asked == name), "no alert on {name}");
    }
    assert_eq!(alerts.matches("- alert:").count(), alerts.matches("expr:").count());
}
