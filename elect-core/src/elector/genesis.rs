//! Which history of the group this node belongs to, and who does not (R59).

use alloc::vec::Vec;

use crate::duty::Duty;
use crate::elector::{Elector, Role};
use crate::event::{CampaignLost, Ignored, LeaderLost, Notice, StepDown};
use crate::frame::{Body, Frame, Header, Heartbeat};
use crate::genesis::told::{Genesis, SavedGenesis, ToldGenesis};
use crate::genesis::{Circumstances, Place, Verdict};
use crate::members::MemberIndex;
use crate::name::NodeId;
use crate::offer::Offer;
use crate::peer_state::PeerState;
use crate::record::{Record, Storage};
use crate::saving::Purpose;

impl Elector {
    /// R59: whether the frame counts, and how: before incarnations, hints and rejections. `true` if its sender counts
    /// as replaced.
    #[inline]
    pub(super) fn judge_genesis(&mut self, peer: MemberIndex, header: &Header) -> Result<bool, Ignored> {
        let own = self.state.durable.genesis();
        // What nearly every frame of a settled group says: a short way to what is judged below.
        if own.is_some_and(|own| own.is_final) && header.genesis == own.map(|own| own.told()) {
            self.state.genesis.note_same(peer);
            return Ok(false);
        }
        self.judge_other_genesis(peer, header)
    }

    fn judge_other_genesis(&mut self, peer: MemberIndex, header: &Header) -> Result<bool, Ignored> {
        let (own, told) = (self.state.durable.genesis(), header.genesis);
        let newest = self.state.peers.pair(peer).newest();
        let is_older = newest.is_some_and(|newest| {
            newest.incarnation == header.nonce.incarnation && header.nonce.sent < newest.sent
        });
        let echoed = header.echo.filter(|echo| self.is_own(echo)).map(|echo| echo.sent);
        let peer_may_lack =
            !self.config.members().get(peer).kind.votes() || header.state == PeerState::Replaced;
        let about = Circumstances::new(header.nonce, echoed, is_older)
            .may_lack(peer_may_lack, self.may_lack_genesis());
        match self.state.genesis.judge(peer, own, told, about) {
            Verdict::One => Ok(false),
            Verdict::Unclear => {
                if own.is_none_or(|own| !own.is_final) {
                    self.state.genesis.begin_doubt(self.state.now + self.config.detection().ceiling());
                    self.withdraw_campaign(CampaignLost::Replaced);
                }
                self.answer(peer);
                Err(Ignored::UnprovenGenesis)
            }
            Verdict::PeerReplaced { is_new } => {
                if is_new {
                    self.tell_peer_replaced(peer, told);
                }
                Ok(true)
            }
            Verdict::SelfReplaced(genesis) => {
                self.count_as_replaced(peer, genesis);
                Err(Ignored::OwnGenesisReplaced)
            }
            Verdict::Other { is_new } => {
                if is_new {
                    self.tell_two_groups(peer, told);
                }
                Err(Ignored::TwoGroups)
            }
        }
    }

    fn tell_peer_replaced(&mut self, peer: MemberIndex, told: Option<ToldGenesis>) {
        let Some(own) = self.state.durable.genesis() else { return };
        let (node, told) = (self.config.members().id(peer), told.map(|told| told.genesis));
        self.out.happened(Notice::CountsAsReplaced { node, lacks: own.genesis, told });
    }

    fn tell_two_groups(&mut self, peer: MemberIndex, told: Option<ToldGenesis>) {
        if let (Some(own), Some(told)) = (self.state.durable.genesis(), told) {
            let node = self.config.members().id(peer);
            self.out.happened(Notice::TwoGroups { node, own: own.genesis, other: told.genesis });
        }
    }

    /// Whether this node lacks a final genesis lawfully: nobody waits for an observer, and replaced storage begins
    /// without.
    pub(super) fn may_lack_genesis(&self) -> bool {
        !self.kind.votes() || self.is_replaced()
    }

    /// R59: by its own record. Whatever this node was ends at once; what it is from now on is durable first.
    fn count_as_replaced(&mut self, peer: MemberIndex, genesis: Genesis) {
        if self.state.durable.is_saving() {
            // The next such frame finds the disk done. Until then this node promises its vote to nobody.
            self.state.genesis.begin_doubt(self.state.now + self.config.detection().ceiling());
            return;
        }
        let told_by = self.config.members().id(peer);
        self.lose_office(StepDown::Replaced);
        self.give_up_campaign(CampaignLost::Replaced);
        self.unfollow(LeaderLost::Replaced);
        let record = Record { storage: Storage::Replaced, genesis: None, ..*self.state.durable.record() };
        self.save(
            Purpose::CountAsReplaced { told_by, genesis },
            Some(record),
            self.state.durable.epoch(),
            None,
        );
    }

    /// That is durable: the host must begin anew too.
    pub(super) fn on_counted_as_replaced(&mut self, told_by: NodeId, genesis: Genesis) {
        self.out.act(Duty::Replaced { told_by, genesis });
    }

