//! Making vote files: an operator's explicit acts.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use elect_core::{Record, wire};

use super::VoteFileError;
use super::error::failed;
use super::home::{Home, Identity, Machine};
use super::locked::Locked;
use super::paired_copies::{self, PairedCopies};
use crate::clock;

/// So many links may lead from one to the next, as in the kernel.
const LINKS_MAX: usize = 40;
/// So many replaced files are kept.
const LOST_MAX: usize = 1000;

/// Makes a file where there is none.
pub(super) fn first(path: &Path, record: &Record, machine: &Machine) -> Result<(), VoteFileError> {
    let path = followed(path)?;
    sweep(&path);
    Draft::write(&path, record, machine)?.name(&path)
}

/// Makes a file in the place of one that may be there, and says where that is kept.
pub(super) fn replacement(
    path: &Path,
    record: &Record,
    machine: &Machine,
) -> Result<Option<PathBuf>, VoteFileError> {
    let path = followed(path)?;
    sweep(&path);
    let Some(old) = open_old(&path)? else {
        return Draft::write(&path, record, machine)?.name(&path).map(|()| None);
    };
    let old = Locked::new(old, &path)?;
    match Draft::write(&path, record, machine) {
        Ok(draft) => {
            let kept = keep(old.file(), &path)?;
            draft.replace(&path)?;
            Ok(kept)
        }
        Err(VoteFileError::Io { source, .. }) if is_full(&source) => {
            overwrite(old, record, machine).map_err(|source| failed("overwrite", &path, source))?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn open_old(path: &Path) -> Result<Option<File>, VoteFileError> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    // One that may only be read can still be put aside.
    let opened = opened.or_else(|_| File::open(path));
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed("open", path, source)),
    }
}

/// The file that a symbolic link stands for, whether it is there or not.
fn followed(path: &Path) -> Result<PathBuf, VoteFileError> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(target) => path = directory(&path).join(target),
            // Not a link, or not there.
            Err(_) => return Ok(path),
        }
    }
    Err(failed("follow the links from", &path, io::Error::other("they lead on and on")))
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A whole file under a name of its own, durable and locked. Removed with this value.
struct Draft {
    path: PathBuf,
    /// Its lock tells [`sweep`] that somebody is at work on it.
    file: Locked,
}

impl Draft {
    fn write(beside: &Path, record: &Record, machine: &Machine) -> Result<Self, VoteFileError> {
        let path = with_suffix(beside, &format!(".draft-{:016x}", clock::random_seed()));
        let made = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = made.map_err(|source| failed("create", &path, source))?;
        let locked = Locked::new(file, &path).inspect_err(|_| drop(fs::remove_file(&path)))?;
        let draft = Self { path, file: locked };
        draft.fill(record, machine).map_err(|source| failed("write", &draft.path, source))?;
        Ok(draft)
    }

    fn fill(&self, record: &Record, machine: &Machine) -> io::Result<()> {
        let mut file = self.file.file();
        let home = Home::encode(machine.home(file));
        file.write_all(&paired_copies::initial(&wire::encode_record(record), &home))?;
        file.sync_all()
    }

    /// Gives the file its name, unless that is taken.
    fn name(self, path: &Path) -> Result<(), VoteFileError> {
        match fs::hard_link(&self.path, path) {
            Ok(()) => sync_directory(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(VoteFileError::Exists { path: path.into() })
            }
            Err(source) => Err(failed("create", path, source)),
        }
    }

    /// Takes the name from the file that has it: in one step.
    fn replace(self, path: &Path) -> Result<(), VoteFileError> {
        fs::rename(&self.path, path).map_err(|source| failed("replace", path, source))?;
        sync_directory(path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It has served, or is of no use: what is left of it harms nobody.
        let _ = fs::remove_file(&self.path);
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Removes the drafts of processes that were cut off. What cannot be removed is left: it harms nobody.
fn sweep(path: &Path) {
    let (Some(name), Ok(entries)) = (path.file_name(), fs::read_dir(directory(path))) else { return };
    let mut prefix = name.to_owned();
    prefix.push(".draft-");
    for entry in entries.flatten() {
        let abandoned = entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes())
            && File::open(entry.path()).is_ok_and(|draft| draft.try_lock().is_ok());
        if abandoned {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Gives the old file a second name, or copies it where that is not allowed. On a full disk either may fail, and is not
/// worth failing for.
fn keep(old: &File, path: &Path) -> Result<Option<PathBuf>, VoteFileError> {
    for number in 1..=LOST_MAX {
        let suffix = if number == 1 { ".lost".into() } else { format!(".lost.{number}") };
        let aside = with_suffix(path, &suffix);
        match fs::hard_link(path, &aside) {
            Ok(()) => return sync_directory(path).map(|()| Some(aside)),
            // An earlier attempt was cut off after this step.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_same(old, &aside) => {
                return Ok(Some(aside));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if is_full(&error) => return Ok(None),
            Err(error) if has_no_links(&error) => match copy(old, &aside) {
                Ok(()) => return sync_directory(path).map(|()| Some(aside)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if is_full(&error) => return Ok(None),
                Err(source) => return Err(failed("keep aside", path, source)),
            },
            Err(source) => return Err(failed("keep aside", path, source)),
        }
    }
    let text = format!("{LOST_MAX} replaced files lie beside it: remove some");
    Err(failed("keep aside", path, io::Error::other(text)))
}

/// Another user's file, where the kernel protects hard links, or a file system without them.
fn has_no_links(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
}

/// Copies a file to a name that is free, durably, or leaves nothing there.
fn copy(mut old: &File, aside: &Path) -> io::Result<()> {
    let mut copy = OpenOptions::new().write(true).create_new(true).open(aside)?;
    let copied = old
        .seek(SeekFrom::Start(0))
        .and_then(|_| io::copy(&mut old, &mut copy))
        .and_then(|_| copy.sync_all());
    copied.inspect_err(|_| drop(fs::remove_file(aside)))
}

fn is_same(file: &File, path: &Path) -> bool {
    cfg!(unix)
        && file.metadata().is_ok_and(|metadata| Identity::of(&metadata).is_named(path).unwrap_or(false))
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Puts `record` into a file without asking for more room.
fn overwrite(mut old: Locked, record: &Record, machine: &Machine) -> io::Result<()> {
    let (record, home) = (wire::encode_record(record), Home::encode(machine.home(old.file())));
    if let Ok((mut copies, _)) = PairedCopies::open(&mut old)? {
        copies.set_home(home);
        return copies.repair(&record);
    }
    // No copy of the old record may be left among the new ones: it could be taken for the newest.
    paired_copies::overwrite(&mut old, &record, &home)?;
    old.file().set_len(paired_copies::FILE_BYTES as u64)?;
    old.file().sync_all()
}

/// Makes a name durable.
fn sync_directory(path: &Path) -> Result<(), VoteFileError> {
    if !cfg!(unix) {
        return Ok(());
    }
    let directory = directory(path);
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| failed("sync the directory", directory, source))
}
