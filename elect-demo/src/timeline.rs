//! The timeline: one self-contained HTML page drawn from what the demo saw.

mod axis;
mod chart;
mod html;
mod window;

use std::fmt::Write as _;
use std::time::Duration;

use self::chart::{Mark, Shape, chart};
use self::html::escape;
use self::window::Window;
use super::figures::Figures;
use super::format::milliseconds;
use super::trace::{Action, ActionKind, EventKind, Gap, NodeEvent, Trace};
use super::verdict::{Check, Verdict};

const STYLE: &str = include_str!("timeline/style.css");

/// Draws the page.
pub(crate) fn draw(trace: &Trace, figures: &Figures, verdict: &Verdict) -> String {
    let mut out = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>elect-demo: timeline</title><style>",
    );
    out.push_str(STYLE);
    out.push_str("</style></head><body><main>");
    head(&mut out, figures, verdict);
    let gaps = gaps(trace);
    section(&mut out, "The whole run", "Milliseconds since the demo began.");
    let whole = Window { from: Duration::ZERO, to: trace.end, zero: Duration::ZERO };
    out.push_str(&chart("The whole run", trace, whole, &action_marks(trace), &gaps));
    legend(&mut out);
    for &action in &trace.actions {
        close_up(&mut out, trace, action, &gaps);
    }
    checks(&mut out, verdict);
    log(&mut out, trace);
    out.push_str("</main></body></html>\n");
    out
}

fn head(out: &mut String, figures: &Figures, verdict: &Verdict) {
    let (class, word) =
        if verdict.held() { ("held", "everything held") } else { ("broken", "not everything held") };
    let _ = write!(
        out,
        "<header><h1>elect-demo</h1><p>{} <b class=\"{class}\">{word}</b></p></header><dl class=\"figures\">",
        escape(&figures.setting())
    );
    for (name, value, note) in figures.cards() {
        let (name, value, note) = (escape(name), escape(&value), escape(&note));
        let _ = write!(out, "<div><dt>{name}</dt><dd>{value}</dd><dd class=\"note\">{note}</dd></div>");
    }
    out.push_str("</dl>");
}

fn section(out: &mut String, title: &str, note: &str) {
    let _ = write!(out, "<h2>{}</h2><p class=\"note\">{}</p>", escape(title), escape(note));
}

fn legend(out: &mut String) {
    out.push_str("<p class=\"legend\">");
    for (class, word) in [
        ("leading", "leads, in office"),
        ("elected", "elected, on its way into office"),
        ("following", "follows"),
        ("candidate", "campaigns"),
        ("idle", "runs, no leader"),
        ("down", "not running"),
        ("gap", "no write acknowledged"),
    ] {
        let _ = write!(
            out,
            "<span><svg viewBox=\"0 0 26 14\" class=\"{class}\"><rect x=\"1\" y=\"1\" width=\"24\" height=\"12\" \
             rx=\"3\"/>{}</svg>{word}</span>",
            if class == "down" { "<path class=\"absent\" d=\"M1 7H25\"/>" } else { "" }
        );
    }
    out.push_str("</p>");
}

fn action_label(kind: ActionKind) -> (Shape, String) {
    match kind {
        ActionKind::Kill { node } => (Shape::Cross, format!("kill \u{2212}9 {node}")),
        ActionKind::Restart { node } => (Shape::Triangle, format!("restart {node}")),
        ActionKind::Handover { from, to } => (Shape::Diamond, format!("handover {from} to {to}")),
    }
}

fn action_marks(trace: &Trace) -> Vec<Mark> {
    trace
        .actions
        .iter()
        .map(|action| {
            let (shape, label) = action_label(action.kind);
            Mark { at: action.at, shape, title: label.clone(), label }
        })
        .collect()
}

/// The interruptions of writing that the demo caused.
fn gaps(trace: &Trace) -> Vec<Gap> {
    trace
        .actions
        .iter()
        .filter_map(|action| match action.kind {
            ActionKind::Kill { node } | ActionKind::Handover { from: node, .. } => {
                trace.gap_after(action.at, node)
            }
            ActionKind::Restart { .. } => None,
        })
        .collect()
}

/// A chart of one change of primary, counted from what caused it.
fn close_up(out: &mut String, trace: &Trace, action: Action, gaps: &[Gap]) {
    let (title, since_what, old) = match action.kind {
        ActionKind::Kill { node } => (format!("Failover: {node} is killed"), "the kill", node),
        ActionKind::Handover { from, to } => (format!("Handover: {from} to {to}"), "the request", from),
        ActionKind::Restart { .. } => return,
    };
    let Some(gap) = trace.gap_after(action.at, old) else { return };
    let length = gap.first.at.saturating_sub(action.at.min(gap.last.at));
    let margin = (length / 3).max(Duration::from_millis(4));
    let window = Window {
        from: action.at.min(gap.last.at).saturating_sub(margin),
        to: (gap.first.at + margin * 2).min(trace.end),
        zero: action.at,
    };
    let since = |at: Duration| milliseconds(at.saturating_sub(action.at));
    let (shape, label) = action_label(action.kind);
    let mut marks = vec![Mark { at: action.at, shape, title: label.clone(), label }];
    let within = |event: &&NodeEvent| event.at >= action.at && event.at <= window.to;
    for event in trace.events.iter().filter(within) {
        let label = match event.kind {
            EventKind::Draining => format!("{} admits no more writes, +{} ms", event.node, since(event.at)),
            EventKind::SteppedDown => format!("{} steps down, +{} ms", event.node, since(event.at)),
            EventKind::Elected { epoch } => {
                format!("{} elected in epoch {epoch}, +{} ms", event.node, since(event.at))
            }
            EventKind::InOffice { .. } => format!("{} in office, +{} ms", event.node, since(event.at)),
            _ => continue,
        };
        marks.push(Mark { at: event.at, shape: Shape::Dot, title: event.text.clone(), label });
    }
    let label = format!("first write, +{} ms", since(gap.first.at));
    let title_of_first = format!("{} acknowledges its first write", gap.first.by);
    marks.push(Mark { at: gap.first.at, shape: Shape::Dot, label, title: title_of_first });
    section(out, &title, &format!("Milliseconds before and after {since_what}."));
    out.push_str(&chart(&title, trace, window, &marks, gaps));
}

