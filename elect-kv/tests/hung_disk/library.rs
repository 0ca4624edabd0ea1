//! Disks that hang or are full on demand.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A library that hangs reads, writes and syncs of files below a directory, or refuses writes that need room; `hang.c` says when.
/// Whoever links Rust has a C compiler.
pub(crate) fn build(dir: &Path) -> io::Result<PathBuf> {
    let library = dir.join("hang.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hung_disk/hang.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", source, "-ldl", "-o"]).arg(&library);
    let status = compiler.status()?;
    if status.success() { Ok(library) } else { Err(io::Error::other(format!("cc ended with {status}"))) }
}
