//! What a host chooses.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use elect_core::{ClusterId, NodeId};

use super::names::{ByHost, NameRules, Template};

/// How a node proves who it is, and how its peers must: mutual TLS 1.3.
///
/// A certificate is that of a node if one of these says so, and nothing contradicts it:
///
/// - a URI among its alternative names: `elect://CLUSTER/NODE`, always understood; a SPIFFE id, after
///   [`spiffe`](Self::spiffe); any other URI, after [`name_uris`](Self::name_uris). The cluster must be this one.
/// - its key, if that is pinned for the node ([`pins`](Self::pins)).
///
/// A certificate that names several nodes of the cluster is refused. Names in DNS and addresses mean nothing here.
#[derive(Clone)]
pub struct TlsConfig {
    pub(super) source: Source,
    pub(super) authorities: Option<PathBuf>,
    pub(super) pins: Option<PathBuf>,
    pub(super) templates: Vec<String>,
    pub(super) by_host: Option<ByHost>,
}

/// Where certificates come from.
#[derive(Clone)]
pub(super) enum Source {
    Files { certificate: PathBuf, key: PathBuf },
    Rustls { client: Arc<rustls::ClientConfig>, server: Arc<rustls::ServerConfig> },
}

impl TlsConfig {
    /// With this node's certificate, followed by those that lead to the authority, and its key, both in PEM. Needs
    /// [`authorities`](Self::authorities), [`pins`](Self::pins) or both.
    ///
    /// All files are looked at (size, time, inode) in each handshake, and read again when one of them has changed. What cannot
    /// be read then leaves the old in force, and the host is told once:
    /// [`TransportNotice`](crate::TransportNotice). Streams that stand go on until they end.
    pub fn files(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self::from(Source::Files { certificate: certificate.into(), key: key.into() })
    }

    /// With the host's own configurations of rustls, whose verifiers judge the chains. The names are then judged here.
    /// Both must insist on TLS 1.3, and that of the server on a certificate of the client: where it shows none, or another version
    /// was agreed on, the stream is refused. Resumption and early data are turned off in the copies that are used.
    ///
    /// A verifier of the client that looks for a name in DNS is shown the host of the peer's address.
    pub fn rustls(client: Arc<rustls::ClientConfig>, server: Arc<rustls::ServerConfig>) -> Self {
        Self::from(Source::Rustls { client, server })
    }

    fn from(source: Source) -> Self {
        Self { source, authorities: None, pins: None, templates: Vec::new(), by_host: None }
    }

    /// Certificates must lead to one of the authorities in this PEM file. Names in them are believed.
    pub fn authorities(mut self, file: impl Into<PathBuf>) -> Self {
        self.authorities = Some(file.into());
        self
    }

    /// Keys that are pinned, one in a line: `NODE sha256:HEX`, the SHA-256 of the key's `SubjectPublicKeyInfo`
    /// ([`KeyPin::of_certificate`](crate::KeyPin::of_certificate)). A node may have several lines, so that its key can change; a key belongs to one
    /// node. Empty lines and lines that begin with `#` are skipped. Replace the file by a rename: read half-written, it pins less.
    ///
    /// A node with pins is believed with one of those keys only. Without [`authorities`](Self::authorities) every node needs one, and
    /// who signed its certificate, and until when, is not looked at: taking the line out is what ends it.
    pub fn pins(mut self, file: impl Into<PathBuf>) -> Self {
        self.pins = Some(file.into());
        self
    }

    /// Understands SPIFFE ids of this form, with `{node}` and, if the cluster stands in it, `{cluster}`: for example
    /// `spiffe://example.org/{cluster}/{node}`. Between the two is a `/`: everything else may stand in a name.
    pub fn spiffe(mut self, template: impl Into<String>) -> Self {
        self.templates.push(template.into());
        self
    }

    /// Asks the host which node a URI among the alternative names of a certificate stands for.
    pub fn name_uris(mut self, name: impl Fn(&str) -> Option<NodeId> + Send + Sync + 'static) -> Self {
        self.by_host = Some(Arc::new(name));
        self
    }

    /// What is wrong with it before a file is read: the value and the rule.
    pub(crate) fn check(&self) -> Result<(), (String, &'static str)> {
        for template in &self.templates {
            Template::parse(template)?;
        }
        let is_judged = match &self.source {
            Source::Files { .. } => self.authorities.is_some() || self.pins.is_some(),
            Source::Rustls { .. } => true,
        };
        if !is_judged {
            return Err((
                "files".into(),
                "must be given authorities or pins: without them nobody can be believed",
            ));
        }
        if matches!(self.source, Source::Rustls { .. }) && self.authorities.is_some() {
            return Err(("authorities".into(), "must be left to the verifiers of the rustls configurations"));
        }
        Ok(())
    }

    /// Every file.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let own = match &self.source {
            Source::Files { certificate, key } => [Some(certificate), Some(key)],
            Source::Rustls { .. } => [None, None],
        };
        own.into_iter().flatten().chain(&self.authorities).chain(&self.pins).map(PathBuf::as_path)
    }

    pub(super) fn rules(&self, cluster: ClusterId) -> NameRules {
        // Checked when the node's configuration was built.
        let templates = self.templates.iter().filter_map(|template| Template::parse(template).ok());
        let is_chain_checked = self.authorities.is_some() || matches!(self.source, Source::Rustls { .. });
        NameRules { cluster, templates: templates.collect(), by_host: self.by_host.clone(), is_chain_checked }
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TlsConfig");
        match &self.source {
            Source::Files { certificate, key } => shown.field("certificate", certificate).field("key", key),
            Source::Rustls { .. } => shown.field("source", &"rustls"),
        };
        shown.field("authorities", &self.authorities).field("pins", &self.pins).finish_non_exhaustive()
    }
}
