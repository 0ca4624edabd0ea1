//! What a model checker needs of an elector: a second one in the same state, and what that state is.
//!
//! A checker that tries every order of events comes back to a state again and again. [`Elector::fork`] lets it go
//! on from one state in two ways; [`Elector::describe`] lets it see that it was here before. Neither is of any use
//! to a host: two electors with one record would be two nodes with one vote.

mod parts;
mod role;

use core::time::Duration;

use crate::authority::Authority;
use crate::config::{Config, Detection};
use crate::elector::{Elector, Life};
use crate::frame::{Body, Frame};
use crate::gate::{Gate, Raise, Ticket};
use crate::nonce::Nonce;
use crate::outbox::Outbox;
use crate::pace::Pacing;
use crate::peer::{Link, Pair, Peer, View};
use crate::record::{Holder, Record, Storage, Word};
use crate::steady::Steady;
use crate::time::{Time, nanos};
use crate::timers::Timer;
use parts::{
    describe_birth, describe_freeze, describe_incarnation, describe_node, describe_position,
    describe_promise, describe_standing, describe_words, option, words,
};

/// Takes a state in, part by part, always in the same order.
///
/// Points of time come by what an elector does with them, so that a sink can leave out what makes no difference:
/// where the clock stands, and by how many nanoseconds two frames of one moment differ.
pub trait StateSink {
    /// Anything but time.
    fn word(&mut self, word: u64);

    /// A point of the elector's clock of which is only asked whether it has come.
    fn until(&mut self, point: Time);

    /// A past point of the elector's clock of which is only asked how long ago it was, and that only up to `horizon`.
    fn since(&mut self, point: Time, horizon: Duration);

    /// A nonce of `owner`, seen by `owner` and `other` alone: its order among those of the pair, and its age up to the
    /// detection time.
    fn nonce(&mut self, owner: usize, other: usize, nonce: Nonce);

    /// The newest nonce of `owner` that `other` has echoed: as good as none once it is older than the detection time.
    fn echoed(&mut self, owner: usize, other: usize, nonce: Nonce);

    /// A point from which nonces of `owner` count, whoever echoes them: its order among them.
    fn floor(&mut self, owner: usize, from: Time);
}

impl Elector {
    /// A second elector in the same state, with a lease cell of its own, and the same of the gate that it waits for.
    ///
    /// # Panics
    /// If a step was not resolved: what it would have handed out belongs to one elector only.
    pub fn fork(&self, gate: Option<&Gate>) -> (Self, Option<Gate>) {
        assert!(self.out.is_empty(), "a step is resolved before its elector is forked");
        let authority = self.authority.detached();
        let ticket = |ticket: &Ticket| Ticket { elector: authority.clone(), number: ticket.number };
        let gate = gate.map(|gate| Gate {
            ticket: ticket(&gate.ticket),
            record: gate.record,
            raise: Raise::new(gate.raise.floor(), gate.raise.kept()),
        });
        (self.copied(authority), gate)
    }

    fn copied(&self, authority: Authority) -> Self {
        Self {
            authority,
            durable: self.durable.clone(),
            config: self.config.clone(),
            life: self.life.clone(),
            role: self.role.clone(),
            peers: self.peers.clone(),
            random: self.random.clone(),
            tally: self.tally.clone(),
            timers: self.timers.clone(),
            out: self.copied_out(),
            steady: self.steady,
            is_steady: self.is_steady,
            me: self.me,
            kind: self.kind,
            now: self.now,
            lives_taken: self.lives_taken,
            this_life: self.this_life.clone(),
            promise: self.promise,
            heard: self.heard,
            health: self.health,
            position: self.position,
            told_position: self.told_position,
            freeze: self.freeze,
            campaign: self.campaign.clone(),
            connected_floor: self.connected_floor,
            nonces: self.nonces.clone(),
            notices: self.notices.clone(),
        }
    }

    /// Empty but for the frame that a repeated heartbeat is answered with.
    fn copied_out(&self) -> Outbox {
        let mut out = Outbox::new(self.config.node(), 0);
        if let Some(answer) = self.out.frame_to_repeat().filter(|_| self.is_steady) {
            *out.next_frame() = answer.clone();
            out.clear_frames();
        }
        out
    }

