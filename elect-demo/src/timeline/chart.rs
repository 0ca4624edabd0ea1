//! One chart: a lane per node, a lane for the clients, a time axis, and marks across all of them.

use std::fmt::Write as _;
use std::time::Duration;

use elect_core::NodeId;

use super::axis::axis;
use super::html::escape;
use super::window::{LEFT, RIGHT, WIDTH, Window};
use crate::format::{count, milliseconds};
use crate::trace::{Gap, Span, State, Trace};

const LANE: f64 = 34.0;
const LANE_GAP: f64 = 10.0;
const CLIENT_LANE: f64 = 44.0;
const LABEL_ROW: f64 = 21.0;
const AXIS: f64 = 30.0;
/// The widths of one letter of a label in a bar and of one beside a mark, at most.
const LETTER: f64 = 7.3;
/// The width of one column of acknowledged writes.
const COLUMN: f64 = 8.0;
/// At most this many writes are drawn one by one; more could not be told apart.
const SINGLY_DRAWN_MAX: usize = 260;

/// A moment to point out.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) at: Duration,
    pub(super) shape: Shape,
    pub(super) label: String,
    pub(super) title: String,
}

/// How a mark looks, so that marks differ without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Cross,
    Triangle,
    Diamond,
    Dot,
}

/// Draws the part of `trace` inside `window` as an SVG element.
pub(super) fn chart(name: &str, trace: &Trace, window: Window, marks: &[Mark], gaps: &[Gap]) -> String {
    let placed = place(marks, window);
    let rows = placed.iter().map(|placed| placed.row + 1).max().unwrap_or(0);
    let top = LABEL_ROW * f64::from(rows) + 8.0;
    let lanes = f64::from(u32::try_from(trace.nodes.len()).unwrap_or(u32::MAX));
    let clients = top + lanes * (LANE + LANE_GAP);
    let floor = clients + CLIENT_LANE;
    let mut out = String::new();
    // Labels in bars are drawn last, so that no line runs through them.
    let mut labels = String::new();
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"{}\" xmlns=\"http://www.w3.org/2000/svg\">",
        floor + AXIS,
        escape(name)
    );
    axis(&mut out, window, top, floor);
    let mut y = top;
    for &node in &trace.nodes {
        lane_name(&mut out, node.as_str(), y + LANE / 2.0);
        for span in trace.spans(node) {
            bar(&mut out, &mut labels, node, &span, window, y);
        }
        y += LANE + LANE_GAP;
    }
    lane_name(&mut out, "clients", clients + CLIENT_LANE / 2.0);
    writes(&mut out, trace, window, clients);
    for gap in gaps {
        interruption(&mut out, &mut labels, gap, window, clients);
    }
    for placed in &placed {
        mark(&mut out, placed, window, top, floor);
    }
    let _ = write!(out, "<g class=\"labels\">{labels}</g></svg>");
    out
}

fn lane_name(out: &mut String, name: &str, y: f64) {
    let name = escape(name);
    let _ = write!(out, "<text class=\"name\" x=\"{:.0}\" y=\"{y:.1}\">{name}</text>", LEFT - 10.0);
}

/// How a state is drawn, its labels from the longest, and a sentence.
fn look(node: NodeId, state: State) -> (&'static str, Vec<String>, String) {
    match state {
        State::Down => ("down", vec!["not running".into(), "down".into()], format!("{node} is not running")),
        State::Leaderless => ("idle", vec!["no leader".into()], format!("{node} runs and follows nobody")),
        State::Candidate(epoch) => (
            "candidate",
            vec![format!("campaigns for epoch {epoch}"), format!("campaigns {epoch}")],
            format!("{node} stands for election in epoch {epoch}"),
        ),
        State::Elected(epoch) => (
            "elected",
            vec![format!("elected in epoch {epoch}"), "elected".into()],
            format!("{node} is elected in epoch {epoch}, on its way into office"),
        ),
        State::Leading(epoch) => (
            "leading",
            vec![format!("leads epoch {epoch}"), format!("leads {epoch}"), format!("{epoch}")],
            format!("{node} leads epoch {epoch}"),
        ),
        State::Following(leader, epoch) => (
            "following",
            vec![
                format!("follows {leader} in epoch {epoch}"),
                format!("follows {leader}"),
                format!("{leader}"),
            ],
            format!("{node} follows {leader} in epoch {epoch}"),
        ),
    }
}

