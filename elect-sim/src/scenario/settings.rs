//! Settings: what a scenario's group is made of.

use std::time::Duration;

use elect_core::{Detection, MemberKind};

use super::Scenario;
use super::words::{Parsed, between, duration, letter, link, name, nanos, ppm, whole};
use crate::ids::{Link, NODES_MAX, NodeIndex};
use crate::network::Quality;
use crate::options::Options;
use crate::remaining::Topology;

impl Scenario {
    pub(super) fn setting(&mut self, words: &[&str]) -> Parsed<bool> {
        let options = &mut self.options;
        match words {
            ["voters" | "witnesses" | "observers", _] if !options.twins.is_empty() => {
                return Err("members come before twins".into());
            }
            ["voters", count] => options.kinds = vec![MemberKind::Voter; whole(count)?],
            ["witnesses", count] => options.kinds.extend(vec![MemberKind::Witness; whole(count)?]),
            ["observers", count] => options.kinds.extend(vec![MemberKind::Observer; whole(count)?]),
            ["twin", node] => {
                let member = letter(name(node)?)?;
                if member.place() >= options.kinds.len() {
                    return Err("a twin has the name of a member".into());
                }
                options.twins.push(member);
            }
            ["seed", seed] => options.seed = whole(seed)?,
            ["crash-evidence"] => options.crash_evidence = true,
            ["supervised"] => options.supervised = true,
            ["detection", span] => options.detection = Detection::Fixed(duration(span)?),
            ["heartbeat", span] => options.heartbeat = duration(span)?,
            ["drift", ppm] => options.drift_ppm = whole(ppm)?,
            ["writes", span] => options.client_every = nanos(span)?,
            ["preferred", node] => {
                options.preferred = Some(letter(name(node)?)?);
            }
            ["cooldown", span] => options.cooldown = duration(span)?,
            ["office-timeout", span] => options.office_timeout = duration(span)?,
            ["reports", span] => options.reports = nanos(span)?,
            ["delay", span] => {
                let delay = nanos(span)?;
                options.calm = Quality::calm(delay, delay);
                options.stormy = options.calm;
                options.round_trip = options.round_trip.max(Duration::from_nanos(delay * 2));
            }
            ["round-trip", span] => options.round_trip = duration(span)?,
            ["save", span] => options.save = duration(span)? * 2,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What a swarm draws: with these and the actions that it drew, its run is a scenario.
    pub(super) fn setting_of_a_storm(&mut self, words: &[&str]) -> Parsed<bool> {
        let options = &mut self.options;
        match *words {
            ["detection", floor, "to", ceiling, "phi", phi] => {
                let (floor, ceiling) = (duration(floor)?, duration(ceiling)?);
                options.detection = Detection::Adaptive { floor, ceiling, phi: whole(phi)? };
            }
            ["delay", least, "to", most] => {
                let (least, most) = between(least, most)?;
                options.calm = Quality::calm(least, most);
                options.stormy = options.calm;
            }
            ["calm-delay", least, "to", most] => {
                let (least, most) = between(least, most)?;
                options.calm = Quality::calm(least, most);
            }
            ["loss", share] => options.stormy.loss_ppm = ppm(share)?,
            ["duplicates", share] => options.stormy.duplicate_ppm = ppm(share)?,
            ["tail", share, most] => {
                (options.stormy.tail_ppm, options.stormy.tail_max) = (ppm(share)?, nanos(most)?);
            }
            ["stale", share, most] => {
                (options.stormy.stale_ppm, options.stormy.stale_max) = (ppm(share)?, nanos(most)?);
            }
            ["store-loss", share] => options.store_loss_ppm = ppm(share)?,
            ["reading", span] => options.reading = nanos(span)?,
            ["boot-spread", span] => options.boot_spread = nanos(span)?,
            ["wild-clocks"] => options.wild_clocks = true,
            ["remains-cut", ref links @ ..] => {
                for text in links {
                    let (from, to) = link(text)?;
                    options.remaining.cuts.push(Link::new(letter(from)?, letter(to)?));
                }
            }
            ["remains-down", ref nodes @ ..] => {
                for node in nodes {
                    options.remaining.retired.push(letter(name(node)?)?);
                }
            }
            ["drill", word] => {
                options.drills.push(word.parse().map_err(|_| "no such drill")?);
            }
            ["sabotage", word] => {
                options.sabotage = Some(word.parse().map_err(|_| "no such sabotage")?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Options {
    /// Whether a world can be made of them, and what is wrong if not.
    pub(super) fn check(&self) -> Parsed<()> {
        let count = self.kinds.len() + self.twins.len();
        if !self.kinds.contains(&MemberKind::Voter) || count > NODES_MAX {
            let (voters, all) = (self.kinds.iter().filter(|&&kind| kind == MemberKind::Voter).count(), count);
            return Err(format!("{voters} voters of {all} nodes: there must be 1 to {NODES_MAX}"));
        }
        let Topology { cuts, retired } = &self.remaining;
        let named = cuts.iter().flat_map(|link| [link.from, link.to]).chain(retired.iter().copied());
        let overridden = self.overrides.len().checked_sub(1).map(NodeIndex::at);
        if let Some(node) = named.chain(overridden).chain(self.preferred).find(|node| node.place() >= count) {
            return Err(format!("there is no node {node}"));
        }
        NodeIndex::all(count).try_for_each(|node| self.config(node, 0).map(drop))
    }
}

/// The setting that an error is about, by its name, or else the last one.
pub(super) fn culprit<'a>(settings: &[(usize, &'a str)], why: &str) -> (usize, &'a str) {
    let names = |&&(_, text): &&(usize, &str)| {
        let first = text.split_whitespace().next().unwrap_or_default();
        why.split_whitespace().next().is_some_and(|field| field.contains(&first.replace('-', "_")))
    };
    settings.iter().rev().find(names).or(settings.last()).copied().unwrap_or_default()
}
