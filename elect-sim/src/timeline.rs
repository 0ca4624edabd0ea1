//! A run as a picture: one self-contained SVG that a person reads at a glance.

use std::fmt::Write as _;

use crate::checkers::{Violation, node_name};
use crate::clock::{MILLI, Real, SECOND};
use crate::queue::NodeIndex;
use crate::trace::{Mark, Marked, Trace};

const LANE: f64 = 74.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 92.0;
const BAR: f64 = 30.0;

/// What part of a run is drawn, and how wide.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// From this time on, in nanoseconds.
    pub from: Real,
    /// Up to this time.
    pub to: Real,
    /// Width of the time axis, in pixels.
    pub width: u32,
}

struct Canvas {
    svg: String,
    window: Window,
    nodes: usize,
}

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

/// Draws a trace that was recorded with at least its events.
pub fn draw(
    trace: &Trace,
    nodes: usize,
    title: &str,
    violation: Option<&Violation>,
    window: Window,
) -> String {
    let mut canvas = Canvas { svg: String::new(), window, nodes };
    canvas.head(title);
    canvas.axis();
    for node in 0..nodes {
        canvas.lane(node, trace.marks());
    }
    canvas.network(trace.marks());
    canvas.messages(trace.marks());
    if let Some(violation) = violation {
        canvas.violation(violation);
    }
    canvas.svg += "</svg>\n";
    canvas.svg
}

impl Canvas {
    #[expect(clippy::cast_precision_loss, reason = "pixels")]
    fn x(&self, at: Real) -> f64 {
        let at = at.clamp(self.window.from, self.window.to) - self.window.from;
        LEFT + f64::from(self.window.width) * at as f64 / (self.window.to - self.window.from).max(1) as f64
    }

    fn y(node: usize) -> f64 {
        TOP + LANE * f64::from(u32::try_from(node).unwrap_or(0))
    }

    fn overlaps(&self, from: Real, to: Real) -> bool {
        from < self.window.to && to >= self.window.from
    }

    // Writing to a string does not fail; hence the ignored results below.

    fn head(&mut self, title: &str) {
        let (width, height) = (LEFT + f64::from(self.window.width) + 30.0, Self::y(self.nodes) + 58.0);
        let _ = write!(
            self.svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="ui-sans-serif, system-ui, sans-serif" font-size="12">
<title>{title}</title>
<defs>
<pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="8" height="8" fill="#fff7d6"/><line x1="0" y1="0" x2="0" y2="8" stroke="#b58900" stroke-width="3"/></pattern>
<pattern id="dots" width="7" height="7" patternUnits="userSpaceOnUse"><rect width="7" height="7" fill="#eee"/><circle cx="2" cy="2" r="1.3" fill="#777"/></pattern>
<pattern id="cross" width="10" height="10" patternUnits="userSpaceOnUse"><rect width="10" height="10" fill="#444"/><path d="M0 0L10 10M10 0L0 10" stroke="#777"/></pattern>
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0L8 4L0 8z" fill="context-stroke"/></marker>
</defs>
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="24" font-size="16" font-weight="600">{title}</text>
"##,
            title = escape(title)
        );
        let entries = [
            ("#2f6fb3", "serves"),
            ("#8db9e6", "leads, not yet in office"),
            ("url(#hatch)", "stands"),
            ("#e6f0e6", "follows"),
            ("#fff", "nobody's"),
            ("url(#dots)", "paused"),
            ("url(#cross)", "down"),
        ];
        let mut x = LEFT;
        for (fill, text) in entries {
            let _ = write!(
                self.svg,
                r##"<rect x="{x:.0}" y="36" width="20" height="13" fill="{fill}" stroke="#555"/><text x="{:.0}" y="47">{text}</text>"##,
                x + 26.0
            );
            x += 44.0 + 7.2 * text.chars().map(|_| 1.0).sum::<f64>();
        }
        let _ = writeln!(
            self.svg,
            r##"<rect x="{x:.0}" y="40" width="20" height="5" fill="#c2410c"/><text x="{:.0}" y="47">lease</text>"##,
            x + 26.0
        );
    }

    fn axis(&mut self) {
        let span = self.window.to - self.window.from;
        let steps = [MILLI, 5 * MILLI, 20 * MILLI, 100 * MILLI, 500 * MILLI, SECOND, 5 * SECOND, 20 * SECOND];
        let step = steps.into_iter().find(|step| span / step <= 14).unwrap_or(60 * SECOND);
        let mut at = self.window.from.next_multiple_of(step);
        let bottom = Self::y(self.nodes);
        while at <= self.window.to {
            let x = self.x(at);
            let label = format!("{}.{:03} s", at / SECOND, at % SECOND / MILLI);
            let _ = writeln!(
                self.svg,
                r##"<line x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{bottom}" stroke="#ddd"/><text x="{x:.1}" y="{:.0}" text-anchor="middle" fill="#555">{label}</text>"##,
                TOP - 8.0
            );
            at += step;
        }
    }