    /// Hands everything to `sink` that this elector's answers to later inputs depend on.
    ///
    /// Two electors of one configuration whose descriptions are equal answer equal inputs equally. The names of the
    /// fields stand here one by one: a new one does not compile until somebody has decided.
    ///
    /// # Panics
    /// If the detection time adapts, the rank step follows the network, or the storage was replaced: these depend on more
    /// than is described.
    pub fn describe(&self, sink: &mut impl StateSink) {
        let Self {
            // What does not change in one life, and what is only scratch space.
            config: _,
            me: _,
            kind: _,
            tally: _,
            // Every input brings a later one.
            now: _,
            nonces: _,
            // The lease cell shows what the role says.
            authority: _,
            // Empty once a step is resolved, but for the answer to a repeated heartbeat: `describe_waits`.
            out: _,
            steady: _,
            is_steady: _,
            // What this node waits for, and what it has said: `describe_waits`.
            freeze: _,
            campaign: _,
            connected_floor: _,
            random: _,
            notices: _,
            timers: _,
            life,
            durable,
            lives_taken,
            this_life,
            role,
            promise,
            peers,
            heard,
            health,
            position,
            told_position,
        } = self;
        assert!(matches!(self.config.detection(), Detection::Fixed(_)), "the detection time is fixed");
        assert!(self.config.pacing() == Pacing::ByHand, "the rank step is fixed");
        let own = self.me.get();
        sink.word(match life {
            Life::Starting => 0,
            Life::Running => 1,
            Life::Stopped(_) => 2,
        });
        self.describe_record(sink, durable.record());
        sink.word(*lives_taken as u64);
        // The longest detection time heard, and lives that were named, matter to replaced storage only.
        describe_birth(sink, &this_life.birth());
        sink.word(this_life.offered().number());
        self.describe_durable(sink, durable);
        self.describe_role(sink, role);
        option(sink, promise.as_ref(), |sink, promise| describe_promise(sink, promise));
        for (index, peer) in peers.iter().enumerate().filter(|&(index, _)| index != own) {
            self.describe_peer(sink, index, peer);
        }
        sink.word(heard.number());
        sink.word(*health as u64);
        describe_position(sink, *position);
        describe_position(sink, told_position.get());
        self.describe_waits(sink);
    }

    fn describe_waits(&self, sink: &mut impl StateSink) {
        let own = self.me.get();
        describe_freeze(sink, &self.freeze);
        option(sink, self.campaign.head_start().as_ref(), |sink, head_start| {
            sink.word(head_start.target.get() as u64);
            sink.until(head_start.until);
            option(sink, head_start.released.as_ref(), |sink, released| sink.word(released.number()));
        });
        sink.word(self.campaign.released().number());
        option(sink, self.campaign.favour().until().as_ref(), |sink, until| sink.until(*until));
        // More make no difference to waits and rounds.
        sink.word(u64::from(self.campaign.rounds_lost().min(4)));
        sink.until(self.campaign.waits());
        sink.floor(own, self.connected_floor);
        sink.word(u64::from(self.campaign.had_leader()));
        option(sink, self.campaign.turn().as_ref(), |sink, turn| {
            let ranks = u32::try_from(self.peers.len()).unwrap_or(u32::MAX);
            let longest = self.config.rank_step().saturating_mul(ranks) + self.election_timeout();
            sink.since(turn.since, longest);
            sink.until(turn.at);
            sink.word(nanos(turn.delay));
        });
        option(sink, self.campaign.failed_way().as_ref(), |sink, failed| describe_position(sink, failed.0));
        sink.word(self.random.0);
        option(sink, self.notices.broadcast_epoch().as_ref(), |sink, epoch| {
            // The stance is that of the moment, or the next input says so.
            sink.word(u64::from(self.notices.is_broadcast(self.stance(), *epoch)));
            sink.word(epoch.number());
        });
        // Why a leader was lost is only told to the host, and changes nothing.
        option(sink, self.notices.reported().as_ref(), |sink, (leader, epoch)| {
            sink.word(leader.get() as u64);
            sink.word(epoch.number());
        });
        self.describe_steady(sink);
        for timer in Timer::ALL {
            sink.until(self.timers.get(timer));
        }
    }

