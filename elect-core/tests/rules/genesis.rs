//! R59: one history of a group, and disks that do not belong to it.

use std::time::Duration;

use elect_core::{
    Body, Config, Duty, Frame, Genesis, Ignored, Incarnation, Notice, OtherHistory, PeerState, Record,
    Refusal, SavedGenesis, StartRefused, StepDown, Stopped, Storage, ToldGenesis,
};

use crate::harness::{Group, builder, id, ms, told_genesis};
use crate::solo::{D, INTERVAL, Solo, at, beat, epoch, follows, lead, leading, offer, stands};

pub(crate) fn genesis(bits: u64) -> Genesis {
    Genesis::from_bits(bits)
}

pub(crate) fn tentative(bits: u64) -> ToldGenesis {
    ToldGenesis { genesis: genesis(bits), is_final: false }
}

pub(crate) fn known_final(bits: u64) -> ToldGenesis {
    ToldGenesis { genesis: genesis(bits), is_final: true }
}

/// What a record holds: the bits, the epoch, whether it is final.
#[expect(clippy::unnecessary_wraps, reason = "a genesis may be missing wherever one is expected")]
pub(crate) fn saved(bits: u64, number: u64, is_final: bool) -> Option<SavedGenesis> {
    Some(SavedGenesis { genesis: genesis(bits), epoch: epoch(number), is_final })
}

pub(crate) fn accept_with(number: u64, saved_in: u64) -> Body {
    Body::Accept {
        epoch: epoch(number),
        detection: D,
        position: None,
        pause: None,
        genesis_epoch: epoch(saved_in),
    }
}

pub(crate) fn config() -> Config {
    builder("a", &["a", "b", "c"]).build().unwrap()
}

/// `a`, in a life that found this in its record.
pub(crate) fn holding(held: Option<SavedGenesis>) -> Solo {
    let number = held.map_or(0, |held| held.epoch.number());
    let record = Record { genesis: held, epoch: epoch(number), ..Record::first_boot(&config()) };
    Solo::from_record(config(), record)
}

/// What these tests ask of a lone elector.
pub(crate) trait Histories {
    /// From now on `peer` tells this in every frame.
    fn tells(&mut self, peer: &str, told: impl Into<Option<ToldGenesis>>) -> &mut Self;
    fn held(&self) -> Option<SavedGenesis>;
    /// `a` wins with the accept of `b`, whose genesis was saved in `saved_in`.
    fn win(&mut self, saved_in: u64) -> u64;
    fn waits_for(&self) -> Vec<String>;
    fn history_of(&self, peer: &str) -> Option<OtherHistory>;
}

impl Histories for Solo {
    fn tells(&mut self, peer: &str, told: impl Into<Option<ToldGenesis>>) -> &mut Self {
        match told.into() {
            Some(told) => self.geneses.insert(id(peer), told),
            None => self.geneses.remove(&id(peer)),
        };
        self
    }

    fn held(&self) -> Option<SavedGenesis> {
        self.disk.record.genesis
    }

    fn win(&mut self, saved_in: u64) -> u64 {
        let number = self.stand();
        self.pass(ms(1)).commit();
        self.hear("b", number, PeerState::Promised, accept_with(number, saved_in));
        assert_eq!(self.leader(), Some((id("a"), epoch(number))));
        number
    }

    fn waits_for(&self) -> Vec<String> {
        self.elector.status(self.now).genesis.waits_for.iter().map(ToString::to_string).collect()
    }

    fn history_of(&self, peer: &str) -> Option<OtherHistory> {
        let explained = self.elector.explain(self.now);
        explained.peers.iter().find(|hearing| hearing.node == id(peer)).unwrap().history
    }
}

// Choosing and saving.

#[test]
fn r59_the_first_winner_draws_saves_with_its_epoch_and_then_tells() {
    let mut a = Solo::new();
    a.holds_geneses = true;
    let number = a.stand();
    assert_eq!(a.last_to("b").header.genesis, None, "an offer proposes none");
    a.pass(ms(1)).commit();
    a.hear_accept("b", number);
    assert_eq!(a.last_to("b").header.genesis, None, "it is not durable yet");
    assert!(a.saves_a_genesis());
    let told = a.gate.as_ref().unwrap().record().unwrap().genesis.unwrap();
    assert_eq!((told.epoch, told.is_final), (epoch(number), false));
    a.commit();
    assert_eq!(a.held(), Some(told));
    assert!(a.saw(|notice| matches!(notice, Notice::GenesisSaved { is_final: false, .. })));
    a.clear().pass(INTERVAL);
    assert_eq!(a.last_to("c").header.genesis, Some(ToldGenesis { genesis: told.genesis, is_final: false }));
}

