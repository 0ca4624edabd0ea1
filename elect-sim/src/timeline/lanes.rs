//! One lane per node: what it was when, and its lease below.

use std::fmt::Write as _;

use super::{BAR, Canvas, LEFT, escape, letters, seconds};
use crate::clock::Real;
use crate::ids::NodeIndex;
use crate::trace::{Mark, Marked};

/// What a node does during a span.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Role {
    Down,
    Paused,
    Nothing,
    Stands(u64),
    Follows(NodeIndex, u64),
    Leads(u64),
    Serves(u64),
    Stopped,
}

impl Role {
    /// How it is filled, the colour of its text, and its text: at length, short, and as a mere sign.
    fn look(&self) -> (String, &'static str, [String; 3]) {
        let same = |text: &str| [text.to_owned(), text.to_owned(), String::new()];
        match *self {
            Self::Down => ("url(#cross)".into(), "#fff", ["down".into(), "down".into(), "†".into()]),
            Self::Paused => ("url(#dots)".into(), "#000", ["paused".into(), "paused".into(), "‖".into()]),
            Self::Nothing => ("#fff".into(), "#555", same("")),
            Self::Stopped => ("#6b7280".into(), "#fff", ["stopped".into(), "stopped".into(), "■".into()]),
            Self::Stands(epoch) => {
                let texts = [format!("? campaigns in epoch {epoch}"), format!("? {epoch}"), "?".into()];
                ("url(#hatch)".into(), "#000", texts)
            }
            Self::Follows(leader, epoch) => {
                let texts = [
                    format!("→ follows {leader}, epoch {epoch}"),
                    format!("→ {leader} {epoch}"),
                    format!("→{leader}"),
                ];
                (tint(epoch, 92), "#222", texts)
            }
            Self::Leads(epoch) => {
                let texts =
                    [format!("☆ leads epoch {epoch}, not in office"), format!("☆ {epoch}"), "☆".into()];
                (tint(epoch, 72), "#000", texts)
            }
            Self::Serves(epoch) => {
                let texts = [format!("★ SERVES, epoch {epoch}"), format!("★ {epoch}"), "★".into()];
                (tint(epoch, 32), "#fff", texts)
            }
        }
    }

    fn is_leader_of(&self, epoch: u64) -> bool {
        matches!(*self, Self::Leads(of) | Self::Serves(of) if of == epoch)
    }
}

impl Canvas {
    pub(super) fn lane(&mut self, node: NodeIndex, marks: &[Mark]) {
        let y = Self::y(node.place());
        let _ = writeln!(
            self.svg,
            r#"<text x="30" y="{:.0}" font-size="18" font-weight="600">{}</text>"#,
            y + 22.0,
            node
        );
        let mut role = Role::Down;
        let mut before_pause = Role::Nothing;
        let (mut since, mut why) = (0, String::new());
        // A lease ends with the leadership at the latest, whatever was granted: epoch, begin, end.
        let mut lease: Option<(u64, Real, Real)> = None;
        for mark in marks.iter().filter(|mark| mark.node == Some(node)) {
            if let Marked::Lease(epoch, end) = mark.what {
                self.lease(y, lease.replace((epoch, mark.at, end)));
                continue;
            }
            let Some(next) = next_role(&role, &mut before_pause, &mark.what) else { continue };
            self.block(y, since, mark.at, &role, &why);
            if let Some((epoch, begin, end)) = lease
                && next != Role::Paused
                && !next.is_leader_of(epoch)
            {
                self.lease(y, Some((epoch, begin, end.min(mark.at))));
                lease = None;
            }
            (role, since, why) = (next, mark.at, mark.why.clone());
        }
        self.block(y, since, self.end, &role, &why);
        self.lease(y, lease);
    }

    fn block(&mut self, y: f64, from: Real, to: Real, role: &Role, why: &str) {
        let to = to.min(self.end);
        if !self.overlaps(from, to) || from >= to {
            return;
        }
        let (fill, ink, texts) = role.look();
        let (x, end) = (self.x(from), self.x(to));
        let width = (end - x).max(0.8);
        let _ = write!(
            self.svg,
            r##"<g><rect x="{x:.1}" y="{y:.0}" width="{width:.1}" height="{BAR}" fill="{fill}" stroke="#555" stroke-width="0.6"/>"##
        );
        if let Some(text) = texts.iter().find(|text| width > letters(text) + 6.0)
            && !text.is_empty()
        {
            // On a pattern a text stands on a ground of its own.
            let ground = if ink == "#fff" { "#444" } else { "#fff" };
            let ground = if fill.starts_with("url") { ground } else { "none" };
            let _ = write!(
                self.svg,
                r#"<text x="{:.1}" y="{:.0}" fill="{ink}" stroke="{ground}" stroke-width="4" stroke-linejoin="round" paint-order="stroke">{}</text>"#,
                x + 4.0,
                y + 19.0,
                escape(text)
            );
        }
        let what = if *role == Role::Nothing { "follows nobody" } else { &texts[0] };
        let (begin, end) = (seconds(from), seconds(to));
        let _ =
            writeln!(self.svg, "<title>{} from {begin} to {end}\n{}</title></g>", escape(what), escape(why));
    }