    /// What the last heartbeat of its leader said, and the answer to it, as long as both will do again.
    fn describe_steady(&self, sink: &mut impl StateSink) {
        option(sink, self.steady.as_ref().filter(|_| self.is_steady), |sink, steady| {
            let Steady { from, header, heartbeat, claim } = steady;
            let members = self.config.members();
            describe_node(sink, members, *from);
            describe_incarnation(sink, header.nonce.incarnation);
            describe_words(sink, members, &Frame { header: *header, body: Body::Heartbeat(*heartbeat) });
            // Its nonce, its echo and its receipt are those of the next heartbeat.
            words(sink, [claim.leader.get() as u64, claim.epoch.number()]);
            sink.word(nanos(claim.detection));
            option(sink, self.out.frame_to_repeat(), |sink, (to, answer)| {
                describe_node(sink, members, *to);
                describe_words(sink, members, answer);
            });
        });
    }

    fn describe_peer(&self, sink: &mut impl StateSink, index: usize, peer: &Peer) {
        let Pair {
            link,
            // Since when a life is known only crash evidence asks.
            incarnation,
            birth,
            far,
            telling,
            dead,
            newest,
            covered,
            echoed,
            round_trip: _,
            // Only for status.
            heard_at: _,
            answered_at,
            ended: _,
            // Only where the detection time adapts.
            acknowledged: _,
            grant,
        } = &peer.pair;
        let own = self.me.get();
        words(sink, [u64::from(*link == Link::Open), u64::from(*dead)]);
        words(sink, peer.pair.ended_parts());
        option(sink, incarnation.as_ref(), |sink, (incarnation, _)| describe_incarnation(sink, *incarnation));
        option(sink, birth.as_ref(), describe_birth);
        option(sink, far.life().as_ref(), |sink, life| describe_incarnation(sink, *life));
        option(sink, telling.from().as_ref(), |sink, from| sink.floor(own, *from));
        for nonce in [newest, covered] {
            option(sink, nonce.as_ref(), |sink, nonce| sink.nonce(index, own, *nonce));
        }
        option(sink, echoed.as_ref(), |sink, sent| {
            sink.echoed(own, index, Nonce { incarnation: self.durable.incarnation(), sent: *sent });
        });
        option(sink, answered_at.as_ref(), |sink, at| {
            sink.since(*at, self.config.heartbeat_interval() / 2);
        });
        sink.until(*grant);
        self.describe_view(sink, &peer.view);
    }

    fn describe_view(&self, sink: &mut impl StateSink, view: &View) {
        let View {
            told,
            standing,
            position,
            eligible,
            healthy,
            priority,
            application,
            // Only told to the host.
            address: _,
            ballot,
            announced,
            fit_since,
            progress,
            preference,
        } = view;
        words(sink, [told.epoch().number(), told.twice().number()]);
        describe_standing(sink, self.config.members(), *standing);
        describe_position(sink, *position);
        words(sink, [u64::from(*eligible), u64::from(*healthy), u64::from(*priority)]);
        words(sink, [u64::from(*application), u64::from(*announced)]);
        option(sink, ballot.as_ref(), |sink, ballot| {
            sink.until(ballot.grant);
            describe_position(sink, ballot.position);
        });
        option(sink, fit_since.as_ref(), |sink, since| {
            sink.since(*since, self.config.fail_back_cooldown());
        });
        for mark in progress.marks() {
            option(sink, mark.as_ref(), |sink, (at, position)| {
                sink.since(*at, self.config.heartbeat_interval() * 8);
                describe_position(sink, Some(*position));
            });
        }
        sink.word(u64::from(preference.contradicts()));
        option(sink, preference.handed_at().as_ref(), |sink, at| {
            sink.since(*at, self.contradiction_window());
        });
    }

    /// Cluster, node and members stay what they are.
    fn describe_record(&self, sink: &mut impl StateSink, record: &Record) {
        let Record {
            cluster: _,
            node: _,
            members: _,
            incarnation,
            first_life,
            epoch,
            holder,
            detection_max,
            storage,
        } = record;
        describe_incarnation(sink, *incarnation);
        sink.word(u64::from(*first_life));
        words(sink, [epoch.number(), nanos(*detection_max), u64::from(*storage == Storage::Intact)]);
        option(sink, holder.as_ref(), |sink, Holder { node, word }| {
            describe_node(sink, self.config.members(), *node);
            sink.word(u64::from(*word == Word::Vote));
        });
    }
}

impl Config {
    /// Hands a frame to `sink` that is under way between two members of the group.
    pub fn describe_frame(&self, sink: &mut impl StateSink, from: usize, to: usize, frame: &Frame) {
        describe_words(sink, self.members(), frame);
        sink.nonce(from, to, frame.header.nonce);
        option(sink, frame.header.echo.as_ref(), |sink, echo| sink.nonce(to, from, *echo));
    }
}