#[test]
fn r59_it_is_drawn_from_the_seed() {
    let drawn = |seed| {
        let mut a = Solo::with(builder("a", &["a", "b", "c"]).seed(seed));
        a.win(0);
        a.held().unwrap().genesis
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn r59_the_winner_takes_the_one_of_the_highest_epoch() {
    for (own, of_b, chosen) in
        [(saved(1, 3, false), (2, 4), 2), (saved(1, 4, false), (2, 3), 1), (None, (2, 3), 2)]
    {
        let mut a = holding(own);
        a.tells("b", tentative(of_b.0));
        let number = a.win(of_b.1);
        assert_eq!(a.held(), saved(chosen, number, false), "{own:?} and {of_b:?}");
    }
    // Accepts of an earlier campaign say nothing, and neither do heartbeats.
    let mut a = holding(saved(1, 3, false));
    a.tells("c", tentative(9)).hear_free("c", 3);
    let number = a.offered().unwrap();
    a.pass(ms(1)).commit();
    a.hear("b", number, PeerState::Promised, accept_with(number, 0));
    assert_eq!(a.held(), saved(1, number, false));
}

#[test]
fn r59_a_leader_tells_none_while_the_chosen_one_is_another() {
    let mut a = holding(saved(1, 3, false));
    a.holds_geneses = true;
    a.tells("b", tentative(2));
    a.win(4);
    a.clear().pass(INTERVAL);
    assert_eq!(a.last_to("c").header.genesis, None, "it is about to be overwritten");
    a.commit().clear().pass(INTERVAL);
    assert_eq!(a.last_to("c").header.genesis, Some(tentative(2)));
    // What it holds already it tells from the beginning, whatever the epoch under which that was saved.
    let mut a = holding(saved(1, 3, false));
    a.holds_geneses = true;
    a.win(0);
    assert_eq!(a.last_to("c").header.genesis, Some(tentative(1)));
}

#[test]
fn r59_who_follows_saves_it_with_the_epoch_followed() {
    let mut a = Solo::new();
    a.tells("b", tentative(7)).follow("b", 4);
    assert_eq!(a.held(), saved(7, 4, false));
    // Another leader's overwrites it; the same one is saved with the higher epoch.
    a.tells("c", tentative(8)).follow("c", 5);
    assert_eq!(a.held(), saved(8, 5, false));
    a.tells("b", tentative(8)).follow("b", 6);
    assert_eq!(a.held(), saved(8, 6, false));
    // A leader that tells none leaves it alone.
    a.tells("c", None).follow("c", 7);
    assert_eq!(a.held(), saved(8, 6, false));
}

#[test]
fn r59_nobody_but_the_leader_followed_is_believed() {
    let mut a = Solo::new();
    a.tells("b", tentative(7)).tells("c", tentative(8));
    a.hear("c", 0, PeerState::Promised, beat());
    assert_eq!(a.held(), None);
    a.follow("b", 4);
    a.hear("c", 4, follows("b", 4), beat());
    a.hear("c", 5, stands(5), offer(5));
    assert_eq!(a.held(), saved(7, 4, false));
}

#[test]
fn r59_an_accept_tells_under_which_epoch_it_was_saved() {
    let mut a = holding(saved(7, 4, false));
    a.give_word("b", 6);
    let frame = a.sent_to("b").find(|frame| matches!(frame.body, Body::Accept { .. })).unwrap();
    assert_eq!(frame.header.genesis, Some(tentative(7)));
    assert!(matches!(frame.body, Body::Accept { genesis_epoch, .. } if genesis_epoch == epoch(4)));
}

#[test]
fn r59_the_saves_hold_up_neither_acknowledgements_nor_office_nor_elections() {
    // A leader whose genesis is on its way to the disk is acknowledged, serves, and raises its epoch.
    let mut a = Solo::new();
    a.holds_geneses = true;
    let number = a.stand();
    a.pass(ms(1)).commit();
    a.hear_accept("b", number);
    assert!(a.saves_a_genesis());
    a.enter_office();
    a.pass(Duration::from_millis(100));
    a.hear_acknowledgement("b", number);
    a.pass(Duration::from_millis(400));
    assert!(a.holds_lease(), "it was acknowledged");
    // A follower acknowledges, and accepts when its leader is over: its vote is saved right behind the genesis.
    let mut a = Solo::new();
    a.holds_geneses = true;
    a.tells("b", tentative(7));
    a.follow("b", 4);
    assert!(a.saves_a_genesis());
    a.clear().hear_leader("b", 4);
    assert_eq!(a.last_to("b").header.state, follows("b", 4));
    a.hear("b", 4, PeerState::Promised, beat());
    a.clear().tells("c", tentative(7));
    assert_eq!(a.hear("c", 4, stands(5), offer(5)), None);
    assert!(a.saves_a_genesis() && a.sent_to("c").all(|frame| !matches!(frame.body, Body::Accept { .. })));
    a.commit();
    assert!(!a.saves_a_genesis());
    a.commit();
    let accepts =
        |frame: &Frame| matches!(frame.body, Body::Accept { genesis_epoch, .. } if genesis_epoch == epoch(4));
    assert!(a.sent_to("c").any(accepts));
    assert_eq!(
        (a.held(), a.disk.record.epoch),
        (saved(7, 4, false), epoch(5)),
        "neither overwrote the other"
    );
}

#[test]
fn r59_a_candidate_offers_while_a_genesis_is_saved() {
    let mut a = Solo::new();
    a.holds_geneses = true;
    a.tells("b", tentative(7)).tells("c", tentative(7));
    a.follow("b", 4);
    assert!(a.saves_a_genesis());
    a.hear("c", 4, follows("b", 4), beat());
    a.hear("b", 4, PeerState::Free, beat());
    let number = a.offered().expect("nothing holds the offer up");
    a.hear("b", number, PeerState::Promised, accept_with(number, 4));
    assert_eq!(a.leader(), None, "its own vote is not durable");
    a.commit().commit();
    assert_eq!(a.leader(), Some((id("a"), epoch(number))));
}

// Final.

/// `a` leads `number` and holds what it chose; `b` and `c` tell what they are told.
fn led() -> (Solo, u64, ToldGenesis) {
    let mut a = Solo::new();
    let number = a.win(0);
    let told = ToldGenesis { genesis: a.held().unwrap().genesis, is_final: false };
    a.tells("b", told).tells("c", told);
    (a, number, told)
}

#[test]
fn r59_it_is_final_once_every_voter_and_witness_has_said_so_in_this_epoch() {
    let (mut a, number, told) = led();
    assert_eq!(a.waits_for(), ["b", "c"]);
    a.hear_acknowledgement("b", number);
    assert_eq!(a.waits_for(), ["c"]);
    // Not who holds none or another, nor who follows somebody else or an earlier epoch, nor who follows nobody.
    a.hear("c", number, PeerState::Free, beat());
    a.tells("c", None).hear_acknowledgement("c", number);
    a.tells("c", tentative(9)).hear_acknowledgement("c", number);
    a.tells("c", told).hear("c", number, follows("b", number), beat());
    assert!(!a.held().unwrap().is_final);
    assert!(a.elector.explain(a.now).to_string().contains("waits for c"), "{}", a.elector.explain(a.now));
    a.hear_acknowledgement("c", number);
    assert_eq!(a.held(), Some(SavedGenesis { genesis: told.genesis, epoch: epoch(number), is_final: true }));
    assert_eq!(a.waits_for(), Vec::<String>::new());
    assert!(a.saw(|notice| matches!(notice, Notice::GenesisSaved { is_final: true, .. })));
    a.clear().pass(INTERVAL);
    assert_eq!(a.last_to("b").header.genesis, Some(ToldGenesis { is_final: true, ..told }));
}

#[test]
fn r59_a_witness_is_waited_for_and_an_observer_is_not() {
    let members = builder("a", &["a", "b"]).witnesses([id("w")]).observers([id("o")]);
    let mut a = Solo::with(members);
    let number = a.win(0);
    let told = ToldGenesis { genesis: a.held().unwrap().genesis, is_final: false };
    a.tells("b", told).tells("w", told);
    a.hear_acknowledgement("b", number);
    assert_eq!(a.waits_for(), ["w"]);
    a.hear_acknowledgement("w", number);
    assert!(a.held().unwrap().is_final);
    assert_eq!(a.hear_acknowledgement("o", number), None, "an observer may lack it");
    a.hear_acknowledgement("o", number);
    assert_eq!(a.history_of("o"), None);
}

#[test]
fn r59_alone_it_is_final_at_once() {
    let config = builder("a", &["a"]).build().unwrap();
    let record = Record::first_boot(&config);
    let mut a = Solo::from_record(config, record);
    a.pass(ms(1)).commit();
    assert!(a.held().unwrap().is_final, "{:?}", a.held());
}

#[test]
fn r59_a_raise_counts_anew() {
    let (mut a, number, told) = led();
    a.enter_office();
    a.hear_acknowledgement("b", number);
    // `b` was above: the leader raises its epoch.
    a.hear("b", number + 3, follows("a", number), beat());
    a.pass(INTERVAL);
    let raised = a.offered().unwrap();
    a.commit();
    a.hear("b", raised, follows("a", number), accept_with(raised, number));
    a.commit();
    assert_eq!(a.leader(), Some((id("a"), epoch(raised))));
    a.hear_acknowledgement("c", raised);
    assert_eq!(a.held(), Some(SavedGenesis { genesis: told.genesis, epoch: epoch(raised), is_final: false }));
    assert_eq!(a.waits_for(), ["b"], "what it said before the raise does not count");
    a.hear_acknowledgement("b", raised);
    assert!(a.held().unwrap().is_final);
}

#[test]
fn r59_a_holder_hears_that_it_is_final_by_two_frames() {
    let mut a = Solo::new();
    a.tells("b", tentative(7)).follow("b", 4);
    a.tells("c", known_final(7));
    let frame = a.frame("c", 4, follows("b", 4), beat());
    a.deliver("c", &frame);
    a.deliver("c", &frame);
    assert_eq!(a.held(), saved(7, 4, false), "a copy is no second frame");
    a.pass(ms(1)).hear("c", 4, follows("b", 4), beat());
    assert_eq!(a.held(), saved(7, 4, true), "from whomever");
    // What is final stays, whoever is followed.
    a.tells("c", tentative(7)).follow("c", 9);
    assert_eq!(a.held(), saved(7, 4, true));
}

#[test]
fn r59_the_short_way_of_the_steady_state_does_not_hide_the_second_frame() {
    let mut a = Solo::new();
    a.tells("b", tentative(7)).follow("b", 4);
    for _ in 0..4 {
        a.pass(ms(20)).hear_leader("b", 4);
    }
    a.tells("b", known_final(7));
    for _ in 0..2 {
        a.pass(ms(20)).hear_leader("b", 4);
    }
    assert_eq!(a.held(), saved(7, 4, true));
}

// Who counts as replaced.

/// `a` holds a final genesis and is connected to `b` and `c`, which hold it too.
pub(crate) fn settled() -> Solo {
    let mut a = holding(saved(7, 4, true));
    a.tells("b", known_final(7)).tells("c", known_final(7));
    a
}

#[test]
fn r59_who_lacks_a_final_one_counts_as_replaced() {
    for lacks in [None, Some(tentative(8))] {
        let mut a = settled();
        a.tells("b", lacks);
        // Not even one that says so for the first time elects anybody, nor is it elected.
        assert_eq!(a.hear_free("b", 0), Some(Ignored::UnprovenGenesis));
        assert_eq!(a.hear_free("b", 0), None, "it is heard as a replaced one is");
        assert_eq!(a.offered(), None, "it is not free for a");
        assert_eq!(a.hear_offer("b", 9), Some(Ignored::CountsAsReplaced));
        assert_eq!(a.hear_leader("b", 9), None);
        assert!(a.gate.is_none() && a.leader().is_none(), "it is not followed");
        let told =
            |notice: &&Notice| matches!(notice, Notice::CountsAsReplaced { node, .. } if *node == id("b"));
        assert_eq!(a.notices.iter().filter(told).count(), 1, "once");
        assert_eq!(a.history_of("b"), Some(OtherHistory::CountsAsReplaced));
        assert!(a.elector.explain(a.now).to_string().contains("replace-lost"));
        // Its accept and its acknowledgement count for nothing.
        a.hear_free("c", 4);
        let number = a.offered().unwrap();
        a.pass(ms(1)).commit();
        assert_eq!(
            a.hear("b", number, PeerState::Promised, accept_with(number, 0)),
            Some(Ignored::CountsAsReplaced)
        );
        assert_eq!(a.leader(), None);
        a.hear("c", number, PeerState::Promised, accept_with(number, 4));
        a.enter_office();
        for _ in 0..20 {
            a.pass(ms(30)).hear_acknowledgement("b", number);
        }
        assert_eq!(a.losses.len(), 1, "nobody who counts has acknowledged");
        assert_eq!(a.losses[0].reason, StepDown::LeaseOver);
    }
}

#[test]
fn r59_the_newest_frame_decides() {
    let mut a = settled();
    a.tells("b", None);
    let late = [0, 1].map(|_| a.frame("b", 0, PeerState::Free, beat()));
    a.tells("b", known_final(7)).hear("b", 4, PeerState::Promised, beat());
    for frame in &late {
        assert_eq!(a.deliver("b", frame), Some(Ignored::Older), "overtaken: it held none then");
    }
    assert_eq!(a.history_of("b"), None);
    a.tells("b", None);
    a.pass(ms(1)).hear_free("b", 4);
    a.pass(ms(1)).hear_free("b", 4);
    assert_eq!(a.history_of("b"), Some(OtherHistory::CountsAsReplaced));
    a.tells("b", tentative(7)).pass(ms(1));
    assert_eq!(a.hear_free("b", 4), None);
    assert_eq!((a.history_of("b"), a.offered().is_some()), (None, true), "it holds it after all");
}

#[test]
fn r59_one_broken_frame_proves_nothing() {
    // Of a peer.
    let mut a = settled();
    a.hear("b", 4, PeerState::Promised, beat());
    a.tells("b", None).pass(ms(1));
    assert_eq!(a.hear_free("b", 4), Some(Ignored::UnprovenGenesis));
    a.tells("b", known_final(7)).pass(ms(1));
    assert_eq!(a.hear_free("b", 4), None);
    a.tells("b", None).pass(ms(1));
    assert_eq!(a.hear_free("b", 4), Some(Ignored::UnprovenGenesis), "the count begins anew");
    // Of this node itself: it neither campaigns nor votes for a while, and goes on.
    let mut a = holding(saved(7, 4, false));
    a.tells("b", tentative(7)).tells("c", known_final(9));
    assert_eq!(a.hear("c", 4, PeerState::Promised, beat()), Some(Ignored::UnprovenGenesis));
    a.hear_free("b", 4);
    assert_eq!(a.offered(), None);
    assert!(matches!(a.blocker(), Some(elect_core::CampaignBlocker::InDoubt(until)) if until == a.now + D));
    a.clear().hear_offer("b", 6);
    assert!(matches!(a.last_to("b").body, Body::Refuse { refusal: Refusal::Replaced, .. }));
    a.pass(D);
    a.hear_free("b", 4);
    a.pass(ms(200));
    assert!(a.offered().is_some(), "{:?}", a.blocker());
    assert_eq!(a.disk.record.storage, Storage::Intact);
}

#[test]
fn r59_a_frame_that_left_before_all_held_it_proves_nothing() {
    // `b` was heard last before it held what has become final since; its frames were held up.
    let (mut a, number, told) = led();
    a.tells("b", None);
    let before = a.frame("b", number, PeerState::Free, beat());
    a.pass(ms(1));
    let later = a.frame("b", number, PeerState::Free, beat());
    a.tells("b", told).hear_acknowledgement("b", number);
    // Another life, so that they are not older than what it said then.
    a.hear_acknowledgement("c", number);
    assert!(a.held().unwrap().is_final);
    let lives = [before, later].map(|mut frame| {
        frame.header.nonce.incarnation = Incarnation { counter: 2, random: 2 };
        frame
    });
    for frame in &lives {
        assert_eq!(a.deliver("b", frame), Some(Ignored::UnprovenGenesis));
        assert_eq!(a.deliver("b", frame), Some(Ignored::UnprovenGenesis));
    }
    assert_eq!(a.history_of("b"), None);
    // What echoes a later frame proves it.
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 2 });
    a.tells("b", None).pass(INTERVAL);
    a.hear_free("b", number);
    a.hear_free("b", number);
    assert_eq!(a.history_of("b"), Some(OtherHistory::CountsAsReplaced));
}