    fn lane(&mut self, node: usize, marks: &[Mark]) {
        let y = Self::y(node);
        let name = node_name(NodeIndex::try_from(node).unwrap_or(0));
        let _ = writeln!(
            self.svg,
            r#"<text x="30" y="{:.0}" font-size="18" font-weight="600">{name}</text>"#,
            y + 28.0
        );
        let mut role = Role::Down;
        let mut before_pause = Role::Nothing;
        let (mut since, mut why) = (0, String::new());
        for mark in marks.iter().filter(|mark| mark.node == Some(NodeIndex::try_from(node).unwrap_or(0))) {
            if let Marked::Lease(epoch, end) = mark.what {
                self.lease(y, mark.at, end, epoch);
                continue;
            }
            let Some(next) = next_role(&role, &mut before_pause, &mark.what) else { continue };
            self.block(y, since, mark.at, &role, &why);
            (role, since, why) = (next, mark.at, mark.why.clone());
        }
        self.block(y, since, self.window.to, &role, &why);
    }

    fn block(&mut self, y: f64, from: Real, to: Real, role: &Role, why: &str) {
        if !self.overlaps(from, to) || from == to {
            return;
        }
        let (fill, ink, text) = match role {
            Role::Down => ("url(#cross)".into(), "#fff", "down".into()),
            Role::Paused => ("url(#dots)".into(), "#000", "paused".into()),
            Role::Nothing => ("#fff".into(), "#555", String::new()),
            Role::Stopped => ("#6b7280".into(), "#fff", "stopped".into()),
            Role::Stands(epoch) => ("url(#hatch)".into(), "#000", format!("? {epoch}")),
            Role::Follows(leader, epoch) => {
                (tint(*epoch, 92), "#234", format!("→ {} {epoch}", node_name(*leader)))
            }
            Role::Leads(epoch) => (tint(*epoch, 72), "#000", format!("★ {epoch} not yet in office")),
            Role::Serves(epoch) => (tint(*epoch, 42), "#fff", format!("★ LEADS {epoch}")),
        };
        let (x, end) = (self.x(from), self.x(to));
        let width = (end - x).max(0.8);
        let _ = write!(
            self.svg,
            r##"<g><rect x="{x:.1}" y="{y:.0}" width="{width:.1}" height="{BAR}" fill="{fill}" stroke="#555" stroke-width="0.6"/>"##
        );
        let room = width / 7.0;
        let letters = f64::from(u32::try_from(text.chars().count()).unwrap_or(0));
        if letters > 0.0 && room > letters {
            let _ = write!(
                self.svg,
                r#"<text x="{:.1}" y="{:.0}" fill="{ink}">{}</text>"#,
                x + 4.0,
                y + 19.0,
                escape(&text)
            );
        }
        let (begin, end) = (seconds(from), seconds(to));
        let _ =
            writeln!(self.svg, "<title>{} from {begin} to {end}\n{}</title></g>", escape(&text), escape(why));
    }

    fn lease(&mut self, y: f64, from: Real, to: Real, epoch: u64) {
        if self.overlaps(from, to) {
            let (x, end) = (self.x(from), self.x(to));
            let _ = writeln!(
                self.svg,
                r##"<rect x="{x:.1}" y="{:.0}" width="{:.1}" height="5" fill="#c2410c"><title>lease of epoch {epoch} from {} to {}</title></rect>"##,
                y + BAR + 4.0,
                (end - x).max(0.8),
                seconds(from),
                seconds(to)
            );
        }
    }

