//! Disks for tests: in memory, and failing on demand.

use std::io;

use super::paired_copies::Disk;

/// A disk in memory.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) content: Vec<u8>,
}

impl Disk for Memory {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.content.clone())
    }

    fn write_at(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        self.content[offset..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk whose n-th write or sync fails once, after a part of its bytes has arrived.
#[derive(Debug)]
pub(super) struct Faulty {
    pub(super) inner: Memory,
    pub(super) calls: Vec<&'static str>,
    failing: Option<usize>,
    written: usize,
}

impl Faulty {
    pub(super) fn new(inner: Memory, failing: usize, written: usize) -> Self {
        Self { inner, calls: Vec::new(), failing: Some(failing), written }
    }

    pub(super) fn healthy(inner: Memory) -> Self {
        Self { inner, calls: Vec::new(), failing: None, written: 0 }
    }

    fn fails(&mut self, call: &'static str) -> bool {
        self.calls.push(call);
        self.failing == Some(self.calls.len() - 1)
    }
}

impl Disk for Faulty {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        self.inner.read()
    }

    fn write_at(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        if self.fails("write") {
            self.inner.write_at(offset, &bytes[..self.written.min(bytes.len())])?;
            return Err(io::Error::from_raw_os_error(5));
        }
        self.inner.write_at(offset, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.fails("sync") { Err(io::Error::from_raw_os_error(28)) } else { self.inner.sync() }
    }
}

/// A disk whose power fails after some calls: what was not synced by then is garbage.
#[derive(Debug)]
pub(super) struct PowerCut {
    inner: Memory,
    unsynced: Vec<(usize, usize)>,
    /// So many more writes and syncs are done.
    pub(super) left: usize,
}

impl PowerCut {
    pub(super) fn new(inner: Memory) -> Self {
        Self { inner, unsynced: Vec::new(), left: usize::MAX }
    }

    pub(super) fn after_the_cut(mut self) -> Vec<u8> {
        for (offset, length) in self.unsynced {
            self.inner.content[offset..][..length].fill(0xa5);
        }
        self.inner.content
    }

    fn power(&mut self) -> io::Result<()> {
        self.left = self.left.checked_sub(1).ok_or_else(|| io::Error::other("no power"))?;
        Ok(())
    }
}

impl Disk for PowerCut {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        self.inner.read()
    }

    fn write_at(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        self.power()?;
        self.unsynced.push((offset, bytes.len()));
        self.inner.write_at(offset, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.power()?;
        self.unsynced.clear();
        Ok(())
    }
}