#[test]
fn r59_two_that_elect_while_the_third_is_away_count_as_replaced_from_its_return_on() {
    let mut group = Group::voters(&NAMES);
    group.members_lie = true; // a second leader of epoch 1
    group.start_all().run(ms(1000));
    for name in NAMES {
        group.kill(name);
    }
    init_again(&mut group, "b");
    init_again(&mut group, "c");
    group.start("b").start("c").run(ms(2000));
    assert!(group.leader().is_some(), "nobody is there that knows better");
    group.start("a").run(ms(1000));
    for name in ["b", "c"] {
        assert_eq!(group.node(name).disk.record.storage, Storage::Replaced, "{}", group.story());
    }
    assert_eq!(group.leader(), None, "{}", group.story());
    assert_eq!(group.node("a").disk.record.storage, Storage::Intact);
}

#[test]
fn r59_by_its_own_record_too() {
    for held in [None, saved(8, 4, false)] {
        let mut a = holding(held);
        a.tells("b", known_final(7));
        a.hear("b", 4, PeerState::Promised, beat());
        a.pass(ms(1));
        assert_eq!(a.hear("b", 4, PeerState::Promised, beat()), Some(Ignored::OwnGenesisReplaced));
        assert_eq!(a.gate.as_ref().unwrap().record().unwrap().storage, Storage::Replaced);
        assert_eq!(a.last_to("b").header.state, PeerState::Promised, "it has said nothing else yet");
        a.commit();
        assert_eq!((a.disk.record.storage, a.held()), (Storage::Replaced, None));
        assert!(a.must(|duty| matches!(duty, Duty::Replaced { told_by, genesis: lacked }
            if *told_by == id("b") && *lacked == genesis(7))));
        assert_eq!(a.last_to("b").header.state, PeerState::Replaced);
        // As a replacement it follows, and takes what is final from the leader.
        a.hear_leader("b", 5);
        a.commit();
        assert_eq!((a.held(), a.disk.record.storage), (saved(7, 5, true), Storage::Replaced));
        a.clear().hear_offer("c", 6);
        assert!(!matches!(a.last_to("c").body, Body::Accept { .. }));
    }
}

