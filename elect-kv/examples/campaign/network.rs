//! The network between the nodes: a proxy before every port that a node dials, and what becomes of bytes, for each direction
//! of each pair, on each of the two planes.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// How many nodes there are.
pub(crate) const NODES: usize = 3;

/// What nodes tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plane {
    Election,
    Replication,
}

/// What becomes of bytes in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Passage {
    #[default]
    Free,
    /// Nothing passes, also no end. What was sent arrives once this is over, as from TCP's buffers.
    Held,
    /// As over a line that is hardly one.
    Trickle,
    /// Connections are cut, and new ones are too.
    Cut,
}

/// A trickle is so many bytes at a time …
const DROP_BYTES: usize = 48;
/// … so often.
const DROP_INTERVAL: Duration = Duration::from_millis(20);

/// Every link between the nodes.
#[derive(Debug, Default)]
pub(crate) struct Network {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// By plane, sender and receiver.
    passages: [[[Passage; NODES]; NODES]; 2],
    connections: Vec<Weak<Connection>>,
}

/// A connection between two nodes, in two halves.
#[derive(Debug)]
struct Connection {
    plane: Plane,
    dialler: usize,
    listener: usize,
    near: TcpStream,
    far: TcpStream,
    /// Swallows everything for good: half-open, as behind a firewall that forgot it.
    is_silent: AtomicBool,
}

impl Network {
    /// A port that leads from `dialler` to the port of `listener`.
    pub(crate) fn before(
        self: &Arc<Self>,
        own: TcpListener,
        plane: Plane,
        (dialler, listener): (usize, usize),
        port: u16,
    ) -> io::Result<()> {
        let network = self.clone();
        let accept = move || {
            for near in own.incoming().map_while(Result::ok) {
                // Nobody listens there: the dialler hears of an end.
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let is_silent = AtomicBool::new(false);
                let connection = Connection { plane, dialler, listener, near, far, is_silent };
                // Without threads for it there is no connection.
                let _ = network.join(connection);
            }
        };
        thread::Builder::new().name("proxy".into()).spawn(accept).map(drop)
    }

    fn join(self: &Arc<Self>, connection: Connection) -> io::Result<()> {
        let connection = Arc::new(connection);
        let mut state = self.lock();
        if connection.directions().iter().any(|direction| state.passage(*direction) == Passage::Cut) {
            return Ok(());
        }
        state.connections.retain(|known| known.strong_count() > 0);
        state.connections.push(Arc::downgrade(&connection));
        drop(state);
        connection.near.set_nodelay(true)?;
        connection.far.set_nodelay(true)?;
        for is_answer in [false, true] {
            let (network, connection) = (self.clone(), connection.clone());
            let pump = move || network.pump(&connection, is_answer);
            thread::Builder::new().name("proxy".into()).spawn(pump)?;
        }
        Ok(())
    }

    /// From now on.
    pub(crate) fn set(&self, plane: Plane, from: usize, to: usize, passage: Passage) {
        let mut state = self.lock();
        state.passages[plane as usize][from][to] = passage;
        if passage == Passage::Cut {
            let cut = state.connections.iter().filter_map(Weak::upgrade);
            cut.filter(|cut| cut.is_of(plane, from, to)).for_each(|cut| cut.end());
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The connections of now say nothing more in this direction. Those that come later do.
    pub(crate) fn silence(&self, plane: Plane, from: usize, to: usize) {
        let state = self.lock();
        let silent = state.connections.iter().filter_map(Weak::upgrade).filter(|silent| {
            // A stream of the election has nothing to say but what its dialler says; the log's go silent in both directions.
            let is_there = plane == Plane::Replication || silent.dialler == from;
            is_there && silent.is_of(plane, from, to)
        });
        silent.for_each(|silent| silent.is_silent.store(true, Ordering::Relaxed));
    }

    /// Everything passes. What is half-open stays so until an end gives it up.
    pub(crate) fn heal(&self) {
        self.lock().passages = Default::default();
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on what one side says, until it ends.
    fn pump(&self, connection: &Connection, is_answer: bool) {
        let direction = connection.directions()[usize::from(is_answer)];
        let (mut from, mut to) =
            if is_answer { (&connection.far, &connection.near) } else { (&connection.near, &connection.far) };
        let mut bytes = [0; 16 << 10];
        loop {
            let read = from.read(&mut bytes).unwrap_or(0);
            let passage = self.until_it_passes(direction);
            if connection.is_silent.load(Ordering::Relaxed) {
                // Whoever has not ended hears of no end.
                if read == 0 {
                    return;
                }
                continue;
            }
            let sent = match passage {
                Passage::Trickle => self.trickle(direction, to, &bytes[..read]),
                _ => to.write_all(&bytes[..read]),
            };
            if read == 0 || sent.is_err() {
                return connection.end();
            }
        }
    }

    fn until_it_passes(&self, direction: (Plane, usize, usize)) -> Passage {
        let mut state = self.lock();
        while state.passage(direction) == Passage::Held {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.passage(direction)
    }

    fn trickle(&self, direction: (Plane, usize, usize), mut to: &TcpStream, bytes: &[u8]) -> io::Result<()> {
        for drop in bytes.chunks(DROP_BYTES) {
            to.write_all(drop)?;
            let state = self.lock();
            let trickles = |state: &mut State| state.passage(direction) == Passage::Trickle;
            let _ = self.changed.wait_timeout_while(state, DROP_INTERVAL, trickles);
        }
        Ok(())
    }
}

impl State {
    fn passage(&self, (plane, from, to): (Plane, usize, usize)) -> Passage {
        self.passages[plane as usize][from][to]
    }
}

impl Connection {
    /// What the dialler says, and what it is answered.
    fn directions(&self) -> [(Plane, usize, usize); 2] {
        [(self.plane, self.dialler, self.listener), (self.plane, self.listener, self.dialler)]
    }

    fn is_of(&self, plane: Plane, from: usize, to: usize) -> bool {
        self.directions().contains(&(plane, from, to))
    }

    fn end(&self) {
        // It may have ended by itself.
        let _ = self.near.shutdown(Shutdown::Both);
        let _ = self.far.shutdown(Shutdown::Both);
    }
}