fn bar(out: &mut String, labels: &mut String, node: NodeId, span: &Span, window: Window, y: f64) {
    if span.to < window.from || span.from > window.to {
        return;
    }
    let (class, words, sentence) = look(node, span.state);
    let x = window.x(span.from);
    let width = (window.x(span.to) - x).max(1.5);
    let title = format!("{sentence}, {} to {} ms", milliseconds(span.from), milliseconds(span.to));
    let _ = write!(out, "<g class=\"{class}\"><title>{}</title>", escape(&title));
    let _ = write!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{LANE}\" rx=\"{:.1}\"/>",
        (width / 3.0).min(4.0)
    );
    if span.state == State::Down && width > 4.0 {
        let (middle, end) = (y + LANE / 2.0, x + width);
        let _ = write!(out, "<path class=\"absent\" d=\"M{x:.1} {middle:.1}H{end:.1}\"/>");
    }
    out.push_str("</g>");
    if let Some(label) = words.iter().find(|label| text_width(label) + 12.0 <= width) {
        let (x, y) = (x + width / 2.0, y + LANE / 2.0);
        let _ =
            write!(labels, "<text class=\"on-{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(label));
    }
}

/// Few writes are drawn one by one; many as columns whose height is their number.
fn writes(out: &mut String, trace: &Trace, window: Window, y: f64) {
    let shown: Vec<f64> = trace
        .acknowledged
        .iter()
        .filter(|write| window.contains(write.at))
        .map(|write| window.x(write.at))
        .collect();
    let bottom = y + CLIENT_LANE;
    let mut path = String::new();
    if shown.len() <= SINGLY_DRAWN_MAX {
        for x in &shown {
            let _ = write!(path, "M{:.1} {bottom:.1}v-{:.1}h1.4V{bottom:.1}z", x - 0.7, CLIENT_LANE - 6.0);
        }
    } else {
        for (x, share) in columns(&shown) {
            let height = (share * (CLIENT_LANE - 6.0)).max(2.0);
            let _ = write!(path, "M{x:.1} {bottom:.1}v-{height:.1}h{:.1}V{bottom:.1}z", COLUMN - 1.0);
        }
    }
    let _ = write!(
        out,
        "<g class=\"writes\"><title>{} acknowledged writes</title>\
         <path class=\"base\" d=\"M{LEFT} {bottom:.1}H{RIGHT}\"/><path d=\"{path}\"/></g>",
        count(shown.len())
    );
}

/// Where each column of writes stands, and its height as a share of the highest.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "columns are few and positive")]
fn columns(shown: &[f64]) -> Vec<(f64, f64)> {
    let last = ((RIGHT - LEFT) / COLUMN) as usize - 1;
    let mut heights = vec![0_u32; last + 1];
    for x in shown {
        heights[(((x - LEFT) / COLUMN) as usize).min(last)] += 1;
    }
    let most = f64::from(heights.iter().copied().max().unwrap_or(0).max(1));
    (0_u32..)
        .zip(heights)
        .filter(|(_, height)| *height > 0)
        .map(|(index, height)| (LEFT + COLUMN * f64::from(index), f64::from(height) / most))
        .collect()
}

fn interruption(out: &mut String, labels: &mut String, gap: &Gap, window: Window, y: f64) {
    if !window.contains(gap.last.at) && !window.contains(gap.first.at) {
        return;
    }
    let (x, end) = (window.x(gap.last.at), window.x(gap.first.at));
    let width = (end - x).max(3.0);
    let length = milliseconds(gap.length());
    let _ = write!(
        out,
        "<g class=\"gap\"><title>no write acknowledged for {length} ms: the last by {} at {} ms, the next by {} \
         at {} ms</title><rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\"/></g>",
        gap.last.by,
        milliseconds(gap.last.at),
        gap.first.by,
        milliseconds(gap.first.at),
        y + 2.0,
        CLIENT_LANE - 2.0
    );
    let short = format!("{length} ms");
    let words =
        [format!("no write acknowledged for {short}"), format!("no write for {short}"), short.clone()];
    let inside = words.iter().find(|label| text_width(label) + 12.0 <= width);
    let (x, class) =
        if inside.is_some() { (x + width / 2.0, "on-gap") } else { (x + width + 6.0, "on-gap beside") };
    let (y, label) = (y + CLIENT_LANE / 2.0 + 1.0, inside.unwrap_or(&short));
    let _ = write!(labels, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{label}</text>");
}

/// A mark and the row of its label: row 0 lies next to the lanes.
struct Placed<'a> {
    mark: &'a Mark,
    x: f64,
    row: u32,
}

/// From right to left, each label goes into the lowest row in which it touches no other. So no line crosses
/// the label of another mark.
fn place(marks: &[Mark], window: Window) -> Vec<Placed<'_>> {
    let mut inside: Vec<&Mark> = marks.iter().filter(|mark| window.contains(mark.at)).collect();
    inside.sort_by_key(|mark| mark.at);
    let mut placed: Vec<Placed<'_>> = Vec::new();
    for mark in inside.into_iter().rev() {
        let x = window.x(mark.at);
        let end = x + text_width(&mark.label) + 22.0;
        let row = placed.iter().filter(|other| other.x < end).map(|other| other.row + 1).max().unwrap_or(0);
        placed.push(Placed { mark, x, row });
    }
    placed
}