#[test]
fn r59_whatever_it_was_ends_at_once() {
    // A leader.
    let mut a = Solo::new();
    a.lead();
    a.tells("c", known_final(7));
    a.hear("c", 4, PeerState::Promised, beat());
    a.pass(ms(1)).hear("c", 4, PeerState::Promised, beat());
    assert_eq!(a.losses.len(), 1);
    assert_eq!(a.losses[0].reason, StepDown::Replaced);
    assert!(!a.holds_lease(), "before anything is saved");
    a.commit();
    // A candidate.
    let mut a = Solo::new();
    a.stand();
    a.tells("c", known_final(7));
    a.hear("c", 4, PeerState::Promised, beat());
    a.commit();
    a.hear("b", 1, PeerState::Promised, accept_with(1, 0));
    assert_eq!(a.leader(), None, "one frame ends its round");
    a.pass(ms(1)).hear("c", 4, PeerState::Promised, beat());
    a.commit();
    assert_eq!(a.disk.record.storage, Storage::Replaced);
    // A follower.
    let mut a = Solo::new();
    a.follow("b", 4);
    a.tells("c", known_final(7));
    a.hear("c", 4, PeerState::Promised, beat());
    a.pass(ms(1)).hear("c", 4, PeerState::Promised, beat());
    a.clear().hear_leader("b", 4);
    assert!(a.sent_to("b").all(|frame| frame.header.state != follows("b", 4)), "it acknowledges nothing");
    assert!(a.promised_to().is_some(), "and its promise stays");
}

