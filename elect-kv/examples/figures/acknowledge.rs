//! What a SET takes for each answer to the question who must hold it first.

use std::time::Duration;

use super::Outcome;
use super::client;
use super::figure::{Figure, Unit};
use super::group::Group;
use super::setting::Setting;

const CLIENTS: [u64; 2] = [1, 16];
const SPAN: Duration = Duration::from_secs(5);

pub(crate) fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for acknowledge in ["quorum", "all", "one"] {
        let keys = format!("acknowledge = \"{acknowledge}\"\n");
        let (group, primary) = Group::start(setting, &format!("acknowledge-{acknowledge}"), 3, &keys)?;
        // What comes first is slower: memory is not there yet.
        client::time_sets(group.port(primary), 4, SPAN / setting.either(5, 100))?;
        for clients in CLIENTS {
            let spans = client::time_sets(group.port(primary), clients, SPAN / setting.either(1, 50))?;
            let of = if clients == 1 { "1 client".to_owned() } else { format!("{clients} clients") };
            for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
                let what = format!("SET, 3 voters, acknowledge = \"{acknowledge}\", {of}: {name}");
                figures.push(Figure::new(what, spans.millis(part), Unit::Milliseconds));
            }
        }
    }
    Ok(figures)
}
