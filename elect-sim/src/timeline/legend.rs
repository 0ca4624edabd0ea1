//! What colours, dashes, signs and letters mean.

use std::fmt::Write as _;

use super::lanes::tint;
use super::messages::{letter, stroke};
use super::{Canvas, LEFT, letters};

impl Canvas {
    pub(super) fn legend(&mut self, y: f64) {
        self.legend_of_roles(y);
        self.legend_of_messages(y + 20.0);
        let _ = writeln!(
            self.svg,
            r##"<text x="{LEFT}" y="{:.0}" fill="#555">Each epoch has its colour. N×12: the same message twelve times in a row. Heartbeats are not drawn. Point at anything for more: at a span, for what the node said of itself when it began.</text>"##,
            y + 44.0
        );
    }

    fn legend_of_roles(&mut self, y: f64) {
        let (serves, leads, follows) = (tint(1, 32), tint(1, 72), tint(1, 92));
        let entries = [
            (serves.as_str(), "★ serves"),
            (&leads, "☆ leads, not in office"),
            ("url(#hatch)", "? campaigns"),
            (&follows, "→ follows"),
            ("#fff", "follows nobody"),
            ("url(#dots)", "‖ paused"),
            ("url(#cross)", "† down"),
            ("#6b7280", "■ stopped"),
            ("#c2410c", "lease"),
            ("#4b5563", "link cut"),
            ("url(#clog)", "clogged"),
        ];
        let mut x = LEFT;
        for (fill, text) in entries {
            // A lease is a thin bar below its lane.
            let (y, height) = if text == "lease" { (y - 7.0, 5) } else { (y - 11.0, 13) };
            let _ = write!(
                self.svg,
                r##"<rect x="{x:.0}" y="{y}" width="20" height="{height}" fill="{fill}" stroke="#555" stroke-width="0.6"/>"##
            );
            x = self.entry(x, y + if height == 5 { 7.0 } else { 11.0 }, text);
        }
        self.svg.push('\n');
    }

    fn legend_of_messages(&mut self, y: f64) {
        let mut x = LEFT;
        for kind in ["offer", "accept", "refuse", "announce", "release", "pause", "reject"] {
            let ink = stroke(kind, false).0;
            let _ = write!(
                self.svg,
                r#"<line x1="{x:.0}" y1="{:.0}" x2="{:.0}" y2="{:.0}" stroke="{ink}" marker-end="url(#tip)"/>"#,
                y - 4.0,
                x + 20.0,
                y - 4.0
            );
            x = self.entry(x, y, &format!("{} {kind}", letter(kind)));
        }
        let (ink, dash) = stroke("", true);
        let _ = write!(
            self.svg,
            r#"<path d="M{x:.0} {:.0}h17" stroke="{ink}" stroke-dasharray="{dash}"/><path d="M{:.0} {:.0}m-3 -3l6 6m0 -6l-6 6" stroke="{ink}" stroke-width="1.4"/>"#,
            y - 4.0,
            x + 17.0,
            y - 4.0
        );
        x = self.entry(x, y, "lost");
        let _ = write!(self.svg, r##"<path d="M{:.0} {:.0}l-4 8h8z" fill="#7c3aed"/>"##, x + 12.0, y - 8.0);
        x = self.entry(x, y, "done to the group");
        let _ = write!(
            self.svg,
            r##"<path d="M{:.0} {:.0}m-5 -5l10 10m0 -10l-10 10" stroke="#dc2626" stroke-width="3"/>"##,
            x + 12.0,
            y - 4.0
        );
        self.entry(x, y, "violation");
        self.svg.push('\n');
    }

    /// A text beside its sign; where the next entry begins.
    fn entry(&mut self, x: f64, y: f64, text: &str) -> f64 {
        let _ = write!(self.svg, r#"<text x="{:.0}" y="{y:.0}">{text}</text>"#, x + 26.0);
        x + 38.0 + letters(text)
    }
}