    fn network(&mut self, marks: &[Mark]) {
        let y = Self::y(self.nodes) + 22.0;
        let _ = writeln!(self.svg, r##"<text x="6" y="{y:.0}" fill="#555">network</text>"##);
        let mut free_from = LEFT;
        for mark in marks {
            let Marked::Network(text) = &mark.what else { continue };
            if !self.overlaps(mark.at, mark.at) {
                continue;
            }
            let x = self.x(mark.at);
            let _ = write!(
                self.svg,
                r##"<g><line x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{:.0}" stroke="#7c3aed" stroke-dasharray="2 4"/><path d="M{x:.1} {:.0}l-4 -8h8z" fill="#7c3aed"/>"##,
                y - 10.0,
                y - 2.0
            );
            if x >= free_from {
                let short: String = text.chars().take(40).collect();
                let _ = write!(
                    self.svg,
                    r##"<text x="{x:.1}" y="{:.0}" fill="#7c3aed">{}</text>"##,
                    y + 12.0,
                    escape(&short)
                );
                free_from = x + 7.0 * f64::from(u32::try_from(short.chars().count()).unwrap_or(0)) + 8.0;
            }
            let _ = writeln!(self.svg, "<title>{} {}</title></g>", seconds(mark.at), escape(text));
        }
    }

    fn messages(&mut self, marks: &[Mark]) {
        for mark in marks {
            let (Some(from), Marked::Message { to, kind, arrives }) = (mark.node, &mark.what) else {
                continue;
            };
            let end = arrives.unwrap_or(mark.at + 2 * MILLI);
            if !self.overlaps(mark.at, end) {
                continue;
            }
            let (x1, x2) = (self.x(mark.at), self.x(end));
            let (y1, y2) = (Self::y(usize::from(from)) + BAR / 2.0, Self::y(usize::from(*to)) + BAR / 2.0);
            let lost = arrives.is_none();
            let y2 = if lost { y1.midpoint(y2) } else { y2 };
            let (ink, dash) = match (lost, *kind) {
                (true, _) => ("#dc2626", "3 3"),
                (_, "offer") => ("#b58900", "none"),
                (_, "accept") => ("#15803d", "none"),
                (_, "refuse") => ("#dc2626", "none"),
                _ => ("#1d4ed8", "none"),
            };
            let lost = if lost { ", lost" } else { "" };
            let _ = writeln!(
                self.svg,
                r#"<line x1="{x1:.1}" y1="{y1:.0}" x2="{x2:.1}" y2="{y2:.0}" stroke="{ink}" stroke-dasharray="{dash}" stroke-opacity="0.75" marker-end="url(#tip)"><title>{kind} from {} to {}{lost}, sent {}</title></line>"#,
                node_name(from),
                node_name(*to),
                seconds(mark.at)
            );
        }
    }

    fn violation(&mut self, violation: &Violation) {
        let x = self.x(violation.at);
        let bottom = Self::y(self.nodes);
        let anchor = if x > LEFT + f64::from(self.window.width) / 2.0 { "end" } else { "start" };
        let _ = writeln!(
            self.svg,
            r##"<g><line x1="{x:.1}" y1="58" x2="{x:.1}" y2="{bottom}" stroke="#dc2626" stroke-width="3"/><text x="{x:.1}" y="70" text-anchor="{anchor}" fill="#dc2626" font-weight="700">✗ {} on {}</text><title>{}</title></g>"##,
            violation.checker,
            violation.node,
            escape(&violation.detail)
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
        Marked::GoesOn | Marked::Lease(..) | Marked::Network(_) | Marked::Message { .. } => return None,
    })
}

/// A colour of its own for each epoch; neighbours differ much.
fn tint(epoch: u64, lightness: u32) -> String {
    format!("hsl({}, 55%, {lightness}%)", (210 + epoch.saturating_sub(1) * 137) % 360)
}

fn seconds(at: Real) -> String {
    format!("{}.{:06} s", at / SECOND, at % SECOND / 1_000)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::trace::Detail;
    use crate::world::World;

    #[test]
    fn a_picture_is_whole_and_needs_nothing_from_outside() {
        let mut world = World::new(Options::quiet(1, 3), Detail::Events);
        world.run_until(2 * SECOND);
        let window = Window { from: 0, to: 2 * SECOND, width: 900 };
        let violation = Violation {
            checker: crate::Checker::LeasesDisjoint,
            at: SECOND,
            node: "b".into(),
            detail: "a < b & c".into(),
        };
        let svg = draw(world.trace(), 3, "a title", Some(&violation), window);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        for wanted in
            ["★ LEADS 1", "→ ", "lease of epoch 1", "offer from", "accept from", "✗ leases-disjoint on b"]
        {
            assert!(svg.contains(wanted), "{wanted}");
        }
        assert!(svg.contains("a &lt; b &amp; c") && !svg.contains("a < b"));
        let addresses: Vec<_> = svg.match_indices("http").map(|(at, _)| &svg[at..at + 26]).collect();
        assert_eq!(addresses, ["http://www.w3.org/2000/svg"], "only the name of the format");
        for tag in ["g", "text", "svg", "defs"] {
            let opened = svg.matches(&format!("<{tag}>")).count() + svg.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, svg.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}
