//! Every event reads as one line, and is data for machines: times in milliseconds, as plain numbers.

use std::fmt;
use std::time::Duration;

use elect_core::{
    Address, CampaignLost, Duty, Epoch, Genesis, HandoverAborted, HandoverCause, HostData, Ignored,
    Incarnation, Lag, LeaderLost, NodeId, Notice, Position, Raised, Refusal, RequestRefused, SlowRoundTrip,
    Stamp, StepDown, SteppedDown, Stopped, Time, Unfit,
};
use elect_harness::{Group, ms};
use serde::Serialize;
use serde_json::{Value, json};

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn epoch(number: u64) -> Epoch {
    Epoch::new(number)
}

fn machine(event: &impl Serialize) -> Value {
    serde_json::to_value(event).expect("an event is plain data")
}

/// One line of plain English: no names of types, no code, no nanoseconds.
fn reads_well(event: &impl fmt::Display) {
    let text = event.to_string();
    assert!(text.len() > 10 && !text.contains('\n') && !text.ends_with('.'), "{text}");
    assert!(
        !text.contains(['{', '}', '"', '_']) && !text.contains("::") && !text.contains("Some("),
        "{text}"
    );
}

fn notices() -> Vec<(Notice, Value)> {
    let (b, e) = (node("b"), epoch(7));
    let address = Address::new("kv-2:6379").unwrap();
    let slow = SlowRoundTrip {
        peer: b,
        measured: Duration::from_micros(41_500),
        configured: Duration::from_millis(20),
    };
    vec![
        (
            Notice::Following { leader: b, epoch: e, address: address.clone() },
            json!({"following": {"leader": "b", "epoch": 7, "address": "kv-2:6379"}}),
        ),
        (
            Notice::LeaderAddress { leader: b, address: address.clone() },
            json!({"leader_address": {"leader": "b", "address": "kv-2:6379"}}),
        ),
        (
            Notice::LeaderLost { leader: b, epoch: e, reason: LeaderLost::Silent },
            json!({"leader_lost": {"leader": "b", "epoch": 7, "reason": "silent"}}),
        ),
        (Notice::CampaignStarted { epoch: e, rank: 1 }, json!({"campaign_started": {"epoch": 7, "rank": 1}})),
        (
            Notice::CampaignLost {
                epoch: e,
                reason: CampaignLost::NoQuorum { wait: Duration::from_millis(65) },
            },
            json!({"campaign_lost": {"epoch": 7, "reason": {"no_quorum": {"wait_ms": 65}}}}),
        ),
        (Notice::Accepted { candidate: b, epoch: e }, json!({"accepted": {"candidate": "b", "epoch": 7}})),
        (
            Notice::OfferRefused { voter: b, epoch: e, refusal: Refusal::VoteSpent },
            json!({"offer_refused": {"voter": "b", "epoch": 7, "refusal": "vote_spent"}}),
        ),
        (
            Notice::RefusedOffer { candidate: b, epoch: e, refusal: Refusal::Promised },
            json!({"refused_offer": {"candidate": "b", "epoch": 7, "refusal": "promised"}}),
        ),
        (
            Notice::SlowerThanConfigured(slow),
            json!({"slower_than_configured": {"peer": "b", "measured_ms": 41.5, "configured_ms": 20}}),
        ),
        (
            Notice::PromiseTooShort { voter: b, allowed: ms(100), leader: node("a"), needed: ms(143) },
            json!({"promise_too_short": {"voter": "b", "allowed_ms": 100, "leader": "a", "needed_ms": 143}}),
        ),
        (
            Notice::NewerApplication {
                peer: b,
                version: 8,
                data: HostData::new(&[7, 0xff]).unwrap(),
                address,
            },
            json!({"newer_application": {"peer": "b", "version": 8, "data": "07ff", "address": "kv-2:6379"}}),
        ),
        (Notice::PreferencesContradict { peer: b }, json!({"preferences_contradict": {"peer": "b"}})),
        (Notice::Paused { until: Time::ZERO + ms(1_500) }, json!({"paused": {"until_ms": 1_500}})),
        (Notice::Resumed, json!("resumed")),
        (
            Notice::GenesisSaved { genesis: Genesis::from_bits(0xab), epoch: e, is_final: true },
            json!({"genesis_saved": {"genesis": "00000000000000ab", "epoch": 7, "is_final": true}}),
        ),
        (
            Notice::CountsAsReplaced { node: b, lacks: Genesis::from_bits(0xab), told: None },
            json!({"counts_as_replaced": {"node": "b", "lacks": "00000000000000ab", "told": null}}),
        ),
        (
            Notice::TwoGroups { node: b, own: Genesis::from_bits(1), other: Genesis::from_bits(2) },
            json!({"two_groups": {"node": "b", "own": "0000000000000001", "other": "0000000000000002"}}),
        ),
        (
            Notice::Ignored { from: b, reason: Ignored::Detection(Duration::from_micros(1)) },
            json!({"ignored": {"from": "b", "reason": {"detection": 0.001}}}),
        ),
    ]
}

