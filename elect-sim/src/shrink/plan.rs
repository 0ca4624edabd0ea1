//! A run as a list: what it is made of, what is done to it and when. Its text is a scenario.

use std::fmt::Write as _;

use elect_core::MemberKind;

use crate::action::Action;
use crate::clock::Real;
use crate::clock::{duration, setting, span};
use crate::ids::{Link, NodeIndex};
use crate::input::{Interrupt, Request};
use crate::options::Options;
use crate::rule::Rule;
use crate::scenario::Scenario;

/// What is played.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) options: Options,
    /// In the order of their times.
    pub(super) actions: Vec<(Real, Action)>,
    /// How long it is stormy.
    pub(super) end: Real,
    /// How long it is calm afterwards, if it is.
    pub(super) calm: Option<Real>,
}

impl Plan {
    /// The scenario, without the comment that says what it is about.
    pub(super) fn text(&self) -> String {
        let mut lines = self.settings();
        let mut now = 0;
        let mut begin = lines.len();
        for &(at, action) in &self.actions {
            if at > now {
                lines.push(format!("wait {}", span(at - now)));
                now = at;
                begin = lines.len();
            }
            push(&mut lines, begin, &action.to_string());
        }
        if self.end > now {
            lines.push(format!("wait {}", span(self.end - now)));
        }
        if let Some(calm) = self.calm {
            lines.push(format!("calm {}", span(calm)));
        }
        lines.join("\n") + "\n"
    }

    /// Where it differs from what a scenario usually is.
    fn settings(&self) -> Vec<String> {
        let usual = Scenario::usual_options();
        // Every option is named here: a new one must find its line, or its reason for having none.
        let Options {
            seed,
            kinds,
            heartbeat,
            detection,
            drift_ppm,
            granularity: _,
            reading,
            round_trip: _,
            save,
            crash_evidence,
            supervised,
            stormy: _,
            store_loss_ppm,
            calm: _,
            faults: _,
            fault_every: _,
            client_every,
            remaining: _,
            safety: _,
            liveness: _,
            wild_clocks,
            boot_spread,
            preferred,
            cooldown,
            office_timeout,
            reports,
            sabotage,
            overrides,
            twins,
            drills,
        } = &self.options;
        let mut lines = members(kinds);
        lines.extend(twins.iter().map(|member| format!("twin {member}")));
        let mut set = |differs: bool, line: String| {
            if differs {
                lines.push(line);
            }
        };
        set(*seed != usual.seed, format!("seed {seed}"));
        set(*heartbeat != usual.heartbeat, format!("heartbeat {}", duration(*heartbeat)));
        set(*detection != usual.detection, setting(*detection));
        set(*drift_ppm != usual.drift_ppm, format!("drift {drift_ppm}"));
        set(*reading != usual.reading, format!("reading {}", span(*reading)));
        set(*save != usual.save, format!("save {}", duration(*save / 2)));
        set(*crash_evidence, "crash-evidence".into());
        set(*supervised, "supervised".into());
        set(*client_every != usual.client_every, format!("writes {}", span(*client_every)));
        set(*boot_spread != usual.boot_spread, format!("boot-spread {}", span(*boot_spread)));
        let preferred = preferred.map(|node| node.to_string());
        set(preferred.is_some(), format!("preferred {}", preferred.unwrap_or_default()));
        set(*cooldown != usual.cooldown, format!("cooldown {}", duration(*cooldown)));
        set(*office_timeout != usual.office_timeout, format!("office-timeout {}", duration(*office_timeout)));
        set(*reports != usual.reports, format!("reports {}", span(*reports)));
        set(*wild_clocks, "wild-clocks".into());
        set(*store_loss_ppm != 0, format!("store-loss {store_loss_ppm}"));
        for (node, of_node) in overrides.iter().enumerate() {
            let name = NodeIndex::at(node);
            if let Some(detection) = of_node.detection {
                set(true, format!("of {name} {}", setting(detection)));
            }
            if let Some(preferred) = of_node.preferred {
                set(true, format!("of {name} preferred {preferred}"));
            }
            if let Some(interval) = of_node.heartbeat {
                set(true, format!("of {name} heartbeat {}", duration(interval)));
            }
        }
        for drill in drills {
            set(true, format!("drill {}", drill.name()));
        }
        if let Some(sabotage) = sabotage {
            set(true, format!("sabotage {}", sabotage.name()));
        }
        lines.extend(self.network());
        lines
    }

