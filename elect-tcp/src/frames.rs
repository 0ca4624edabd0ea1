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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{accept, heartbeat, offer};

    /// Gives its bytes away in pieces of a fixed size.
    struct Pieces {
        bytes: Vec<u8>,
        size: usize,
    }

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.size.min(self.bytes.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.bytes[..count]);
            self.bytes.drain(..count);
            Ok(count)
        }
    }

    fn bytes_of(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in frames {
            let mut buffer = [0; FRAME_BYTES_MAX];
            let length = wire::encode(frame, &mut buffer);
            bytes.extend_from_slice(&buffer[..length]);
        }
        bytes
    }

    fn read_all(bytes: Vec<u8>, size: usize) -> (Vec<Frame>, io::ErrorKind) {
        let mut frames = Frames::new(Pieces { bytes, size });
        let mut read = Vec::new();
        loop {
            match frames.buffered() {
                Ok(Some(frame)) => read.push(frame),
                Ok(None) => {
                    if let Err(error) = frames.fill() {
                        return (read, error.kind());
                    }
                }
                Err(error) => return (read, error.kind()),
            }
        }
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_arrive() {
        let sent: Vec<_> = (0..200).flat_map(|sent| [heartbeat(sent), accept(sent), offer(sent)]).collect();
        for size in [1, 2, 3, 7, 64, 1000, usize::MAX] {
            let (read, end) = read_all(bytes_of(&sent), size);
            assert_eq!((read, end), (sent.clone(), io::ErrorKind::UnexpectedEof), "in pieces of {size}");
        }
    }

    #[test]
    fn garbage_ends_the_stream_after_the_frames_before_it() {
        let mut bytes = bytes_of(&[heartbeat(1)]);
        bytes.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(read_all(bytes, 5), (vec![heartbeat(1)], io::ErrorKind::InvalidData));
    }
}
