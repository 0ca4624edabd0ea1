//! A run as a picture: one self-contained SVG that a person reads at a glance.

mod lanes;
mod legend;
mod messages;
mod network;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::checkers::Violation;
use crate::clock::{MILLI, Real, SECOND};
use crate::ids::NodeIndex;
use crate::trace::Trace;

const LANE: f64 = 74.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 96.0;
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
    /// What is drawn over it when all of its kind is there.
    overlay: String,
    window: Window,
    nodes: usize,
    /// When what is drawn ends: at the violation if there was one.
    end: Real,
}

/// Draws a trace that was recorded with at least its events.
pub fn draw(
    trace: &Trace,
    nodes: usize,
    title: &str,
    violation: Option<&Violation>,
    window: Window,
) -> String {
    let end = violation.map_or(window.to, |violation| violation.at.clamp(window.from, window.to));
    let mut canvas = Canvas { svg: String::new(), overlay: String::new(), window, nodes, end };
    let episodes = canvas.episodes(trace.marks());
    let legend = Canvas::y(nodes) + Canvas::depth(&episodes) + 22.0;
    canvas.head(title, violation, legend + 60.0);
    canvas.axis();
    // Arrows pass behind the lanes that they do not concern.
    canvas.messages(trace.marks());
    canvas.network(trace.marks(), &episodes);
    for node in NodeIndex::all(nodes) {
        canvas.lane(node, trace.marks());
    }
    if let Some(violation) = violation.filter(|violation| canvas.overlaps(violation.at, violation.at)) {
        canvas.violation(violation);
    }
    canvas.legend(legend);
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
        TOP + LANE * pixels(node)
    }

    fn overlaps(&self, from: Real, to: Real) -> bool {
        from <= self.window.to && to >= self.window.from
    }

    // Writing to a string does not fail; hence the ignored results below.

    fn head(&mut self, title: &str, violation: Option<&Violation>, height: f64) {
        let width = LEFT + f64::from(self.window.width.max(1_130)) + 30.0;
        let (from, to) = (seconds(self.window.from), seconds(self.end));
        let (ink, verdict) = match violation {
            Some(violation) => ("#b91c1c", format!("✗ VIOLATION: {violation}")),
            None => ("#166534", "✓ no violation".to_owned()),
        };
        let shown = fitting(&verdict, width - LEFT - 20.0);
        let _ = write!(
            self.svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="ui-sans-serif, system-ui, sans-serif" font-size="12">
<title>{title}</title>
<defs>
<pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="8" height="8" fill="#fff7d6"/><line x1="0" y1="0" x2="0" y2="8" stroke="#b58900" stroke-width="3"/></pattern>
<pattern id="dots" width="7" height="7" patternUnits="userSpaceOnUse"><rect width="7" height="7" fill="#eee"/><circle cx="2" cy="2" r="1.3" fill="#777"/></pattern>
<pattern id="cross" width="10" height="10" patternUnits="userSpaceOnUse"><rect width="10" height="10" fill="#444"/><path d="M0 0L10 10M10 0L0 10" stroke="#777"/></pattern>
<pattern id="clog" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" fill="#f3f4f6"/><path d="M0 3H6" stroke="#6b7280" stroke-width="2"/></pattern>
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0L8 4L0 8z" fill="context-stroke"/></marker>
</defs>
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="24" font-size="16" font-weight="600">{title}</text>
<text x="{LEFT}" y="42" fill="#555">{nodes} nodes, {from} to {to} of simulated time</text>
<text x="{LEFT}" y="61" font-size="13" font-weight="600" fill="{ink}">{shown}<title>{verdict}</title></text>
"##,
            title = escape(title),
            nodes = self.nodes,
            shown = escape(&shown),
            verdict = escape(&verdict)
        );
    }

    fn axis(&mut self) {
        let span = self.window.to - self.window.from;
        let powers = [MILLI, 10 * MILLI, 100 * MILLI, SECOND, 10 * SECOND, 100 * SECOND];
        let steps = powers.into_iter().flat_map(|power| [power, 2 * power, 5 * power]);
        let step = steps.into_iter().find(|step| span / step <= 14).unwrap_or(1_000 * SECOND);
        let mut at = self.window.from.next_multiple_of(step);
        let bottom = Self::y(self.nodes) - 4.0;
        while at <= self.window.to {
            let x = self.x(at);
            let _ = writeln!(
                self.svg,
                r##"<line x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{bottom}" stroke="#ddd"/><text x="{x:.1}" y="{:.0}" text-anchor="middle" fill="#555">{}</text>"##,
                TOP - 8.0,
                seconds(at)
            );
            at += step;
        }
    }
}

/// A count of things, to reckon with pixels.
fn pixels(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// About how wide a text is, in pixels: rather too wide.
fn letters(text: &str) -> f64 {
    6.8 * pixels(text.chars().count())
}

/// As much of a bold headline as fits into this width.
fn fitting(text: &str, width: f64) -> String {
    let mut fitting = text.to_owned();
    while 1.25 * letters(&fitting) > width {
        fitting.truncate(fitting.trim_end_matches('…').char_indices().next_back().map_or(0, |(at, _)| at));
        fitting.push('…');
    }
    fitting
}

/// A time with its unit, without zeros at its end.
fn seconds(at: Real) -> String {
    let micros = format!("{:06}", at % SECOND / 1_000);
    match micros.trim_end_matches('0') {
        "" => format!("{} s", at / SECOND),
        micros => format!("{}.{micros} s", at / SECOND),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
