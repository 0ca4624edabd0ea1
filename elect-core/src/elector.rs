//! The elector: its state, its inputs, and what all inputs share. One file per role holds the rest.

pub(crate) mod blocker;
pub(crate) mod candidate;
pub(crate) mod detection;
pub(crate) mod explain;
#[cfg(feature = "explore")]
pub(crate) mod explore;
pub(crate) mod follower;
pub(crate) mod genesis;
pub(crate) mod handover;
pub(crate) mod health;
pub(crate) mod invariants;
pub(crate) mod leader;
pub(crate) mod lifecycle;
pub(crate) mod links;
pub(crate) mod lives;
pub(crate) mod own_state;
pub(crate) mod pace;
pub(crate) mod pause;
pub(crate) mod preference;
pub(crate) mod profile;
pub(crate) mod re_offer;
pub(crate) mod rebuild;
pub(crate) mod receive;
pub(crate) mod refusals;
pub(crate) mod saving;
pub(crate) mod status;
pub(crate) mod steady;
pub(crate) mod told;
pub(crate) mod transition;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use crate::authority::Authority;
use crate::campaign::Campaign;
use crate::candidate::Candidate;
use crate::config::Config;
use crate::durable::DurableState;
use crate::epoch::{Epoch, Position};
use crate::event::{Health, LinkState, SteppedDown, Stopped};
use crate::follower::{Followed, Follower};
use crate::frame::{Body, Frame};
use crate::genesis::GenesisBook;
use crate::leader::Leader;
use crate::members::{MemberIndex, MemberKind};
use crate::name::NodeId;
use crate::nonce::Nonce;
use crate::nonces::Nonces;
use crate::notices::Notices;
use crate::outbox::Outbox;
use crate::pause::Pause;
use crate::peers::Peers;
use crate::profile::Profile;
use crate::random::Random;
use crate::record::{Record, Storage};
use crate::start::{StartRefused, check_record};
use crate::steady::Steady;
use crate::step::Step;
use crate::tally::Tally;
use crate::this_life::ThisLife;
use crate::time::Time;
use crate::timers::{Timer, Timers};
use crate::told::ToldPosition;

/// The election state machine of one node in one group: pure, deterministic, without clock, I/O or threads.
///
/// Inputs are `tick`, `on_…`, `set_…` and the requests. Each returns a [`Step`]; resolve it before the next
/// input. Sleep until [`deadline`](Self::deadline), then `tick`.
#[derive(Debug)]
pub struct Elector {
    config: Config,
    me: MemberIndex,
    kind: MemberKind,
    state: State,
    tally: Tally,
    authority: Authority,
    out: Outbox,
}

/// All that inputs change, and that what follows depends on: parts that own their fields.
#[derive(Clone, Debug)]
struct State {
    now: Time,
    lifecycle: Lifecycle,
    durable: DurableState,
    /// How many incarnations this elector has saved: one, or a few as a replacement.
    lives_taken: usize,
    this_life: ThisLife,
    role: Role,
    peers: Peers,
    /// The highest epoch heard of, capped: a hint for the next offer.
    epoch_hint: Epoch,
    health: Health,
    position: Option<Position>,
    told_position: ToldPosition,
    /// What the host says of itself, to everybody.
    profile: Arc<Profile>,
    pause: Pause,
    genesis: GenesisBook,
    campaign: Campaign,
    /// R33: only an echo of a nonce from here on makes a peer connected.
    connected_floor: Time,
    random: Random,
    nonces: Nonces,
    notices: Notices,
    /// The last heartbeat of a leader that was answered and did nothing else.
    steady: Option<Steady>,
    /// Nothing has changed since.
    is_steady: bool,
    timers: Timers,
}

impl State {
    fn new(config: &Config, record: Record, now: Time) -> Self {
        let count = config.members().count();
        Self {
            now,
            lifecycle: Lifecycle::Starting,
            durable: DurableState::new(record),
            lives_taken: 0,
            this_life: ThisLife::default(),
            role: Role::default(),
            peers: Peers::new(count),
            epoch_hint: record.epoch,
            health: Health::Healthy,
            position: None,
            told_position: ToldPosition::default(),
            profile: Arc::new(config.profile()),
            pause: Pause::default(),
            genesis: GenesisBook::new(count),
            campaign: Campaign::default(),
            connected_floor: Time::ZERO,
            random: Random::new(config.seed(), config.node(), record.incarnation.counter.wrapping_add(1)),
            nonces: Nonces::new(now),
            notices: Notices::new(),
            steady: None,
            is_steady: false,
            timers: Timers::new(),
        }
    }
}

