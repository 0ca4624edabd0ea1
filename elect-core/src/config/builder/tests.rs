use super::*;

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn builder() -> ConfigBuilder {
    Config::builder(ClusterId::new("test").unwrap(), id("a")).voters([id("a"), id("b"), id("c")])
}

fn bare() -> ConfigBuilder {
    Config::builder(ClusterId::new("test").unwrap(), id("a"))
}

#[test]
fn nonsense_is_refused_with_field_value_and_rule() {
    let ms = Duration::from_millis;
    let fixed = |span| Detection::Fixed(span);
    let adaptive = |floor, ceiling, phi| Detection::Adaptive { floor: ms(floor), ceiling: ms(ceiling), phi };
    let table: [(ConfigBuilder, &str, &str); 20] = [
        (bare(), "members", "at least one voter"),
        (bare().voters([id("b")]), "members", "must hold this node, a"),
        (builder().voters([id("b")]), "members", "b stands twice"),
        (
            bare().voters([id("a")]).witnesses([id("w")]),
            "members",
            "1 witnesses leave 1 voters, a quorum is 2",
        ),
        (bare().observers([id("a")]), "members", "a quorum is 1"),
        (builder().heartbeat_interval(ms(0)), "heartbeat_interval", "1ms to 60s"),
        (builder().heartbeat_interval(Duration::MAX), "heartbeat_interval", "1ms to 60s"),
        (builder().clock_granularity(ms(0)), "clock_granularity", "10µs to 1s"),
        (builder().round_trip(ms(0)), "round_trip", "1µs to 60s"),
        (builder().save(Duration::MAX), "save", "0ns to 60s"),
        (builder().drift_ppm(200_001), "drift_ppm", "at most 200000"),
        (builder().detection(fixed(ms(0))), "detection", "1ms to 3600s"),
        (builder().detection(fixed(Duration::from_nanos(500_000_001))), "detection", "whole microseconds"),
        (builder().detection(fixed(ms(120))), "detection", "two heartbeats, a round trip and a save: 140ms"),
        (builder().detection(adaptive(600, 500, 8)), "detection", "must not exceed the ceiling"),
        (builder().detection(adaptive(500, 600, 13)), "detection", "phi must be 1 to 12"),
        (builder().rank_step(ms(40)), "rank_step", "must exceed round_trip + save = 40ms"),
        (builder().preferred_leader(id("x")), "preferred_leader", "must be a voter"),
        (builder().office_timeout(ms(0)), "office_timeout", "1ms"),
        (builder().handover_timeout(Duration::MAX), "handover_timeout", "1ms"),
    ];
    for (builder, field, rule) in table {
        let error = builder.build().expect_err(rule);
        assert_eq!(error.field, field, "{error}");
        assert!(error.to_string().contains(rule), "{error} should say: {rule}");
    }
}

#[test]
fn an_even_number_of_voters_is_a_warning_with_its_reason() {
    let config = builder().voters([id("d")]).build().unwrap();
    assert_eq!(config.warnings(), [ConfigWarning::EvenVoters(4)]);
    assert!(config.warnings()[0].to_string().contains("no more failures than 3"));
    assert!(builder().build().unwrap().warnings().is_empty());
}

#[test]
fn a_preferred_node_that_never_leads_is_a_warning() {
    let preferred = |name| builder().preferred_leader(id(name)).never_leader(true).build().unwrap();
    let config = preferred("a");
    assert_eq!(config.warnings(), [ConfigWarning::PreferredNeverLeads(id("a"))]);
    assert!(config.warnings()[0].to_string().contains("no effect"));
    assert!(preferred("b").warnings().is_empty(), "it is for b to say whether it may lead");
}

#[test]
fn witnesses_that_leave_no_spare_voter_are_a_warning() {
    let config = bare().voters([id("a"), id("b")]).witnesses([id("w")]).build().unwrap();
    assert_eq!(config.warnings(), [ConfigWarning::NoSpareVoter { voters: 2, quorum: 2 }]);
    let config = builder().voters([id("d")]).witnesses([id("w")]).build().unwrap();
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
}

#[test]
fn promises_outlast_leases_at_the_edges_of_drift() {
    let ms = Duration::from_millis;
    let config = builder().build().unwrap();
    assert_eq!(config.promise_span(ms(500)), ms(505));
    assert_eq!(config.lease_span(ms(500)), ms(494));
    // The voter's clock fast by ρ, the leader's slow by ρ: in real time the lease still ends first.
    for detection in [200, 500, 999, 10_000].map(ms) {
        let real = nanos(detection);
        assert!(nanos(config.lease_span(detection)) * 100 < real * 99);
        assert!(nanos(config.promise_span(detection)) * 100 >= real * 101);
    }
}
