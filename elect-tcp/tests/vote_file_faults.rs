//! Real errors and real ends of the process at each system call that touches a vote file.
//!
//! A library that is preloaded into a process of its own (`shim/faults.c`) lets the n-th call fail, cut a write short, or
//! be the last one, for every n. Whatever happened, the file then opens with the old or the new record, never with one
//! that is older than what was acknowledged. Needs a C compiler; without one the tests say so and pass, unless
//! `ELECT_REQUIRE_SHIM` is set.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so, and others how much they did")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::{env, fs};

use elect_core::{ClusterId, Config, Epoch, Holder, NoLog, NodeId, PromiseKind, Record, Storage, VoteStore};
use elect_tcp::{Node, NodeConfig, VoteFile, VoteFileError, VoteSyncs};

/// More calls than anything here makes.
const CALLS_MAX: usize = 200;
const SAVES: u64 = 4;
/// The epoch of files that are there already.
const OLD: u64 = 9;
/// How a call may go wrong: see the shim.
const MODES: [&str; 5] = ["eio", "enospc", "torn", "before", "after"];

fn config() -> Config {
    let id = |name| NodeId::new(name).unwrap();
    Config::builder(ClusterId::new("shop").unwrap(), id("a")).voters(["a", "b", "c"].map(id)).build().unwrap()
}

fn voted(epoch: u64) -> Record {
    let holder = Some(Holder { node: config().node(), how: PromiseKind::Voted });
    Record { epoch: Epoch::new(epoch), holder, ..Record::first_boot(&config()) }
}

fn alone() -> Config {
    let only = NodeId::new("only").unwrap();
    Config::builder(ClusterId::new("shop").unwrap(), only).voters([only]).build().unwrap()
}

/// The process that works under the shim: this test, started again.
#[test]
fn worker() {
    let (Ok(job), Ok(path)) = (env::var("FAULTS_JOB"), env::var("FAULTS_PATH")) else { return };
    let say = |text: &str| std::io::stdout().write_all(format!("\nvote: {text}\n").as_bytes()).unwrap();
    let done: Result<(), VoteFileError> = match job.as_str() {
        "init" => VoteFile::init(&path, &config()),
        "replace" => VoteFile::replace_lost(&path, &config()).map(drop),
        "adopt" => VoteFile::adopt(&path, &config()).map(drop),
        "node" => {
            let config = NodeConfig::builder(alone(), &path).vote_syncs(VoteSyncs::Two);
            let config = config.listen(([127, 0, 0, 1], 0).into()).build().unwrap();
            let (node, _events) = Node::start(config, Arc::new(NoLog)).unwrap();
            node.shutdown().unwrap();
            Ok(())
        }
        "from another directory" => {
            env::set_current_dir(Path::new(&path).parent().unwrap()).unwrap();
            let mut file = VoteFile::open("a.vote", &config()).unwrap();
            env::set_current_dir("/").unwrap();
            file.save(&voted(OLD + 1))
        }
        "open" => VoteFile::open(&path, &config()).map(drop),
        _ => VoteFile::open(&path, &config()).and_then(|file| {
            let syncs = if job == "save twice synced" { VoteSyncs::Two } else { VoteSyncs::One };
            let mut file = file.with_syncs(syncs);
            for epoch in OLD + 1..=OLD + SAVES {
                if let Err(error) = file.save(&voted(epoch)) {
                    file.save(&voted(epoch + 1)).expect_err("fail stop");
                    return Err(error);
                }
                say(&format!("saved {epoch}"));
            }
            Ok(())
        }),
    };
    match done {
        Ok(()) => say("done"),
        Err(error) => say(&format!("failed: {error}")),
    }
}

/// What became of one process.
struct Outcome {
    /// Whether the shim did anything: not after the last call.
    was_hit: bool,
    is_done: bool,
    acknowledged: Option<u64>,
    /// Everything that was said, for messages.
    text: String,
}

/// The shim, compiled once. `None` without a compiler.
fn shim() -> Option<&'static Path> {
    static SHIM: OnceLock<Option<PathBuf>> = OnceLock::new();
    SHIM.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/faults.c");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}.so", std::process::id()));
    let mut compiler = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&library).arg(source).arg("-ldl");
    match compiler.status() {
        Ok(status) if status.success() => Some(library),
        outcome => {
            let is_required = env::var_os("ELECT_REQUIRE_SHIM").is_some();
            assert!(!is_required, "the shim cannot be built: {outcome:?}");
            eprintln!("skipped: no C compiler builds the shim ({outcome:?})");
            None
        }
    }
}

