//! The page for people: who leads and until when, what is wrong, and the last transitions. No scripts, nothing from elsewhere.

use std::fmt::{self, Write as _};

use elect_core::PeerStatus;
use elect_tcp::Link;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::Settings;
use crate::remote::readable_span;
use crate::report::{Report, Serves};

const STYLE: &str = include_str!("page.css");

/// The page; `every` so many seconds it loads itself anew.
pub(super) fn render(report: &Report, why: &str, settings: &Settings, every: Option<u32>) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut page, report, why, settings, every);
    page
}

/// Text in which nothing is markup.
struct Text<T>(T);

impl<T: fmt::Display> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
            match character {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

fn write_page(
    page: &mut String,
    report: &Report,
    why: &str,
    settings: &Settings,
    every: Option<u32>,
) -> fmt::Result {
    let (node, cluster) = (report.election.node, report.election.cluster);
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    let refresh =
        every.map_or_else(String::new, |span| format!("<meta http-equiv=\"refresh\" content=\"{span}\">"));
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{refresh}\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Node {} <small>of cluster {}</small></h1>\n",
        Text(format_args!("{node}: {}", report.kv.serves)),
        Text(node),
        Text(cluster),
    )?;
    write_headline(page, report, why)?;
    write_problems(page, report)?;
    write_members(page, report, settings)?;
    write_transitions(page, report, &zone)?;
    let now = Timestamp::now().to_zoned_datetime(zone);
    let reload = match every {
        None => "<a href=\"/watch\">Look again every 5 seconds</a>",
        Some(_) => "<a href=\"/\">Stop looking again</a>",
    };
    write!(
        page,
        "<footer><p>As of <time>{}</time>. {reload}. For machines: <a href=\"/status\">status</a>, \
         <a href=\"/metrics\">metrics</a>. elect-kv {}.</p></footer>\n</main>\n</body>\n</html>\n",
        now.strftime("%Y-%m-%d %H:%M:%S %:z"),
        Text(report.kv.version),
    )
}

/// Who leads, until when, and if nobody, why.
fn write_headline(page: &mut String, report: &Report, why: &str) -> fmt::Result {
    let election = &report.election;
    let span = readable_span(report.kv.unchanged_for_ms / 1_000);
    let lease = election.lease_remaining.map_or(0, |left| left.as_millis());
    let epoch = election.leader_epoch.map(|epoch| epoch.to_string()).unwrap_or_default();
    let leader = election.leader.map(|leader| leader.to_string()).unwrap_or_default();
    let is_up = |link: &Link| link.outbound.is_up && link.inbound.is_up;
    let is_well = report.kv.standstill.is_none() && election.links.iter().all(is_up);
    let served = if is_well { "good" } else { "warn" };
    let (class, headline) = match report.kv.serves {
        Serves::Primary => (
            served,
            format!("This node is the primary of epoch {epoch}, its lease runs for {lease} ms more."),
        ),
        Serves::Replica | Serves::Witness => (served, format!("{leader} is the primary of epoch {epoch}.")),
        Serves::Nothing if election.handing_over => {
            ("warn", "This node hands its office over: writes wait for the next primary.".into())
        }
        Serves::Nothing if election.leader == Some(election.node) => {
            ("warn", format!("This node was elected for epoch {epoch} and does not serve yet."))
        }
        Serves::Nothing => ("bad", "No primary, as far as this node knows.".into()),
    };
    write!(
        page,
        "<section class=\"headline {class}\" aria-label=\"State\">\n<p class=\"state\">{}</p>\n\
         <p>{}</p>\n<p>Unchanged for {}. The log here ends at {}, and is committed up to {}.</p>\n</section>\n",
        Text(headline),
        Text(why),
        Text(span),
        report.kv.durable,
        report.kv.commit,
    )
}

fn write_problems(page: &mut String, report: &Report) -> fmt::Result {
    let problems: Vec<_> = report.kv.standstill.iter().chain(&report.kv.problems).collect();
    if problems.is_empty() {
        return Ok(());
    }
    page.write_str("<section>\n<h2>What is wrong</h2>\n<ul>\n")?;
    for problem in problems {
        writeln!(page, "<li>{}</li>", Text(problem))?;
    }
    page.write_str("</ul>\n</section>\n")
}

fn write_members(page: &mut String, report: &Report, settings: &Settings) -> fmt::Result {
    table(
        page,
        "Members, as this node sees them",
        &["Node", "Kind", "Role", "Link", "Lag", "Clients connect to"],
    )?;
    let election = &report.election;
    // What a member does that is not connected is not known.
    let role = |node, is_here| match election.leader {
        Some(leader) if leader == node => "leader",
        Some(_) if is_here => "follower",
        _ => "–",
    };
    let kind = format!("{:?}", election.kind).to_lowercase();
    let own = ["this node".to_owned(), "–".into(), settings.advertise_client.clone()];
    row(
        page,
        election.node.as_str(),
        &[kind, role(election.node, true).into(), own[0].clone(), own[1].clone(), own[2].clone()],
    )?;
    for peer in &election.peers {
        let lag = report.kv.followers.iter().find(|follower| follower.node == peer.node);
        let cells = [
            format!("{:?}", peer.kind).to_lowercase(),
            role(peer.node, peer.connected).into(),
            link_of(report, peer),
            lag.map_or_else(|| "–".into(), |follower| follower.lag.to_string()),
            if peer.address.as_str().is_empty() { "–".into() } else { peer.address.to_string() },
        ];
        row(page, peer.node.as_str(), &cells)?;
    }
    page.write_str("</tbody>\n</table>\n</div>\n")
}

fn link_of(report: &Report, peer: &PeerStatus) -> String {
    let link = report.election.links.iter().find(|link| link.peer == peer.node);
    match link {
        Some(link) if link.outbound.is_up && link.inbound.is_up => "stands".into(),
        Some(link) => {
            let reason = link.outbound.reason.as_ref().or(link.inbound.reason.as_ref());
            reason.map_or_else(|| "down".into(), |reason| format!("down: {reason}"))
        }
        None => "–".into(),
    }
}

fn write_transitions(page: &mut String, report: &Report, zone: &TimeZone) -> fmt::Result {
    table(page, "The last transitions, the newest first", &["When", "What and why"])?;
    for told in report.kv.transitions.iter().rev() {
        let at = Timestamp::from_millisecond(i64::try_from(told.unix_ms).unwrap_or(0)).unwrap_or_default();
        let at = at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string();
        row(page, &at, std::slice::from_ref(&told.text))?;
    }
    page.write_str("</tbody>\n</table>\n</div>\n")
}

/// Up to its body. On a narrow screen it scrolls, by the keyboard too.
fn table(page: &mut String, caption: &str, columns: &[&str]) -> fmt::Result {
    write!(
        page,
        "<div class=\"scrolls\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\">\n<table>\n<caption>{0}</caption>\n<thead><tr>",
        Text(caption)
    )?;
    for column in columns {
        write!(page, "<th scope=\"col\">{}</th>", Text(column))?;
    }
    page.write_str("</tr></thead>\n<tbody>\n")
}

fn row(page: &mut String, head: &str, cells: &[String]) -> fmt::Result {
    write!(page, "<tr><th scope=\"row\">{}</th>", Text(head))?;
    for cell in cells {
        write!(page, "<td>{}</td>", Text(cell))?;
    }
    page.write_str("</tr>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        let text = "<script>alert('x')</script> & \"y\"";
        let shown = Text(text).to_string();
        assert_eq!(shown, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;");
    }
}
