//! Many writes: what they take on the disk, and in memory.

use std::time::Instant;

use super::Outcome;
use super::client::{self, KEY_BYTES, VALUE};
use super::figure::{Figure, Target, Unit};
use super::group::Group;
use super::process::disk_usage;
use super::setting::Setting;

const WRITES: u32 = 1_000_000;

pub(crate) fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for voters in [1, 3] {
        figures.extend(fill(setting, voters)?);
    }
    Ok(figures)
}

fn fill(setting: &Setting, voters: usize) -> Outcome<[Figure; 3]> {
    let writes = setting.either(WRITES, 2_000);
    let (mut group, primary) = Group::start(setting, &format!("fill-{voters}"), voters, "")?;
    let began = Instant::now();
    client::fill(group.port(primary), writes.into())?;
    let rate = f64::from(writes) / began.elapsed().as_secs_f64();
    group.wait_level()?;
    let bytes = u32::try_from(KEY_BYTES + VALUE.len())?;
    let live = f64::from(writes) * f64::from(bytes) / f64::from(1 << 20);
    let (mut disk, mut memory) = (0.0_f64, 0.0_f64);
    for node in 0..voters {
        disk = disk.max(disk_usage(&group.data_dir(node))?);
        memory = memory.max(group.process(node)?.peak()?);
    }
    let (of, voters) = match voters {
        1 => ("one voter".to_owned(), "one voter".to_owned()),
        _ => (format!("the most of {voters} voters"), format!("{voters} voters")),
    };
    let what = format!("{writes} writes of {} bytes, a key each", VALUE.len());
    Ok([
        Figure::new(format!("{what}, {voters}, 4 clients, pipeline 64"), rate, Unit::PerSecond),
        Figure::new(format!("disk after that, {of}"), disk, Unit::Mebibytes)
            .beside("live data", live)
            .should(Target::RatioAtMost(3.0)),
        Figure::new(format!("memory at most, {of}"), memory, Unit::Mebibytes).should(Target::AtMost(128.0)),
    ])
}
