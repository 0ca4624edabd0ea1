//! What the host says of itself to everybody: said until it is known, and what the others' hosts say.

use alloc::sync::Arc;

use crate::address::Address;
use crate::elector::{Elector, Lifecycle};
use crate::event::{Notice, RequestRefused};
use crate::members::MemberIndex;
use crate::profile::{HostData, Profile};
use crate::step::{Requested, Step};
use crate::time::Time;

impl Elector {
    /// The host's version number and the bytes that belong to it, from now on: a configuration that it has loaded, say.
    /// Every other member is told, and its host hears of it if its own version is lower
    /// ([`Notice::NewerApplication`](crate::Notice::NewerApplication)).
    ///
    /// Refused where the version goes backwards, or stays while the bytes change: who knows a version knows its bytes.
    /// A restart may go back. Refused, too, once this node has stopped.
    pub fn set_host_data(&mut self, version: u32, data: HostData, now: Time) -> Requested<'_> {
        self.begin_input(now);
        let known = &*self.state.profile;
        let is_known = (version, data) == (known.version, known.data);
        let current = known.version;
        let set = if version > current || is_known {
            self.set_profile(|own| (own.version, own.data) = (version, data))
        } else {
            Err(RequestRefused::HostVersion { given: version, current })
        };
        self.end_input();
        Requested::new(Step::new(&mut self.out), set)
    }

    /// Where clients reach this node from now on. Every other member is told; the hosts of those that follow this node
    /// hear of it ([`Notice::LeaderAddress`](crate::Notice::LeaderAddress)).
    ///
    /// What an address may be, [`Address::new`] has checked. Refused once this node has stopped.
    pub fn set_address(&mut self, address: Address, now: Time) -> Requested<'_> {
        self.begin_input(now);
        let set = self.set_profile(|own| own.address = address);
        self.end_input();
        Requested::new(Step::new(&mut self.out), set)
    }

    /// R67: a change is told to everybody at once, and from this nonce on with every frame until it is known.
    fn set_profile(&mut self, set: impl FnOnce(&mut Profile)) -> Result<(), RequestRefused> {
        if matches!(self.state.lifecycle, Lifecycle::Stopped(_)) {
            return Err(RequestRefused::Stopped);
        }
        let mut own = Profile::clone(&self.state.profile);
        set(&mut own);
        if own == *self.state.profile {
            return Ok(());
        }
        self.state.profile = Arc::new(own);
        if self.state.lifecycle == Lifecycle::Running {
            // What this step has sent before said something else.
            let from = self.renew_nonce();
            self.state.peers.tell_again(from);
            // A RELEASE tells it too, and no plain heartbeat may overtake one.
            if !self.repeat_release() {
                self.broadcast();
            }
        }
        Ok(())
    }

    /// R67: what the peer's host says of itself, in a frame that no newer one has overtaken. R57: the host hears of a
    /// version that is newer than its own, once for each.
    pub(super) fn note_profile(&mut self, peer: MemberIndex, profile: &Profile) {
        self.note_address(peer, &profile.address);
        let own = self.state.profile.version;
        if self.state.peers.view_mut(peer).note_profile(profile, own) {
            let &Profile { version, data, .. } = profile;
            let (peer, address) = (self.config.members().id(peer), profile.address.clone());
            self.out.happened(Notice::NewerApplication { peer, version, data, address });
        }
    }
}
