//! Files that were moved or restored, on a machine that reboots.
#![allow(clippy::unnecessary_wraps, reason = "a machine may be unable to tell")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::fs::{self, File};

use super::super::home::{Machine, Place};
use super::*;

/// Where the file lies, as the machine tells it.
fn here(_: &File) -> Option<Place> {
    Some(Place { inode: 11, born: 1 })
}

/// Where a copy lies.
fn there(_: &File) -> Option<Place> {
    Some(Place { inode: 12, born: 2 })
}

/// A file system that does not know when a file was made.
fn nowhere(_: &File) -> Option<Place> {
    None
}

fn machine(boot: u8, place: fn(&File) -> Option<Place>) -> Machine {
    Machine { boot: Some([boot; 16]), place }
}

/// A vote file made at boot 1.
struct Vote {
    _directory: tempfile::TempDir,
    path: PathBuf,
    config: Config,
}

impl Vote {
    fn new() -> Self {
        let (directory, config) = (tempfile::tempdir().unwrap(), abc());
        let path = directory.path().join("a.vote");
        make::first(&path, &Record::first_boot(&config), &machine(1, here)).unwrap();
        Self { _directory: directory, path, config }
    }

    fn open(&self, boot: u8, place: fn(&File) -> Option<Place>) -> Result<VoteFile, VoteFileError> {
        VoteFile::open_on(&machine(boot, place), &self.path, &self.config)
    }

    /// Two reboots that the place outlasts.
    fn prove(&self) {
        for boot in [2, 3] {
            assert!(!self.open(boot, here).unwrap().is_moved());
        }
    }

    fn adopt(&self, boot: u8, place: fn(&File) -> Option<Place>) -> Result<VoteFile, VoteFileError> {
        VoteFile::adopt_on(&machine(boot, place), &self.path, &self.config)
    }

    fn content(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }
}

#[test]
fn a_copy_is_refused_where_places_outlast_boots() {
    let vote = Vote::new();
    vote.prove();
    let before = vote.content();
    for boot in [3, 4] {
        let error = vote.open(boot, there).unwrap_err();
        assert!(matches!(error, VoteFileError::Moved { .. }), "{error}");
        let text = error.to_string();
        for word in [vote.path.to_str().unwrap(), "backup", "moved", "`adopt`", "newest", "`replace-lost`"] {
            assert!(text.contains(word), "{text}");
        }
    }
    assert_eq!(vote.content(), before, "nothing is written into a file that is refused");
    vote.open(3, here).unwrap();
}

#[test]
fn where_that_is_not_known_yet_a_move_is_told_once() {
    let vote = Vote::new();
    vote.open(1, here).unwrap();
    let moved = vote.open(1, there).unwrap();
    assert!(moved.is_moved());
    let notices = moved.notices();
    assert!(
        matches!(&notices[..], [NodeNotice::VoteFileMoved { path }] if *path == vote.path),
        "{notices:?}"
    );
    drop(moved);
    let again = vote.open(1, there).unwrap();
    assert!(!again.is_moved() && again.notices().is_empty());
}

#[test]
fn a_file_system_that_numbers_anew_at_each_boot_never_refuses() {
    let vote = Vote::new();
    for (boot, place) in [(2, there as fn(&File) -> _), (3, here), (4, there), (5, here)] {
        assert!(vote.open(boot, place).unwrap().is_moved(), "boot {boot}");
    }
}

#[test]
fn what_was_seen_outlasts_saves() {
    let vote = Vote::new();
    let mut file = vote.open(2, here).unwrap();
    for epoch in 1..5 {
        file.save(&voted(&vote.config, epoch)).unwrap();
    }
    drop(file);
    vote.open(3, here).unwrap().save(&voted(&vote.config, 6)).unwrap();
    assert!(matches!(vote.open(3, there), Err(VoteFileError::Moved { .. })));
}

/// Numbers are given in the order of look-up, and once the same came twice.
#[test]
fn one_coincidence_is_no_proof() {
    let vote = Vote::new();
    for (boot, place, is_moved) in [
        (2, here as fn(&File) -> _, false),
        (3, there, true),
        (4, there, false),
        (5, here, true),
        (6, here, false),
        (7, here, false),
    ] {
        assert_eq!(vote.open(boot, place).unwrap().is_moved(), is_moved, "boot {boot}");
    }
    assert!(matches!(vote.open(8, there), Err(VoteFileError::Moved { .. })), "twice in a row");
}

/// The proof stands in the file: a copy knows as much as was known when it was made.
#[test]
fn a_copy_from_before_the_proof_is_told_and_not_refused() {
    let vote = Vote::new();
    let backup = vote.content();
    vote.prove();
    fs::write(&vote.path, backup).unwrap();
    assert!(vote.open(4, there).unwrap().is_moved());
}

