//! What an operator does before a node starts: its first boot, or the word that its storage was lost or moved.
//!
//! Each step is whole or not there at all, wherever it is cut off: the store takes its name when it is complete, and the
//! vote file comes last. A start between two steps is refused, and the same command again goes on.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use elect_core::MemberKind;
use elect_tcp::VoteFile;

use super::serve_error::{ServeError, io_error};
use crate::config::Settings;
use crate::store::Store;

/// An operator's first boot of a node: makes the data directory, the store and the vote file, in this order. Refused
/// where anything shows that the node has run before: a vote file, one that was put aside, a store that holds entries.
pub fn init(settings: &Settings) -> Result<(), ServeError> {
    let _alone = lock(settings)?;
    refuse_traces(settings)?;
    make_store(settings)?;
    VoteFile::init(settings.vote_file(), &settings.elect)?;
    sync(&settings.data_dir)
}

/// An operator declares that a node's storage was lost, and hears where the old vote file is kept. A log that is still
/// there is kept: it is reconciled with the leader's like any other.
pub fn replace_lost(settings: &Settings) -> Result<Option<PathBuf>, ServeError> {
    let _alone = lock(settings)?;
    make_store(settings)?;
    let kept = VoteFile::replace_lost(settings.vote_file(), &settings.elect)?;
    sync(&settings.data_dir)?;
    Ok(kept)
}

/// An operator declares that a vote file which was moved is the only copy and the newest. Answers how many of its four
/// copies had to be restored.
pub fn adopt(settings: &Settings) -> Result<usize, ServeError> {
    Ok(VoteFile::adopt(settings.vote_file(), &settings.elect)?.repaired())
}

/// The data directory, made if it is missing, and nobody else who prepares it: for as long as the answer lives.
fn lock(settings: &Settings) -> Result<File, ServeError> {
    let dir = &settings.data_dir;
    make_directory(dir)?;
    let named = || format!("data_dir {}", dir.display());
    let file = File::open(dir).map_err(io_error(named()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let busy = io::Error::other("another `init` or `replace-lost` is at work in it");
            Err(io_error(named())(busy))
        }
        Err(TryLockError::Error(error)) => Err(io_error(named())(error)),
    }
}

/// With every directory above it that is missing, each durable under its name.
fn make_directory(dir: &Path) -> Result<(), ServeError> {
    let missing: Vec<_> =
        dir.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.is_dir()).collect();
    for path in missing.into_iter().rev() {
        fs::create_dir(path).map_err(io_error(format!("data_dir {}", path.display())))?;
        sync(parent(path))?;
    }
    Ok(())
}

/// Data are proof that the node has run: an `init` beside them would forget the votes that it gave.
fn refuse_traces(settings: &Settings) -> Result<(), ServeError> {
    let vote = settings.vote_file();
    // A link may lead to another disk: replaced files lie beside the file itself.
    let target = fs::read_link(&vote).map_or_else(|_| vote.clone(), |target| parent(&vote).join(target));
    for path in [&vote, &target] {
        if path.exists() {
            return Err(ServeError::IsReady { path: path.clone() });
        }
        if let Some(path) = put_aside(path)? {
            return Err(ServeError::HasRun { path, what: "a vote file that was replaced" });
        }
    }
    let store = settings.store_dir();
    if store.exists() && Store::open(&store)?.holds_entries()? {
        return Err(ServeError::HasRun { path: store, what: "a store that holds entries" });
    }
    Ok(())
}

/// A file beside the vote file that `replace-lost` has put there.
fn put_aside(vote: &Path) -> Result<Option<PathBuf>, ServeError> {
    let Some(name) = vote.file_name() else { return Ok(None) };
    let prefix = [name.as_encoded_bytes(), b".lost"].concat();
    let dir = parent(vote);
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(io_error(dir.display().to_string()))?,
    };
    let mut found = entries.filter_map(Result::ok);
    Ok(found
        .find(|entry| entry.file_name().as_encoded_bytes().starts_with(&prefix))
        .map(|entry| entry.path()))
}

/// The store of a node that holds data, unless it is there: under its name it is complete.
fn make_store(settings: &Settings) -> Result<(), ServeError> {
    let path = settings.store_dir();
    if settings.elect.kind() == MemberKind::Witness || path.exists() {
        return Ok(());
    }
    let draft = path.with_extension("draft");
    // What an attempt left that was cut off: nobody else is at work here.
    match fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error(draft.display().to_string())(error));
        }
        _ => {}
    }
    Store::create(&draft)?;
    fs::rename(&draft, &path).map_err(io_error(path.display().to_string()))?;
    sync(&settings.data_dir)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a directory durable.
