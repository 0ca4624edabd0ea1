//! First rounds under writes: a leader dies while everybody's log grows, and exactly one survivor stands, at once.

use elect_sim::{Detail, Scenario};

/// What the elections after so many deaths took.
#[derive(Debug, Default)]
struct Figures {
    /// Elections that took more than one candidacy.
    split: u32,
    /// First candidacies behind another's rank.
    waited: u32,
}

/// A write per millisecond, log syncs of about 3 ms, delays of up to 2 ms; `settings` say how the death is noticed.
fn figures(settings: &str, seeds: u64) -> Figures {
    let mut figures = Figures::default();
    for seed in 1..=seeds {
        let story = format!(
            "seed {seed}\nwrites 1ms\nsave 6ms\ndelay 200us to 2ms\nround-trip 10ms\n{settings}\n\
             until office LEADER within 2s\nwait 300ms\nwait {}us\ncrash LEADER\nuntil leader within 3s",
            seed * 937 % 50_000
        );
        let story = story.replacen("until office LEADER", "until leader within 1s\nuntil office LEADER", 1);
        let report = Scenario::parse(&story).unwrap().play(Detail::Events);
        let text = report.world.trace().to_text();
        assert_eq!(report.failure, None, "{story}\n{text}");
        let stood: Vec<_> = text
            .split(" dies\n")
            .nth(1)
            .unwrap_or_default()
            .lines()
            .filter_map(|line| Some(line.split_once(" campaigns in ")?.1.split_once(", rank ")?.1.to_owned()))
            .collect();
        figures.split += u32::from(stood.len() > 1);
        figures.waited += u32::from(stood.first().is_some_and(|rank| rank != "0"));
    }
    figures
}

#[test]
fn no_first_round_splits_when_death_is_evident() {
    let figures = figures("crash-evidence", 300);
    assert_eq!((figures.split, figures.waited), (0, 0), "{figures:?}");
}

#[test]
fn no_first_round_splits_when_only_silence_tells() {
    let figures = figures("", 300);
    assert_eq!(figures.split, 0, "{figures:?}");
}
