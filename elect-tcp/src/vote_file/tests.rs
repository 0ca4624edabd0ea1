use std::time::Duration;

use elect_core::{ClusterId, Epoch, Holder, NodeId, PromiseKind, Storage};

use super::*;

fn config(cluster: &str, node: &str, members: &[&str]) -> Config {
    let id = |name| NodeId::new(name).unwrap();
    Config::builder(ClusterId::new(cluster).unwrap(), id(node))
        .voters(members.iter().map(|name| id(name)))
        .build()
        .unwrap()
}

fn abc() -> Config {
    config("shop", "a", &["a", "b", "c"])
}

fn voted(config: &Config, epoch: u64) -> Record {
    let holder = Some(Holder { node: config.node(), how: PromiseKind::Voted });
    Record { epoch: Epoch::new(epoch), holder, ..Record::first_boot(config) }
}

/// The files of a directory, in order.
fn names(directory: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_record_survives_closing_and_opening() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    VoteFile::init(&path, &config).unwrap();
    let mut file = VoteFile::open(&path, &config).unwrap();
    assert_eq!(*file.record(), Record::first_boot(&config));
    for epoch in 1..=5 {
        file.save(&voted(&config, epoch)).unwrap();
    }
    drop(file);
    let file = VoteFile::open(&path, &config).unwrap();
    assert_eq!(*file.record(), voted(&config, 5));
    assert_eq!(file.repaired(), 0);
    assert_eq!(fs::metadata(&path).unwrap().len(), 16_384, "a save never grows the file");
}

#[test]
fn a_missing_file_is_no_first_boot() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    let error = VoteFile::open(&path, &config).unwrap_err();
    assert!(matches!(&error, VoteFileError::Missing { .. }));
    let text = error.to_string();
    for word in [path.to_str().unwrap(), "`init`", "`replace-lost`"] {
        assert!(text.contains(word), "{text}");
    }
    assert!(!path.exists());
}

#[test]
fn init_refuses_an_existing_file_and_leaves_no_draft() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    VoteFile::init(&path, &config).unwrap();
    let mut file = VoteFile::open(&path, &config).unwrap();
    file.save(&voted(&config, 9)).unwrap();
    drop(file);
    assert!(matches!(VoteFile::init(&path, &config), Err(VoteFileError::Exists { .. })));
    assert_eq!(VoteFile::open(&path, &config).unwrap().record().epoch, Epoch::new(9));
    assert_eq!(names(&directory), ["a.vote"]);
}

#[test]
fn a_file_is_open_once() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    VoteFile::init(&path, &config).unwrap();
    let first = VoteFile::open(&path, &config).unwrap();
    assert!(matches!(VoteFile::open(&path, &config), Err(VoteFileError::InUse { .. })));
    assert!(matches!(VoteFile::replace_lost(&path, &config), Err(VoteFileError::InUse { .. })));
    drop(first);
    VoteFile::open(&path, &config).unwrap();
}

#[test]
fn a_damaged_file_is_refused_until_it_is_replaced() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    VoteFile::init(&path, &config).unwrap();
    fs::write(&path, vec![0; 16_384]).unwrap();
    let error = VoteFile::open(&path, &config).unwrap_err();
    assert!(matches!(&error, VoteFileError::Damaged { .. }));
    assert!(error.to_string().contains("`replace-lost`"), "{error}");
    assert!(matches!(VoteFile::init(&path, &config), Err(VoteFileError::Exists { .. })));

    VoteFile::replace_lost(&path, &config).unwrap();
    assert_eq!(VoteFile::open(&path, &config).unwrap().record().storage, Storage::Replaced);
    assert_eq!(names(&directory), ["a.vote", "a.vote.lost"]);
}

#[test]
fn a_rotted_copy_is_repaired_and_reported() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    VoteFile::init(&path, &config).unwrap();
    VoteFile::open(&path, &config).unwrap().save(&voted(&config, 4)).unwrap();
    let mut content = fs::read(&path).unwrap();
    content[4096 + 40] ^= 0x10;
    fs::write(&path, content).unwrap();
    let file = VoteFile::open(&path, &config).unwrap();
    assert_eq!((file.record().epoch, file.repaired()), (Epoch::new(4), 1));
    drop(file);
    assert_eq!(VoteFile::open(&path, &config).unwrap().repaired(), 0);
}

#[test]
fn anothers_file_is_refused() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    VoteFile::init(&path, &config).unwrap();
    let others = [
        (self::config("bank", "a", &["a", "b", "c"]), "cluster"),
        (self::config("shop", "b", &["a", "b", "c"]), "node"),
        (self::config("shop", "a", &["a", "b", "d"]), "member list"),
    ];
    for (other, word) in others {
        let error = VoteFile::open(&path, &other).unwrap_err();
        assert!(matches!(&error, VoteFileError::Foreign { .. }));
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_draft_of_an_init_that_was_cut_off_is_no_vote_file() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    fs::write(directory.path().join(format!("a.vote.draft-{}", std::process::id())), b"half").unwrap();
    assert!(matches!(VoteFile::open(&path, &config), Err(VoteFileError::Missing { .. })));
    VoteFile::init(&path, &config).unwrap();
    assert_eq!(VoteFile::open(&path, &config).unwrap().record().detection_max, Duration::from_millis(500));
}
