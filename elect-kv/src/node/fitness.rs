//! Office needs work: a node whose storage hangs, or whose writes no quorum confirms, is unfit for it.

use std::time::{Duration, Instant};

use elect_core::{Health, MemberKind};

use super::host::Host;
use super::writes::GivenUp;
use crate::event_log::Kind;

/// A primary whose writes wait for this many detection times, while none is committed, gives them up.
pub(super) const STANDSTILL_DETECTIONS: u32 = 4;
/// One turn of the loop declares the node healthy for at least this long.
const HEALTHY_FOR: Duration = Duration::from_secs(2);
/// A node that lost office for a standstill stays out of it for this many detection times, unless its log moves before.
const OUT_DETECTIONS: u32 = 20;

/// What the host knows of the node's fitness.
#[derive(Debug)]
pub(super) struct Fitness {
    /// The detection time.
    detection: Duration,
    /// When to look again.
    due: Instant,
    /// When the elector is to hear again that the node is well.
    renewal: Instant,
    /// Why the node is unfit, as the elector was told.
    unfit: Option<Unfit>,
    /// Until when a standstill keeps the node out of office, and how far its log was committed then.
    out: Option<(Instant, u64)>,
}

/// Why a node is unfit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unfit {
    /// The storage has been busy with one piece of work for longer than the detection time.
    Hangs,
    /// No quorum confirms its writes, and others could do better.
    Stands,
}

impl Fitness {
    pub(super) fn new(detection: Duration) -> Self {
        let now = Instant::now();
        Self { detection, due: now, renewal: now, unfit: None, out: None }
    }

    /// When to look again.
    pub(super) fn due(&self) -> Instant {
        self.due
    }
}

impl Host {
    /// Looks at the log's thread and at the writes, and tells the elector whether this node is fit. As long as this loop
    /// runs and nothing hangs, it is.
    pub(super) fn watch_fitness(&mut self) {
        let now = Instant::now();
        if now < self.fitness.due || self.ending.is_some() {
            return;
        }
        self.fitness.due = now + self.fitness.detection / 2;
        self.watch_commits();
        let unfit = self.reason(now);
        if let Some(unfit) = unfit {
            if self.fitness.unfit != Some(unfit) {
                let text = match unfit {
                    Unfit::Hangs => {
                        "the storage has not answered for longer than the detection time: unfit for office"
                    }
                    Unfit::Stands => {
                        "no quorum confirms writes here, and others could do better: unfit for office"
                    }
                };
                self.log.tell(Kind::Warning, self.promotion.epoch(), None, text);
                self.shared.handle.set_health(Health::Unfit);
            }
        } else if now >= self.fitness.renewal || self.fitness.unfit.is_some() {
            let span = HEALTHY_FOR.max(self.fitness.detection * 2);
            self.fitness.renewal = now + span / 4;
            self.shared.handle.healthy_for(span);
        }
        self.fitness.unfit = unfit;
    }

    fn reason(&mut self, now: Instant) -> Option<Unfit> {
        let committed = self.shared.progress().commit;
        self.fitness.out = self.fitness.out.filter(|(until, commit)| now < *until && committed <= *commit);
        if self.shared.pulse.busy_for(self.shared.handle.now()) > self.fitness.detection {
            Some(Unfit::Hangs)
        } else {
            self.fitness.out.map(|_| Unfit::Stands)
        }
    }

    /// Writes that nobody confirms are given up, and office too where others could do better.
    fn watch_commits(&mut self) {
        let writes = &self.shared.writes;
        if writes.waits_for().is_some_and(|span| span > self.fitness.detection * STANDSTILL_DETECTIONS) {
            let GivenUp { unknown, refused } = writes.give_up();
            let text = format!(
                "no write was committed for {} ms while some waited: the outcome of {unknown} is unknown, {refused} were \
                 refused, and so are new ones until something is committed. {}",
                (self.fitness.detection * STANDSTILL_DETECTIONS).as_millis(),
                self.shared.followers_text(),
            );
            self.log.tell(Kind::Standstill, self.promotion.epoch(), None, &text);
        }
        let stands = self.shared.writes.stands_for().is_some();
        if stands && self.fitness.out.is_none() && self.others_could_do_better() {
            let until = Instant::now() + self.fitness.detection * OUT_DETECTIONS;
            self.fitness.out = Some((until, self.shared.progress().commit));
        }
    }

    /// Whether the other voters that hold data, are connected and fit make a write quorum among themselves.
    fn others_could_do_better(&self) -> bool {
        let Ok(status) = self.shared.handle.status() else { return false };
        let could =
            status.peers.iter().filter(|peer| peer.kind == MemberKind::Voter && peer.connected && peer.fit);
        could.count() >= self.shared.settings.elect.members().quorum()
    }
}
