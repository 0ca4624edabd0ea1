//! The lines on standard error: what happened, in local time with its offset, as text or as JSON.

use std::fmt;
use std::io;

use clap::ValueEnum;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::prelude::*;

use crate::line_writer::LineWriter;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Time, level, and one sentence.
    #[default]
    Text,
    /// An object per line, with the fields of the sentence beside it.
    Json,
}

/// Starts the log. Its lines are written by a thread of its own: the election must not wait for whoever reads them.
pub(crate) fn start(level: LevelFilter, format: LogFormat) -> io::Result<LineWriter> {
    let about_dropped = |lost| {
        format!("{lost} lines before this one were dropped: standard error took them too slowly\n").into()
    };
    let lines = LineWriter::start("log", io::stderr(), about_dropped)?;
    let wanted = filter_fn(move |line| is_wanted(line, level)).with_max_level_hint(level);
    let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone()).with_target(false);
    let layer = layer.with_timer(LocalTime::default());
    match format {
        LogFormat::Text => {
            let sentence = debug_fn(|out: &mut Writer<'_>, field, value| match field.name() {
                "message" => write!(out, "{value:?}"),
                // The sentence says it, too.
                _ => Ok(()),
            });
            tracing_subscriber::registry().with(layer.fmt_fields(sentence).with_filter(wanted)).init();
        }
        LogFormat::Json => {
            tracing_subscriber::registry().with(layer.json().flatten_event(true).with_filter(wanted)).init();
        }
    }
    Ok(lines)
}

/// The event log tells what the election's events are, and so does the library: of its lines only those of single frames
/// are left.
fn is_wanted(line: &Metadata<'_>, level: LevelFilter) -> bool {
    *line.level() <= level && (line.target() != "elect" || *line.level() == Level::DEBUG)
}

/// Local time, or UTC where the machine has no other. The zone is looked up once: no line waits for a file.
struct LocalTime(TimeZone);

impl Default for LocalTime {
    fn default() -> Self {
        Self(TimeZone::try_system().unwrap_or(TimeZone::UTC))
    }
}

impl FormatTime for LocalTime {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        let now = Timestamp::now().to_zoned_datetime(self.0.clone());
        write!(out, "{}", now.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z"))
    }
}