fn mark(out: &mut String, placed: &Placed<'_>, window: Window, top: f64, floor: f64) {
    let Placed { mark, x, row } = placed;
    let y = top - 8.0 - LABEL_ROW * (f64::from(*row) + 0.5);
    let shape = match mark.shape {
        Shape::Cross => format!("M{:.1} {:.1}l10 10m0 -10l-10 10", x - 5.0, y - 5.0),
        Shape::Triangle => format!("M{x:.1} {:.1}l6 11h-12z", y - 6.0),
        Shape::Diamond => format!("M{x:.1} {:.1}l6.5 6.5l-6.5 6.5l-6.5 -6.5z", y - 6.5),
        Shape::Dot => format!("M{:.1} {y:.1}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", x - 4.0),
    };
    let class = if mark.shape == Shape::Dot { "mark minor" } else { "mark" };
    let title = format!("{}, at {} ms", mark.title, milliseconds(mark.at));
    let _ = write!(out, "<g class=\"{class}\"><title>{}</title>", escape(&title));
    let _ = write!(
        out,
        "<path class=\"line\" d=\"M{x:.1} {:.1}V{floor:.1}\"/><path class=\"shape\" d=\"{shape}\"/>",
        y + 6.0
    );
    let label_ends_outside = x + text_width(&mark.label) + 12.0 > WIDTH && window.contains(mark.at);
    let (at, class) = if label_ends_outside { (x - 11.0, " class=\"left\"") } else { (x + 11.0, "") };
    let _ = write!(out, "<text{class} x=\"{at:.1}\" y=\"{y:.1}\">{}</text></g>", escape(&mark.label));
}

fn text_width(text: &str) -> f64 {
    LETTER * f64::from(u32::try_from(text.chars().count()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::tests::{good_run, ms, node};

    const WHOLE: Window =
        Window { from: Duration::ZERO, to: Duration::from_millis(3600), zero: Duration::ZERO };

    fn dot(at: u64, label: &str) -> Mark {
        Mark { at: ms(at), shape: Shape::Dot, label: label.into(), title: label.into() }
    }

    #[test]
    fn every_node_has_a_lane_with_bars_and_titles() {
        let svg = chart("whole", &good_run(), WHOLE, &[], &[]);
        for name in ["n1", "n2", "n3", "clients"] {
            assert!(svg.contains(&format!(">{name}</text>")), "no lane {name}");
        }
        assert!(svg.contains("<title>n1 leads epoch 1, 103 to 1,000 ms</title>"), "{svg}");
        assert!(svg.contains(">leads epoch 1</text>"));
        assert!(svg.contains("<title>n1 is not running, 1,000 to 2,000 ms</title>"));
        assert!(svg.contains("<title>n3 follows n2 in epoch 2, "));
    }

    #[test]
    fn axis_counts_from_its_zero() {
        let window = Window { from: ms(900), to: ms(1600), zero: ms(1000) };
        let svg = chart("zoom", &good_run(), window, &[], &[]);
        for value in ["\u{2212}100", "0", "600"] {
            assert!(svg.contains(&format!(">{value}</text>")), "no tick {value}");
        }
        assert!(!svg.contains("leads epoch 3"), "n1's second office lies outside");
    }

    #[test]
    fn gap_names_its_length_and_both_nodes() {
        let trace = good_run();
        let gap = trace.gap_after(ms(1000), node("n1")).expect("n2 took over");
        let svg = chart("whole", &trace, WHOLE, &[], &[gap]);
        assert!(svg.contains("the last by n1 at 995 ms, the next by n2 at 1,506 ms"), "{svg}");
        let outside = Window { from: ms(2000), to: ms(3000), zero: ms(2000) };
        assert!(!chart("late", &trace, outside, &[], &[gap]).contains("class=\"gap\""));
    }

    #[test]
    fn labels_of_neighbouring_marks_stand_in_different_rows() {
        let marks = [dot(1000, "a long label"), dot(1010, "another label"), dot(3000, "far away")];
        let placed = place(&marks, WHOLE);
        let rows: Vec<(u128, u32)> = placed.iter().map(|p| (p.mark.at.as_millis(), p.row)).collect();
        assert_eq!(rows, [(3000, 0), (1010, 0), (1000, 1)]);
    }

    #[test]
    fn marks_outside_the_window_are_left_out() {
        let window = Window { from: ms(2000), to: ms(3000), zero: ms(2000) };
        assert!(!chart("late", &good_run(), window, &[dot(1000, "before")], &[]).contains("before"));
    }
}
