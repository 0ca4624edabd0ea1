//! Figures in Prometheus' text format: those that the library counts, and the store's own at each look.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use crate::report::{Report, Serves};

/// Upper ends of the buckets of a histogram, in seconds.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// So many series at most: whatever a label comes from cannot take more memory.
const SERIES_MAX: usize = 1_000;

/// The recorder of this process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measures(Arc<Mutex<Families>>);

/// By name, then by labels.
type Families = BTreeMap<String, (Kind, BTreeMap<String, Arc<Series>>)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One series: a number, or for a histogram its sum and its buckets.
#[derive(Debug, Default)]
struct Series {
    /// A counter's count, or the bits of a float.
    value: AtomicU64,
    /// How many samples ended in each bucket; the last one has no end.
    buckets: [AtomicU64; BUCKETS.len() + 1],
}

impl Measures {
    /// From now on the recorder of this process. A second one in the same process gets what the first one left: nothing.
    pub(crate) fn install() -> Self {
        let measures = Self::default();
        // Refused where there is one already.
        let _ = metrics::set_global_recorder(measures.clone());
        measures
    }

    fn series(&self, kind: Kind, key: &Key) -> Option<Arc<Series>> {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count: usize = families.values().map(|(_, series)| series.len()).sum();
        let (_, series) = families.entry(key.name().into()).or_insert_with(|| (kind, BTreeMap::new()));
        let labels = labels(key.labels().map(|label| (label.key(), label.value())));
        if count >= SERIES_MAX && !series.contains_key(&labels) {
            return None;
        }
        Some(series.entry(labels).or_default().clone())
    }

    /// Everything, and what the report adds.
    pub(crate) fn text(&self, report: &Report) -> String {
        let mut text = String::new();
        for (name, (kind, series)) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            match kind {
                Kind::Counter => head(&mut text, name, "counter"),
                Kind::Gauge => head(&mut text, name, "gauge"),
                Kind::Histogram => head(&mut text, name, "histogram"),
            }
            for (labels, series) in series {
                series.write(&mut text, *kind, name, labels);
            }
        }
        own(&mut text, report);
        text
    }
}

fn head(text: &mut String, name: &str, kind: &str) {
    let _ = writeln!(text, "# TYPE {name} {kind}");
}

/// What the store's node knows beside the election.
fn own(text: &mut String, report: &Report) {
    let kv = &report.kv;
    let (cluster, node) = (report.election.cluster.to_string(), report.election.node.to_string());
    let mut gauge = |name: &str, series: Vec<(Option<String>, u64)>| {
        head(text, name, "gauge");
        for (peer, value) in series {
            let peer = peer.as_deref().map(|peer| ("peer", peer));
            let labels = labels([("cluster", cluster.as_str()), ("node", &node)].into_iter().chain(peer));
            let _ = writeln!(text, "{name}{{{labels}}} {value}");
        }
    };
    let one = |value: u64| vec![(None, value)];
    gauge("elect_kv_serves", one((kv.serves == Serves::Primary).into()));
    gauge("elect_kv_connected_clients", one(kv.connected_clients as u64));
    gauge("elect_kv_durable_offset", one(kv.durable));
    gauge("elect_kv_commit_offset", one(kv.commit));
    gauge("elect_kv_writes_stand", one(kv.standstill.is_some().into()));
    let lags = kv.followers.iter().map(|follower| (Some(follower.node.to_string()), follower.lag));
    gauge("elect_kv_follower_lag", lags.collect());
    let is_up = |link: &elect_tcp::Link| u64::from(link.outbound.is_up && link.inbound.is_up);
    let links = report.election.links.iter().map(|link| (Some(link.peer.to_string()), is_up(link)));
    gauge("elect_kv_link_up", links.collect());
}

/// As they stand between the braces.
fn labels<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    labels.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect::<Vec<_>>().join(",")
}

