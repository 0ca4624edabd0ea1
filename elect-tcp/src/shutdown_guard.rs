//! The order in which what the threads of a node wait for ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use crate::closers::Closers;

/// How long the last frames may take to leave.
const FLUSH_BOUND: Duration = Duration::from_millis(250);

/// What ends the other threads. In this order: the listener goes last, so that a refused connection proves that this
/// node has done everything it will ever do.
pub(crate) struct ShutdownGuard {
    /// Its end wakes every thread that rests.
    pub(crate) stop: Option<Sender<()>>,
    /// Disconnected when the last frame has left.
    pub(crate) flushed: Receiver<()>,
    pub(crate) closers: Closers,
    pub(crate) close_transport: Box<dyn Fn() + Send>,
    /// What the handles look at.
    pub(crate) ended: Arc<AtomicBool>,
}

impl Drop for ShutdownGuard {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        drop(self.stop.take());
        let _ = self.flushed.recv_timeout(FLUSH_BOUND);
        self.closers.close_all();
        (self.close_transport)();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

    use crossbeam_channel::bounded;

    use super::*;
    use crate::transport::Close;

    type Diary = Arc<Mutex<Vec<&'static str>>>;

    struct Stream(Diary);

    impl Close for Stream {
        fn close(&self) {
            self.0.lock().unwrap().push("stream closed");
        }
    }

    /// Whoever finds the address refused may count on it: nothing of this life is sent any more.
    #[test]
    fn the_last_frame_leaves_then_streams_are_closed_then_the_listener() {
        let (diary, closers, ended) =
            (Diary::default(), Closers::default(), Arc::new(AtomicBool::new(false)));
        let note = |diary: &Diary, what| diary.lock().unwrap().push(what);
        let _open = closers.register(Arc::new(Stream(Arc::clone(&diary)))).unwrap();
        let (stopper, stop) = bounded::<()>(0);
        let (flushing, flushed) = bounded::<()>(0);
        let (sender_diary, saw_end) = (Arc::clone(&diary), Arc::clone(&ended));
        let sender = thread::spawn(move || {
            let _ = stop.recv();
            assert!(saw_end.load(Ordering::SeqCst), "no handle serves any more");
            note(&sender_diary, "last frame sent");
            drop(flushing);
        });
        let (listener_diary, late) = (Arc::clone(&diary), closers.clone());
        let close_transport = move || {
            note(&listener_diary, "listener closed");
            let stream = Arc::new(Stream(Arc::clone(&listener_diary)));
            assert!(late.register(stream).is_none(), "a dial that ends late");
        };
        drop(ShutdownGuard {
            stop: Some(stopper),
            flushed,
            closers,
            close_transport: Box::new(close_transport),
            ended,
        });
        sender.join().unwrap();
        let wanted = ["last frame sent", "stream closed", "listener closed", "stream closed"];
        assert_eq!(*diary.lock().unwrap(), wanted);
    }
}
