//! What all nodes of a configuration say, side by side.

use std::fmt::Write as _;
use std::time::Duration;

use elect_core::NodeId;
use serde::Serialize;
use serde_json::Value;

use super::ask::ask_all;
use crate::config::Settings;

/// All nodes, sorted as in the configuration: the own one first.
#[derive(Debug, Serialize)]
pub(super) struct Seen {
    pub(super) nodes: Vec<SeenNode>,
}

/// One node: what it says, or why it says nothing.
#[derive(Debug, Serialize)]
pub(super) struct SeenNode {
    pub(super) node: NodeId,
    pub(super) address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

impl Seen {
    pub(super) fn of(settings: &Settings) -> Self {
        let own = (settings.node(), Some(settings.advertise_client.clone()));
        let peers = settings.peers.iter().map(|peer| (peer.id, peer.client.clone()));
        let mut nodes: Vec<_> = std::iter::once(own)
            .chain(peers)
            .map(|(node, address)| SeenNode { node, address, status: None, error: None })
            .collect();
        ask_again(settings, &mut nodes);
        // Those whose clients' address only the others know.
        let told: Vec<_> = nodes
            .iter()
            .map(|node| node.address.is_none().then(|| told_address(&nodes, node.node)).flatten())
            .collect();
        if told.iter().any(Option::is_some) {
            let mut unknown: Vec<_> = Vec::new();
            for (node, told) in nodes.iter_mut().zip(told).filter(|(_, told)| told.is_some()) {
                node.address = told;
                unknown.push(node);
            }
            ask_again(settings, unknown);
        }
        Self { nodes }
    }

    /// The node that serves as the primary.
    pub(super) fn primary(&self) -> Option<&SeenNode> {
        let serving = self.nodes.iter().filter(|node| node.serves() == "primary");
        // While one takes over from another both may have answered: the newer epoch counts.
        serving.max_by_key(|node| node.number(&["leader_epoch"]))
    }

    /// Whether every node answers and knows its primary, every link stands, every replica has its stream, and writes are not
    /// refused.
    pub(super) fn is_well(&self) -> bool {
        self.nodes.iter().all(|node| {
            let (up, all) = node.links();
            let is_fed = match node.serves() {
                "replica" => self.lag(node.node).is_some(),
                serves => serves != "nothing",
            };
            is_fed
                && node.status.as_ref().is_some_and(|status| status["kv"]["standstill"].is_null())
                && up == all
        })
    }

    /// A table, and below it what is wrong.
    pub(super) fn table(&self) -> String {
        let head = ["node", "kind", "role", "epoch", "lease left", "lag", "links", "version", "since"]
            .map(String::from);
        let rows: Vec<_> =
            std::iter::once(head).chain(self.nodes.iter().map(|node| self.row(node))).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
        let mut text = String::new();
        for row in &rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        for node in &self.nodes {
            if let Some(error) = &node.error {
                let address = node.address.as_deref().unwrap_or("no address");
                let _ = writeln!(text, "{} ({address}): {error}", node.node);
            }
            for problem in node.problems() {
                let _ = writeln!(text, "{} says: {problem}", node.node);
            }
        }
        let is_answered = self.nodes.iter().any(|node| node.status.is_some());
        match self.primary() {
            Some(_) => {}
            None if is_answered => text.push_str("no primary: ELECT EXPLAIN on any node says why\n"),
            None => text.push_str("no node answers\n"),
        }
        text
    }

    fn row(&self, node: &SeenNode) -> [String; 9] {
        let dash = || "–".to_owned();
        let Some(status) = &node.status else {
            let mut row = std::array::from_fn(|_| dash());
            (row[0], row[2]) = (node.node.to_string(), "no answer".into());
            return row;
        };
        let number = |path: &[&str]| node.number(path).map(|number| number.to_string());
        let role = match (node.serves(), status["handing_over"].as_bool(), status["in_office"].as_bool()) {
            (_, Some(true), _) => "hands over".into(),
            ("nothing", _, _) if status["role"] == "leader" => "elected".into(),
            ("nothing", ..) if status["role"] == "follower" => "no leader".into(),
            ("nothing", ..) => status["role"].as_str().unwrap_or_default().to_owned(),
            (serves, ..) => serves.to_owned(),
        };
        let (up, all) = node.links();
        [
            node.node.to_string(),
            status["kind"].as_str().unwrap_or_default().to_lowercase(),
            role,
            number(&["leader_epoch"]).unwrap_or_else(dash),
            number(&["lease_remaining_ms"]).map_or_else(dash, |ms| format!("{ms} ms")),
            match self.lag(node.node) {
                Some(lag) => lag.to_string(),
                None if node.serves() == "replica" => "no stream".into(),
                None => dash(),
            },
            format!("{up}/{all}"),
            status["kv"]["version"].as_str().unwrap_or_default().to_owned(),
            node.number(&["kv", "unchanged_for_ms"]).map_or_else(dash, |ms| readable_span(ms / 1_000)),
        ]
    }