#[test]
fn r59_a_vote_on_its_way_to_the_disk_is_not_given() {
    let mut a = Solo::new();
    a.hear_offer("b", 5);
    a.tells("c", known_final(7));
    a.hear("c", 4, PeerState::Promised, beat());
    a.clear().commit();
    assert!(a.sent_to("b").all(|frame| !matches!(frame.body, Body::Accept { .. })));
}

#[test]
fn r59_storage_that_is_marked_as_replaced_and_observers_lack_it_lawfully() {
    // Here.
    let record = Record::replacement(&config());
    let mut a = Solo::from_record(config(), record);
    a.tells("b", known_final(7));
    assert_eq!(a.hear("b", 4, PeerState::Promised, beat()), None);
    a.follow("b", 5);
    assert_eq!(a.held(), saved(7, 5, true));
    let observer = builder("o", &["a", "b"]).observers([id("o")]).build().unwrap();
    let record = Record::first_boot(&observer);
    let mut o = Solo::from_record(observer, record);
    o.tells("b", known_final(7)).follow("b", 5);
    assert_eq!((o.held(), o.disk.record.storage), (saved(7, 5, true), Storage::Intact));
    // At a peer.
    let mut a = settled();
    a.tells("b", None);
    for _ in 0..3 {
        a.pass(ms(1));
        assert_eq!(a.hear("b", 4, PeerState::Replaced, beat()), None);
    }
    assert_eq!(a.history_of("b"), None, "it says so itself");
}