fn work(shim: &Path, job: &str, path: &Path, mode: &str, call: usize) -> Outcome {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "worker", "--nocapture", "--test-threads=1"])
        .envs([("FAULTS_JOB", job), ("SHIM_MODE", mode), ("SHIM_CALL", &call.to_string())])
        .env("FAULTS_PATH", path)
        .env("SHIM_DIRECTORY", path.parent().unwrap())
        .env("LD_PRELOAD", shim)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = format!("{job}, {mode} at call {call}: {said}{}", String::from_utf8_lossy(&output.stderr));
    let was_hit = text.contains("shim: ");
    assert!(output.status.success() || (was_hit && output.status.code() == Some(77)), "{text}");
    let said: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("vote: ")).collect();
    let acknowledged = said.iter().filter_map(|line| line.strip_prefix("saved ")?.parse().ok()).max();
    Outcome { was_hit, is_done: said.contains(&"done"), acknowledged, text }
}

/// Lets every call of a job go wrong in every way. `prepare` makes the file, `check` looks at what is left of it.
fn at_each_call(job: &str, modes: &[&str], prepare: impl Fn(&Path), check: impl Fn(&Path, &Outcome)) {
    let Some(shim) = shim() else { return };
    for mode in modes {
        let mut hits = 0;
        for call in 1.. {
            assert!(call < CALLS_MAX, "{job} makes no end of calls");
            let directory = tempfile::tempdir().unwrap();
            // As the kernel names it.
            let path = directory.path().canonicalize().unwrap().join("a.vote");
            prepare(&path);
            let outcome = work(shim, job, &path, mode, call);
            check(&path, &outcome);
            assert_recovers(&path, &outcome);
            if !outcome.was_hit {
                assert!(outcome.is_done, "nothing went wrong: {}", outcome.text);
                break;
            }
            hits += 1;
        }
        eprintln!("{job}, {mode}: {hits} calls");
        assert!(hits > 2, "{job}, {mode}: the shim hit {hits} calls only");
    }
}

/// Whatever was left behind: the operator's way out works, and cleans up.
fn assert_recovers(path: &Path, outcome: &Outcome) {
    VoteFile::replace_lost(path, &config()).unwrap_or_else(|error| panic!("{error}: {}", outcome.text));
    assert_eq!(open(path).unwrap().storage, Storage::Replaced);
    let names = fs::read_dir(path.parent().unwrap()).unwrap();
    let drafts =
        names.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("draft"));
    assert_eq!(drafts.count(), 0, "{}", outcome.text);
}

fn open(path: &Path) -> Result<Record, VoteFileError> {
    VoteFile::open(path, &config()).map(|file| *file.record())
}

fn make_old(path: &Path) {
    VoteFile::init(path, &config()).unwrap();
    VoteFile::open(path, &config()).unwrap().save(&voted(OLD)).unwrap();
}

/// An old file of which one copy is torn, and which lies elsewhere than it did.
fn make_torn_and_moved(path: &Path) {
    make_old(path);
    let mut content = fs::read(path).unwrap();
    content[4096 + 40] ^= 1;
    fs::write(path.with_extension("copy"), content).unwrap();
    fs::rename(path.with_extension("copy"), path).unwrap();
}

/// An old file whose newest record is damaged in both copies: the older one is whole, and must not come back.
fn make_unreadable(path: &Path) {
    make_old(path);
    VoteFile::open(path, &config()).unwrap().save(&voted(OLD + 1)).unwrap();
    let mut content = fs::read(path).unwrap();
    let sequence = |block: usize| content[block * 4096 + 16];
    let newest = usize::from(sequence(1) > sequence(0));
    for block in [newest, newest + 2] {
        content[block * 4096 + 40] ^= 1;
    }
    fs::write(path, content).unwrap();
    assert!(matches!(open(path), Err(VoteFileError::Damaged { .. })));
}

fn assert_saved(path: &Path, outcome: &Outcome) {
    let epoch = open(path).unwrap_or_else(|error| panic!("{error}: {}", outcome.text)).epoch;
    let acknowledged = outcome.acknowledged.unwrap_or(OLD);
    assert!(
        (Epoch::new(acknowledged)..=Epoch::new(acknowledged + 1)).contains(&epoch),
        "{epoch}: {}",
        outcome.text
    );
}

#[test]
fn saves() {
    at_each_call("save", &MODES, make_old, assert_saved);
}

#[test]
fn saves_that_are_synced_twice() {
    at_each_call("save twice synced", &MODES, make_old, assert_saved);
}

#[test]
fn a_first_boot_is_there_whole_or_not_at_all() {
    at_each_call(
        "init",
        &MODES,
        |_| (),
        |path, outcome| match open(path) {
            Ok(record) => assert_eq!(record, Record::first_boot(&config()), "{}", outcome.text),
            Err(VoteFileError::Missing { .. }) => assert!(!outcome.is_done, "{}", outcome.text),
            Err(error) => panic!("{error}: {}", outcome.text),
        },
    );
}

#[test]
fn opening_repairs_or_changes_nothing() {
    for job in ["open", "adopt"] {
        at_each_call(job, &MODES, make_torn_and_moved, |path, outcome| {
            let record = open(path).unwrap_or_else(|error| panic!("{error}: {}", outcome.text));
            assert_eq!(record, voted(OLD), "{}", outcome.text);
        });
    }
}

