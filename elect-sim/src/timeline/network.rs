//! Below the lanes: which links were cut or clogged when, and what else was done to the group.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Canvas, LEFT, escape, letters, pixels, seconds};
use crate::clock::Real;
use crate::ids::{Link, NodeIndex};
use crate::network::Trouble;
use crate::trace::{Mark, Marked};

/// Height of a row of bars or of text.
const ROW: f64 = 17.0;
/// How many rows of text there are; what does not fit is only a sign to point at.
const TEXTS: usize = 2;

/// How many links a bar names.
const NAMES_MAX: usize = 12;

/// Links that were in the same trouble for the same span.
pub(super) struct Episode {
    trouble: Trouble,
    from: Real,
    to: Real,
    links: Vec<Link>,
    row: usize,
}

impl Episode {
    fn what(&self) -> &'static str {
        if self.trouble == Trouble::Cut { "cut" } else { "clogged" }
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.links.iter().map(ToString::to_string).collect();
        names.join(" ")
    }

    fn text(&self, nodes: usize) -> String {
        let count = |wanted: fn(Link) -> NodeIndex, node| {
            self.links.iter().filter(|&&link| wanted(link) == node).count()
        };
        let everybody = nodes.saturating_sub(1);
        let alone = NodeIndex::all(nodes).find_map(|node| {
            let (out, inward) = (count(|link| link.from, node), count(|link| link.to, node));
            match (out, inward) {
                _ if everybody < 2 || out + inward != self.links.len() => None,
                (out, inward) if out == everybody && inward == everybody => Some(format!("{node} ⇄ all")),
                (out, 0) if out == everybody => Some(format!("{node} → all")),
                (0, inward) if inward == everybody => Some(format!("all → {node}")),
                _ => None,
            }
        });
        let links = || {
            if self.links.len() > NAMES_MAX {
                return format!("{} of {} links", self.links.len(), nodes * everybody);
            }
            self.names()
        };
        format!("{} {}", self.what(), alone.unwrap_or_else(links))
    }
}

impl Canvas {
    /// The episodes of the window, each in a row where it overlaps no other.
    pub(super) fn episodes(&self, marks: &[Mark]) -> Vec<Episode> {
        let mut open: BTreeMap<Link, (Trouble, Real)> = BTreeMap::new();
        let mut spans: BTreeMap<(Real, Real, Trouble), Vec<Link>> = BTreeMap::new();
        let mut close = |link, begun: Option<(Trouble, Real)>, at| {
            if let Some((trouble, since)) = begun {
                spans.entry((since, at, trouble)).or_default().push(link);
            }
        };
        for mark in marks {
            let Marked::Link { link, trouble } = mark.what else { continue };
            close(link, open.remove(&link), mark.at);
            if let Some(trouble) = trouble {
                open.insert(link, (trouble, mark.at));
            }
        }
        for (link, begun) in open {
            close(link, Some(begun), self.end);
        }
        let mut free: Vec<f64> = Vec::new();
        let mut episodes = Vec::new();
        for ((from, to, trouble), links) in spans {
            let to = to.min(self.end);
            if from >= to || !self.overlaps(from, to) {
                continue;
            }
            let row = free.iter().position(|&free| free <= self.x(from)).unwrap_or(free.len());
            free.resize(free.len().max(row + 1), 0.0);
            free[row] = self.x(to).max(self.x(from) + 2.0) + 2.0;
            episodes.push(Episode { trouble, from, to, links, row });
        }
        episodes
    }

    /// How high everything below the lanes is.
    pub(super) fn depth(episodes: &[Episode]) -> f64 {
        let rows = episodes.iter().map(|episode| episode.row + 1).max().unwrap_or(0);
        ROW * pixels(rows + TEXTS) + 26.0
    }

    pub(super) fn network(&mut self, marks: &[Mark], episodes: &[Episode]) {
        let y = Self::y(self.nodes) + 6.0;
        let _ = writeln!(self.svg, r##"<text x="6" y="{:.0}" fill="#555">network</text>"##, y + 12.0);
        for episode in episodes {
            self.episode(y, episode);
        }
        let rows = episodes.iter().map(|episode| episode.row + 1).max().unwrap_or(0);
        self.notes(y + ROW * pixels(rows) + 4.0, marks);
    }

    fn episode(&mut self, y: f64, episode: &Episode) {
        let (x, end) = (self.x(episode.from), self.x(episode.to));
        let (y, width) = (y + ROW * pixels(episode.row), (end - x).max(2.0));
        let text = episode.text(self.nodes);
        let fill = if episode.trouble == Trouble::Cut { "#4b5563" } else { "url(#clog)" };
        let _ = write!(
            self.svg,
            r##"<g><rect x="{x:.1}" y="{y:.0}" width="{width:.1}" height="14" fill="{fill}" stroke="#4b5563" stroke-width="0.6"/>"##
        );
        let links = if let [_] = episode.links[..] {
            "1 link".to_owned()
        } else {
            format!("{} links", episode.links.len())
        };
        let short = format!("{} {links}", episode.what());
        if let Some(text) = [&text, &short, &links].into_iter().find(|text| width > 0.9 * letters(text) + 6.0)
        {
            let (ink, ground) =
                if episode.trouble == Trouble::Cut { ("#fff", "none") } else { ("#000", "#fff") };
            let _ = write!(
                self.svg,
                r#"<text x="{:.1}" y="{:.0}" font-size="11" fill="{ink}" stroke="{ground}" stroke-width="4" paint-order="stroke">{text}</text>"#,
                x + 4.0,
                y + 11.0
            );
        }
        let _ = writeln!(
            self.svg,
            "<title>{text}, from {} to {}\n{}</title></g>",
            seconds(episode.from),
            seconds(episode.to),
            episode.names()
        );
    }

    /// What was done to the group as a whole; cuts have their bars.
    fn notes(&mut self, y: f64, marks: &[Mark]) {
        let mut free = [0.0; TEXTS];
        let right = LEFT + f64::from(self.window.width) + 20.0;
        for mark in marks {
            let Marked::Network(text) = &mark.what else { continue };
            let is_bar = ["cut", "heal", "isolate"].iter().any(|word| text.starts_with(word));
            if is_bar || !self.overlaps(mark.at, mark.at) {
                continue;
            }
            let x = self.x(mark.at);
            let _ = write!(
                self.svg,
                r##"<g><path d="M{x:.1} {:.0}V{:.0}" stroke="#7c3aed" stroke-dasharray="2 4"/><path d="M{x:.1} {y:.0}l-4 8h8z" fill="#7c3aed"/>"##,
                super::TOP,
                y
            );
            let short: String = text.chars().take(60).collect();
            // At the right edge a text ends below its sign.
            let width = letters(&short);
            let begin = (x - 4.0).min(right - width);
            if let Some(row) = free.iter().position(|&free| begin >= free) {
                let _ = write!(
                    self.svg,
                    r##"<text x="{begin:.1}" y="{:.0}" fill="#6d28d9">{}</text>"##,
                    y + 20.0 + ROW * pixels(row),
                    escape(&short)
                );
                free[row] = begin + width + 10.0;
            }
            let _ = writeln!(self.svg, "<title>{} {}</title></g>", seconds(mark.at), escape(text));
        }
    }
}
