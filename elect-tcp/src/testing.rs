//! What the tests of this crate share.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use elect_core::{
    Body, ClusterId, Config, Epoch, Frame, Header, Heartbeat, Incarnation, NodeId, Nonce, Standing, Time,
};

/// A directory of its own, removed with its value.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("elect-tcp-{name}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl AsRef<Path> for Directory {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

/// A configuration for `node` of a group of three.
pub(crate) fn config(node: &str) -> Config {
    let builder = Config::builder(ClusterId::new("test").unwrap(), id(node));
    builder.voters(["a", "b", "c"].map(id)).seed(7).build().unwrap()
}

/// A frame whose nonce says `sent`.
pub(crate) fn frame(sent: u64, body: Body) -> Frame {
    let nonce = Nonce { incarnation: Incarnation { counter: 1, random: 2 }, sent: Time::from_nanos(sent) };
    let header = Header {
        group: 0,
        members: config("a").digest(),
        epoch: Epoch::new(1),
        standing: Standing::Free,
        nonce,
        echo: None,
        birth: None,
    };
    Frame { header, body }
}

pub(crate) fn heartbeat(sent: u64) -> Frame {
    let heartbeat = Heartbeat {
        position: None,
        eligible: true,
        healthy: true,
        priority: 1,
        application: 0,
        lead: None,
        freeze: None,
    };
    frame(sent, Body::Heartbeat(heartbeat))
}

pub(crate) fn accept(sent: u64) -> Frame {
    frame(sent, Body::Accept { epoch: Epoch::new(1), position: None, freeze: None })
}

pub(crate) fn offer(sent: u64) -> Frame {
    frame(sent, Body::Offer { epoch: Epoch::new(1), detection: Duration::from_millis(500) })
}
