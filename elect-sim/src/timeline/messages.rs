//! Messages: an arrow each, behind the lanes; the same one again and again is one line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{BAR, Canvas, LANE, LEFT, letters, seconds};
use crate::clock::Real;
use crate::ids::{Link, NodeIndex};
use crate::trace::{Mark, Marked};

/// How near, in pixels, the same message belongs to the one before.
const NEAR: f64 = 40.0;

/// The same message from the same node to the same node, once or often.
struct Series {
    from: NodeIndex,
    to: NodeIndex,
    kind: &'static str,
    /// When each was sent, and when it arrived if it did.
    copies: Vec<(Real, Option<Real>)>,
}

impl Canvas {
    pub(super) fn messages(&mut self, marks: &[Mark]) {
        // Where the next letter fits: below each lane for those that go down, above it for those that go up.
        let mut free_from = vec![[LEFT; 2]; self.nodes];
        for series in self.series(marks) {
            self.draw_series(&series, &mut free_from);
        }
        // Letters lie over all arrows.
        self.svg += &std::mem::take(&mut self.overlay);
        self.svg.push('\n');
    }

    fn series(&self, marks: &[Mark]) -> Vec<Series> {
        let mut all: Vec<Series> = Vec::new();
        let mut last: BTreeMap<(Link, &str), usize> = BTreeMap::new();
        for mark in marks {
            let (Some(from), Marked::Message { to, kind, arrives }) = (mark.node, &mark.what) else {
                continue;
            };
            if !self.overlaps(mark.at, arrives.unwrap_or(mark.at)) || from == *to {
                continue;
            }
            let sent = (mark.at, *arrives);
            let known = last.get(&(Link::new(from, *to), *kind)).map(|&index| &mut all[index]);
            if let Some(series) = known
                && let Some(&(before, _)) = series.copies.last()
                && self.x(mark.at) - self.x(before) < NEAR
            {
                series.copies.push(sent);
            } else {
                last.insert((Link::new(from, *to), kind), all.len());
                all.push(Series { from, to: *to, kind, copies: vec![sent] });
            }
        }
        all
    }

    fn draw_series(&mut self, series: &Series, free_from: &mut [[f64; 2]]) {
        let Series { from, to, kind, copies } = series;
        let (from, to) = (from.place(), to.place());
        let (Some(first), Some(last)) = (copies.first(), copies.last()) else { return };
        let is_down = to > from;
        let missing = copies.iter().filter(|(_, arrives)| arrives.is_none()).count();
        let ink = stroke(kind, missing == copies.len()).0;
        let _ = write!(self.svg, "<g>");
        self.arrow(from, to, kind, *first);
        if self.x(last.0) - self.x(first.0) > 6.0 {
            self.arrow(from, to, kind, *last);
        }
        let y = if is_down { Self::y(from) + BAR + 20.0 } else { Self::y(from) - 6.0 };
        let x = self.x(first.0) + 3.0;
        let text = if copies.len() == 1 {
            letter(kind).to_string()
        } else {
            format!("{}×{}", letter(kind), copies.len())
        };
        let end = self.x(last.0);
        let width = letters(&text) + 3.0;
        let mut free = x;
        // A series has room all along.
        let lane = &mut free_from[from][usize::from(is_down)];
        let begin = x.max(*lane);
        if begin <= x.max(end - width) {
            let _ = write!(
                self.overlay,
                r##"<text x="{begin:.1}" y="{y:.0}" font-size="10" fill="{ink}" stroke="#fff" stroke-width="3" stroke-linejoin="round" paint-order="stroke" pointer-events="none">{text}</text>"##
            );
            free = begin + width;
            *lane = free;
        }
        if copies.len() > 1 && end > free {
            let y = y - 3.0;
            let _ = write!(
                self.svg,
                r#"<line x1="{free:.1}" y1="{y:.0}" x2="{end:.1}" y2="{y:.0}" stroke="{ink}" stroke-dasharray="1 3"/>"#
            );
        }
        self.title(series, missing);
    }

    /// What a person reads who points at it.
    fn title(&mut self, series: &Series, lost: usize) {
        let Series { from, to, kind, copies } = series;
        let (Some(&(first, _)), Some(&(final_one, _))) = (copies.first(), copies.last()) else { return };
        let _ = match (copies.len(), lost) {
            (1, 0) => {
                writeln!(self.svg, "<title>{kind} from {from} to {to}, sent {}</title></g>", seconds(first))
            }
            (1, _) => {
                writeln!(
                    self.svg,
                    "<title>{kind} from {from} to {to}, lost, sent {}</title></g>",
                    seconds(first)
                )
            }
            (count, lost) => writeln!(
                self.svg,
                "<title>{kind} from {from} to {to}, {count} times from {} to {}, {lost} of them lost</title></g>",
                seconds(first),
                seconds(final_one)
            ),
        };
    }

    fn arrow(&mut self, from: usize, to: usize, kind: &str, (sent, arrives): (Real, Option<Real>)) {
        let x1 = self.x(sent);
        let (ink, dash) = stroke(kind, arrives.is_none());
        let (edge, other, gap) = if to > from {
            (Self::y(from) + BAR, Self::y(to), (LANE - BAR) / 2.0)
        } else {
            (Self::y(from), Self::y(to) + BAR, (BAR - LANE) / 2.0)
        };
        let Some(arrives) = arrives else {
            // What is lost gets halfway to the next lane.
            let y = edge + gap;
            let _ = write!(
                self.svg,
                r#"<path d="M{x1:.1} {edge:.0}V{y:.0}" stroke="{ink}" stroke-dasharray="{dash}"/><path d="M{x1:.1} {y:.0}m-3 -3l6 6m0 -6l-6 6" stroke="{ink}" stroke-width="1.4"/>"#
            );
            return;
        };
        let line =
            format!(r#"<line x1="{x1:.1}" y1="{edge:.0}" x2="{:.1}" y2="{other:.0}""#, self.x(arrives));
        // The second line is invisible: it makes the first easier to point at.
        let _ = write!(
            self.svg,
            r#"{line} stroke="{ink}" stroke-opacity="0.75" marker-end="url(#tip)"/>{line} stroke="{ink}" stroke-opacity="0" stroke-width="7"/>"#
        );
    }
}

/// The line of a message: its colour, and dashes that tell a lost one without it.
pub(super) fn stroke(kind: &str, lost: bool) -> (&'static str, &'static str) {
    match (lost, kind) {
        (true, _) => ("#dc2626", "3 3"),
        (_, "offer") => ("#8a6500", "none"),
        (_, "accept") => ("#15803d", "none"),
        (_, "refuse" | "reject") => ("#dc2626", "none"),
        _ => ("#1d4ed8", "none"),
    }
}

/// The letter beside a message: what it is, without its colour.
pub(super) fn letter(kind: &str) -> char {
    match kind {
        "offer" => 'O',
        "accept" => 'A',
        "refuse" => 'R',
        "announce" => 'N',
        "release" => 'H',
        "pause" => 'P',
        _ => 'J',
    }
}
