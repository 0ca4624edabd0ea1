//! From text to a scenario.

use super::settings::culprit;
use super::words::{Parsed, between, duration, letter, link, name, nanos, on_links, on_nodes, rate, whole};
use super::{Echo, Forged, Name, Override, Scenario, State, Step, When};
use elect_core::Detection;

use crate::action::Wiped;
use crate::clock::MILLI;
use crate::disk::{DiskState, Outcome};
use crate::ids::NodeIndex;
use crate::input::Interrupt;
use crate::network::Quality;
use crate::node::Setup;
use crate::options::Options;
use crate::rule::{Rule, Treatment};
use crate::trigger::{Moment, Strike, Trigger};
use strum::VariantArray;

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

impl Scenario {
    /// Reads a scenario.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut scenario = Self { about: String::new(), options: Self::usual_options(), steps: Vec::new() };
        let mut settings = Vec::new();
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
            if scenario.steps.is_empty() {
                settings.push((number, line));
            }
        }
        if scenario.steps.is_empty() {
            let (line, text) = settings.last().copied().unwrap_or((text.lines().count(), ""));
            return Err(ParseError { line, text: text.into(), why: "no step follows".into() });
        }
        scenario.options.check().map_err(|why| {
            let (line, text) = culprit(&settings, &why);
            ParseError { line, text: text.into(), why }
        })?;
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
            let (node, setting) = (letter(name(node)?)?, override_of(setting)?);
            if self.steps.is_empty() {
                setting.apply(self.options.overrides_mut(node));
            } else {
                self.steps.push((number, Step::Override(node, setting)));
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
}

fn steps(words: &[&str]) -> Parsed<Vec<Step>> {
    let one = |step| Ok(vec![step]);
    match *words {
        ["wait", span] => one(Step::Wait(nanos(span)?)),
        ["until", ref state @ .., "within", span] => one(Step::Until(parse_state(state)?, nanos(span)?)),
        ["expect", ref state @ ..] => one(Step::Expect(parse_state(state)?)),
        ["mark"] => one(Step::Mark),
        ["cut", ref links @ .., "store"] => on_links(links, Step::CutData),
        ["heal", ref links @ .., "store"] => on_links(links, Step::HealData),
        ["slower", extra] => one(Step::Slower(nanos(extra)?)),
        ["raise-record", node, by] => one(Step::RaiseRecord(name(node)?, whole(by)?)),
        ["on", ref trigger @ ..] => one(on(trigger)?),
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
        ["init", ref nodes @ ..] => on_nodes(nodes, |node| Step::Init(node, When::Always)),
        ["init-if-final", ref nodes @ ..] => on_nodes(nodes, |node| Step::Init(node, When::Noticed)),
        ["interrupt", node, "after", after, what, span] => {
            one(Step::Interrupt(name(node)?, whole(after)?, interrupt(what, nanos(span)?)?))
        }
        ["close", ref links @ ..] => on_links(links, Step::Close),
        ["rate", node, ppm] => one(Step::Rate(name(node)?, rate(ppm)?)),
        ["calm", span] => one(Step::Calm(nanos(span)?)),
        ["copy-disk", text] => {
            let (from, to) = link(text)?;
            one(Step::CopyDisk(from, to))
        }
        ["back-up", node] => one(Step::BackUp(name(node)?)),
        ["restore", node] => one(Step::Restore(name(node)?, When::Always)),
        ["restore-if-known", node] => one(Step::Restore(name(node)?, When::Noticed)),
        ["twin-if-known", node] => one(Step::TwinIfKnown(name(node)?)),
        ["setup", node, "fails"] => one(Step::Setup(name(node)?, Setup::Fails)),
        ["setup", node, "works"] => one(Step::Setup(name(node)?, Setup::Works)),
        ["claim-rebuilt", node] => one(Step::ClaimRebuilt(name(node)?)),
        ["delays", min, max] => {
            let (min, max) = between(min, max)?;
            one(Step::Delays(min, max))
        }
        ["pause", node, span] => one(Step::Pause(name(node)?, nanos(span)?)),
        ["disk", node, "slow", span] => one(Step::DiskState(name(node)?, DiskState::Slow(nanos(span)?))),
        ["disk", node, state] => one(disk(name(node)?, state)?),
        ["resign", node] => one(Step::Resign(name(node)?)),
        ["handover", node] => one(Step::Handover(name(node)?, None)),
        ["handover", node, "to", target] => one(Step::Handover(name(node)?, Some(name(target)?))),
        ["unfit", node] => one(Step::Unfit(name(node)?)),
        ["fit", node] => one(Step::Fit(name(node)?)),
        ["vouch", node, span] => one(Step::Vouch(name(node)?, nanos(span)?)),
        ["freeze", node, span] => one(Step::Freeze(name(node)?, nanos(span)?)),
        ["thaw", node] => one(Step::Thaw(name(node)?)),
        ["move", node, number] => one(Step::Move(name(node)?, whole(number)?)),
        ["upgrade", node, version] => one(Step::Upgrade(name(node)?, whole(version)?)),
        ["lose", link, kind, count] => rule(link, kind, count, Treatment::Lose),
        ["late", link, kind, count, "by", span] => rule(link, kind, count, Treatment::Late(nanos(span)?)),
        ["again", link, kind, count, "by", span] => rule(link, kind, count, Treatment::Again(nanos(span)?)),
        ["forge", link, what, epoch] => forge(link, what, epoch, Echo::Unsent).and_then(one),
        ["forge", link, what, epoch, "fresh"] => forge(link, what, epoch, Echo::Recent).and_then(one),
        _ => Err("no such setting or step".into()),
    }
}

