use super::*;

/// Anybody may send one in the life of a member.
#[test]
fn a_frame_that_does_not_count_displaces_nobody() {
    let bench = Bench::new();
    let known = greeting("b");
    bench.knows("b", known.incarnation);
    let (mut stream, _) = bench.greet(&known).unwrap();
    send(&mut stream, &beat(&known));
    bench.wait_until_heard("b");
    let (mut stranger, _) = bench.greet(&known).unwrap();
    let mut frame = beat(&known);
    frame.body = Body::Reject { rejected: known.incarnation, known: known.incarnation };
    for sent in [&frame, &frame] {
        send(&mut stranger, sent);
        assert!(matches!(bench.input(), Input::Frame { .. }));
    }
    send(&mut stream, &beat(&known));
    assert!(matches!(bench.input(), Input::Frame { .. }), "the member is heard as before");
    bench.end();
}
