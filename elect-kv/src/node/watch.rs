//! The host looks at the log's thread and at the writes, and tells the elector whether this node is fit for office.

use std::time::Instant;

use elect_core::{Health, MemberKind};

use super::fitness::{Unfit, Verdict};
use super::host::Host;
use super::writes::GivenUp;
use crate::event_log::Kind;
use crate::report::Serves;

impl Host {
    /// As long as this loop runs and nothing hangs or stands, the node is healthy.
    pub(super) fn watch_fitness(&mut self) {
        let now = Instant::now();
        if self.ending.is_some() || !self.fitness.is_due(now) {
            return;
        }
        self.watch_commits(now);
        let busy = self.shared.storage_busy_for();
        match self.fitness.judge(busy, self.shared.progress().commit, now) {
            None => {}
            Some(Verdict::Healthy(span)) => self.shared.handle.healthy_for(span),
            Some(Verdict::Unfit(unfit)) => {
                self.shared.handle.set_health(Health::Unfit);
                let text = match unfit {
                    Unfit::Hangs => "unfit for office: the storage takes longer than the detection time",
                    Unfit::Stands => {
                        "unfit for office: no quorum confirms writes here, and others could do better"
                    }
                };
                self.log.tell(Kind::Warning, self.promotion.epoch(), None, text);
            }
        }
    }

    /// Writes that nobody confirms are given up, and office too where others could do better.
    fn watch_commits(&mut self, now: Instant) {
        let writes = &self.shared.writes;
        let bound = self.fitness.standstill();
        if writes.waits_for().is_some_and(|span| span > bound) {
            let GivenUp { unknown, refused } = writes.give_up();
            let text = format!(
                "no write was committed for {} ms while some waited: the outcome of {unknown} is unknown, {refused} \
                 were refused, and so are new ones until something is committed. {}",
                bound.as_millis(),
                self.shared.followers_text(),
            );
            self.log.tell(Kind::Standstill, self.promotion.epoch(), None, &text);
        }
        if self.shared.writes.stands_for().is_some() && self.others_could_do_better() {
            self.fitness.stand_aside(self.shared.progress().commit, now);
        }
    }

    /// Whether the other voters that hold data, are connected and fit make a write quorum among themselves.
    fn others_could_do_better(&self) -> bool {
        let Ok(status) = self.shared.handle.status() else { return false };
        let could =
            |peer: &&elect_core::PeerStatus| peer.kind == MemberKind::Voter && peer.connected && peer.fit;
        status.peers.iter().filter(could).count() >= self.shared.settings.elect.members().quorum()
    }

    /// A line every ten seconds while nobody serves, as far as this node knows.
    pub(super) fn watch_absence(&mut self) {
        let shared = &self.shared;
        let is_served = Serves::of(shared) != Serves::Nothing;
        let Some(span) = self.absence.look(is_served, Instant::now()) else { return };
        let why = match (shared.leader(), shared.handle.explain()) {
            // It leads itself: what is missing is its log, not a vote.
            (Some(leader), _) => {
                let own = shared.settings.node();
                format!(
                    "{own} leads epoch {} and does not serve yet. {}",
                    leader.epoch,
                    shared.followers_text()
                )
            }
            (None, Ok(explanation)) => explanation.to_string().replace('\n', " | "),
            (None, Err(gone)) => gone.to_string(),
        };
        let text = format!("no primary for {} s: {why}", span.as_secs());
        self.log.tell(Kind::NoPrimary, None, None, &text);
    }
}