/// `accepts b after 300us: crash 30ms`.
fn on(words: &[&str]) -> Parsed<Step> {
    let colon =
        words.iter().position(|word| word.ends_with(':')).ok_or("what happens comes after a colon")?;
    let (moment, strike) = words.split_at(colon + 1);
    let last = moment[colon].trim_end_matches(':');
    let (moment, node, after) = match *moment {
        [moment, _] => (moment, last, 0),
        [moment, node, "after", _] => (moment, node, nanos(last)?),
        _ => return Err("on MOMENT node: …, or on MOMENT node after 300us: …".into()),
    };
    let node = name(node)?;
    let words: Vec<_> = Moment::VARIANTS.iter().map(|moment| moment.name()).collect();
    let moment = moment.parse().map_err(|_| format!("a moment is one of {}", words.join(", ")))?;
    let (peer, strike) = match *strike {
        ["crash", down] => (None, Strike::Crash(nanos(down)?)),
        ["pause", time] => (None, Strike::Pause(nanos(time)?)),
        ["disk", "fails-before"] => (None, Strike::NextSave(Outcome::FailsBefore)),
        ["disk", "fails-after"] => (None, Strike::NextSave(Outcome::FailsAfter)),
        // The other end is filled in when the step is played.
        ["cut", text, time] => match link(text)? {
            (from, to) if from == node => (Some(to), Strike::CutTo(NodeIndex::default(), nanos(time)?)),
            (from, to) if to == node => (Some(from), Strike::CutFrom(NodeIndex::default(), nanos(time)?)),
            _ => return Err("the link must begin or end at the node".into()),
        },
        _ => return Err("then it is: crash 30ms, pause 30ms, cut a>b 1s or disk fails-before".into()),
    };
    Ok(Step::On(node, peer, Trigger { node: NodeIndex::default(), moment, after, strike }))
}

fn disk(node: Name, state: &str) -> Parsed<Step> {
    Ok(match state {
        "well" => Step::DiskState(node, DiskState::Well),
        "hung" => Step::DiskState(node, DiskState::Hung),
        outcome => {
            let outcome = outcome.parse();
            Step::NextSave(
                node,
                outcome
                    .map_err(|_| "a disk is well, hung, slow <span>, fails-before, fails-after or lies")?,
            )
        }
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
        ["knows", node, peer, "version", version, "at", number] => {
            State::Knows(name(node)?, name(peer)?, whole(version)?, whole(number)?)
        }
        ["refused", node, ref words @ ..] => State::Refused(name(node)?, said(words)?),
        ["explains", node, ref words @ ..] => State::Explains(name(node)?, said(words)?),
        ["frames", "at-most", count] => State::FramesAtMost(whole(count)?),
        ["inputs", "at-most", count] => State::InputsAtMost(whole(count)?),
        ["elections", count] => State::Elections(whole(count)?),
        ["losses", count] => State::Losses(whole(count)?),
        ["acknowledged", "0"] => return Err("at least 0 is always so: acknowledged at-most 0".into()),
        ["acknowledged", count] => State::Acknowledged(whole(count)?),
        ["acknowledged", "at-most", count] => State::AcknowledgedAtMost(whole(count)?),
        _ => return Err("no such state".into()),
    })
}

/// Words that a node says.
fn said(words: &[&str]) -> Parsed<String> {
    if words.is_empty() { Err("say which words".into()) } else { Ok(words.join(" ")) }
}

