//! From text to a scenario.

use std::time::Duration;

use elect_core::{Detection, MemberKind};

use super::{Echo, Forged, Name, OwnSetting, Scenario, State, Step};
use crate::clock::{MICRO, MILLI, SECOND};
use crate::deed::Wiped;
use crate::disk::{Mood, Outcome};
use crate::liveness::Drill;
use crate::network::Quality;
use crate::options::{Options, Sabotage};
use crate::process::{Interrupt, Setup};
use crate::rule::{Kind, Rule, Treatment};

/// A line that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{text}`: {why}")]
pub struct ParseError {
    /// Number of the line.
    pub line: usize,
    /// The line.
    pub text: String,
    /// What is wrong.
    pub why: String,
}

type Parsed<T> = Result<T, String>;

impl Scenario {
    /// Reads a scenario.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut scenario = Self { about: String::new(), options: Self::usual_options(), steps: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let line = line.trim();
            if let Some(comment) = line.strip_prefix('#') {
                if scenario.steps.is_empty() {
                    scenario.about += comment.trim();
                    scenario.about.push(' ');
                }
                continue;
            }
            if line.is_empty() {
                continue;
            }
            let parsed = scenario.line(number, line);
            parsed.map_err(|why| ParseError { line: number, text: line.into(), why })?;
        }
        scenario.about.truncate(scenario.about.trim_end().len());
        Ok(scenario)
    }

    /// What a scenario is made of before its settings.
    pub(crate) fn usual_options() -> Options {
        Options {
            boot_spread: 0,
            calm: Quality::calm(MILLI, MILLI),
            stormy: Quality::calm(MILLI, MILLI),
            client_every: 50 * MILLI,
            // No faults of its own, and "calm" only where it says so: a scenario heals what it broke.
            liveness: 0,
            ..Options::quiet(1, 3)
        }
    }

    fn line(&mut self, number: usize, line: &str) -> Parsed<()> {
        let words: Vec<_> = line.split_whitespace().collect();
        if let ["of", node, ref setting @ ..] = words[..] {
            let (node, setting) = (letter(name(node)?)?, own(setting)?);
            if self.steps.is_empty() {
                setting.apply(self.options.own_mut(node));
            } else {
                self.steps.push((number, Step::Own(node, setting)));
            }
            return Ok(());
        }
        if self.setting(&words)? || self.setting_of_a_storm(&words)? {
            return if self.steps.is_empty() { Ok(()) } else { Err("settings come before steps".into()) };
        }
        for step in steps(&words)? {
            self.steps.push((number, step));
        }
        Ok(())
    }

    fn setting(&mut self, words: &[&str]) -> Parsed<bool> {
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
                if member >= options.kinds.len() {
                    return Err("a twin has the name of a member".into());
                }
                options.twins.push(member);
            }
            ["seed", seed] => options.seed = whole(seed)?,
            ["crash-evidence"] => options.crash_evidence = true,
            ["detection", span] => options.detection = Detection::Fixed(duration(span)?),
            ["heartbeat", span] => options.heartbeat = duration(span)?,
            ["drift", ppm] => options.drift_ppm = whole(ppm)?,
            ["writes", span] => options.client_every = nanos(span)?,
            ["preferred", node] => {
                options.preferred = Some(letter(name(node)?)?);
            }
            ["cooldown", span] => options.cooldown = duration(span)?,
            ["office-timeout", span] => options.office_timeout = duration(span)?,
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

    /// What a swarm draws: with these and the deeds that it drew, its run is a scenario.
    fn setting_of_a_storm(&mut self, words: &[&str]) -> Parsed<bool> {
        let options = &mut self.options;
        match *words {
            ["detection", floor, "to", ceiling, "phi", phi] => {
                let (floor, ceiling) = (duration(floor)?, duration(ceiling)?);
                options.detection = Detection::Adaptive { floor, ceiling, phi: whole(phi)? };
            }
            ["delay", least, "to", most] => {
                options.calm = Quality::calm(nanos(least)?, nanos(most)?);
                options.stormy = options.calm;
            }
            ["calm-delay", least, "to", most] => {
                options.calm = Quality::calm(nanos(least)?, nanos(most)?);
            }
            ["loss", ppm] => options.stormy.loss_ppm = whole(ppm)?,
            ["duplicates", ppm] => options.stormy.duplicate_ppm = whole(ppm)?,
            ["tail", ppm, most] => {
                (options.stormy.tail_ppm, options.stormy.tail_max) = (whole(ppm)?, nanos(most)?);
            }
            ["stale", ppm, most] => {
                (options.stormy.stale_ppm, options.stormy.stale_max) = (whole(ppm)?, nanos(most)?);
            }
            ["store-loss", ppm] => options.store_loss_ppm = whole(ppm)?,
            ["reading", span] => options.reading = nanos(span)?,
            ["boot-spread", span] => options.boot_spread = nanos(span)?,
            ["wild-clocks"] => options.wild_clocks = true,
            ["remains-cut", ref links @ ..] => {
                for text in links {
                    let (from, to) = link(text)?;
                    options.remaining.cuts.push((letter(from)?, letter(to)?));
                }
            }
            ["remains-down", ref nodes @ ..] => {
                for node in nodes {
                    options.remaining.retired.push(letter(name(node)?)?);
                }
            }
            ["drill", word] => {
                options.drills.push(Drill::parse(word).ok_or("no such drill")?);
            }
            ["sabotage", word] => {
                options.sabotage = Some(Sabotage::parse(word).ok_or("no such sabotage")?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn steps(words: &[&str]) -> Parsed<Vec<Step>> {
    let one = |step| Ok(vec![step]);
    match *words {
        ["wait", span] => one(Step::Wait(nanos(span)?)),
        ["until", ref state @ .., "within", span] => one(Step::Until(parse_state(state)?, nanos(span)?)),
        ["expect", ref state @ ..] => one(Step::Expect(parse_state(state)?)),
        ["mark"] => one(Step::Mark),
        ["cut", ref links @ ..] => on_links(links, Step::Cut),
        ["heal"] => one(Step::HealAll),
        ["heal", ref links @ ..] => on_links(links, Step::Heal),
        ["isolate", node] => one(Step::Isolate(name(node)?)),
        ["clog", ref links @ ..] => on_links(links, Step::Clog),
        ["unclog", ref links @ ..] => on_links(links, Step::Unclog),
        ["crash", ref nodes @ ..] => on_nodes(nodes, Step::Crash),
        ["power-off", ref nodes @ ..] => on_nodes(nodes, Step::PowerOff),
        ["start", ref nodes @ ..] => on_nodes(nodes, Step::Start),
        ["wipe", ref nodes @ ..] => on_nodes(nodes, |node| Step::Wipe(node, Wiped::RecordAndLog)),
        ["wipe-record", ref nodes @ ..] => on_nodes(nodes, |node| Step::Wipe(node, Wiped::Record)),
        ["interrupt", node, "after", after, what, span] => {
            one(Step::Interrupt(name(node)?, whole(after)?, interrupt(what, nanos(span)?)?))
        }
        ["close", ref links @ ..] => on_links(links, Step::Close),
        ["rate", node, ppm] => one(Step::Rate(name(node)?, whole(ppm)?)),
        ["calm", span] => one(Step::Calm(nanos(span)?)),
        ["copy-disk", text] => {
            let (from, to) = link(text)?;
            one(Step::CopyDisk(from, to))
        }
        ["back-up", node] => one(Step::BackUp(name(node)?)),
        ["restore", node] => one(Step::Restore(name(node)?)),
        ["setup", node, "fails"] => one(Step::Setup(name(node)?, Setup::Fails)),
        ["setup", node, "works"] => one(Step::Setup(name(node)?, Setup::Works)),
        ["claim-rebuilt", node] => one(Step::ClaimRebuilt(name(node)?)),
        ["delays", min, max] => one(Step::Delays(nanos(min)?, nanos(max)?)),
        ["pause", node, span] => one(Step::Pause(name(node)?, nanos(span)?)),
        ["disk", node, "slow", span] => one(Step::Mood(name(node)?, Mood::Slow(nanos(span)?))),
        ["disk", node, mood] => one(disk(name(node)?, mood)?),
        ["resign", node] => one(Step::Resign(name(node)?)),
        ["handover", node] => one(Step::Handover(name(node)?, None)),
        ["handover", node, "to", target] => one(Step::Handover(name(node)?, Some(name(target)?))),
        ["unfit", node] => one(Step::Unfit(name(node)?)),
        ["fit", node] => one(Step::Fit(name(node)?)),
        ["freeze", node, span] => one(Step::Freeze(name(node)?, nanos(span)?)),
        ["thaw", node] => one(Step::Thaw(name(node)?)),
        ["lose", link, kind, count] => rule(link, kind, count, Treatment::Lose),
        ["late", link, kind, count, "by", span] => rule(link, kind, count, Treatment::Late(nanos(span)?)),
        ["again", link, kind, count, "by", span] => rule(link, kind, count, Treatment::Again(nanos(span)?)),
        ["forge", link, what, epoch] => forge(link, what, epoch, Echo::Unsent).and_then(one),
        ["forge", link, what, epoch, "fresh"] => forge(link, what, epoch, Echo::Recent).and_then(one),
        _ => Err("no such setting or step".into()),
    }
}

fn disk(node: Name, mood: &str) -> Parsed<Step> {
    Ok(match mood {
        "well" => Step::Mood(node, Mood::Well),
        "hung" => Step::Mood(node, Mood::Hung),
        "fails-before" => Step::NextSave(node, Outcome::FailsBefore),
        "fails-after" => Step::NextSave(node, Outcome::FailsAfter),
        "lies" => Step::NextSave(node, Outcome::Lies),
        _ => return Err("a disk is well, hung, slow <span>, fails-before, fails-after or lies".into()),
    })
}

fn interrupt(what: &str, span: u64) -> Parsed<Interrupt> {
    Ok(match what {
        "pause" => Interrupt::Pause(span),
        "pause-after-clock" => Interrupt::PauseAfterClock(span),
        "crash" => Interrupt::Crash(span),
        _ => return Err("an interrupt is a pause, a pause-after-clock or a crash".into()),
    })
}

fn parse_state(words: &[&str]) -> Parsed<State> {
    Ok(match *words {
        ["leader"] => State::Leads(None),
        ["leader", node] => State::Leads(Some(name(node)?)),
        ["leader", "not", node] => State::LeadsNot(name(node)?),
        ["office", node] => State::InOffice(name(node)?),
        ["nobody"] => State::Nobody,
        ["stopped", node] => State::Stopped(name(node)?),
        ["replaced", node] => State::Replaced(name(node)?),
        ["intact", node] => State::Intact(name(node)?),
        ["epoch", node, "at-most", epoch] => State::EpochAtMost(name(node)?, whole(epoch)?),
        ["epoch", node, "at-least", epoch] => State::EpochAtLeast(name(node)?, whole(epoch)?),
        ["fence", node, "at-most", epoch] => State::FenceAtMost(name(node)?, whole(epoch)?),
        ["fence", node, "at-least", epoch] => State::FenceAtLeast(name(node)?, whole(epoch)?),
        ["detection", node, "at-most", span] => State::DetectionAtMost(name(node)?, nanos(span)?),
        ["detection", node, "at-least", span] => State::DetectionAtLeast(name(node)?, nanos(span)?),
        ["no", "office"] => State::NoOffice,
        ["refused", node, ref words @ ..] => State::Refused(name(node)?, said(words)?),
        ["explains", node, ref words @ ..] => State::Explains(name(node)?, said(words)?),
        ["frames", "at-most", count] => State::FramesAtMost(whole(count)?),
        ["inputs", "at-most", count] => State::InputsAtMost(whole(count)?),
        ["elections", count] => State::Elections(whole(count)?),
        ["losses", count] => State::Losses(whole(count)?),
        ["acknowledged", count] => State::Acknowledged(whole(count)?),
        _ => return Err("no such state".into()),
    })
}

/// Words that a node says.
fn said(words: &[&str]) -> Parsed<String> {
    if words.is_empty() { Err("say which words".into()) } else { Ok(words.join(" ")) }
}

fn own(words: &[&str]) -> Parsed<OwnSetting> {
    Ok(match *words {
        ["drift", ppm] => OwnSetting::Drift(whole(ppm)?),
        ["members", ref ids @ ..] => OwnSetting::Members(ids.iter().map(|&id| id.into()).collect()),
        _ => return Err("of a node: drift 0 or members a b c".into()),
    })
}

fn rule(text: &str, kind: &str, count: &str, treatment: Treatment) -> Parsed<Vec<Step>> {
    let (from, to) = link(text)?;
    let kind = Kind::parse(kind).ok_or("no such kind of frame or message")?;
    // The nodes are filled in when the step is played.
    let rule = Rule { from: 0, to: 0, kind, left: whole(count)?, treatment };
    Ok(vec![Step::Rule(from, to, rule)])
}

fn forge(text: &str, what: &str, epoch: &str, echo: Echo) -> Parsed<Step> {
    let (Name::Node(from), to) = link(text)? else { return Err("a forged sender has a name".into()) };
    let epoch = if epoch == "max" { u64::MAX } else { whole(epoch)? };
    let forged = match what {
        "accept" => Forged::Accept(epoch),
        "announce" => Forged::Announce(epoch),
        "offer" => Forged::Offer(epoch),
        "heartbeat" => Forged::Heartbeat(epoch),
        _ => return Err("forge an accept, announce, offer or heartbeat".into()),
    };
    Ok(Step::Forge(from, to, forged, echo))
}

fn on_nodes(nodes: &[&str], step: impl Fn(Name) -> Step) -> Parsed<Vec<Step>> {
    nodes.iter().map(|node| name(node).map(&step)).collect()
}

/// `a>b` is one direction, `a-b` both.
fn on_links(links: &[&str], step: impl Fn(Name, Name) -> Step) -> Parsed<Vec<Step>> {
    let mut steps = Vec::new();
    for text in links {
        if let Some((one, other)) = text.split_once('-') {
            let (one, other) = (name(one)?, name(other)?);
            steps.extend([step(one, other), step(other, one)]);
        } else {
            let (from, to) = link(text)?;
            steps.push(step(from, to));
        }
    }
    Ok(steps)
}

fn link(text: &str) -> Parsed<(Name, Name)> {
    let (from, to) = text.split_once('>').ok_or("a link is written a>b")?;
    Ok((name(from)?, name(to)?))
}

fn name(text: &str) -> Parsed<Name> {
    match text.as_bytes() {
        [letter @ b'a'..=b'z'] => Ok(Name::Node(letter - b'a')),
        b"LEADER" => Ok(Name::Leader),
        _ => Err(format!("`{text}` is neither a letter nor LEADER")),
    }
}

/// A node in a setting, where nobody leads yet.
fn letter(name: Name) -> Parsed<usize> {
    match name {
        Name::Node(node) => Ok(usize::from(node)),
        Name::Leader => Err("name a node".into()),
    }
}

fn whole<T: std::str::FromStr>(text: &str) -> Parsed<T> {
    text.parse().map_err(|_| format!("`{text}` is not a number that fits"))
}

fn nanos(text: &str) -> Parsed<u64> {
    let (unit, length) = match text {
        _ if text.ends_with("ns") => (1, 2),
        _ if text.ends_with("us") => (MICRO, 2),
        _ if text.ends_with("ms") => (MILLI, 2),
        _ if text.ends_with('s') => (SECOND, 1),
        _ => return Err(format!("`{text}` is not a time like 5us, 20ms or 3s")),
    };
    Ok(whole::<u64>(&text[..text.len() - length])? * unit)
}

fn duration(text: &str) -> Parsed<Duration> {
    nanos(text).map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_understood_is_named() {
        let table = [
            ("dance a", "no such setting or step"),
            ("wait 5", "not a time"),
            ("cut ab", "a link is written a>b"),
            ("crash 7", "neither a letter nor LEADER"),
            ("wait 1s\nvoters 5", "settings come before steps"),
            ("lose a>b song 1", "no such kind of frame or message"),
            ("disk a sad", "a disk is well"),
            ("expect joy", "no such state"),
            ("expect fence a 5", "no such state"),
            ("expect refused a", "say which words"),
            ("of a colour red", "of a node: drift"),
            ("of LEADER drift 0", "name a node"),
            ("twin d", "a twin has the name of a member"),
            ("twin LEADER", "name a node"),
            ("twin c\nvoters 5", "members come before twins"),
            ("copy-disk c", "a link is written a>b"),
        ];
        for (text, why) in table {
            let error = Scenario::parse(text).unwrap_err();
            assert!(error.to_string().contains(why), "{error} should say {why}");
        }
    }

    #[test]
    fn comments_before_the_first_step_say_what_it_is_about() {
        let scenario = Scenario::parse("# one\n# two\nvoters 5\ncut a-b c>d\n# later\n").unwrap();
        assert_eq!((scenario.about.as_str(), scenario.steps.len()), ("one two", 3));
    }
}
