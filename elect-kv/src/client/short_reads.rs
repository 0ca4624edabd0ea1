//! Reads that run on the clients' own threads: few at a time, and none of them keeps its client once this node has lost
//! office.

use std::net::Shutdown;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use socket2::SockRef;
use tokio::net::TcpStream;

/// The threads that serve clients.
pub(crate) const CLIENT_THREADS: usize = 3;
/// One of the clients' threads never reads, so that somebody answers whatever the disk does.
const PLACES: usize = CLIENT_THREADS - 1;

/// The places for these reads.
#[derive(Debug, Default)]
pub(super) struct ShortReads([Mutex<Place>; PLACES]);

#[derive(Debug, Default)]
struct Place {
    /// Whose read it is, while there is one.
    client: Option<Arc<TcpStream>>,
    /// How many there were.
    count: u64,
}

/// The read in each place, by how many there were before it.
pub(super) type UnderWay = [Option<u64>; PLACES];

/// A read under way; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct ShortRead<'a>(&'a Mutex<Place>);

impl ShortReads {
    /// A place for a read of that client, if one is free.
    pub(super) fn begin(&self, client: &Arc<TcpStream>) -> Option<ShortRead<'_>> {
        self.0.iter().find_map(|place| {
            let mut taken = match place.try_lock() {
                Ok(taken) => taken,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return None,
            };
            if taken.client.is_some() {
                return None;
            }
            *taken = Place { client: Some(Arc::clone(client)), count: taken.count + 1 };
            Some(ShortRead(place))
        })
    }

    /// Which read has which place.
    pub(super) fn under_way(&self) -> UnderWay {
        std::array::from_fn(|index| {
            let place = self.0[index].lock().unwrap_or_else(PoisonError::into_inner);
            place.client.as_ref().map(|_| place.count)
        })
    }

    /// Closes the streams of those that were under way at `before` and are still: the thread of each waits for the disk.
    pub(super) fn close(&self, before: UnderWay) {
        for (place, before) in self.0.iter().zip(before) {
            let place = place.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(client) = &place.client
                && before == Some(place.count)
            {
                // Fails if the client has gone.
                let _ = SockRef::from(client.as_ref()).shutdown(Shutdown::Both);
            }
        }
    }
}

impl Drop for ShortRead<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).client = None;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn only_who_read_before_and_reads_still_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mut first, mut second) =
            (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
        let [of_first, of_second] =
            [listener.accept().await.unwrap().0, listener.accept().await.unwrap().0].map(Arc::new);
        let reads = ShortReads::default();
        let hangs = reads.begin(&of_first).unwrap();
        let ends = reads.begin(&of_second).unwrap();
        assert!(reads.begin(&of_first).is_none(), "all places are taken");
        let under_way = reads.under_way();
        drop(ends);
        let _next = reads.begin(&of_second).unwrap();
        reads.close(under_way);
        assert_eq!(first.read(&mut [0]).await.unwrap(), 0, "closed");
        of_second.try_write(b"x").unwrap();
        assert_eq!(second.read(&mut [0]).await.unwrap(), 1, "that is another read");
        drop(hangs);
        assert_eq!(reads.under_way().iter().flatten().count(), 1);
    }
}