fn sync(dir: &Path) -> Result<(), ServeError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error(dir.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store_with_one_entry;

    fn settings(dir: &Path, kind: &str) -> Settings {
        let text = format!(
            "cluster = \"test\"\nnode = \"a\"\nkind = \"{kind}\"\ndata_dir = \"far/data\"\n\
             listen_election = \"127.0.0.1:7101\"\nlisten_replication = \"127.0.0.1:7201\"\n\
             listen_client = \"127.0.0.1:7001\"\n[[peer]]\nnode = \"b\"\nelection = \"127.0.0.1:7102\"\n\
             replication = \"127.0.0.1:7202\"\n[[peer]]\nnode = \"c\"\nelection = \"127.0.0.1:7103\"\n\
             replication = \"127.0.0.1:7203\"\n"
        );
        Settings::parse(&text, &dir.join("a.toml")).unwrap()
    }

    fn refusal(settings: &Settings) -> String {
        init(settings).unwrap_err().to_string()
    }

    #[test]
    fn an_init_that_was_cut_off_anywhere_goes_on() {
        type Leave = fn(&Settings);
        let cut_off: [(&str, Leave); 4] = [
            ("nothing", |_| {}),
            ("an empty directory", |settings| fs::create_dir_all(&settings.data_dir).unwrap()),
            ("half a store", |settings| {
                let draft = settings.store_dir().with_extension("draft");
                fs::create_dir_all(&draft).unwrap();
                fs::write(draft.join("version"), "").unwrap();
            }),
            ("a store without a vote file", |settings| {
                fs::create_dir_all(&settings.data_dir).unwrap();
                make_store(settings).unwrap();
            }),
        ];
        for (what, leave) in cut_off {
            let dir = tempfile::tempdir().unwrap();
            let settings = settings(dir.path(), "voter");
            leave(&settings);
            init(&settings).unwrap_or_else(|error| panic!("after {what}: {error}"));
            assert!(!Store::open(&settings.store_dir()).unwrap().holds_entries().unwrap());
            VoteFile::open(settings.vote_file(), &settings.elect).unwrap();
            let left: Vec<_> = fs::read_dir(&settings.data_dir).unwrap().flatten().collect();
            assert_eq!(left.len(), 2, "{left:?}");
            let again = refusal(&settings);
            assert!(again.contains("start it with `elect-kv serve`"), "{again}");
        }
    }

    #[test]
    fn data_are_proof_that_a_node_has_run() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path(), "voter");
        fs::create_dir_all(&settings.data_dir).unwrap();
        store_with_one_entry(&settings.store_dir());
        let refused = refusal(&settings);
        assert!(
            refused.contains("a store that holds entries") && refused.contains("replace-lost"),
            "{refused}"
        );
        assert!(!settings.vote_file().exists());
        assert_eq!(replace_lost(&settings).unwrap(), None);
        assert!(Store::open(&settings.store_dir()).unwrap().holds_entries().unwrap(), "the log is kept");
    }

    #[test]
    fn a_vote_file_that_was_put_aside_is_one_too() {
        for (name, kind) in [("vote.lost", "voter"), ("vote.lost.2", "witness")] {
            let dir = tempfile::tempdir().unwrap();
            let settings = settings(dir.path(), kind);
            fs::create_dir_all(&settings.data_dir).unwrap();
            fs::write(settings.data_dir.join(name), "").unwrap();
            let refused = refusal(&settings);
            assert!(refused.contains(name) && refused.contains("replace-lost"), "{refused}");
            assert!(!settings.vote_file().exists() && !settings.store_dir().exists());
        }
    }

    #[test]
    fn two_do_not_prepare_one_directory() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path(), "voter");
        let alone = lock(&settings).unwrap();
        let refused = refusal(&settings);
        assert!(refused.contains("at work"), "{refused}");
        drop(alone);
        init(&settings).unwrap();
    }

    #[test]
    fn a_witness_gets_no_store() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path(), "witness");
        init(&settings).unwrap();
        assert!(settings.vote_file().exists() && !settings.store_dir().exists());
    }
}