#[test]
fn a_replacement_leaves_the_old_or_the_new_file() {
    at_each_call("replace", &MODES, make_old, |path, outcome| {
        let record = open(path).unwrap_or_else(|error| panic!("{error}: {}", outcome.text));
        if record.storage == Storage::Replaced {
            assert_eq!(record, Record::replacement(&config()), "{}", outcome.text);
        } else {
            assert_eq!(record, voted(OLD), "{}", outcome.text);
            assert!(!outcome.is_done, "{}", outcome.text);
        }
    });
}

#[test]
fn a_replacement_never_brings_an_older_record_back() {
    at_each_call("replace", &MODES, make_unreadable, |path, outcome| match open(path) {
        Ok(record) => assert_eq!(record, Record::replacement(&config()), "{}", outcome.text),
        Err(VoteFileError::Damaged { .. }) => assert!(!outcome.is_done, "{}", outcome.text),
        Err(error) => panic!("{error}: {}", outcome.text),
    });
}

#[test]
fn on_a_full_disk_a_file_is_replaced_in_place() {
    for prepare in [make_old, make_torn_and_moved, make_unreadable] {
        at_each_call("replace", &["full"], prepare, |path, outcome| {
            assert!(outcome.is_done, "{}", outcome.text);
            let file = VoteFile::open(path, &config()).unwrap();
            assert_eq!(*file.record(), Record::replacement(&config()), "{}", outcome.text);
            assert_eq!((file.repaired(), file.is_moved()), (0, false), "{}", outcome.text);
        });
    }
}

/// As Linux refuses a link to another user's file.
#[test]
fn a_file_to_which_no_link_may_be_made_is_copied_aside() {
    let Some(shim) = shim() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("a.vote");
    make_old(&path);
    for kept in ["a.vote.lost", "a.vote.lost.2"] {
        let before = fs::read(&path).unwrap();
        let outcome = work(shim, "replace", &path, "nolink", 1);
        assert!(outcome.was_hit && outcome.is_done, "{}", outcome.text);
        assert_eq!(fs::read(path.with_file_name(kept)).unwrap(), before, "{kept}");
        assert_eq!(open(&path).unwrap(), Record::replacement(&config()));
    }
}

#[test]
fn on_a_full_disk_saves_go_on_and_no_file_begins() {
    let Some(shim) = shim() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("a.vote");
    for job in ["init", "replace"] {
        let outcome = work(shim, job, &path, "full", 1);
        assert!(outcome.was_hit && !outcome.is_done, "{}", outcome.text);
        assert!(matches!(open(&path), Err(VoteFileError::Missing { .. })), "{}", outcome.text);
    }
    make_old(&path);
    let outcome = work(shim, "save", &path, "full", 1);
    assert_eq!((outcome.is_done, outcome.acknowledged), (true, Some(OLD + SAVES)), "{}", outcome.text);
    assert_saved(&path, &outcome);
}

/// What a job does to the files, in order; reading is left out.
fn calls(job: &str, prepare: impl Fn(&Path)) -> Option<Vec<String>> {
    let shim = shim()?;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("a.vote");
    prepare(&path);
    let outcome = work(shim, job, &path, "list", 1);
    assert!(outcome.is_done, "{}", outcome.text);
    let calls = outcome.text.lines().filter_map(|line| line.strip_prefix("shim: list at "));
    Some(calls.filter(|call| !["open", "read", "flock"].contains(call)).map(str::to_owned).collect())
}

/// A name is given only to what is durable, and is durable itself before anything follows.
#[test]
fn a_new_file_is_synced_before_it_has_its_name_and_its_name_afterwards() {
    let Some(made) = calls("init", |_| ()) else { return };
    assert_eq!(made, ["write", "fsync", "link", "fsync", "unlink"]);
    let replaced = calls("replace", make_old).unwrap();
    assert_eq!(replaced, ["write", "fsync", "link", "fsync", "rename", "fsync", "unlink"]);
}

#[test]
fn a_node_syncs_as_it_is_configured() {
    let Some(calls) = calls("node", |path| VoteFile::init(path, &alone()).unwrap()) else { return };
    assert!(calls.len() >= 4, "{calls:?}");
    for pair in calls.chunks(2) {
        assert_eq!(pair, ["write", "fdatasync"], "{calls:?}");
    }
}

/// Nobody has said yet how saves are to be made durable.
#[test]
fn what_opening_writes_is_synced_copy_by_copy() {
    for job in ["open", "adopt"] {
        let Some(calls) = calls(job, make_torn_and_moved) else { return };
        assert_eq!(calls, ["write", "fdatasync"].repeat(4), "{job}");
    }
}

#[test]
fn a_relative_path_outlives_a_change_of_directory() {
    let Some(saved) = calls("from another directory", make_old) else { return };
    assert_eq!(saved, ["write", "write", "fdatasync"]);
}
