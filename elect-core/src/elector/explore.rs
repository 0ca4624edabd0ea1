//! What a model checker needs of an elector: a second one in the same state, and what that state is.
//!
//! A checker that tries every order of events comes back to a state again and again. [`Elector::fork`] lets it go
//! on from one state in two ways; [`Elector::describe`] lets it see that it was here before. Neither is of any use
//! to a host: two electors with one record would be two nodes with one vote.

mod role;

use crate::config::{Config, Detection};
use crate::describe::{
    StateSink, describe_birth, describe_incarnation, describe_node, describe_position, describe_profile,
    describe_words, option, words,
};
use crate::elector::{Elector, Lifecycle, State};
use crate::frame::Frame;
use crate::gate::{Gate, Raise, Ticket};
use crate::genesis::told::SavedGenesis;
use crate::outbox::Outbox;
use crate::pace::Pacing;
use crate::record::{Holder, PromiseKind, Record, Storage};
use crate::steady::Steady;
use crate::time::nanos;
use crate::timers::Timer;

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
            raise: Raise::new(gate.raise.floor(), gate.raise.exempt_epoch()),
        });
        let second = Self {
            config: self.config.clone(),
            me: self.me,
            kind: self.kind,
            state: self.state.clone(),
            tally: self.tally.clone(),
            out: self.copied_out(),
            authority,
        };
        (second, gate)
    }

    /// Empty but for the frame that a repeated heartbeat is answered with.
    fn copied_out(&self) -> Outbox {
        let mut out = Outbox::new(self.config.node(), 0);
        if let Some(answer) = self.out.frame_to_repeat().filter(|_| self.state.is_steady) {
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
    /// If the detection time adapts, the rank step follows the network, or the storage was replaced: these depend on
    /// more than is described.
    pub fn describe(&self, sink: &mut impl StateSink) {
        let Self {
            // What does not change in one life, and what is only scratch space.
            config: _,
            me: _,
            kind: _,
            tally: _,
            // The lease cell shows what the role says.
            authority: _,
            // Empty once a step is resolved, but for the answer to a repeated heartbeat: `describe_waits`.
            out: _,
            state,
        } = self;
        let State {
            // Every input brings a later one.
            now: _,
            nonces: _,
            steady: _,
            is_steady: _,
            // What this node waits for, and what it has said: `describe_waits`.
            pause: _,
            campaign: _,
            connected_floor: _,
            random: _,
            notices: _,
            timers: _,
            lifecycle,
            durable,
            lives_taken,
            this_life,
            role,
            peers,
            epoch_hint,
            health,
            position,
            told_position,
            profile,
            genesis,
        } = state;
        assert!(matches!(self.config.detection(), Detection::Fixed(_)), "the detection time is fixed");
        assert!(self.config.pacing() == Pacing::ByHand, "the rank step is fixed");
        let own = self.me.get();
        sink.word(match lifecycle {
            Lifecycle::Starting => 0,
            Lifecycle::Running => 1,
            Lifecycle::Stopped(_) => 2,
        });
        self.describe_record(sink, durable.record());
        sink.word(*lives_taken as u64);
        // The longest detection time heard, and lives that were named, matter to replaced storage only.
        describe_birth(sink, &this_life.birth());
        sink.word(this_life.offered().number());
        self.describe_durable(sink, durable);
        self.describe_role(sink, role);
        let pause = self.config.heartbeat_interval() / 2;
        for peer in self.other_members() {
            let places = [peer.get(), own];
            peers.pair(peer).describe(sink, places, self.state.durable.incarnation(), pause);
            peers.view(peer).describe(sink, &self.config, self.contradiction_window());
        }
        sink.word(epoch_hint.number());
        sink.word(*health as u64);
        describe_position(sink, *position);
        describe_position(sink, told_position.get());
        describe_profile(sink, profile);
        genesis.describe(sink, own);
        self.describe_waits(sink);
    }

    fn describe_waits(&self, sink: &mut impl StateSink) {
        let own = self.me.get();
        self.state.pause.describe(sink);
        let ranks = u32::try_from(self.state.peers.len()).unwrap_or(u32::MAX);
        let longest = self.config.rank_step().saturating_mul(ranks) + self.election_timeout();
        self.state.campaign.describe(sink, longest);
        sink.floor(own, self.state.connected_floor);
        sink.word(self.state.random.0);
        option(sink, self.state.notices.broadcast_epoch().as_ref(), |sink, epoch| {
            // The own_state is that of the moment, or the next input says so.
            sink.word(u64::from(self.state.notices.is_broadcast(self.own_state(), *epoch)));
            sink.word(epoch.number());
        });
        // Why a leader was lost is only told to the host, and changes nothing.
        option(sink, self.state.notices.reported().as_ref(), |sink, (leader, epoch)| {
            sink.word(leader.get() as u64);
            sink.word(epoch.number());
        });
        self.describe_steady(sink);
        for timer in Timer::ALL {
            sink.until(self.state.timers.get(timer));
        }
    }

    /// What the last heartbeat of its leader said, and the answer to it, as long as both will do again.
    fn describe_steady(&self, sink: &mut impl StateSink) {
        option(sink, self.state.steady.as_ref().filter(|_| self.state.is_steady), |sink, steady| {
            let Steady { from, header, heartbeat: _, claim } = steady;
            let members = self.config.members();
            describe_node(sink, members, *from);
            describe_incarnation(sink, header.nonce.incarnation);
            describe_words(sink, members, &steady.frame());
            // Its nonce, its echo and its receipt are those of the next heartbeat.
            words(sink, [claim.leader.get() as u64, claim.epoch.number()]);
            sink.word(nanos(claim.detection));
            option(sink, self.out.frame_to_repeat(), |sink, (to, answer)| {
                describe_node(sink, members, *to);
                describe_words(sink, members, answer);
            });
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
            genesis,
        } = record;
        describe_incarnation(sink, *incarnation);
        sink.word(u64::from(*first_life));
        words(sink, [epoch.number(), nanos(*detection_max), u64::from(*storage == Storage::Intact)]);
        option(sink, genesis.as_ref(), |sink, SavedGenesis { genesis, epoch, is_final }| {
            words(sink, [genesis.to_bits(), epoch.number(), u64::from(*is_final)]);
        });
        option(sink, holder.as_ref(), |sink, Holder { node, how }| {
            describe_node(sink, self.config.members(), *node);
            sink.word(u64::from(*how == PromiseKind::Voted));
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