impl Series {
    fn write(&self, text: &mut String, kind: Kind, name: &str, labels: &str) {
        let value = self.value.load(Ordering::Relaxed);
        let _ = match kind {
            Kind::Counter => writeln!(text, "{name}{{{labels}}} {value}"),
            Kind::Gauge => writeln!(text, "{name}{{{labels}}} {}", f64::from_bits(value)),
            Kind::Histogram => {
                let mut count = 0;
                let ends = BUCKETS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
                for (bucket, end) in self.buckets.iter().zip(ends) {
                    count += bucket.load(Ordering::Relaxed);
                    let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{end}\"}} {count}");
                }
                let sum = f64::from_bits(value);
                writeln!(text, "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}")
            }
        };
    }

    fn change(&self, change: impl Fn(f64) -> f64) {
        let changed = |bits| Some(change(f64::from_bits(bits)).to_bits());
        let _ = self.value.fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
    }
}

impl CounterFn for Series {
    fn increment(&self, by: u64) {
        self.value.fetch_add(by, Ordering::Relaxed);
    }

    fn absolute(&self, to: u64) {
        self.value.fetch_max(to, Ordering::Relaxed);
    }
}

impl GaugeFn for Series {
    fn increment(&self, by: f64) {
        self.change(|value| value + by);
    }

    fn decrement(&self, by: f64) {
        self.change(|value| value - by);
    }

    fn set(&self, to: f64) {
        self.value.store(to.to_bits(), Ordering::Relaxed);
    }
}

impl HistogramFn for Series {
    fn record(&self, sample: f64) {
        let bucket = BUCKETS.iter().position(|end| sample <= *end).unwrap_or(BUCKETS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.change(|sum| sum + sample);
    }
}

impl Recorder for Measures {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.series(Kind::Counter, key).map_or_else(Counter::noop, Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.series(Kind::Gauge, key).map_or_else(Gauge::noop, Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.series(Kind::Histogram, key).map_or_else(Histogram::noop, Histogram::from_arc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_read_as_prometheus_expects_them() {
        let measures = Measures::default();
        let key = |name: &'static str, peer: &'static str| Key::from_parts(name, &[("peer", peer)][..]);
        let series = |kind, name, peer| measures.series(kind, &key(name, peer)).unwrap();
        let mut text = String::new();
        let counter = series(Kind::Counter, "count", "a\"b\\c");
        CounterFn::increment(&*counter, 2);
        CounterFn::increment(&*series(Kind::Counter, "count", "a\"b\\c"), 1);
        counter.write(&mut text, Kind::Counter, "count", &labels([("peer", "a\"b\\c")].into_iter()));
        assert_eq!(text, "count{peer=\"a\\\"b\\\\c\"} 3\n");
        let histogram = series(Kind::Histogram, "span", "b");
        for sample in [0.0004, 0.001, 0.3, 99.0] {
            histogram.record(sample);
        }
        text.clear();
        histogram.write(&mut text, Kind::Histogram, "span", "");
        let counts: Vec<_> = text.lines().filter_map(|line| line.split(' ').nth(1)).collect();
        let buckets = ["1", "2", "2", "2", "2", "2", "2", "2", "2", "3", "3", "3", "3", "3", "4"];
        assert_eq!(counts, [&buckets[..], &["99.3014", "4"]].concat());
        assert!(text.contains("span_bucket{,le=\"+Inf\"} 4") || text.contains("span_bucket{le=\"+Inf\"} 4"));
    }

    #[test]
    fn labels_cannot_take_all_memory() {
        let measures = Measures::default();
        let names: Vec<_> = (0..2 * SERIES_MAX).map(|number| format!("counter_{number}")).collect();
        let taken = names
            .iter()
            .filter(|name| measures.series(Kind::Counter, &Key::from_name((*name).clone())).is_some());
        assert_eq!(taken.count(), SERIES_MAX);
    }
}
