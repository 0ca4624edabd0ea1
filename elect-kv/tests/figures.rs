//! The program that measures elect-kv works, in a small form of each part. What it finds here is no measurement.

#[allow(dead_code, reason = "its command line is not used here")]
#[path = "../examples/figures/main.rs"]
mod figures;

/// Set where no part must be left out: in CI.
const REQUIRED: &str = "ELECT_KV_REQUIRE_REDIS";

const PARTS: [&str; 6] = ["beside-redis", "fill", "restart", "clients", "failover", "acknowledge"];

#[test]
#[expect(clippy::print_stdout, reason = "what was left out is said")]
fn every_part_measures_something() {
    let arguments = ["--quick", "--binary", env!("CARGO_BIN_EXE_elect-kv")];
    let (report, _) = figures::command::measure(&arguments).unwrap();
    let json = report.json();
    assert!(json["machine"]["sync_ms"].as_f64().unwrap() > 0.0, "{json}");
    for part in PARTS {
        let Some(rows) = json["parts"][part].as_array() else {
            let why = &json["parts"][part]["not_measured"];
            assert!(part == "beside-redis" && std::env::var_os(REQUIRED).is_none(), "{part}: {why}");
            println!("left out: {why}");
            continue;
        };
        assert!(!rows.is_empty(), "{part}");
        for row in rows {
            // So few clients may fit into memory that the process had already.
            let may_be_nothing = row["what"].as_str().unwrap().starts_with("memory of an idle client");
            let value = row["value"].as_f64().unwrap();
            assert!(value > 0.0 || (may_be_nothing && value == 0.0), "{row}");
        }
    }
    let table = report.to_string();
    assert!(table.contains("| figure ") && table.contains("no measurement"), "{table}");
}

#[test]
fn a_part_that_there_is_not_is_refused() {
    let refused = figures::command::measure(&["beside-etcd"]).unwrap_err();
    let refused = refused.to_string();
    assert!(refused.contains("'beside-etcd'") && refused.contains("beside-redis, fill"), "{refused}");
}
