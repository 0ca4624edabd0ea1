use super::*;
use crate::action::Action;
use crate::campaign::Run;
use crate::options::Options;
use crate::trace::Detail;
use crate::world::World;

/// Three quiet nodes after a second, and which of them leads.
fn settled() -> (World, NodeIndex) {
    let mut world = World::new(Options::quiet(1, 3), Detail::Events);
    world.run_until(SECOND);
    let leader = world.leader().expect("there is a leader").0;
    (world, leader)
}

fn drawn(world: &World) -> String {
    let window = Window { from: 0, to: world.now(), width: 900 };
    draw(world.trace(), world.node_count(), "a title", world.violation(), window)
}

#[test]
fn a_picture_is_whole_and_needs_nothing_from_outside() {
    let mut world = World::new(Options::quiet(1, 3), Detail::Events);
    world.run_until(2 * SECOND);
    let window = Window { from: 0, to: 2 * SECOND, width: 900 };
    let violation = Violation {
        checker: crate::Checker::LeasesDisjoint,
        at: SECOND,
        node: "b".into(),
        detail: "a < b & c".into(),
    };
    let svg = draw(world.trace(), 3, "a title", Some(&violation), window);
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    for wanted in [
        "★ SERVES, epoch 1",
        "→ follows a",
        "lease of epoch 1",
        "offer from",
        "accept from",
        "✗ leases-disjoint on b",
    ] {
        assert!(svg.contains(wanted), "{wanted}");
    }
    assert!(svg.contains("a &lt; b &amp; c") && !svg.contains("a < b"));
    let addresses: Vec<_> = svg.match_indices("http").map(|(at, _)| &svg[at..at + 26]).collect();
    assert_eq!(addresses, ["http://www.w3.org/2000/svg"], "only the name of the format");
    for tag in ["g", "text", "svg", "defs"] {
        let opened = svg.matches(&format!("<{tag}>")).count() + svg.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, svg.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn a_span_tells_what_the_node_said_of_itself() {
    let (world, _) = settled();
    let svg = drawn(&world);
    for wanted in
        ["(this node) leads epoch 1, its lease runs for", "and has promised its vote", "✓ no violation"]
    {
        assert!(svg.contains(wanted), "{wanted}");
    }
}

#[test]
fn a_lease_ends_with_its_leader() {
    let (mut world, leader) = settled();
    world.perform(Action::Crash(leader));
    world.run_until(SECOND + 300 * MILLI);
    let svg = drawn(&world);
    let lease = svg.lines().find(|line| line.contains("lease of epoch 1")).expect("it is drawn");
    assert!(lease.contains(" to 1 s</title>"), "{lease}");
    assert!(svg.contains("<title>down from 1 s to 1.3 s"), "{svg}");
}

#[test]
fn cuts_and_clogs_are_bars() {
    let (mut world, _) = settled();
    for (from, to) in [(0, 1), (0, 2), (1, 0), (2, 0)] {
        world.perform(Action::Cut(NodeIndex::new(from), NodeIndex::new(to)));
    }
    world.perform(Action::Clog(NodeIndex::new(1), NodeIndex::new(2)));
    world.run_until(SECOND + 200 * MILLI);
    for (from, to) in [(0, 1), (0, 2), (1, 0), (2, 0)] {
        world.perform(Action::Heal(NodeIndex::new(from), NodeIndex::new(to)));
    }
    world.run_until(SECOND + 300 * MILLI);
    let svg = drawn(&world);
    for wanted in ["cut a ⇄ all, from 1 s to 1.2 s", "clogged b→c, from 1 s to 1.3 s"] {
        assert!(svg.contains(wanted), "{wanted}");
    }
}

#[test]
fn a_violation_is_marked_on_its_node_and_nothing_is_drawn_after_it() {
    let (world, _) = settled();
    let violation = Violation {
        checker: crate::Checker::PromisesKept,
        at: 800 * MILLI,
        node: "c".into(),
        detail: "why".into(),
    };
    let window = Window { from: 0, to: SECOND, width: 1_000 };
    let svg = draw(world.trace(), 3, "a title", Some(&violation), window);
    assert!(svg.contains("✗ VIOLATION: promises-kept at 0.800000 s on c: why"));
    let (x, y) = (LEFT + 800.0, Canvas::y(2) + BAR / 2.0);
    assert!(svg.contains(&format!(r#"<circle cx="{x:.1}" cy="{y:.0}""#)), "the cross is on c's lane");
    assert!(svg.contains("to 0.8 s\n") && !svg.contains("to 1 s\n"), "spans end there");
    let elsewhere = Window { from: 0, to: 500 * MILLI, width: 1_000 };
    assert!(!draw(world.trace(), 3, "a title", Some(&violation), elsewhere).contains("<circle cx=\"8"));
}

#[test]
fn letters_do_not_overlap() {
    let svg = |seed| {
        let run = Run::new(Options::swarm(seed, Some(7), 60 * SECOND), Detail::Events);
        drawn(&run.world)
    };
    let is_full = |svg: &String| svg.matches("font-size=\"10\"").count() > 50;
    let svg = (4_711..4_731).map(svg).find(is_full).expect("a picture with many letters");
    let mut texts: Vec<(f64, f64, f64)> = svg
        .lines()
        .flat_map(|line| line.split("<text ").skip(1))
        .filter(|text| text.contains("font-size=\"10\""))
        .map(|text| {
            let number = |name: &str| {
                let from = text.find(name).map_or(0, |at| at + name.len());
                text[from..].split('"').next().and_then(|digits| digits.parse().ok()).unwrap_or(f64::NAN)
            };
            let content = text.split_once('>').map_or("", |(_, rest)| rest.split('<').next().unwrap_or(""));
            (number("y=\""), number("x=\""), letters(content))
        })
        .collect();
    texts.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
    for pair in texts.windows(2) {
        let [(y, x, width), (below, next, _)] = [pair[0], pair[1]];
        assert!(y < below || x + width <= next + 0.2, "{x} and {next} at {y}");
    }
}

#[test]
fn a_message_again_and_again_is_one_series() {
    let mut trace = Trace::new(Detail::Events);
    let message =
        |arrives| crate::trace::Marked::Message { to: NodeIndex::new(1), kind: "announce", arrives };
    for beat in 0..50 {
        let at = beat * 20 * MILLI;
        trace.mark(at, Some(NodeIndex::new(0)), message((beat == 49).then_some(at + MILLI)), String::new());
    }
    trace.mark(1_900 * MILLI, Some(NodeIndex::new(0)), message(None), String::new());
    let window = Window { from: 0, to: 2 * SECOND, width: 900 };
    let svg = draw(&trace, 2, "a title", None, window);
    assert!(svg.contains("announce from a to b, 50 times from 0 s to 0.98 s, 49 of them lost"));
    assert!(svg.contains(">N×50</text>") && svg.contains("announce from a to b, lost, sent 1.9 s"));
}

#[test]
fn a_long_headline_is_cut_short_and_a_short_one_is_not() {
    assert_eq!(fitting("✗ short", 500.0), "✗ short");
    let long = fitting(&"ä".repeat(1_000), 500.0);
    assert!(long.ends_with("ä…") && 1.25 * letters(&long) <= 500.0 && long.chars().count() > 50, "{long}");
}
