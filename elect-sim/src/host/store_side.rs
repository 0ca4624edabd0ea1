//! What the built-in store is told of its machine, and tells the checkers.

use elect_core::{Epoch, MemberKind, Position, Stamp};

use super::{Asked, Machine};
use crate::counts::Counted;
use crate::ids::{Life, NodeIndex};
use crate::model_log::{Entries, EntryId, ModelLog};
use crate::sabotage::Sabotage;

impl Machine<'_> {
    /// The member under whose name this machine runs.
    pub(crate) fn member(&self) -> NodeIndex {
        self.site.options().member_of(self.node)
    }

    /// The member under whose name another machine runs.
    pub(crate) fn member_of(&self, machine: NodeIndex) -> NodeIndex {
        self.site.options().member_of(machine)
    }

    /// What the members are.
    pub(crate) fn kinds(&self) -> &[MemberKind] {
        &self.site.options().kinds
    }

    pub(crate) fn keeps_log(&self) -> bool {
        self.site.options().keeps_log(self.node)
    }

    /// Which life of its process this is.
    pub(crate) fn life(&self) -> Life {
        self.site.life(self.node)
    }

    /// Whether its process runs on, and is not stopped.
    pub(crate) fn runs(&self) -> bool {
        self.site.is_running(self.node)
    }

    /// Whether something that it needs to serve is missing.
    pub(crate) fn setup_fails(&self) -> bool {
        self.site.setup_fails(self.node)
    }

    pub(crate) fn is_sabotaged(&self, sabotage: Sabotage) -> bool {
        self.site.options().sabotage == Some(sabotage)
    }

    /// What the logs of all built-in stores are made of.
    pub(crate) fn entries(&self) -> &Entries {
        self.site.entries()
    }

    pub(crate) fn entries_mut(&mut self) -> &mut Entries {
        self.site.entries_and_book().0
    }

    /// Reports a position at once, however late other reports are.
    pub(crate) fn report_at_once(&mut self, position: Option<Position>) {
        self.site.ask(self.node, Asked::Reached(position));
    }

    /// Its fence has let this stamp pass.
    pub(crate) fn admitted(&mut self, stamp: Stamp) {
        let now = self.site.now();
        self.site.book_mut().checks_mut().admitted(now, self.node, stamp);
    }

    /// It has acknowledged everything up to this entry.
    pub(crate) fn acknowledged(&mut self, stamp: Stamp, entry: EntryId) {
        let now = self.site.now();
        let (entries, book) = self.site.entries_and_book();
        book.checks_mut().acknowledged(now, self.node, stamp, entry, entries);
        let total = book.checks().acknowledged_length();
        book.count(Counted::Acknowledged(total));
    }

    /// How much anybody has acknowledged.
    pub(crate) fn acknowledged_length(&self) -> u64 {
        self.site.book().checks().acknowledged_length()
    }

    /// It serves, with this log.
    pub(crate) fn serves(&mut self, epoch: Epoch, log: &ModelLog) {
        let now = self.site.now();
        self.site.book_mut().checks_mut().serves(now, self.node, epoch, log);
    }

    /// It has answered a read that began when `since` was acknowledged, if clocks prove anything.
    pub(crate) fn read(&mut self, since: u64, value: u64) {
        let now = self.site.now();
        if self.site.book().checks().clocks_are_sound() {
            self.site.book_mut().count(Counted::Read);
            self.site.book_mut().checks_mut().read(now, self.node, since, value);
        }
    }
}