#[test]
fn r59_a_vote_comes_back_only_with_the_final_genesis() {
    let config = builder("w", &["a", "b"]).witnesses([id("w")]).build().unwrap();
    let record = Record::replacement(&config);
    let mut w = Solo::from_record(config, record);
    w.holds_geneses = true;
    w.tells("b", known_final(7)).follow("b", 5);
    assert!(w.saves_a_genesis());
    for _ in 0..60 {
        w.pass(ms(20)).hear_leader("b", 5);
    }
    assert_eq!(w.disk.record.storage, Storage::Replaced, "its disk hangs");
    w.commit();
    w.pass(ms(20)).hear_leader("b", 5);
    w.commit();
    assert_eq!((w.disk.record.storage, w.held()), (Storage::Intact, saved(7, 5, true)));
}

#[test]
fn r59_it_is_judged_before_incarnations_hints_and_rejections() {
    // A first boot begins with the first life again; its own record says what becomes of it, not a rejection.
    let mut a = settled();
    a.lives.insert(id("b"), Incarnation { counter: 5, random: 5 });
    a.hear("b", 4, PeerState::Promised, beat());
    a.lives.insert(id("b"), Incarnation { counter: 1, random: 9 });
    a.tells("b", None).clear().pass(INTERVAL);
    assert_eq!(a.hear_free("b", 0), Some(Ignored::UnprovenGenesis));
    assert!(a.sent_to("b").all(|frame| !matches!(frame.body, Body::Reject { .. })));
    let mut wiped = Solo::new();
    wiped.tells("b", known_final(7));
    let own = wiped.disk.record.incarnation;
    let known = Incarnation { counter: 5, random: 5 };
    let reject = Body::Reject { rejected: own, known };
    assert_eq!(wiped.hear("b", 4, PeerState::Promised, reject.clone()), Some(Ignored::UnprovenGenesis));
    wiped.pass(ms(1)).hear("b", 4, PeerState::Promised, reject.clone());
    wiped.commit();
    assert!(!wiped.must(|duty| matches!(duty, Duty::Stopped { .. })), "it counts as replaced instead");
    wiped.pass(ms(1)).hear("b", 4, PeerState::Promised, reject);
    wiped.commit();
    assert_eq!(wiped.disk.record.incarnation.counter, 6, "and begins above the lost counter");
}