    fn network(&self) -> Vec<String> {
        let (usual, stormy, calm) = (Scenario::usual_options().calm, self.options.stormy, self.options.calm);
        let delays = |of: crate::network::Quality| (of.delay_min, of.delay_max);
        let mut lines = Vec::new();
        if delays(stormy) != delays(usual) {
            lines.push(format!("delay {} to {}", span(stormy.delay_min), span(stormy.delay_max)));
        }
        if stormy.loss_ppm != 0 {
            lines.push(format!("loss {}", stormy.loss_ppm));
        }
        if stormy.duplicate_ppm != 0 {
            lines.push(format!("duplicates {}", stormy.duplicate_ppm));
        }
        if stormy.tail_ppm != 0 {
            lines.push(format!("tail {} {}", stormy.tail_ppm, span(stormy.tail_max)));
        }
        if stormy.stale_ppm != 0 {
            lines.push(format!("stale {} {}", stormy.stale_ppm, span(stormy.stale_max)));
        }
        if self.calm.is_none() {
            return lines;
        }
        if delays(calm) != delays(stormy) {
            lines.push(format!("calm-delay {} to {}", span(calm.delay_min), span(calm.delay_max)));
        }
        let remaining = &self.options.remaining;
        let cuts: Vec<_> = remaining.cuts.iter().map(|link| format!("{}>{}", link.from, link.to)).collect();
        let retired: Vec<_> = remaining.retired.iter().map(ToString::to_string).collect();
        for (word, list) in [("remains-cut", cuts), ("remains-down", retired)] {
            if !list.is_empty() {
                lines.push(format!("{word} {}", list.join(" ")));
            }
        }
        lines
    }

    /// The same without twins, and without what was done to them.
    pub(super) fn without_twins(&self) -> Self {
        let mut plan = self.clone();
        plan.options.twins.clear();
        let members = plan.options.kinds.len();
        plan.rename(|node| (node.place() < members).then_some(node));
        plan
    }

    /// The same without one node, and without what was done to it.
    pub(super) fn without_node(&self, gone: NodeIndex) -> Self {
        let has_twin = self.options.twins.contains(&gone);
        let mut plan = if has_twin { self.without_twins() } else { self.clone() };
        let keep =
            |node: NodeIndex| (node != gone).then_some(NodeIndex::new(node.number() - u8::from(node > gone)));
        plan.options.kinds.remove(gone.place());
        if gone.place() < plan.options.overrides.len() {
            plan.options.overrides.remove(gone.place());
        }
        plan.options.preferred = plan.options.preferred.and_then(keep);
        let remaining = &mut plan.options.remaining;
        remaining.cuts = remaining
            .cuts
            .iter()
            .filter_map(|link| Some(Link::new(keep(link.from)?, keep(link.to)?)))
            .collect();
        remaining.retired = remaining.retired.iter().filter_map(|&node| keep(node)).collect();
        plan.options.twins = plan.options.twins.iter().filter_map(|&member| keep(member)).collect();
        plan.rename(keep);
        plan
    }

    /// Actions name nodes by other numbers, or are left out.
    fn rename(&mut self, keep: impl Fn(NodeIndex) -> Option<NodeIndex>) {
        let actions = self.actions.iter();
        self.actions = actions.filter_map(|&(at, action)| Some((at, renamed(action, &keep)?))).collect();
    }

    /// Everything from the action at `index` on (the end counts as one) happens at another time.
    pub(super) fn moved(&self, index: usize, at: Real) -> Self {
        let mut plan = self.clone();
        let old = self.time_of(index);
        let shift = |time: Real| if at < old { time - (old - at) } else { time + (at - old) };
        for (time, _) in &mut plan.actions[index..] {
            *time = shift(*time);
        }
        plan.end = shift(plan.end);
        plan
    }

    pub(super) fn time_of(&self, index: usize) -> Real {
        self.actions.get(index).map_or(self.end, |&(at, _)| at)
    }

    /// The spans that campaign inside an action, to be changed.
    pub(super) fn span_in(&mut self, index: usize) -> Option<&mut u64> {
        match &mut self.actions[index].1 {
            Action::Pause(_, span)
            | Action::Disk(_, crate::disk::DiskState::Slow(span))
            | Action::Interrupt(
                _,
                _,
                Interrupt::Pause(span) | Interrupt::PauseAfterClock(span) | Interrupt::Crash(span),
            )
            | Action::Slower(span) => Some(span),
            Action::On(trigger) => trigger.span_mut(),
            _ => None,
        }
    }
}

