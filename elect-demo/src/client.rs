//! A client of the cluster: it follows redirects, reconnects at once, and knows what was acknowledged.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use elect_core::NodeId;
use redis_protocol::resp2::types::OwnedFrame as Reply;

use super::resp::Connection;

/// The counter that is incremented.
pub(crate) const COUNTER: &str = "demo:counter";
/// How long a node may take to answer before the client asks another.
const REPLY_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the client waits after every node has refused, before it asks them again.
pub(crate) const RETRY: Duration = Duration::from_millis(1);

/// What the client wrote.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// The numbers of the keys whose write was acknowledged.
    pub(crate) keys: Vec<u64>,
    /// What acknowledged increments returned, in order.
    pub(crate) counted: Vec<i64>,
    /// Increments that were sent and never answered: they may have been applied or not.
    pub(crate) increments_in_doubt: u64,
    /// Redirects that were followed.
    pub(crate) redirects: u64,
    /// Commands that a node refused without naming another.
    pub(crate) refusals: u64,
    /// Connections made anew.
    pub(crate) reconnects: u64,
}

/// What the keys and the counter read in the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadBack {
    pub(crate) keys: BTreeMap<u64, Option<String>>,
    pub(crate) counter: Option<i64>,
}

/// The name of the numbered key.
pub(crate) fn key(number: u64) -> String {
    format!("demo:write:{number:06}")
}

/// What is written to it.
pub(crate) fn value(number: u64) -> String {
    format!("value-{number}")
}

/// The nodes that a client knows, and its connection to one of them.
#[derive(Debug)]
pub(crate) struct Client {
    nodes: Vec<(NodeId, SocketAddr)>,
    /// The node to ask.
    at: usize,
    connection: Option<Connection>,
    pub(crate) redirects: u64,
    pub(crate) refusals: u64,
    pub(crate) reconnects: u64,
}

/// What became of one command.
#[derive(Debug, PartialEq)]
pub(crate) enum AttemptResult {
    /// The reply of the primary.
    Done(Reply, NodeId),
    /// A node said who leads: ask that one.
    Redirected,
    /// Nothing was done.
    Refused,
    /// The connection broke after the command had been sent: it may have been carried out.
    InDoubt,
}

impl Client {
    /// `nodes` must not be empty.
    pub(crate) const fn new(nodes: Vec<(NodeId, SocketAddr)>) -> Self {
        Self { nodes, at: 0, connection: None, redirects: 0, refusals: 0, reconnects: 0 }
    }

    /// Tries a command once.
    pub(crate) fn attempt(&mut self, command: &[&str]) -> AttemptResult {
        let (node, address) = self.nodes[self.at];
        let connection = if let Some(connection) = &mut self.connection {
            connection
        } else {
            let Ok(connection) = Connection::open(address, REPLY_TIMEOUT) else {
                self.ask_next();
                return AttemptResult::Refused;
            };
            self.reconnects += 1;
            self.connection.insert(connection)
        };
        match connection.call(command) {
            Ok(Reply::Error(error)) => self.on_error(&error),
            Ok(reply) => AttemptResult::Done(reply, node),
            Err(_) => {
                self.ask_next();
                AttemptResult::InDoubt
            }
        }
    }

    fn on_error(&mut self, error: &str) -> AttemptResult {
        let named = redirect(error).and_then(|to| self.nodes.iter().position(|(_, address)| *address == to));
        match named {
            Some(index) if index != self.at => {
                self.redirects += 1;
                (self.at, self.connection) = (index, None);
                AttemptResult::Redirected
            }
            _ => {
                self.refusals += 1;
                self.ask_next();
                if is_refused_before_it_was_tried(error) {
                    AttemptResult::Refused
                } else {
                    AttemptResult::InDoubt
                }
            }
        }
    }

    fn ask_next(&mut self) {
        self.at = (self.at + 1) % self.nodes.len();
        self.connection = None;
    }

    /// Asks until the primary answers, or `deadline` is over.
    fn ask(&mut self, command: &[&str], deadline: Instant) -> io::Result<Reply> {
        loop {
            match self.attempt(command) {
                AttemptResult::Done(reply, _) => return Ok(reply),
                AttemptResult::Redirected => {}
                AttemptResult::Refused | AttemptResult::InDoubt => thread::sleep(RETRY),
            }
            if Instant::now() >= deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no primary answered"));
            }
        }
    }

    /// Reads everything that the ledger says was acknowledged.
    pub(crate) fn read_back(&mut self, ledger: &Ledger, within: Duration) -> io::Result<ReadBack> {
        let deadline = Instant::now() + within;
        let mut read_back = ReadBack::default();
        for &number in &ledger.keys {
            let found = text(self.ask(&["GET", &key(number)], deadline)?);
            read_back.keys.insert(number, found);
        }
        read_back.counter =
            text(self.ask(&["GET", COUNTER], deadline)?).and_then(|counter| counter.parse().ok());
        Ok(read_back)
    }
}

/// Where a redirect leads: `MOVED <slot> <host>:<port>`, as a redis cluster says it.
fn redirect(error: &str) -> Option<SocketAddr> {
    let mut words = error.split_ascii_whitespace();
    (words.next() == Some("MOVED")).then(|| words.nth(1)).flatten()?.parse().ok()
}

/// Whether a node refused before it did anything: it does not lead, or hands over. Any other error leaves a write in
/// doubt.
fn is_refused_before_it_was_tried(error: &str) -> bool {
    matches!(error.split_ascii_whitespace().next(), Some("MOVED" | "NOLEADER" | "TRYAGAIN"))
}

