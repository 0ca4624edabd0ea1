//! The seat of a host: while a host is being called it is away from it, and what comes meanwhile waits there.

use std::collections::VecDeque;

use crate::host::{Call, Host};
use crate::store::Store;

/// The host of one machine.
#[derive(Debug)]
pub(crate) enum Hosted {
    /// The store that the checkers know.
    Store(Box<Store>),
    /// An embedder's own state machine.
    Own(Box<dyn Host>),
}

impl Hosted {
    pub(crate) fn as_host(&self) -> &dyn Host {
        match self {
            Self::Store(store) => store.as_ref(),
            Self::Own(own) => own.as_ref(),
        }
    }

    pub(crate) fn as_host_mut(&mut self) -> &mut dyn Host {
        match self {
            Self::Store(store) => store.as_mut(),
            Self::Own(own) => own.as_mut(),
        }
    }

    pub(crate) fn as_store(&self) -> Option<&Store> {
        match self {
            Self::Store(store) => Some(store),
            Self::Own(_) => None,
        }
    }
}

/// A host and what waits for it.
#[derive(Debug)]
pub(crate) struct Seat {
    /// What embeds the elector; `None` while it is being called.
    host: Option<Hosted>,
    /// What it must be called with afterwards.
    deferred: VecDeque<Call>,
    /// Whether its process died while it was being called, and whether the sync under way took effect.
    died: Option<bool>,
}

impl Seat {
    pub(super) fn new(host: Hosted) -> Self {
        Self { host: Some(host), deferred: VecDeque::new(), died: None }
    }

    /// Its host, unless somebody is calling it now.
    pub(crate) fn host(&self) -> Option<&dyn Host> {
        self.host.as_ref().map(Hosted::as_host)
    }

    /// The built-in store, if that is its host, and unless somebody is calling it now.
    pub(crate) fn store(&self) -> Option<&Store> {
        self.host.as_ref().and_then(Hosted::as_store)
    }

    /// Its host, which nobody is calling now.
    pub(crate) fn hosted(&self) -> &dyn Host {
        self.host().expect("a host is away only while it is called")
    }

    /// The same, to be changed.
    pub(crate) fn hosted_mut(&mut self) -> &mut dyn Host {
        self.host.as_mut().expect("a host is away only while it is called").as_host_mut()
    }

    /// Another host from now on.
    pub(crate) fn put(&mut self, host: Hosted) {
        self.host = Some(host);
    }

    /// The host leaves to be called; if it is away already, the call waits for it.
    pub(crate) fn leave(&mut self, call: Call) -> Option<(Hosted, Call)> {
        let Some(host) = self.host.take() else {
            self.deferred.push_back(call);
            return None;
        };
        Some((host, call))
    }

    /// The host returns from a call: what it must be called with next. If its process died under the call, it learns
    /// so, and what came before means nothing.
    pub(crate) fn after_call(&mut self, host: &mut dyn Host) -> Option<Call> {
        if let Some(landed) = self.died.take() {
            host.crashed(landed);
            self.deferred.clear();
        }
        self.deferred.pop_front()
    }

    /// Its process died.
    pub(super) fn crashed(&mut self, landed: bool) {
        match &mut self.host {
            Some(host) => host.as_host_mut().crashed(landed),
            None => self.died = Some(landed),
        }
    }
}
