//! A disk that hangs and one that is full, under a primary and under a follower: vote and log lie on it.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::disk::Disk;
use crate::figures::{Figures, millis};
use crate::findings::Findings;
use crate::group::{Group, Launch, Plan};
use crate::leases::{self, Unfinished};

/// For how long a follower's disk is in trouble.
const TROUBLE: Duration = Duration::from_secs(2);

/// What a disk does.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Hangs,
    Full,
}

impl Trouble {
    fn set(self, disk: &Disk, on: bool) -> io::Result<()> {
        match self {
            Self::Hangs => disk.hang(on),
            Self::Full => disk.fill(on),
        }
    }
}

/// Each of the four cases `count` times.
pub(crate) fn run(
    plan: &Plan,
    count: usize,
    directory: &Path,
    launch: &Launch,
    mut progress: impl FnMut(usize),
) -> Result<Findings, Box<dyn Error>> {
    let mut group = Group::start(plan, directory, launch)?;
    let (mut hung, mut full, mut wrong) = (Figures::default(), Figures::default(), Vec::new());
    for number in 0..count {
        for (trouble, figures) in [(Trouble::Hangs, &mut hung), (Trouble::Full, &mut full)] {
            figures.note(under_primary(&mut group, trouble)?);
            wrong.extend(under_follower(&mut group, trouble)?);
        }
        progress(number + 1);
    }
    let offices = group.end();
    let intervals = leases::checked(directory, Unfinished::ToItsEnd, &offices)?;
    let lines = vec![
        format!("primary's disk hangs, to office of another    {}", hung.line()),
        format!("primary's disk is full, to office of another  {}", full.line()),
        format!(
            "followers' disks: {} primaries disturbed; {} leases, no two overlap",
            wrong.len(),
            intervals.len()
        ),
    ];
    let json = json!({ "hung_to_office_nanos": hung.json(), "full_to_office_nanos": full.json(), "leases": intervals.len() });
    Ok(Findings { lines, json, wrong })
}

/// Another takes over. How long that took.
fn under_primary(group: &mut Group<'_>, trouble: Trouble) -> Result<u64, Box<dyn Error>> {
    let leader = group.settle(&[])?;
    let (mark, disk) = (group.told.len(), group.seat(leader).disk());
    let began = crate::node::now();
    trouble.set(&disk, true)?;
    let office = group.wait("other primary", mark, |_, told| {
        told.iter().find(|told| told.what == "office" && told.node != leader).map(|told| told.at)
    })?;
    trouble.set(&disk, false)?;
    restart(group, leader)?;
    Ok(office - began)
}

/// The primary goes on.
fn under_follower(group: &mut Group<'_>, trouble: Trouble) -> Result<Option<String>, Box<dyn Error>> {
    let leader = group.settle(&[])?;
    let follower = usize::from(leader == 0);
    let (mark, disk) = (group.told.len(), group.seat(follower).disk());
    trouble.set(&disk, true)?;
    group.listen(TROUBLE);
    let lost = group.told[mark..].iter().find(|told| told.is(leader, "lost")).cloned();
    let wrong = lost.map(|lost| {
        let text = format!("a follower's disk ({trouble:?}) cost office: {}", lost.word(1));
        format!("{text}, after {}", millis(lost.at.saturating_sub(group.told[mark].at)))
    });
    trouble.set(&disk, false)?;
    restart(group, follower)?;
    Ok(wrong)
}

/// A node that has stopped after an error of its disk comes back by a restart.
fn restart(group: &mut Group<'_>, node: usize) -> Result<(), Box<dyn Error>> {
    group.kill(node)?;
    group.launch(node)?;
    group.settle(&[]).map(drop)
}