fn override_of(words: &[&str]) -> Parsed<Override> {
    Ok(match *words {
        ["drift", ppm] => Override::Drift(whole(ppm)?),
        ["detection", span] => Override::Detection(Detection::Fixed(duration(span)?)),
        ["detection", floor, "to", ceiling, "phi", phi] => {
            let (floor, ceiling) = (duration(floor)?, duration(ceiling)?);
            Override::Detection(Detection::Adaptive { floor, ceiling, phi: whole(phi)? })
        }
        ["heartbeat", span] => Override::Heartbeat(duration(span)?),
        ["preferred", node] => Override::Preferred(letter(name(node)?)?),
        ["members", ref ids @ ..] => Override::Members(ids.iter().map(|&id| id.into()).collect()),
        _ => {
            return Err(
                "of a node: drift 0, detection 300ms, heartbeat 50ms, preferred b or members a b c".into()
            );
        }
    })
}

fn rule(text: &str, kind: &str, count: &str, treatment: Treatment) -> Parsed<Vec<Step>> {
    let (from, to) = link(text)?;
    let kind = kind.parse().map_err(|_| "no such kind of frame or message")?;
    // The nodes are filled in when the step is played.
    let rule =
        Rule { from: NodeIndex::default(), to: NodeIndex::default(), kind, left: whole(count)?, treatment };
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
        "life" => Forged::Life(u32::try_from(epoch).unwrap_or(u32::MAX)),
        _ => return Err("forge an accept, announce, offer, heartbeat or life".into()),
    };
    Ok(Step::Forge(from, to, forged, echo))
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
            ("expect acknowledged 0", "always so"),
            ("expect refused a", "say which words"),
            ("of a colour red", "of a node: drift"),
            ("of LEADER drift 0", "name a node"),
            ("twin d", "a twin has the name of a member"),
            ("twin LEADER", "name a node"),
            ("twin c\nvoters 5", "members come before twins"),
            ("copy-disk c", "a link is written a>b"),
            ("on accepts b crash 5ms", "after a colon"),
            ("on sneezes b: crash 5ms", "a moment is one of stands, accepts"),
            ("on accepts b: sleep 5ms", "then it is: crash"),
            ("on accepts b: cut a>c 5ms", "begin or end at the node"),
            ("on accepts b within 5ms: crash 5ms", "on MOMENT node"),
            ("cut store", "name at least one link"),
            ("crash", "name at least one node"),
            ("cut", "name at least one link"),
            ("wait 99999999999s", "more than 1000000s"),
            ("rate a -1000000", "-999999 to 1000000"),
            ("delays 2s 1s", "`2s` is longer than `1s`"),
            ("delay 5ms to 1ms", "`5ms` is longer than `1ms`"),
            ("loss 1000001", "more than 1000000 per million"),
        ];
        for (text, why) in table {
            let error = Scenario::parse(text).unwrap_err();
            assert!(error.to_string().contains(why), "{error} should say {why}");
        }
    }

    #[test]
    fn settings_that_make_no_group_are_named() {
        let table = [
            ("voters 0", "line 1: `voters 0`: 0 voters of 0 nodes: there must be 1 to 16"),
            ("voters 17", "17 voters of 17 nodes"),
            ("voters 3\ndetection 5ms\nseed 1", "line 2: `detection 5ms`: detection = 5ms"),
            ("heartbeat 0ms\nvoters 3", "line 1: `heartbeat 0ms`: heartbeat_interval = 0ns"),
            ("drift 2000000", "`drift 2000000`: drift_ppm"),
            ("round-trip 0ms", "round_trip"),
            ("save 9999s", "`save 9999s`"),
            ("remains-cut a>z", "there is no node z"),
            ("remains-down d", "there is no node d"),
            ("preferred d", "there is no node d"),
            ("of d drift 0", "there is no node d"),
        ];
        for (text, why) in table {
            let error = Scenario::parse(&format!("{text}\nwait 1s")).unwrap_err();
            assert!(error.to_string().contains(why), "{error} should say {why}");
        }
        for text in ["", "# all of it\n", "voters 3\n"] {
            assert!(Scenario::parse(text).unwrap_err().to_string().contains("no step follows"), "{text}");
        }
    }

    #[test]
    fn comments_before_the_first_step_say_what_it_is_about() {
        let scenario = Scenario::parse("# one\n# two\nvoters 5\ncut a-b c>d\n# later\n").unwrap();
        assert_eq!((scenario.about.as_str(), scenario.steps.len()), ("one two", 3));
    }
}
