//! A second process under the primary's name: with a first boot of its own, and with a backup of its files.
//!
//! A copy of what the primary has *now* cannot be told from the primary itself, started again: its process would displace the
//! first one, which stops. What is a life older is a backup, and is refused.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::findings::Findings;
use crate::group::{Group, Launch, Plan, Told, free_addresses};
use crate::leases::{self, Unfinished};
use crate::node::Seat;

/// For how long each twin lives beside the primary.
const BESIDE: Duration = Duration::from_secs(3);

/// Each of the two kinds `count` times.
pub(crate) fn run(
    plan: &Plan,
    count: usize,
    directory: &Path,
    launch: &Launch,
    mut progress: impl FnMut(usize),
) -> Result<Findings, Box<dyn Error>> {
    let mut group = Group::start(plan, directory, launch)?;
    let backups = directory.join("backups");
    fs::create_dir_all(&backups)?;
    for node in 0..plan.nodes {
        group.settle(&[])?;
        let seat = group.seat(node).clone();
        copy(&seat, &Seat { directory: backups.clone(), ..seat.clone() })?;
        group.kill(node)?;
        group.launch(node)?;
    }
    let (mut lines, mut wrong, mut intervals) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..count {
        for kind in ["first boot", "backup"] {
            let home = directory.join(format!("twin-{}-{number}", kind.replace(' ', "-")));
            fs::create_dir_all(&home)?;
            let leader = group.settle(&[])?;
            let own = group.seat(leader).clone();
            let seat = Seat { listen: free_addresses(1)?[0], directory: home.clone(), ..own.clone() };
            if kind == "backup" {
                copy(&Seat { directory: backups.clone(), ..own }, &seat)?;
            } else {
                seat.init()?;
            }
            let mark = group.told.len();
            let told = group.twin(leader, &seat)?.told(BESIDE);
            group.listen(BESIDE / 10);
            let lost = group.told[mark..].iter().find(|told| told.is(leader, "lost"));
            wrong.extend(lost.map(|lost| format!("a twin ({kind}) cost office: {}", lost.word(1))));
            lines.push(format!("{kind}: {}", last_words(&told)));
            intervals.extend(leases::read(&home, Unfinished::ToItsEnd)?);
        }
        progress(number + 1);
    }
    group.settle(&[])?;
    intervals.extend(leases::checked(directory, Unfinished::ToItsEnd, &group.end())?);
    intervals.sort_by_key(|interval| interval.from);
    leases::check(&intervals)?;
    let (twins, disturbed) = (2 * count, wrong.len());
    lines.push(format!(
        "{twins} twins, {disturbed} primaries disturbed; {} leases, no two overlap",
        intervals.len()
    ));
    let json = json!({ "twins": twins, "disturbed": disturbed, "leases": intervals.len() });
    Ok(Findings { lines, json, wrong })
}

/// The files of one node.
fn copy(from: &Seat, to: &Seat) -> std::io::Result<()> {
    fs::copy(from.vote_file(), to.vote_file())?;
    fs::copy(from.file("log"), to.file("log")).map(drop)
}

/// What a twin said that explains what became of it.
fn last_words(told: &[Told]) -> String {
    let ends = ["stopped", "failed", "replaced", "notice", "link"];
    let said = ends.iter().find_map(|end| told.iter().rev().find(|told| told.what == *end));
    said.map_or_else(|| "it said nothing".into(), |told| format!("{} {}", told.what, told.words.join(": ")))
}