    /// R59: the winner of an offer chooses, among its own and those of its accepts.
    pub(super) fn choose_genesis(&mut self, won: &Offer) {
        let own = self.state.durable.genesis().map(|own| (own.epoch, own.genesis));
        let random = &mut self.state.random;
        self.state
            .genesis
            .choose(won.epoch(), own.into_iter().chain(won.geneses()), || Genesis::from_bits(random.next()));
    }

    /// R59: what frames tell is durable. A leader that has chosen another one does not tell what it will overwrite.
    #[inline]
    pub(super) fn told_genesis(&self) -> Option<ToldGenesis> {
        let own = self.state.durable.genesis()?;
        if let Role::Leader(leader) = &self.state.role
            && !own.is_final
            && self.state.genesis.chosen_in(leader.epoch()) != Some(own.genesis)
        {
            return None;
        }
        Some(own.told())
    }

    /// What a frame that counts, and is its sender's newest, says of its genesis.
    #[inline]
    pub(super) fn note_genesis(&mut self, peer: MemberIndex, header: &Header) {
        // Nobody asks any more: the steady path need not note it.
        if self.state.durable.genesis().is_some_and(|own| own.is_final) {
            return;
        }
        self.state.genesis.note_told(peer, header.genesis);
        if let PeerState::Follower(leader, epoch) = header.state
            && leader == self.config.node()
        {
            self.state.genesis.note_held(peer, epoch, header.genesis);
        }
    }

    /// R59: saves the genesis that this node should hold. It waits for every other save, and no other waits for it.
    #[inline]
    pub(super) fn consider_genesis(&mut self) {
        // What is final is never wanted anew: that is known without a look at the place, in every step.
        if self.state.durable.genesis().is_some_and(|own| own.is_final) || self.state.durable.is_busy() {
            return;
        }
        if let Some(genesis) = self.wanted_genesis() {
            let record = Record { genesis: Some(genesis), ..*self.state.durable.record() };
            self.save(
                Purpose::Genesis(genesis),
                Some(record),
                self.state.durable.epoch(),
                self.state.durable.exempt_epoch(),
            );
        }
    }

    /// What its record should hold and does not.
    pub(super) fn wanted_genesis(&self) -> Option<SavedGenesis> {
        let place = self.place();
        let is_held_by_all = || match place {
            Place::Leads(epoch) => self.voting_peers().all(|peer| self.state.genesis.is_held_by(peer, epoch)),
            _ => false,
        };
        self.state.genesis.wanted(
            self.state.durable.genesis(),
            place,
            self.may_lack_genesis(),
            is_held_by_all,
        )
    }

    fn place(&self) -> Place {
        if let Role::Leader(leader) = &self.state.role {
            return Place::Leads(leader.epoch());
        }
        let Some(followed) = self.followed() else { return Place::Elsewhere };
        let says = self.state.peers.view(followed.leader).state();
        let told =
            self.state.genesis.told_by(followed.leader).filter(|_| says == PeerState::Leader(followed.epoch));
        Place::Follows(followed.epoch, told)
    }

    /// It is durable.
    pub(super) fn on_genesis_saved(&mut self, saved: SavedGenesis) {
        let SavedGenesis { genesis, epoch, is_final } = saved;
        if is_final {
            self.state.genesis.settle(self.state.nonces.last().next());
        }
        self.out.happened(Notice::GenesisSaved { genesis, epoch, is_final });
    }

    /// Who keeps the genesis from being final, as far as this node knows: the voters and witnesses that have not said,
    /// following this leader, that they hold it; elsewhere those whose newest frame does not tell it.
    pub(super) fn genesis_waits_for(&self) -> Vec<NodeId> {
        if self.state.durable.genesis().is_some_and(|own| own.is_final) {
            return Vec::new();
        }
        let own = self.state.durable.genesis().map(|own| own.genesis);
        let lacks = |&peer: &MemberIndex| match self.place() {
            Place::Leads(epoch) => !self.state.genesis.is_held_by(peer, epoch),
            _ => own.is_none() || self.state.genesis.told_by(peer).map(|told| told.genesis) != own,
        };
        self.voting_peers().filter(lacks).map(|peer| self.config.members().id(peer)).collect()
    }
}

/// R59: the frame as one that counts as replaced says it; what only others may say counts for nothing.
pub(super) fn as_replaced(frame: &Frame) -> Result<Frame, Ignored> {
    let body = match &frame.body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => {
            Body::Heartbeat(Heartbeat { eligible: false, ..*heartbeat })
        }
        Body::Reject { .. } | Body::WentBack { .. } => frame.body.clone(),
        Body::Offer { .. }
        | Body::Accept { .. }
        | Body::Refuse { .. }
        | Body::Release { .. }
        | Body::Pause { .. } => return Err(Ignored::CountsAsReplaced),
    };
    // What it leads or campaigns in is not over: it may hold a lease.
    let header = Header { state: PeerState::Replaced, epoch: frame.header.ended(), ..frame.header };
    Ok(Frame { header, birth: frame.birth.clone(), profile: frame.profile.clone(), body })
}
