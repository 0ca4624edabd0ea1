use super::*;

#[test]
fn a_line_is_whole_and_appended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events");
    let node = NodeId::new("a").unwrap();
    for _ in 0..2 {
        let log = EventLog::open(node, Some(&path)).unwrap();
        log.tell(Kind::InOffice, Some(Epoch::new(3)), Some(node), "a \"serves\"");
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2);
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&line["kind"], &line["epoch"], &line["leader"]),
        (&"in_office".into(), &3.into(), &"a".into())
    );
    assert_eq!(line["text"], "a \"serves\"");
    assert!(line["unix_ns"].as_u64().unwrap() > 1_600_000_000_000_000_000);
}

#[test]
fn a_file_that_was_renamed_is_opened_anew_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let (path, rotated) = (dir.path().join("events"), dir.path().join("events.1"));
    let log = EventLog::open(NodeId::new("a").unwrap(), Some(&path)).unwrap();
    let tell = |text| {
        log.tell(Kind::Warning, None, None, text);
        log.lines.as_ref().unwrap().finish();
    };
    tell("one");
    std::fs::rename(&path, &rotated).unwrap();
    tell("two");
    log.reopen();
    tell("three");
    let texts = |path| {
        let lines = std::fs::read_to_string(path).unwrap();
        let text = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].clone();
        lines.lines().map(text).collect::<Vec<_>>()
    };
    assert_eq!((texts(&rotated), texts(&path)), (vec!["one".into(), "two".into()], vec!["three".into()]));
}