fn members(kinds: &[MemberKind]) -> Vec<String> {
    let mut lines = Vec::new();
    for run in kinds.chunk_by(|one, next| one == next) {
        let word = match run[0] {
            MemberKind::Voter => "voters",
            MemberKind::Witness => "witnesses",
            MemberKind::Observer => "observers",
        };
        lines.push(format!("{word} {}", run.len()));
    }
    if lines == ["voters 3"] { Vec::new() } else { lines }
}

/// Adds a step, to the last line if that does the same to something else. Lines before `begin` are of another time.
fn push(lines: &mut Vec<String>, begin: usize, step: &str) {
    const LISTS: [&str; 11] = [
        "cut",
        "heal",
        "clog",
        "unclog",
        "close",
        "crash",
        "power-off",
        "start",
        "wipe",
        "wipe-record",
        "init-if-final",
    ];
    let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
    let is_open = lines.len() > begin && LISTS.contains(&verb) && !step.ends_with(" store");
    let last = lines
        .last_mut()
        .filter(|last| is_open && last.split(' ').next() == Some(verb) && !last.ends_with(" store"));
    let Some(last) = last else {
        lines.push(step.to_owned());
        return;
    };
    // Both directions are one word; in which order links are cut or healed at one moment is all the same.
    if let (Some((from, to)), true) = (rest.split_once('>'), verb == "cut" || verb == "heal") {
        let back = format!("{to}>{from}");
        if last.split(' ').any(|word| word == back) {
            let words: Vec<_> = last
                .split(' ')
                .map(|word| if word == back { format!("{to}-{from}") } else { word.to_owned() })
                .collect();
            *last = words.join(" ");
            return;
        }
    }
    // Writing to a string does not fail.
    let _ = write!(last, " {rest}");
}

/// The same action in a group with other numbers; `None` if it was done to somebody who is gone.
fn renamed(action: Action, keep: impl Fn(NodeIndex) -> Option<NodeIndex>) -> Option<Action> {
    Some(match action {
        Action::Cut(from, to) => Action::Cut(keep(from)?, keep(to)?),
        Action::Heal(from, to) => Action::Heal(keep(from)?, keep(to)?),
        Action::Clog(from, to) => Action::Clog(keep(from)?, keep(to)?),
        Action::Unclog(from, to) => Action::Unclog(keep(from)?, keep(to)?),
        Action::Close(node, peer) => Action::Close(keep(node)?, keep(peer)?),
        Action::Crash(node) => Action::Crash(keep(node)?),
        Action::PowerOff(node) => Action::PowerOff(keep(node)?),
        Action::Start(node) => Action::Start(keep(node)?),
        Action::Wipe(node, wiped) => Action::Wipe(keep(node)?, wiped),
        Action::InitIfFinal(node) => Action::InitIfFinal(keep(node)?),
        Action::BackUp(node) => Action::BackUp(keep(node)?),
        Action::RestoreIfKnown(node) => Action::RestoreIfKnown(keep(node)?),
        Action::TwinIfKnown(node) => Action::TwinIfKnown(keep(node)?),
        Action::Pause(node, span) => Action::Pause(keep(node)?, span),
        Action::Interrupt(node, after, interrupt) => Action::Interrupt(keep(node)?, after, interrupt),
        Action::Disk(node, state) => Action::Disk(keep(node)?, state),
        Action::NextSave(node, outcome) => Action::NextSave(keep(node)?, outcome),
        Action::Rate(node, rate) => Action::Rate(keep(node)?, rate),
        Action::CutData(from, to) => Action::CutData(keep(from)?, keep(to)?),
        Action::HealData(from, to) => Action::HealData(keep(from)?, keep(to)?),
        Action::Slower(extra) => Action::Slower(extra),
        Action::Rule(rule) => Action::Rule(Rule { from: keep(rule.from)?, to: keep(rule.to)?, ..rule }),
        Action::On(trigger) => Action::On(trigger.renamed(keep)?),
        Action::RaiseRecord(node, by) => Action::RaiseRecord(keep(node)?, by),
        Action::Configure(node, detection) => Action::Configure(keep(node)?, detection),
        // No swarm names the target of a handover.
        Action::Ask(_, Request::Handover(Some(_))) => return None,
        Action::Ask(node, request) => Action::Ask(keep(node)?, request),
    })
}
