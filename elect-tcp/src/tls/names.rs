//! Which node a certificate belongs to.

use std::fmt;
use std::sync::Arc;

use elect_core::{ClusterId, NodeId};
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::pins::{KeyPin, Pins};

/// Takes a URI, gives the node that it names.
pub(super) type ByHost = Arc<dyn Fn(&str) -> Option<NodeId> + Send + Sync>;

/// Where names come from.
#[derive(Clone)]
pub(super) struct NameRules {
    pub(super) cluster: ClusterId,
    pub(super) templates: Vec<Template>,
    pub(super) by_host: Option<ByHost>,
    /// Whether an authority vouches for what a certificate says.
    pub(super) is_chain_checked: bool,
}

/// Why a certificate is no node's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoName {
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    #[error("it names no node of cluster {cluster}, and its key {pin} is not pinned")]
    Nobody { cluster: ClusterId, pin: KeyPin },
    #[error("it belongs to cluster {0}")]
    OtherCluster(String),
    #[error("it names both {0} and {1}: a certificate belongs to one node")]
    Several(NodeId, NodeId),
    #[error("it names {named}, and its key is pinned for {pinned}")]
    Contradiction { named: NodeId, pinned: NodeId },
    #[error("it names {named}, and its key {pin} is not pinned for it")]
    NotPinned { named: NodeId, pin: KeyPin },
}

impl NameRules {
    /// The one node that a certificate belongs to. Whether the chain leads to an authority was judged before.
    pub(super) fn name(&self, certificate: &CertificateDer<'_>, pins: &Pins) -> Result<NodeId, NoName> {
        let parsed =
            EndEntityCert::try_from(certificate).map_err(|error| NoName::Unreadable(error.to_string()))?;
        let (mut named, mut other_cluster) = (None, None);
        for uri in parsed.valid_uri_names() {
            match self.meaning(uri) {
                Meaning::Node(node) if named.is_some_and(|named| named != node) => {
                    return Err(NoName::Several(named.unwrap_or(node), node));
                }
                Meaning::Node(node) => named = Some(node),
                Meaning::OtherCluster(cluster) => other_cluster = Some(cluster),
                Meaning::Nothing => {}
            }
        }
        let pin = KeyPin::of(&parsed);
        match (named, pins.node_of(pin), other_cluster) {
            (Some(named), Some(pinned), _) if named == pinned => Ok(named),
            (Some(named), Some(pinned), _) => Err(NoName::Contradiction { named, pinned }),
            (Some(named), None, _) if self.is_chain_checked && !pins.has(named) => Ok(named),
            (Some(named), None, _) => Err(NoName::NotPinned { named, pin }),
            (None, _, Some(cluster)) => Err(NoName::OtherCluster(cluster)),
            (None, Some(pinned), None) => Ok(pinned),
            (None, None, None) => Err(NoName::Nobody { cluster: self.cluster, pin }),
        }
    }

    /// Whether a node's own certificate can be taken for its own. Its key may be pinned elsewhere only.
    pub(super) fn check_own(
        &self,
        certificate: &CertificateDer<'_>,
        pins: &Pins,
        own: NodeId,
    ) -> Result<(), String> {
        match self.name(certificate, pins) {
            Ok(named) | Err(NoName::NotPinned { named, .. }) if named == own => Ok(()),
            Ok(other) => Err(format!("the certificate is that of {other}, and this node is {own}")),
            Err(NoName::Nobody { .. }) if !pins.is_empty() => Ok(()),
            Err(error) => Err(format!("the certificate of this node: {error}")),
        }
    }

    fn meaning(&self, uri: &str) -> Meaning {
        let own = uri.strip_prefix("elect://").and_then(|rest| rest.split_once('/'));
        if let Some((cluster, node)) = own {
            return self.in_cluster(cluster, node);
        }
        if let Some((cluster, node)) = self.templates.iter().find_map(|template| template.read(uri)) {
            return self.in_cluster(cluster.unwrap_or(self.cluster.as_str()), node);
        }
        let by_host = self.by_host.as_ref().and_then(|name| name(uri));
        by_host.map_or(Meaning::Nothing, Meaning::Node)
    }

    fn in_cluster(&self, cluster: &str, node: &str) -> Meaning {
        match NodeId::new(node) {
            Ok(_) if cluster != self.cluster.as_str() => Meaning::OtherCluster(cluster.into()),
            Ok(node) => Meaning::Node(node),
            Err(_) => Meaning::Nothing,
        }
    }
}

impl fmt::Debug for NameRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameRules").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// What a URI says.
enum Meaning {
    Node(NodeId),
    OtherCluster(String),
    Nothing,
}