// Two groups.

#[test]
fn r59_two_groups_under_one_name_hear_nothing_of_each_other() {
    let mut a = settled();
    a.hear("b", 4, PeerState::Promised, beat());
    a.tells("b", known_final(8)).clear();
    let reject =
        Body::Reject { rejected: a.disk.record.incarnation, known: Incarnation { counter: 99, random: 1 } };
    for body in [beat(), lead(D), offer(9), accept_with(5, 4), reject] {
        a.pass(INTERVAL);
        assert_eq!(a.hear("b", 1 << 30, leading(1 << 30), body), Some(Ignored::TwoGroups));
    }
    assert!(
        a.gate.is_none() && a.leader().is_none() && a.duties.is_empty(),
        "nothing counts, and nobody stops"
    );
    assert!(a.sent_to("b").all(|frame| !matches!(frame.body, Body::Reject { .. })), "no REJECT");
    let said = a.notices.iter().filter(|notice| matches!(notice, Notice::TwoGroups { .. })).count();
    assert_eq!(said, 1, "once");
    assert!(Ignored::TwoGroups.to_string().starts_with("two groups under one name"));
    let explained = a.elector.explain(a.now).to_string();
    assert!(explained.contains("two groups under one name"), "{explained}");
    // No hint: the next offer is that of its own group.
    a.hear_free("c", 4);
    a.pass(ms(200));
    assert_eq!(a.offered(), Some(5));
    // A replaced one of another group is no better.
    a.tells("b", known_final(8));
    assert_eq!(a.hear("b", 1, PeerState::Replaced, beat()), Some(Ignored::TwoGroups));
}

// A first boot with a log.