fn checks(out: &mut String, verdict: &Verdict) {
    out.push_str("<h2>What was checked</h2><ul class=\"checks\">");
    for Check { name, outcome } in &verdict.checks {
        let (word, text) = match outcome {
            Ok(text) => ("held", text),
            Err(broken) => ("broken", &broken.to_string()),
        };
        let _ = write!(out, "<li><b class=\"{word}\">{word}</b> {}: {}</li>", escape(name), escape(text));
    }
    out.push_str("</ul>");
}

fn log(out: &mut String, trace: &Trace) {
    out.push_str(
        "<details><summary>Every event</summary><table><tr><th>ms</th><th>node</th><th>what</th></tr>",
    );
    let mut rows: Vec<(Duration, String, String)> = trace
        .events
        .iter()
        .filter(|event| event.at <= trace.end)
        .map(|event| (event.at, event.node.to_string(), event.text.clone()))
        .chain(trace.actions.iter().map(|action| (action.at, "demo".to_owned(), action_label(action.kind).1)))
        .collect();
    rows.sort_by_key(|row| row.0);
    for (at, who, what) in rows {
        let (at, who, what) = (milliseconds(at), escape(&who), escape(&what));
        let _ = write!(out, "<tr><td>{at}</td><td>{who}</td><td>{what}</td></tr>");
    }
    out.push_str("</table></details>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Ledger;
    use crate::figures::Setting;
    use crate::trace::tests::{good_run, ms};
    use crate::verdict::Broken;

    fn page(trace: &Trace) -> String {
        let setting =
            Setting { nodes: 3, detection: ms(500), heartbeat: ms(50), crash_evidence: false, tls: false };
        let checks = vec![
            Check { name: "one leader per epoch", outcome: Ok("1 n1, 2 n2".into()) },
            Check { name: "failover after the kill", outcome: Err(Broken::NothingKilled) },
        ];
        draw(trace, &Figures::of(setting, trace, &Ledger::default()), &Verdict { checks })
    }

    #[test]
    fn page_needs_nothing_from_elsewhere() {
        let page = page(&good_run()).replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for forbidden in ["http:", "https:", "src=", "href=", "url(", "@import", "<script"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn every_element_is_closed() {
        let page = page(&good_run());
        for element in
            ["svg", "g", "text", "title", "span", "p", "div", "dl", "dd", "table", "tr", "td", "main"]
        {
            let opened =
                page.matches(&format!("<{element} ")).count() + page.matches(&format!("<{element}>")).count();
            let closed = page.matches(&format!("</{element}>")).count();
            assert_eq!(opened, closed, "<{element}>");
        }
    }

    #[test]
    fn both_changes_of_primary_get_a_close_up() {
        let page = page(&good_run());
        assert_eq!(page.matches("role=\"img\"").count(), 3);
        for text in [
            "Failover: n1 is killed",
            "n2 elected in epoch 2, +500 ms",
            "first write, +506 ms",
            "Handover: n2 to n1",
            "n2 steps down, +3 ms",
        ] {
            assert!(page.contains(text), "no {text}");
        }
    }

    #[test]
    fn checks_say_what_held_and_what_did_not() {
        let page = page(&good_run());
        assert!(page.contains("not everything held"));
        assert!(page.contains("<b class=\"broken\">broken</b> failover after the kill: nobody was killed"));
    }

    #[test]
    fn run_that_ended_early_can_be_drawn() {
        let mut trace = good_run();
        trace.end = ms(1200);
        trace.events.retain(|event| event.at <= ms(1200));
        trace.actions.truncate(1);
        trace.acknowledged.retain(|write| write.at < ms(1000));
        let page = page(&trace);
        assert_eq!(page.matches("role=\"img\"").count(), 1, "nobody took over, so there is no close-up");
        assert_eq!(page_of_nothing().matches("role=\"img\"").count(), 1);
    }

    fn page_of_nothing() -> String {
        page(&Trace::default())
    }

    #[test]
    fn text_cannot_break_out_of_the_page() {
        let mut trace = good_run();
        trace.events[0].text = "<b>\"&".into();
        assert!(page(&trace).contains("&lt;b&gt;&quot;&amp;"));
    }
}
