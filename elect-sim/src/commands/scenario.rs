//! `elect-sim scenario`: stories with expectations.

use clap::Args;
use elect_sim::{Detail, SCENARIOS, Scenario};

use super::{Exit, scenario};

const LANGUAGE: &str = "\
A scenario is a text file: comment lines that say what it is about, settings, then steps; one per line.
Nodes are a, b, c, …; LEADER is who led at the last `until`. A link is a>b, both directions a-b.
  settings  voters 3 | witnesses 1 | observers 1 | seed 7 | delay 1ms | save 1ms | detection 500ms | heartbeat 50ms
            drift 20000 | writes 50ms | crash-evidence | supervised | preferred a | cooldown 2s | office-timeout 2s
            detection 200ms to 800ms phi 8 | delay 200us to 4ms | reading 500us | boot-spread 20ms | wild-clocks
            round-trip 2ms (as configured, where delays exceed it) | reports 2s (so late hosts report positions)
            until it is calm, per million: loss 30000 | duplicates 30000 | tail 5000 1s | stale 5000 9s | store-loss 30000
            once it is calm: calm-delay 200us to 2ms | remains-cut a>b c>d | remains-down e
            drill isolate-leader: measured once it is calm and a leader is in office, as often as named
            sabotage no-fence: a bug planted around the elector, to see a checker fail
            twin c: one more machine, with the next letter. It is off until a copied disk is started there. It has the
            name of c: what is sent to c reaches both, and what either sends is from c
  one node  of a drift 0 | of a detection 300ms | of a detection 200ms to 800ms phi 8 | of a heartbeat 50ms | of a preferred b | of a members a b c
            (after the first step: from its next start)
  time      wait 1s | until STATE within 2s | expect STATE | mark
  STATE     leader | leader a | leader not a | office a | nobody | stopped a | replaced a | intact a
            epoch a at-most 5 | fence a at-most 5 | detection a at-most 1s (each or at-least) | no office | refused a WORDS (its start) | explains a WORDS
            knows a b version 5 at 7 (what b's host says; its address is its life, or where it was moved)
            elections 1 | losses 0 | acknowledged 10 (at least) or at-most 0 | frames at-most 99 | inputs at-most 99 (all since the mark)
  calm      calm 20s: all faults end but what remains, and a leader is demanded within its bounds
  network   cut a>b c-d | heal | heal a-b | isolate a | clog a>b | unclog a>b
            close a>b (a sees the connection break) | delays 1ms 80ms (from now on)
            cut a>b store | heal a>b store (what hosts send, not the electors' frames) | slower 80ms (every message from now on)
            lose a>b accept 1 | late a>b heartbeat 1 by 80ms | again a>b any 3 by 5s (any frame) | lose a>b store 9 (what hosts send)
  nodes     crash a | power-off a | start a | wipe a | wipe-record a | init a (wiped) | init-if-final a | pause a 3s | rate a -20000
            disk a hung|well|slow 50ms|fails-before|fails-after | back-up a | restore a | restore-if-known a | copy-disk c>d
            twin-if-known d (the twin d starts with the backup of its member; *if-known: where everybody would notice)
            raise-record a 2 (a dead node had stood so far above everybody, unheard)
            on MOMENT a: …, on MOMENT a after 300us: … (once): crash 30ms (down for so long) | pause 30ms | cut a>b 1s | disk fails-before
            MOMENT: stands | accepts | saves | elected | office | raises | hands-over
            interrupt a after 12 pause|pause-after-clock|crash 30ms (instructions of its elector)
  hosts     setup a fails|works | claim-rebuilt a
  requests  resign a | handover a | handover a to b | unfit a | fit a | vouch a 300ms | freeze a 5s | thaw a | move a 7 (clients reach it elsewhere) | upgrade a 5 (its host's version)
  forgery   forge b>a accept|announce|offer|heartbeat 9 (or max) | forge b>a life max (its counter), `fresh` at its end: with an echo of what a sent";

/// Plays scenarios.
#[derive(Debug, Args)]
#[command(after_long_help = LANGUAGE)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct Arguments {
    /// Name of a scenario of the repository, or path of a file
    #[arg(required_unless_present_any = ["all", "list"])]
    name: Option<String>,
    /// Play all scenarios of the repository
    #[arg(long, conflicts_with = "name")]
    all: bool,
    /// Only list them
    #[arg(long, conflicts_with = "name")]
    list: bool,
    /// Show every frame too
    #[arg(long)]
    frames: bool,
    /// Only what failed, as JSON
    #[arg(long, conflicts_with_all = ["list", "frames"])]
    json: bool,
}

/// What became of the scenarios that were played.
#[derive(Debug, Default, serde::Serialize)]
struct Played {
    scenarios: usize,
    failed: Vec<Failed>,
}

#[derive(Debug, serde::Serialize)]
struct Failed {
    name: String,
    why: String,
}

impl Played {
    fn add(&mut self, name: &str, failure: Option<String>) {
        self.scenarios += 1;
        self.failed.extend(failure.map(|why| Failed { name: name.into(), why }));
    }

    fn print_as_json(&self) {
        println!("{}", serde_json::to_string_pretty(self).expect("plain data"));
    }
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match &arguments.name {
        Some(name) if arguments.json => {
            let mut played = Played::default();
            played.add(name, scenario(name)?.play(Detail::Hash).failure);
            played.print_as_json();
            Ok(played.failed.is_empty())
        }
        Some(name) => one(name, if arguments.frames { Detail::Frames } else { Detail::Events }),
        None if arguments.list => {
            for (name, text) in SCENARIOS {
                println!(
                    "{name:<32} {}",
                    Scenario::parse(text).map(|scenario| scenario.about).unwrap_or_default()
                );
            }
            Ok(true)
        }
        None => Ok(all(arguments.json)),
    }
}

fn one(name: &str, detail: Detail) -> Exit {
    let scenario = scenario(name)?;
    println!("{}\n", scenario.about);
    let report = scenario.play(detail);
    print!("{}", report.world.trace().to_text());
    match &report.failure {
        Some(failure) => println!("\nFAILS {failure}"),
        None => println!("\neverything held"),
    }
    Ok(report.failure.is_none())
}

fn all(json: bool) -> bool {
    let mut played = Played::default();
    for (name, text) in SCENARIOS {
        let failure = match Scenario::parse(text) {
            Ok(scenario) => scenario.play(Detail::Hash).failure,
            Err(error) => Some(error.to_string()),
        };
        played.add(name, failure);
    }
    if json {
        played.print_as_json();
    } else {
        for Failed { name, why } in &played.failed {
            println!("{name} FAILS {why}");
        }
        println!("{} scenarios, {} failed", played.scenarios, played.failed.len());
    }
    played.failed.is_empty()
}