#[test]
fn an_adopted_file_is_at_home_where_it_lies() {
    let vote = Vote::new();
    vote.prove();
    vote.open(3, here).unwrap().save(&voted(&vote.config, 7)).unwrap();
    vote.open(3, there).unwrap_err();
    let adopted = vote.adopt(3, there).unwrap();
    assert_eq!((adopted.record().epoch, adopted.is_moved()), (Epoch::new(7), false));
    drop(adopted);
    assert!(!vote.open(3, there).unwrap().is_moved());
    // Of the new place it is not known whether it outlasts reboots, until it has.
    for boot in [4, 5] {
        assert!(!vote.open(boot, there).unwrap().is_moved());
    }
    assert!(
        matches!(vote.open(5, here), Err(VoteFileError::Moved { .. })),
        "the place that it was copied from"
    );
}

#[test]
fn what_is_adopted_is_told_no_more() {
    let vote = Vote::new();
    let adopted = vote.adopt(1, there).unwrap();
    assert!(!adopted.is_moved() && adopted.notices().is_empty());
}

#[test]
fn adopting_a_file_that_is_at_home_changes_nothing() {
    let vote = Vote::new();
    vote.prove();
    let before = vote.content();
    vote.adopt(3, here).unwrap();
    assert_eq!(vote.content(), before);
    assert!(
        matches!(vote.open(3, there), Err(VoteFileError::Moved { .. })),
        "what was seen is not forgotten"
    );
}

#[test]
fn where_nothing_can_be_told_nothing_is_checked() {
    let vote = Vote::new();
    vote.prove();
    let no_boot = |place| Machine { boot: None, place };
    for blind in [machine(3, nowhere), no_boot(there as fn(&File) -> _)] {
        let file = VoteFile::open_on(&blind, &vote.path, &vote.config).unwrap();
        assert!(!file.is_moved());
    }
    assert!(matches!(vote.open(3, there), Err(VoteFileError::Moved { .. })), "nor is anything forgotten");
}

#[test]
fn a_file_from_a_blind_machine_is_at_home_where_it_is_first_seen() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let path = directory.path().join("a.vote");
    make::first(&path, &Record::first_boot(&config), &machine(1, nowhere)).unwrap();
    let open = |boot, place| VoteFile::open_on(&machine(boot, place), &path, &config);
    for boot in [1, 2, 3] {
        assert!(!open(boot, here).unwrap().is_moved());
    }
    assert!(matches!(open(3, there), Err(VoteFileError::Moved { .. })));
}

#[test]
fn a_quiet_open_writes_nothing() {
    let vote = Vote::new();
    let made = vote.content();
    vote.open(1, here).unwrap();
    assert_eq!(vote.content(), made, "the boot at which it was made");
    vote.open(2, here).unwrap();
    let seen = vote.content();
    assert_ne!(seen, made);
    vote.open(2, here).unwrap();
    assert_eq!(vote.content(), seen);
}

#[test]
fn a_torn_copy_and_a_move_at_once_are_both_told() {
    let vote = Vote::new();
    let mut content = vote.content();
    content[4096 + 40] ^= 1;
    fs::write(&vote.path, content).unwrap();
    let file = vote.open(1, there).unwrap();
    assert_eq!((file.is_moved(), file.repaired(), file.notices().len()), (true, 1, 2));
    drop(file);
    let again = vote.open(1, there).unwrap();
    assert_eq!((again.is_moved(), again.repaired()), (false, 0));
}

/// The real machine: a backup that is put back has another number, or at least another birth.
#[test]
fn a_backup_that_is_put_back_is_noticed() {
    let (directory, config) = (tempfile::tempdir().unwrap(), abc());
    let (path, backup) = (directory.path().join("a.vote"), directory.path().join("backup"));
    VoteFile::init(&path, &config).unwrap();
    let this = Machine::this();
    if this.home(&File::open(&path).unwrap()).is_none() {
        eprintln!("skipped: this file system does not know when a file was made");
        return;
    }
    assert!(!VoteFile::open(&path, &config).unwrap().is_moved());
    fs::copy(&path, &backup).unwrap();
    fs::rename(&backup, &path).unwrap();
    assert!(VoteFile::open(&path, &config).unwrap().is_moved(), "not refused: no reboot was seen");

    let later = |boot| Machine { boot: Some([boot; 16]), ..this };
    assert!(!VoteFile::open_on(&later(8), &path, &config).unwrap().is_moved());
    let later = later(9);
    assert!(!VoteFile::open_on(&later, &path, &config).unwrap().is_moved());
    fs::copy(&path, &backup).unwrap();
    fs::rename(&backup, &path).unwrap();
    let refused = VoteFile::open_on(&later, &path, &config).unwrap_err();
    assert!(matches!(refused, VoteFileError::Moved { .. }), "{refused}");
    VoteFile::adopt_on(&later, &path, &config).unwrap();
    VoteFile::open_on(&later, &path, &config).unwrap();
}
