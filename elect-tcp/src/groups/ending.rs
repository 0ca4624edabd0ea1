//! The end of a group, and of all of them.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering;

use super::desk::Control;
use super::group::Group;
use super::savers::Job;
use super::thread::{RETRY_AFTER, Thread};
use crate::clock;
use crate::event::Ended;

impl Thread {
    /// Ends every group, those too that were started meanwhile, and has what is still to be saved saved.
    pub(super) fn end(&mut self, ended: &Ended) {
        self.end_groups(ended);
        while let Ok(control) = self.inputs.control.try_recv() {
            if let Control::Start(group) = control {
                self.start(*group);
                self.end_groups(ended);
            }
        }
        while let Ok(saved) = self.inputs.saved.try_recv() {
            self.savers.submit(Job { vault: saved.vault, save: None });
        }
        self.savers.end();
    }

    fn end_groups(&mut self, ended: &Ended) {
        for number in self.groups.keys().copied().collect::<Vec<_>>() {
            self.end_group(number, ended.clone());
        }
    }

    pub(super) fn end_group(&mut self, number: u32, ended: Ended) {
        self.deadlines.remove(number);
        let Some(group) = self.groups.remove(&number) else { return };
        for peer in group.links.keys().filter_map(|peer| self.peers.get(peer)) {
            peer.roster.remove(number);
        }
        let Group { mut seat, links, ended: flag, vault, .. } = group;
        // Not here: what the host does at its end costs no other group anything.
        if let Some(vault) = vault {
            self.savers.submit(Job { vault, save: None });
        }
        // An elector that has panicked may do so again.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| seat.resign()));
        flag.store(true, Ordering::SeqCst);
        let _ = panic::catch_unwind(AssertUnwindSafe(|| seat.end(ended)));
        // Their threads tell the peers; the last group's stream ends instead.
        for peer in links.keys().filter_map(|peer| self.peers.get(peer)) {
            let _ = peer.doubt.try_send(());
        }
        self.retry_at = self.retry_at.min(clock::now() + RETRY_AFTER);
    }
}