#[test]
fn r59_a_first_boot_with_a_log_is_refused() {
    let record = Record::first_boot(&config());
    let refused = record.check_log(at(3, 9)).unwrap_err();
    assert!(matches!(refused, StartRefused::LogAhead { .. }));
    let said = refused.to_string();
    assert!(said.contains("no first boot") && said.contains("replace-lost"), "{said}");
    assert_eq!(record.check_log(None), Ok(()));
    assert_eq!(Record::replacement(&config()).check_log(at(3, 9)), Ok(()), "its log may be there");
    let voted = Record { epoch: epoch(3), ..record };
    assert_eq!(voted.check_log(at(3, 9)), Ok(()));
    assert!(voted.check_log(at(4, 1)).is_err());
    // A host that did not ask stops before it says a word.
    let mut a = Solo::starting(config(), record);
    a.set_position(at(3, 9)).tick().commit();
    assert!(a.must(|duty| matches!(duty, Duty::Stopped { reason: Stopped::EntriesAhead { .. } })));
    assert!(a.frames.is_empty());
}

// Whole groups.

fn all_final(group: &Group, names: &[&str]) -> bool {
    names.iter().all(|name| told_genesis(&group.node(name).disk.record).is_some_and(|told| told.is_final))
}

fn one_genesis(group: &Group, names: &[&str]) -> bool {
    let held = |name: &&str| group.node(name).disk.record.genesis.map(|saved| saved.genesis);
    names.iter().all(|name| held(name) == held(&names[0]) && held(name).is_some())
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// `name`'s disk is lost, and an operator gives it a first boot.
fn init_again(group: &mut Group, name: &str) {
    let node = group.node_mut(name);
    node.disk.record = Record::first_boot(&node.config);
    *node.tail.0.borrow_mut() = None;
}

#[test]
fn r59_a_healthy_first_boot_ends_final_everywhere() {
    let mut group = Group::voters(&NAMES);
    group.start_all().run(ms(1000));
    assert!(all_final(&group, &NAMES) && one_genesis(&group, &NAMES), "{}", group.story());
    // Restarts, elections and raises change nothing of it.
    for name in ["a", "b", "a", "c"] {
        group.restart(name).run(ms(1500));
    }
    assert!(all_final(&group, &NAMES) && group.leader().is_some(), "{}", group.story());
    assert!(NAMES.iter().all(|name| group.node(name).disk.record.storage == Storage::Intact));
}

#[test]
fn r59_a_member_that_comes_up_late_is_one_of_them() {
    let mut group = Group::voters(&NAMES);
    group.start("a").start("b").run(ms(1000));
    assert!(one_genesis(&group, &["a", "b"]) && !all_final(&group, &["a"]));
    // Leaders come and go meanwhile.
    group.restart("a").run(ms(1500)).restart("b").run(ms(1500));
    group.start("c").run(ms(1500));
    assert!(all_final(&group, &NAMES) && one_genesis(&group, &NAMES), "{}", group.story());
    assert!(NAMES.iter().all(|name| group.node(name).disk.record.storage == Storage::Intact));
}

#[test]
fn r59_one_lost_disk_that_is_given_a_first_boot_counts_as_replaced() {
    let mut group = Group::voters(&NAMES);
    group.start_all().run(ms(1000));
    for name in NAMES {
        group.kill(name);
    }
    init_again(&mut group, "c");
    group.start_all().run(ms(1000));
    assert_eq!(group.node("c").disk.record.storage, Storage::Replaced, "{}", group.story());
    assert!(group.leader().is_some_and(|leader| leader != id("c")), "{}", group.story());
    assert!(all_final(&group, &NAMES), "it holds what its leader holds");
}

#[test]
fn r59_two_lost_disks_elect_nobody_beside_the_one_that_knows() {
    let mut group = Group::voters(&NAMES);
    group.start_all().run(ms(1000));
    let led = group.leaders.len();
    for name in NAMES {
        group.kill(name);
    }
    init_again(&mut group, "b");
    init_again(&mut group, "c");
    group.start_all().run(ms(3000));
    for name in ["b", "c"] {
        assert_eq!(group.node(name).disk.record.storage, Storage::Replaced, "{}", group.story());
    }
    assert_eq!((group.leader(), group.leaders.len()), (None, led), "{}", group.story());
}

#[test]
fn r59_a_proper_replacement_is_none_the_worse() {
    let mut group = Group::voters(&NAMES);
    group.start_all().run(ms(1000)).kill("c");
    let node = group.node_mut("c");
    node.disk.record = Record::replacement(&node.config);
    group.start("c").run(ms(1000));
    assert!(all_final(&group, &NAMES), "{}", group.story());
    assert_eq!(group.node("c").disk.record.storage, Storage::Replaced);
}