    /// How many entries a follower lacks, as the primary sees it.
    fn lag(&self, node: NodeId) -> Option<u64> {
        let followers = self.primary()?.status.as_ref()?["kv"]["followers"].as_array()?;
        let follower = followers.iter().find(|follower| follower["node"] == node.as_str())?;
        follower["lag"].as_u64()
    }
}

impl SeenNode {
    fn serves(&self) -> &str {
        self.status.as_ref().and_then(|status| status["kv"]["serves"].as_str()).unwrap_or_default()
    }

    /// A number, without its fractions.
    fn number(&self, path: &[&str]) -> Option<u64> {
        let number = path.iter().try_fold(self.status.as_ref()?, |value, name| value.get(name))?;
        let whole = || Duration::try_from_secs_f64(number.as_f64()?).ok();
        number.as_u64().or_else(|| Some(whole()?.as_secs()))
    }

    /// When and why a handover came to nothing, if that is the last that happened to it.
    pub(super) fn abort(&self) -> Option<(u64, String)> {
        let last = self.status.as_ref()?["kv"]["transitions"].as_array()?.last()?;
        let is_abort = last["kind"] == "handover_aborted";
        is_abort.then(|| Some((last["unix_ms"].as_u64()?, last["text"].as_str()?.to_owned())))?
    }

    /// How many of its links stand in both directions, and how many there are.
    fn links(&self) -> (usize, usize) {
        let links = self.status.as_ref().and_then(|status| status["links"].as_array());
        let links = links.map_or(&[][..], Vec::as_slice);
        let up = links.iter().filter(|link| {
            ["outbound", "inbound"].iter().all(|end| link[end]["is_up"].as_bool() == Some(true))
        });
        (up.count(), links.len())
    }

    fn problems(&self) -> Vec<&str> {
        let Some(kv) = self.status.as_ref().map(|status| &status["kv"]) else { return Vec::new() };
        let problems = kv["problems"].as_array().into_iter().flatten();
        problems.chain([&kv["standstill"]]).filter_map(Value::as_str).collect()
    }
}

/// Asks these and notes what comes back.
fn ask_again<'a>(settings: &Settings, nodes: impl IntoIterator<Item = &'a mut SeenNode>) {
    let nodes: Vec<_> = nodes.into_iter().collect();
    let addresses: Vec<_> = nodes.iter().map(|node| node.address.clone()).collect();
    let answers = ask_all(settings, &addresses, &["ELECT", "STATUS"]);
    for (node, answer) in nodes.into_iter().zip(answers) {
        let status = answer.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
        let status = status.and_then(|status: Value| expected(status, settings, node.node));
        match status {
            Ok(status) => (node.status, node.error) = (Some(status), None),
            Err(error) => node.error = Some(error),
        }
    }
}

/// Whoever answers at a node's address must be that node.
fn expected(status: Value, settings: &Settings, node: NodeId) -> Result<Value, String> {
    let cluster = settings.elect.cluster();
    if status["node"] == node.as_str() && status["cluster"] == cluster.as_str() {
        return Ok(status);
    }
    Err(format!("node {} of cluster {} answers there", status["node"], status["cluster"]))
}

fn told_address(nodes: &[SeenNode], node: NodeId) -> Option<String> {
    let peers = nodes.iter().filter_map(|node| node.status.as_ref()?["peers"].as_array()).flatten();
    let mut addresses =
        peers.filter(|peer| peer["node"] == node.as_str()).filter_map(|peer| peer["address"].as_str());
    addresses.find(|address| !address.is_empty()).map(str::to_owned)
}

/// In the largest unit that says enough.
pub(crate) fn readable_span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}