/// What stands in a certificate, for a person: its URIs, or that there are none.
pub(super) fn presented(certificate: &CertificateDer<'_>) -> String {
    let Ok(parsed) = EndEntityCert::try_from(certificate) else { return "which cannot be read".into() };
    let uris: Vec<_> = parsed.valid_uri_names().take(4).map(printable).collect();
    if uris.is_empty() { "without a URI".into() } else { format!("of {}", uris.join(", ")) }
}

/// What a stranger wrote, short and without control characters: it ends up in logs.
fn printable(uri: &str) -> String {
    uri.chars().take(80).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// The form of a URI in which a node's name stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Node,
    Cluster,
}

impl Template {
    /// The value and the rule if it is none.
    pub(super) fn parse(text: &str) -> Result<Self, (String, &'static str)> {
        let refused = |rule| Err((text.to_owned(), rule));
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            let (piece, after) = if let Some(after) = from.strip_prefix("{node}") {
                (Piece::Node, after)
            } else if let Some(after) = from.strip_prefix("{cluster}") {
                (Piece::Cluster, after)
            } else {
                return refused("may hold `{node}` and `{cluster}`, and no other brace");
            };
            if before.is_empty() {
                return refused("must have text before each of `{node}` and `{cluster}`");
            }
            // All else may stand in a name: of `{cluster}-{node}`, `a-b-c` would be node `c` of `a-b`, or `b-c` of `a`.
            if !pieces.is_empty() && !before.contains('/') {
                return refused("must have a `/` between `{node}` and `{cluster}`");
            }
            pieces.extend([Piece::Text(before.into()), piece]);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        let count = |wanted: &Piece| pieces.iter().filter(|piece| *piece == wanted).count();
        if count(&Piece::Node) != 1 || count(&Piece::Cluster) > 1 {
            return refused("must hold `{node}` once, and `{cluster}` at most once");
        }
        if !text.starts_with("spiffe://") {
            return refused("must begin with `spiffe://`");
        }
        Ok(Self(pieces))
    }

    /// The cluster, if it stands there, and the node. Neither has a `/` in it, and one stands between them: there is one reading
    /// at most.
    fn read<'a>(&self, uri: &'a str) -> Option<(Option<&'a str>, &'a str)> {
        let (mut cluster, mut node, mut rest) = (None, None, uri);
        for (index, piece) in self.0.iter().enumerate() {
            let slot = match piece {
                Piece::Text(text) => {
                    rest = rest.strip_prefix(text.as_str())?;
                    continue;
                }
                Piece::Node => &mut node,
                Piece::Cluster => &mut cluster,
            };
            let end = match self.0.get(index + 1) {
                Some(Piece::Text(text)) if index + 2 == self.0.len() => {
                    rest.strip_suffix(text.as_str())?.len()
                }
                Some(Piece::Text(text)) => rest.find(text.as_str())?,
                _ => rest.len(),
            };
            let (value, after) = rest.split_at(end);
            if value.is_empty() || value.contains('/') {
                return None;
            }
            (*slot, rest) = (Some(value), after);
        }
        rest.is_empty().then_some((cluster, node?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_read_what_they_match_and_nothing_else() {
        let template = |text| Template::parse(text).unwrap();
        let both = template("spiffe://example.org/ns/{cluster}/elect-{node}/x");
        assert_eq!(both.read("spiffe://example.org/ns/shop/elect-a/x"), Some((Some("shop"), "a")));
        for uri in [
            "spiffe://example.org/ns/shop/elect-a",
            "spiffe://example.org/ns/shop/elect-a/x/y",
            "spiffe://example.org/ns/shop/more/elect-a/x",
            "spiffe://example.org/ns//elect-a/x",
            "spiffe://example.org.evil/ns/shop/elect-a/x",
            "https://spiffe://example.org/ns/shop/elect-a/x",
        ] {
            assert_eq!(both.read(uri), None, "{uri}");
        }
        assert_eq!(template("spiffe://o/{node}").read("spiffe://o/a.b"), Some((None, "a.b")));
        assert_eq!(template("spiffe://o/{node}-x").read("spiffe://o/a-x-x"), Some((None, "a-x")));
        // The separator ends at the only `/`, whatever stands in the names.
        let tight = template("spiffe://o/{cluster}-c/{node}");
        assert_eq!(tight.read("spiffe://o/a-c-c/b"), Some((Some("a-c"), "b")));
        assert_eq!(tight.read("spiffe://o/a-c/b-c/d"), None);
        for text in [
            "spiffe://o/",
            "spiffe://o/{node}/{node}",
            "spiffe://o/{pod}/{node}",
            "o/{node}",
            "{node}",
            "spiffe://{cluster}{node}",
            // A certificate of node `c` of cluster `a-b` would be that of node `b-c` of cluster `a`.
            "spiffe://o/{cluster}-{node}",
            "spiffe://o/{node}.{cluster}/x",
        ] {
            Template::parse(text).unwrap_err();
        }
    }
}