fn text(reply: Reply) -> Option<String> {
    match reply {
        Reply::BulkString(bytes) | Reply::SimpleString(bytes) => String::from_utf8(bytes).ok(),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;
    use crate::trace::tests::node;

    pub(crate) const LONG: Duration = Duration::from_secs(20);

    /// A node that answers each command with the next line of its script, on as many connections as it takes.
    /// An empty line closes the connection without an answer.
    pub(crate) struct Scripted {
        pub(crate) address: SocketAddr,
        thread: JoinHandle<Vec<String>>,
    }

    impl Scripted {
        pub(crate) fn start(listener: TcpListener, script: Vec<String>) -> Self {
            let address = listener.local_addr().expect("it listens");
            let thread = thread::spawn(move || {
                let mut heard = Vec::new();
                let mut script = script.into_iter().peekable();
                while script.peek().is_some() {
                    let (mut stream, _) = listener.accept().expect("a client");
                    stream.set_read_timeout(Some(LONG)).expect("an option");
                    let mut chunk = [0; 1024];
                    while let Some(line) = script.peek() {
                        let length = stream.read(&mut chunk).unwrap_or(0);
                        if length == 0 {
                            break;
                        }
                        heard.push(String::from_utf8_lossy(&chunk[..length]).into_owned());
                        if line.is_empty() {
                            script.next();
                            break;
                        }
                        stream.write_all(line.as_bytes()).expect("a reader");
                        script.next();
                    }
                }
                heard
            });
            Self { address, thread }
        }

        pub(crate) fn heard(self) -> Vec<String> {
            self.thread.join().expect("the script ends")
        }
    }

    pub(crate) fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").expect("a loopback port")
    }

    pub(crate) fn lines(script: &[&str]) -> Vec<String> {
        script.iter().map(|line| (*line).to_owned()).collect()
    }

    fn client(nodes: &[&Scripted]) -> Client {
        let names = ["n1", "n2", "n3"];
        Client::new(nodes.iter().zip(names).map(|(scripted, name)| (node(name), scripted.address)).collect())
    }

    #[test]
    fn redirect_leads_to_the_primary_and_stays_there() {
        let second = Scripted::start(listener(), lines(&[":1\r\n", ":2\r\n"]));
        let first = Scripted::start(listener(), lines(&[&format!("-MOVED 0 {}\r\n", second.address)]));
        let mut client = client(&[&first, &second]);
        assert_eq!(client.attempt(&["INCR", COUNTER]), AttemptResult::Redirected);
        assert_eq!(client.attempt(&["INCR", COUNTER]), AttemptResult::Done(Reply::Integer(1), node("n2")));
        assert_eq!(client.attempt(&["INCR", COUNTER]), AttemptResult::Done(Reply::Integer(2), node("n2")));
        assert_eq!((client.redirects, client.refusals, client.reconnects), (1, 0, 2));
        assert_eq!(first.heard(), ["*2\r\n$4\r\nINCR\r\n$12\r\ndemo:counter\r\n"]);
        assert_eq!(second.heard().len(), 2);
    }

    #[test]
    fn connection_that_breaks_leaves_the_command_in_doubt_and_the_next_node_is_asked() {
        let first = Scripted::start(listener(), lines(&[""]));
        let second = Scripted::start(listener(), lines(&["+OK\r\n"]));
        let mut client = client(&[&first, &second]);
        assert_eq!(client.attempt(&["SET", "k", "v"]), AttemptResult::InDoubt);
        assert_eq!(
            client.attempt(&["SET", "k", "v"]),
            AttemptResult::Done(Reply::SimpleString(b"OK".to_vec()), node("n2"))
        );
        first.heard();
        second.heard();
    }

    #[test]
    fn dead_address_is_a_refusal_not_a_doubt() {
        let gone = listener().local_addr().expect("it listened");
        let mut client = Client::new(vec![(node("n1"), gone)]);
        assert_eq!(client.attempt(&["INCR", COUNTER]), AttemptResult::Refused);
    }

    #[test]
    fn only_errors_that_say_so_are_refusals() {
        let script = ["-NOLEADER nobody leads\r\n", "-TRYAGAIN it hands over\r\n", "-UNKNOWN outcome\r\n"];
        let only = Scripted::start(listener(), lines(&script));
        let mut client = client(&[&only]);
        let outcomes: Vec<AttemptResult> = (0..3).map(|_| client.attempt(&["INCR", COUNTER])).collect();
        assert_eq!(outcomes, [AttemptResult::Refused, AttemptResult::Refused, AttemptResult::InDoubt]);
        only.heard();
    }

    #[test]
    fn redirect_is_understood_only_in_its_own_form() {
        assert_eq!(redirect("MOVED 0 127.0.0.1:7001"), Some(([127, 0, 0, 1], 7001).into()));
        for other in ["MOVED 0", "MOVED 0 nowhere", "ERR MOVED 0 127.0.0.1:7001", ""] {
            assert_eq!(redirect(other), None, "{other}");
        }
    }

    #[test]
    fn reading_back_finds_values_and_what_is_missing() {
        let only = Scripted::start(listener(), lines(&["$7\r\nvalue-1\r\n", "$-1\r\n", "$2\r\n41\r\n"]));
        let ledger = Ledger { keys: vec![1, 2], ..Ledger::default() };
        let read_back = client(&[&only]).read_back(&ledger, LONG).expect("a primary");
        assert_eq!(read_back.keys, BTreeMap::from([(1, Some(value(1))), (2, None)]));
        assert_eq!(read_back.counter, Some(41));
        assert!(only.heard()[1].contains("demo:write:000002"));
    }
}