#[test]
fn a_notice_is_a_line_and_data() {
    for (notice, expected) in notices() {
        reads_well(&notice);
        assert_eq!(machine(&notice), expected, "{notice}");
    }
    let loss = SteppedDown { epoch: epoch(3), reason: StepDown::HandedOver(node("c")) };
    assert_eq!(machine(&loss), json!({"epoch": 3, "reason": {"handed_over": "c"}}));
    assert_eq!(loss.to_string(), "this node no longer leads epoch 3: it handed over to c");
}

#[test]
fn a_duty_is_a_line_and_data() {
    let (own, known) = (Incarnation { counter: 2, random: 5 }, Incarnation { counter: 3, random: 9 });
    let table = [
        (
            Duty::HandoverBegan {
                target: node("b"),
                deadline: Time::ZERO + ms(5_000),
                cause: HandoverCause::Preference,
            },
            json!({"handover_began": {"target": "b", "deadline_ms": 5_000, "cause": "preference"}}),
        ),
        (
            Duty::HandoverAborted {
                target: node("b"),
                reason: HandoverAborted::TargetUnfit(Unfit::NotConnected),
            },
            json!({"handover_aborted": {"target": "b", "reason": {"target_unfit": "not_connected"}}}),
        ),
        (
            Duty::EpochRaised { from: epoch(4), raised: Raised::InOffice(Stamp::received(epoch(6))) },
            json!({"epoch_raised": {"from": 4, "raised": {"in_office": 6}}}),
        ),
        (Duty::Rebuilt, json!("rebuilt")),
        (
            Duty::Replaced { told_by: node("b"), genesis: Genesis::from_bits(0xab) },
            json!({"replaced": {"told_by": "b", "genesis": "00000000000000ab"}}),
        ),
        (
            Duty::Stopped { reason: Stopped::Cloned { peer: node("b"), known, own } },
            json!({"stopped": {"reason": {"cloned": {
                "peer": "b",
                "known": {"counter": 3, "random": 9},
                "own": {"counter": 2, "random": 5},
            }}}}),
        ),
    ];
    for (duty, expected) in table {
        reads_well(&duty);
        assert_eq!(machine(&duty), expected, "{duty}");
    }
}

#[test]
fn a_refused_request_is_a_line_and_data() {
    let lag = Lag {
        target: Some(Position::new(epoch(2), 10)),
        own: Some(Position::new(epoch(2), 90)),
        rate: Some(3),
        timeout: ms(250),
    };
    let refused = RequestRefused::TargetLags(node("b"), lag);
    reads_well(&refused);
    let data = machine(&refused);
    assert_eq!(data["target_lags"][1]["timeout_ms"], 250, "{data}");
    assert_eq!(machine(&RequestRefused::PauseSpan(ms(2))), json!({"pause_span": 2}));
    let backwards = RequestRefused::HostVersion { given: 4, current: 5 };
    reads_well(&backwards);
    assert_eq!(machine(&backwards), json!({"host_version": {"given": 4, "current": 5}}));
}

#[test]
fn times_for_machines_are_milliseconds() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.start_all();
    group.run_to_leader(ms(5_000));
    let now = group.now;
    let elector = group.elector("b");
    for data in [machine(&elector.status(now)), machine(&elector.explain(now))] {
        let mut spans = 0;
        look_at_times(&data, &mut spans);
        assert!(spans >= 3, "{data:#}");
    }
}

/// What is named after milliseconds is a number, and no time is told in another way.
fn look_at_times(data: &Value, spans: &mut usize) {
    match data {
        Value::Object(fields) => {
            for (name, value) in fields {
                assert!(name != "secs" && name != "nanos", "{data}");
                if name.ends_with("_ms") {
                    assert!(value.is_number() || value.is_null(), "{name}: {value}");
                    *spans += usize::from(value.is_number());
                }
                look_at_times(value, spans);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| look_at_times(value, spans)),
        _ => {}
    }
}