    fn lease(&mut self, y: f64, lease: Option<(u64, Real, Real)>) {
        let Some((epoch, from, to)) = lease else { return };
        let shown = to.min(self.end);
        if self.overlaps(from, shown) && from < shown {
            let (x, end) = (self.x(from), self.x(shown));
            let _ = writeln!(
                self.svg,
                r##"<rect x="{x:.1}" y="{:.0}" width="{:.1}" height="5" fill="#c2410c"><title>lease of epoch {epoch} from {} to {}</title></rect>"##,
                y + BAR + 3.0,
                (end - x).max(0.8),
                seconds(from),
                seconds(to)
            );
        }
    }

    /// The checker that failed: a line through everything, a cross on its node, and all of it in words.
    pub(super) fn violation(&mut self, violation: &crate::checkers::Violation) {
        let x = self.x(violation.at);
        let (top, bottom) = (super::TOP - 4.0, Self::y(self.nodes) - 10.0);
        let words = escape(&violation.to_string());
        let _ = writeln!(
            self.svg,
            r##"<g><line x1="{x:.1}" y1="{top}" x2="{x:.1}" y2="{bottom}" stroke="#dc2626" stroke-width="3"/><title>{words}</title></g>"##
        );
        let node = NodeIndex::all(self.nodes).find(|node| node.to_string() == violation.node);
        let Some(node) = node else { return };
        let y = Self::y(node.place()) + BAR / 2.0;
        let label = format!("✗ {} on {}", violation.checker, violation.node);
        let width = 1.25 * letters(&label) + 12.0;
        // Below the last lane nothing else is drawn.
        let below = Self::y(self.nodes) - 21.0;
        let is_late = x > LEFT + f64::from(self.window.width) / 2.0;
        let left = if is_late { x - 8.0 - width } else { x + 8.0 };
        let _ = writeln!(
            self.svg,
            r##"<g><rect x="{left:.1}" y="{:.0}" width="{width:.0}" height="24" rx="4" fill="#fff" stroke="#dc2626" stroke-width="2"/><text x="{:.1}" y="{:.0}" text-anchor="middle" fill="#b91c1c" font-weight="700" font-size="13">{label}</text><circle cx="{x:.1}" cy="{y:.0}" r="13" fill="#fff" stroke="#dc2626" stroke-width="3"/><path d="M{x:.1} {y:.0}m-6 -6l12 12m0 -12l-12 12" stroke="#dc2626" stroke-width="3"/><title>{words}</title></g>"##,
            below - 12.0,
            left + width / 2.0,
            below + 4.5,
        );
    }
}

fn next_role(role: &Role, before_pause: &mut Role, what: &Marked) -> Option<Role> {
    Some(match *what {
        Marked::Starts | Marked::Free => Role::Nothing,
        Marked::Dies => Role::Down,
        Marked::Pauses => {
            *before_pause = role.clone();
            Role::Paused
        }
        Marked::GoesOn if *role == Role::Paused => before_pause.clone(),
        Marked::Stops => Role::Stopped,
        Marked::Stands(epoch) => Role::Stands(epoch),
        Marked::Follows(leader, epoch) => Role::Follows(leader, epoch),
        Marked::Leads(epoch) => Role::Leads(epoch),
        Marked::Serves(epoch) => Role::Serves(epoch),
        Marked::GoesOn
        | Marked::Lease(..)
        | Marked::Network(_)
        | Marked::Link { .. }
        | Marked::Message { .. } => return None,
    })
}

/// A colour of its own for each epoch: neighbours differ much, and none is the red of what went wrong.
pub(super) fn tint(epoch: u64, lightness: u32) -> String {
    format!("hsl({}, 55%, {lightness}%)", 40 + (170 + epoch.saturating_sub(1) * 107) % 280)
}
