//! How much is measured, and where.

use std::path::PathBuf;

#[derive(Debug)]
pub(crate) struct Setting {
    /// Where nodes and redis-server keep their files.
    pub(crate) dir: PathBuf,
    /// The program that the nodes run.
    pub(crate) binary: PathBuf,
    pub(crate) is_quick: bool,
    pub(crate) runs: Option<usize>,
}

impl Setting {
    /// As much as is measured, or the little that shows that it works.
    pub(crate) fn either<T>(&self, measured: T, quick: T) -> T {
        if self.is_quick { quick } else { measured }
    }
}
