//! Who holds a node's process tells its peers as soon as it has ended.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use crossbeam_channel::{Sender, bounded};
use elect_core::{Address, Config, Incarnation, NodeId};

use self::teller::{News, Standing, Teller};
use crate::closers::Closers;
use crate::config::NodeConfig;
use crate::dialer::Timeouts;
use crate::introduction::Introduction;
use crate::own_address::OwnAddress;
use crate::threads::Threads;
use crate::transport::Transport;
use crate::vote_file::{VoteFile, VoteFileError};

/// How long the news of an end may take to leave; every peer has its own thread for it.
const TELL_BOUND: Duration = Duration::from_secs(1);
/// How long the threads may take to end.
const END_BOUND: Duration = Duration::from_secs(5);

/// Keeps a stream to every peer of a node, and tells them when the node's process has ended: they elect another leader
/// at once, without waiting for the detection time and without the evidence of a refused connection.
///
/// Cheap to clone; its streams are closed when the last clone, and the last [`Held`], are gone.
///
/// It is for whoever starts the process, and runs beside it on the same machine: a service manager's helper, an agent, a
/// parent. It needs the node's own configuration, and TLS: its certificate proves that it speaks for the node. It never
/// says that a process has ended on somebody's word: while that process, or another one, has the vote file, there is
/// nothing to tell.
///
/// ```no_run
/// use std::process::Command;
///
/// # fn run(config: &elect_tcp::NodeConfig) -> Result<(), Box<dyn std::error::Error>> {
/// let supervisor = elect_tcp::Supervisor::start(config)?;
/// loop {
///     // Before the process starts: what its vote file names now is an earlier life.
///     let held = supervisor.hold()?;
///     let mut node = Command::new("my-store").arg("serve").spawn()?;
///     // A process that is no child: `poll` on its pidfd.
///     let status = node.wait()?;
///     match held.ended() {
///         Ok(Some(end)) => eprintln!("{status}: life {} has ended, told to {}", end.incarnation, end.told.len()),
///         Ok(None) => eprintln!("{status}: it never spoke, so there is nothing to tell"),
///         // Its peers wait for the detection time, as they would without a supervisor.
///         Err(error) => eprintln!("{status}: {error}"),
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Supervisor(Arc<Tellers>);

/// A process that is about to be started, or has been: see [`Supervisor::hold`].
#[derive(Debug)]
#[must_use = "the peers are told by `ended`"]
pub struct Held {
    tellers: Arc<Tellers>,
    /// What the vote file named before.
    before: Incarnation,
}

/// The threads that tell, and what they tell of.
struct Tellers {
    config: Config,
    vote_file: PathBuf,
    each: Vec<(NodeId, Sender<News>, Standing)>,
    stop: Option<Sender<()>>,
    closers: Closers,
    threads: Threads,
}

/// A life that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LifeEnd {
    /// Which.
    pub incarnation: Incarnation,
    /// The peers that were told within a second. The others are told as soon as they can be reached.
    pub told: Vec<NodeId>,
}

impl Supervisor {
    /// Connects to the peers of the node with this configuration, over TLS. It does not listen.
    ///
    /// An error where there is no TLS or no vote file in the configuration, where certificates cannot be used, or where no
    /// thread can be started.
    #[cfg(feature = "tls")]
    pub fn start(config: &NodeConfig) -> io::Result<Self> {
        Self::start_with(config, crate::TlsTransport::dialling(config)?)
    }

    /// The same over another transport, of which only [`dial`](Transport::dial) is used. Its streams must prove to the
    /// peers that they are of this node ([`Stream::proven`](crate::Stream::proven)): they refuse it otherwise.
    pub fn start_with<T: Transport>(config: &NodeConfig, transport: T) -> io::Result<Self> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "the configuration names no vote file");
        let vote_file = config.vote_file.clone().ok_or_else(invalid)?;
        let (stopper, stop) = bounded(0);
        let (closers, threads, transport) = (Closers::default(), Threads::default(), Arc::new(transport));
        let elect = config.elect.clone();
        let nobody = Incarnation { counter: 0, random: 0 };
        let introduction =
            Introduction::new(&elect, OwnAddress::new(Address::default()), Address::default(), nobody, None);
        let mut tellers =
            Tellers { config: elect, vote_file, each: Vec::new(), stop: Some(stopper), closers, threads };
        let own = tellers.config.node();
        let peers: Vec<_> = tellers.config.members().iter().map(|member| member.id).collect();
        for peer in peers.into_iter().filter(|peer| *peer != own) {
            let (tell, news) = bounded(4);
            let standing = Standing::default();
            let teller = Teller {
                peer,
                transport: Arc::clone(&transport),
                introduction: introduction.clone(),
                news,
                standing: standing.clone(),
                stop: stop.clone(),
                closers: tellers.closers.clone(),
                threads: tellers.threads.clone(),
                timeouts: Timeouts {
                    dial: config.dial_timeout,
                    handshake: config.handshake_timeout,
                    stall: config.stall_timeout(),
                    stale: Duration::ZERO,
                },
            };
            tellers.threads.spawn(format!("tell {peer}"), drop, move || teller.run())?;
            tellers.each.push((peer, tell, standing));
        }
        Ok(Self(Arc::new(tellers)))
    }

    /// Remembers which life the vote file names: the process that is started next takes a later one.
    ///
    /// An error where another process has the file already, or where it cannot be read.
    pub fn hold(&self) -> Result<Held, VoteFileError> {
        Ok(Held { tellers: Arc::clone(&self.0), before: self.0.life()? })
    }

    /// Why it cannot tell a peer anything at present, by peer; `None` where a stream stands.
    pub fn links(&self) -> Vec<(NodeId, Option<String>)> {
        self.0.each.iter().map(|(peer, _, standing)| (*peer, standing.get())).collect()
    }
}

impl Tellers {
    /// The life that the vote file names.
    fn life(&self) -> Result<Incarnation, VoteFileError> {
        VoteFile::life(&self.vote_file, &self.config)
    }

    fn tell(&self, incarnation: Incarnation) -> LifeEnd {
        let (done, telling) = bounded(self.each.len());
        for (_, tell, _) in &self.each {
            // A thread that has so much to tell has told nothing for long: this, too, comes after that.
            let _ = tell.try_send(News { incarnation, done: done.clone() });
        }
        drop(done);
        let deadline = std::time::Instant::now() + TELL_BOUND;
        let mut told = Vec::new();
        while let Ok(peer) = telling.recv_deadline(deadline) {
            told.push(peer);
            if told.len() == self.each.len() {
                break;
            }
        }
        LifeEnd { incarnation, told }
    }
}

impl Held {
    /// The process has ended: looks which life it took, and tells the peers that this one is over.
    ///
    /// `None` where it ended before it took one. An error where a process still has the vote file, which is then not over
    /// whatever the caller knows, or where the file cannot be read: nobody is told anything. For the moment in which it
    /// looks, a node that is started finds the file in use.
    pub fn ended(self) -> Result<Option<LifeEnd>, VoteFileError> {
        let last = self.tellers.life()?;
        // A life that was there before may go on elsewhere: the file may be a copy.
        Ok((last != self.before).then(|| self.tellers.tell(last)))
    }
}

impl Drop for Tellers {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.closers.close_all();
        let _ = self.threads.join_all(END_BOUND);
    }
}

impl fmt::Debug for Tellers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tellers").field("node", &self.config.node()).finish_non_exhaustive()
    }
}

mod teller;