/// Whether the elector takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    /// Its incarnation is not durable yet: it says nothing.
    Starting,
    Running,
    /// For good.
    Stopped(Stopped),
}

/// What a node does. `transition.rs` alone puts one in the place of another.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    Follower(Follower),
    Candidate(Candidate),
    Leader(Box<Leader>),
}

impl Default for Role {
    fn default() -> Self {
        Self::Follower(Follower::Free)
    }
}

impl Elector {
    /// An elector that starts from `record`, which a store has either opened or, by an operator's explicit
    /// act, made for a first boot or a replacement.
    ///
    /// The first [`tick`](Self::tick) yields a gate that makes this incarnation durable; until it is committed
    /// nothing is sent.
    pub fn new(config: Config, record: Record, now: Time) -> Result<Self, StartRefused> {
        check_record(&config, &record)?;
        let mut elector = Self {
            me: config.me(),
            kind: config.kind(),
            state: State::new(&config, record, now),
            tally: Tally::new(config.members().count()),
            authority: Authority::new(),
            out: Outbox::new(config.node(), config.members().count()),
            config,
        };
        elector.promise_of_restart();
        elector.state.timers.set(Timer::Heartbeat, now);
        Ok(elector)
    }

    /// Time has passed. Does nothing, at a cost that does not depend on the number of members, while `now` is
    /// before the [`deadline`](Self::deadline).
    #[inline]
    pub fn tick(&mut self, now: Time) -> Step<'_> {
        if now >= self.state.timers.deadline() {
            self.begin_input(now);
            self.end_input();
        }
        Step::new(&mut self.out)
    }

    /// A frame arrived from the peer that the transport has authenticated as `from`.
    ///
    /// A frame that counts for nothing yields [`Notice::Ignored`](crate::Notice::Ignored) with the reason; never an
    /// error or a panic.
    pub fn on_message(&mut self, from: NodeId, frame: &Frame, now: Time) -> Step<'_> {
        if let Some(claim) = self.repeated(from, frame, now) {
            self.on_repeated(&claim);
        } else {
            self.on_news(from, frame, now);
        }
        Step::new(&mut self.out)
    }

    /// The driver learned about the connection to `peer`. Unknown peers are ignored.
    pub fn on_link(&mut self, peer: NodeId, state: LinkState, now: Time) -> Step<'_> {
        self.begin_input(now);
        if let Some(index) = self.config.members().index(peer).filter(|&index| index != self.me) {
            self.note_link(index, state);
        }
        self.end_input();
        Step::new(&mut self.out)
    }

    /// The host's last durable entry moved: ranks, and tells whether a handover's target is durable.
    pub fn set_position(&mut self, position: Option<Position>, now: Time) -> Step<'_> {
        self.begin_input(now);
        if self.kind != MemberKind::Witness {
            self.note_position(position);
        }
        self.proceed_with_handover();
        self.end_input();
        Step::new(&mut self.out)
    }

    /// When the next [`tick`](Self::tick) is due; [`Time::NEVER`] once stopped.
    #[inline]
    pub const fn deadline(&self) -> Time {
        self.state.timers.deadline()
    }

    /// The lease cell, for the host's threads.
    pub fn authority(&self) -> Authority {
        self.authority.clone()
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Common start of every input: the clock, then everything that was due before the input.
    #[inline]
    fn begin_input(&mut self, now: Time) {
        self.state.now = self.state.now.max(now);
        self.state.nonces.begin_step();
        self.state.is_steady = false;
        while let Some(timer) = self.state.timers.take_due(self.state.now) {
            self.on_timer(timer);
        }
    }

    /// Common end of every input: whatever the input made possible or untrue.
    #[inline]
    fn end_input(&mut self) {
        if self.state.lifecycle == Lifecycle::Running {
            self.consider_state();
            self.consider_genesis();
            self.tell_host();
            self.tell_everybody();
        }
        self.assert_invariants();
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Lease => self.on_lease_over(),
            Timer::Save => self.on_save_stalled(),
            Timer::Office => self.on_office_overdue(),
            Timer::Health => self.on_health_over(),
            Timer::Handover => self.on_handover_overdue(),
            Timer::Round => self.on_campaign_over(),
            Timer::Promise => self.on_promise_over(),
            Timer::Pause => self.on_pause_over(),
            Timer::Campaign => {}
            Timer::Heartbeat => self.on_heartbeat_due(),
        }
    }

    fn on_heartbeat_due(&mut self) {
        match (&self.state.lifecycle, &self.state.role) {
            (Lifecycle::Starting, _) => self.save_incarnation(None),
            (Lifecycle::Stopped(_), _) => {}
            (Lifecycle::Running, Role::Follower(_)) => self.on_follower_heartbeat_due(),
            (Lifecycle::Running, Role::Candidate(_)) => self.on_candidate_heartbeat_due(),
            (Lifecycle::Running, Role::Leader(_)) => self.on_leader_heartbeat_due(),
        }
    }

    /// The current leader, as this node knows it: itself, or whom it follows.
    fn leader(&self) -> Option<(NodeId, Epoch)> {
        match &self.state.role {
            Role::Leader(leader) => Some((self.config.node(), leader.epoch())),
            Role::Follower(Follower::Following(Followed { leader, epoch, .. }, _)) => {
                Some((self.config.members().id(*leader), *epoch))
            }
            _ => None,
        }
    }

    /// The configured election timeout, longer while a promise of an earlier configuration may still run.
    fn election_timeout(&self) -> Duration {
        self.config.election_timeout_after(
            self.state.durable.record().detection_max.max(self.config.detection().ceiling()),
        )
    }

    /// The detection time in use: the one that this leader sends, or that the leader followed here sends. Without a
    /// leader it is the longest that there may be (R17): what a leader has adapted itself to may have ended with it.
    #[inline]
    fn detection_in_use(&self) -> Duration {
        match &self.state.role {
            Role::Leader(leader) => leader.detection(),
            Role::Follower(Follower::Following(followed, _)) => followed.detection,
            _ => self.config.detection().ceiling(),
        }
    }

    /// Members whose accepts and acknowledgements count, this node aside.
    fn voting_peers(&self) -> impl Iterator<Item = MemberIndex> + Clone + '_ {
        self.config.voting_peers()
    }

    fn other_members(&self) -> impl Iterator<Item = MemberIndex> + Clone + use<> {
        let me = self.me;
        self.config.members().indices().filter(move |&index| index != me)
    }

    /// The nonce of what follows differs from that of everything before.
    #[inline]
    fn renew_nonce(&mut self) -> Time {
        self.state.nonces.renew(self.state.now)
    }

    /// Whether `nonce` is one that this incarnation has sent.
    #[inline]
    fn is_own(&self, nonce: &Nonce) -> bool {
        self.state.nonces.has_sent(self.state.durable.incarnation(), nonce)
    }

    fn lost(&mut self, loss: SteppedDown) {
        self.authority.revoke();
        self.authority.set_draining(false);
        self.out.lost(loss);
    }

    fn is_replaced(&self) -> bool {
        self.state.durable.record().storage == Storage::Replaced
    }

    /// Sends a body to one peer under the current header.
    #[inline]
    fn send(&mut self, peer: MemberIndex, body: Body) {
        self.next_frame(peer).body = body;
    }

    /// The next frame out, to `peer`, under the current header. Its body is still that of an earlier frame.
    #[inline]
    fn next_frame(&mut self, peer: MemberIndex) -> &mut Frame {
        assert!(
            self.state.lifecycle != Lifecycle::Starting,
            "R48: nothing is said before the incarnation is durable"
        );
        let nonce = Nonce {
            incarnation: self.state.durable.incarnation(),
            sent: self.state.nonces.current(self.state.now),
        };
        let echo = self.echo(peer);
        let state = self.told_state();
        let is_told = self.state.peers.pair(peer).telling().is_known();
        let genesis = self.told_genesis();
        let (to, frame) = self.out.next_frame();
        *to = self.config.members().id(peer);
        frame.header.group = self.config.group();
        frame.header.members = self.config.digest();
        frame.header.epoch = self.state.durable.epoch();
        frame.header.state = state;
        frame.header.nonce = nonce;
        frame.header.echo = echo;
        frame.header.genesis = genesis;
        // R60, R67: until it is known.
        frame.birth = if is_told { None } else { Some(self.state.this_life.told()) };
        frame.profile = if is_told { None } else { Some(self.state.profile.clone()) };
        frame
    }
}
