//! The words that lines are made of: names, links, numbers and times.

use std::time::Duration;

use super::{Name, Step};
use crate::clock::{MICRO, MILLI, SECOND};
use crate::ids::NodeIndex;

/// What comes of a line or a part of one, or what is wrong with it.
pub(super) type Parsed<T> = Result<T, String>;

/// The longest time that can be written: more than any clock of a run counts.
const LONGEST: u64 = 1_000_000 * SECOND;

pub(super) fn on_nodes(nodes: &[&str], step: impl Fn(Name) -> Step) -> Parsed<Vec<Step>> {
    if nodes.is_empty() {
        return Err("name at least one node".into());
    }
    nodes.iter().map(|node| name(node).map(&step)).collect()
}

/// `a>b` is one direction, `a-b` both.
pub(super) fn on_links(links: &[&str], step: impl Fn(Name, Name) -> Step) -> Parsed<Vec<Step>> {
    if links.is_empty() {
        return Err("name at least one link".into());
    }
    let mut steps = Vec::new();
    for text in links {
        if let Some((one, other)) = text.split_once('-') {
            let (one, other) = (name(one)?, name(other)?);
            steps.extend([step(one, other), step(other, one)]);
        } else {
            let (from, to) = link(text)?;
            steps.push(step(from, to));
        }
    }
    Ok(steps)
}

pub(super) fn link(text: &str) -> Parsed<(Name, Name)> {
    let (from, to) = text.split_once('>').ok_or("a link is written a>b")?;
    Ok((name(from)?, name(to)?))
}

pub(super) fn name(text: &str) -> Parsed<Name> {
    match text.as_bytes() {
        [letter @ b'a'..=b'z'] => Ok(Name::Node(NodeIndex::new(letter - b'a'))),
        b"LEADER" => Ok(Name::Leader),
        _ => Err(format!("`{text}` is neither a letter nor LEADER")),
    }
}

/// A node in a setting, where nobody leads yet.
pub(super) fn letter(name: Name) -> Parsed<NodeIndex> {
    match name {
        Name::Node(node) => Ok(node),
        Name::Leader => Err("name a node".into()),
    }
}

pub(super) fn whole<T: std::str::FromStr>(text: &str) -> Parsed<T> {
    text.parse().map_err(|_| format!("`{text}` is not a number that fits"))
}

pub(super) fn nanos(text: &str) -> Parsed<u64> {
    let (unit, length) = match text {
        _ if text.ends_with("ns") => (1, 2),
        _ if text.ends_with("us") => (MICRO, 2),
        _ if text.ends_with("ms") => (MILLI, 2),
        _ if text.ends_with('s') => (SECOND, 1),
        _ => return Err(format!("`{text}` is not a time like 5us, 20ms or 3s")),
    };
    let count = whole::<u64>(&text[..text.len() - length])?;
    count.checked_mul(unit).filter(|&span| span <= LONGEST).ok_or(format!("`{text}` is more than 1000000s"))
}

/// Two times, the second at least as long as the first.
pub(super) fn between(least: &str, most: &str) -> Parsed<(u64, u64)> {
    let (least_span, most_span) = (nanos(least)?, nanos(most)?);
    if least_span > most_span {
        return Err(format!("`{least}` is longer than `{most}`"));
    }
    Ok((least_span, most_span))
}

/// A share, per million.
pub(super) fn ppm(text: &str) -> Parsed<u32> {
    let ppm = whole(text)?;
    if ppm > 1_000_000 { Err(format!("`{text}` is more than 1000000 per million")) } else { Ok(ppm) }
}

/// How fast or slow a clock runs, per million: it goes on, and forwards.
pub(super) fn rate(text: &str) -> Parsed<i64> {
    let rate = whole(text)?;
    if (-999_999..=1_000_000).contains(&rate) {
        Ok(rate)
    } else {
        Err(format!("`{text}` is not a rate of -999999 to 1000000 per million"))
    }
}

pub(super) fn duration(text: &str) -> Parsed<Duration> {
    nanos(text).map(Duration::from_nanos)
}
