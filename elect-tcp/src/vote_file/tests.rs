use std::fs;
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

/// As when another thread of the host has started a child process that is not another program yet.
#[test]
fn a_file_that_is_closed_is_free_though_its_descriptor_was_inherited() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    VoteFile::init(&path, &config).unwrap();
    let file = VoteFile::open(&path, &config).unwrap();
    let inherited = file.copies.disk().file().try_clone().unwrap();
    drop(file);
    VoteFile::open(&path, &config).unwrap();
    drop(inherited);
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

    for kept in ["a.vote.lost", "a.vote.lost.2"] {
        let aside = VoteFile::replace_lost(&path, &config).unwrap();
        assert_eq!(aside, Some(directory.path().join(kept)));
        assert_eq!(VoteFile::open(&path, &config).unwrap().record().storage, Storage::Replaced);
    }
    assert_eq!(fs::read(directory.path().join("a.vote.lost")).unwrap(), vec![0; 16_384]);
    assert_eq!(names(&directory), ["a.vote", "a.vote.lost", "a.vote.lost.2"]);
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
fn anothers_file_is_not_repaired() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    VoteFile::init(&path, &config).unwrap();
    let mut content = fs::read(&path).unwrap();
    content[40] ^= 1;
    fs::write(&path, &content).unwrap();
    let other = self::config("shop", "b", &["a", "b", "c"]);
    VoteFile::open(&path, &other).unwrap_err();
    VoteFile::adopt(&path, &other).unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), content, "nothing is written into it");
    assert_eq!(VoteFile::open(&path, &config).unwrap().repaired(), 1, "its own node repairs it and is told");
    assert_eq!(VoteFile::open(&path, &config).unwrap().repaired(), 0);
}

#[test]
fn drafts_that_were_cut_off_are_no_vote_files_and_are_cleaned_up() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    let draft = |name: &str| directory.path().join(format!("a.vote.draft-{name}"));
    fs::write(draft("1"), b"half").unwrap();
    assert!(matches!(VoteFile::open(&path, &config), Err(VoteFileError::Missing { .. })));
    // Somebody is at work on this one.
    fs::write(draft("2"), b"half").unwrap();
    let working = fs::File::open(draft("2")).unwrap();
    working.try_lock().unwrap();
    VoteFile::init(&path, &config).unwrap();
    assert_eq!(names(&directory), ["a.vote", "a.vote.draft-2"]);
    assert_eq!(VoteFile::open(&path, &config).unwrap().record().detection_max, Duration::from_millis(500));
    drop(working);
    fs::write(draft("3"), b"half").unwrap();
    VoteFile::replace_lost(&path, &config).unwrap();
    assert_eq!(names(&directory), ["a.vote", "a.vote.lost"]);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_to_the_file_stays_one() {
    use std::os::unix::fs::symlink;

    let (directory, elsewhere, config) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), abc());
    let (path, target) = (directory.path().join("a.vote"), elsewhere.path().join("real.vote"));
    symlink(directory.path().join("second"), &path).unwrap();
    symlink(&target, directory.path().join("second")).unwrap();
    VoteFile::init(&path, &config).unwrap();
    assert_eq!(names(&elsewhere), ["real.vote"]);
    assert!(matches!(VoteFile::init(&path, &config), Err(VoteFileError::Exists { .. })));
    let kept = VoteFile::replace_lost(&path, &config).unwrap();
    assert_eq!(kept, Some(elsewhere.path().join("real.vote.lost")));
    assert_eq!(names(&elsewhere), ["real.vote", "real.vote.lost"]);
    assert_eq!(fs::read_link(&path).unwrap(), directory.path().join("second"));
    assert_eq!(VoteFile::open(&path, &config).unwrap().record().storage, Storage::Replaced);

    symlink(directory.path().join("around"), directory.path().join("round")).unwrap();
    symlink(directory.path().join("round"), directory.path().join("around")).unwrap();
    VoteFile::replace_lost(directory.path().join("round"), &config).unwrap_err();
}

#[cfg(unix)]
#[test]
fn a_replacement_that_was_cut_off_is_finished() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    VoteFile::init(&path, &config).unwrap();
    // The old file has its second name, and nothing else has happened.
    fs::hard_link(&path, directory.path().join("a.vote.lost")).unwrap();
    let kept = VoteFile::replace_lost(&path, &config).unwrap();
    assert_eq!(kept, Some(directory.path().join("a.vote.lost")));
    assert_eq!(names(&directory), ["a.vote", "a.vote.lost"]);
    assert_eq!(VoteFile::open(&path, &config).unwrap().record().storage, Storage::Replaced);
}

#[test]
fn a_file_that_cannot_be_replaced_stays() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    VoteFile::init(&path, &config).unwrap();
    VoteFile::open(&path, &config).unwrap().save(&voted(&config, 6)).unwrap();
    // Every name for the old one is taken.
    for number in 1..=1000 {
        let suffix = if number == 1 { "lost".into() } else { format!("lost.{number}") };
        fs::write(directory.path().join(format!("a.vote.{suffix}")), b"").unwrap();
    }
    VoteFile::replace_lost(&path, &config).unwrap_err();
    assert_eq!(VoteFile::open(&path, &config).unwrap().record().epoch, Epoch::new(6));
    assert_eq!(names(&directory).len(), 1001, "and no draft is left");
}

#[cfg(unix)]
#[test]
fn a_file_whose_name_goes_while_it_is_open_fails_at_the_next_save() {
    type Change = fn(&Path, &Config);
    let changes: [(&str, Change); 4] = [
        ("removed", |path, _| fs::remove_file(path).unwrap()),
        ("renamed", |path, _| fs::rename(path, path.with_extension("old")).unwrap()),
        ("replaced", |path, config| {
            fs::rename(path, path.with_extension("old")).unwrap();
            VoteFile::init(path, config).unwrap();
        }),
        ("replaced by a copy", |path, _| {
            fs::copy(path, path.with_extension("copy")).unwrap();
            fs::rename(path.with_extension("copy"), path).unwrap();
        }),
    ];
    for (name, change) in changes {
        let (directory, config) = (tempfile::tempdir().unwrap(), abc());
        let path = directory.path().join("a.vote");
        VoteFile::init(&path, &config).unwrap();
        let mut file = VoteFile::open(&path, &config).unwrap();
        file.check().unwrap();
        file.save(&voted(&config, 1)).unwrap();
        change(&path, &config);
        assert!(matches!(file.check(), Err(VoteFileError::Gone { .. })), "{name}");
        let error = file.save(&voted(&config, 2)).unwrap_err();
        assert!(matches!(error, VoteFileError::Gone { .. }), "{name}: {error}");
        assert_eq!(file.record().epoch, Epoch::new(1), "{name}: what was not acknowledged is not taken over");
        // Fail stop, also when the name comes back.
        fs::rename(path.with_extension("old"), &path).ok();
        file.save(&voted(&config, 3)).expect_err(name);
    }
}

mod moves;
