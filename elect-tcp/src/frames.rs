//! Frames out of a stream of bytes.

use std::io::{self, Read};

use elect_core::Frame;
use elect_core::wire::{self, FRAME_BYTES_MAX, PREFIX_BYTES};

/// Room for many frames in one read, and always for a whole one.
const BUFFER_BYTES: usize = 4096;
const _: () = assert!(BUFFER_BYTES >= 2 * FRAME_BYTES_MAX);

/// Reads frames from a stream, many with one call to the operating system if they are there.
#[derive(Debug)]
pub(crate) struct Frames<R> {
    stream: R,
    buffer: Box<[u8; BUFFER_BYTES]>,
    /// What was read but not yet returned lies between these.
    start: usize,
    end: usize,
}

impl<R: Read> Frames<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { stream, buffer: Box::new([0; BUFFER_BYTES]), start: 0, end: 0 }
    }

    /// The next whole frame that is already here.
    pub(crate) fn buffered(&mut self) -> io::Result<Option<Frame>> {
        let unread = &self.buffer[self.start..self.end];
        let Some(prefix) = unread.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let length = wire::frame_length(*prefix).map_err(invalid)?;
        let Some(bytes) = unread.get(..length) else { return Ok(None) };
        let frame = wire::decode(bytes).map_err(invalid)?;
        self.start += length;
        Ok(Some(frame))
    }

    /// Blocks until more bytes are here. An end of the stream is an error.
    pub(crate) fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let count = loop {
            match self.stream.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.end += count;
        Ok(())
    }
}

fn invalid(error: wire::WireError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
