//! Which inbound streams there are: in handshake, greeted, and heard.
//!
//! A stream moves from one to the next, and closes others only as far as it has proved itself: a greeting displaces
//! nobody, the first frame that counts displaces the stream that was heard before.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use elect_core::{Address, Incarnation, NodeId};

use crate::transport::Close;

/// At most this many streams are in handshake. One more closes the oldest of the host that has most of them: a member needs a
/// round trip, a stranger that holds its streams open loses its slots, and nobody can fill them for good, nor from one host at all.
pub(crate) const HANDSHAKES_MAX: usize = 16;
/// At most so many streams that claim one name have greeted and sent nothing that counts. One more closes the oldest.
pub(crate) const GREETED_MAX: usize = 2;

/// At most so many processes of one name are heard at the same time, where a stream carries many groups: each has groups of
/// its own, or is the one that was before and whose end nobody has seen yet. One more closes the stream that was heard first.
pub(crate) const PROCESSES_MAX: usize = 2;

/// The streams that have a slot, and the threads that read them.
pub(crate) struct Slots {
    /// How many processes of one name are heard at the same time.
    processes_max: usize,
    next: u64,
    /// How many streams have become that of their member.
    hearings: u64,
    /// Threads, those included whose stream is closed but that have not ended yet.
    threads: usize,
    handshakes: VecDeque<Newcomer>,
    greeted: VecDeque<Guest>,
    /// The one that was heard first stands first.
    heard: Vec<Guest>,
    /// Those of supervisors, one of each member.
    supervisors: HashMap<NodeId, Guest>,
    /// Where each member's newest life was heard from last, for those who are refused because of it.
    homes: HashMap<NodeId, (Incarnation, Address)>,
}

/// A stream in handshake.
struct Newcomer {
    number: u64,
    host: Option<IpAddr>,
    closer: Arc<dyn Close>,
}

/// A stream whose greeting was welcome.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) number: u64,
    pub(super) peer: NodeId,
    pub(super) incarnation: Incarnation,
    /// Where it dials from, or is dialled if it said so.
    pub(super) home: Address,
    pub(super) closer: Arc<dyn Close>,
}

impl Slots {
    /// Of a node of one group, or of `many`.
    pub(crate) fn new(many: bool) -> Self {
        Self {
            processes_max: if many { PROCESSES_MAX } else { 1 },
            next: 0,
            hearings: 0,
            threads: 0,
            handshakes: VecDeque::new(),
            greeted: VecDeque::new(),
            heard: Vec::new(),
            supervisors: HashMap::new(),
            homes: HashMap::new(),
        }
    }

    /// A number for a new stream, which begins its handshake; `None` if there are too many threads. Says whether
    /// another stream was closed for it.
    pub(super) fn admit(
        &mut self,
        closer: Arc<dyn Close>,
        from: &Address,
        threads_max: usize,
    ) -> Option<(u64, bool)> {
        if self.threads >= threads_max {
            return None;
        }
        let full = self.handshakes.len() >= HANDSHAKES_MAX;
        if full && let Some(oldest) = self.most_crowded().and_then(|place| self.handshakes.remove(place)) {
            oldest.closer.close();
        }
        let number = self.next;
        self.next += 1;
        self.threads += 1;
        self.handshakes.push_back(Newcomer { number, host: host(from), closer });
        Some((number, full))
    }

    /// Where the oldest stream in handshake stands of the host that has most of them; of the first of several such hosts.
    fn most_crowded(&self) -> Option<usize> {
        let of_its_host =
            |newcomer: &Newcomer| self.handshakes.iter().filter(|other| other.host == newcomer.host).count();
        let most = self.handshakes.iter().map(of_its_host).max()?;
        self.handshakes.iter().position(|newcomer| of_its_host(newcomer) == most)
    }

    /// Its greeting is welcome.
    pub(super) fn greet(&mut self, guest: Guest) {
        self.handshakes.retain(|newcomer| newcomer.number != guest.number);
        let of_this_name = |other: &Guest| other.peer == guest.peer;
        if self.greeted.iter().filter(|other| of_this_name(other)).count() >= GREETED_MAX
            && let Some(oldest) = self.greeted.iter().position(of_this_name)
            && let Some(oldest) = self.greeted.remove(oldest)
        {
            oldest.closer.close();
        }
        self.greeted.push_back(guest);
    }

    /// It is that of a member's supervisor, which has proved that: it takes the place of an earlier one.
    pub(super) fn supervise(&mut self, guest: Guest) {
        self.handshakes.retain(|newcomer| newcomer.number != guest.number);
        if let Some(earlier) = self.supervisors.insert(guest.peer, guest) {
            earlier.closer.close();
        }
    }

    /// A frame of it has counted: from now on it is the stream of that member, unless a newer one of the same life is. It takes
    /// the place of an older one of that life, or of another life, of which a node has one only.
    /// The number of the change, the greater the later.
    pub(super) fn hear(&mut self, guest: &Guest) -> Option<u64> {
        self.greeted.retain(|other| other.number != guest.number);
        let of_this_name = |heard: &Guest| heard.peer == guest.peer;
        let of_this_life = |heard: &Guest| of_this_name(heard) && heard.incarnation == guest.incarnation;
        if self.heard.iter().any(|heard| of_this_life(heard) && heard.number > guest.number) {
            guest.closer.close();
            return None;
        }
        self.homes.insert(guest.peer, (guest.incarnation, guest.home.clone()));
        let are_too_many = || {
            let count = self.heard.iter().filter(|heard| of_this_name(heard)).count();
            count >= self.processes_max
        };
        let earlier = self.heard.iter().position(of_this_life);
        let earlier =
            earlier.or_else(|| are_too_many().then(|| self.heard.iter().position(of_this_name)).flatten());
        if let Some(earlier) = earlier {
            self.heard.remove(earlier).closer.close();
        }
        self.heard.push(guest.clone());
        self.hearings += 1;
        Some(self.hearings)
    }

    /// Where that life of the peer was heard from last; empty where that is not known.
    pub(super) fn home(&self, peer: NodeId, incarnation: Incarnation) -> Address {
        let home = self.homes.get(&peer).filter(|(heard, _)| *heard == incarnation);
        home.map(|(_, home)| home.clone()).unwrap_or_default()
    }

    /// The thread of that stream ends, or never starts.
    pub(super) fn leave(&mut self, number: u64) {
        self.threads -= 1;
        self.handshakes.retain(|newcomer| newcomer.number != number);
        self.greeted.retain(|guest| guest.number != number);
        self.heard.retain(|guest| guest.number != number);
        self.supervisors.retain(|_, guest| guest.number != number);
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize, usize, usize) {
        (self.threads, self.handshakes.len(), self.greeted.len(), self.heard.len())
    }
}

/// Where a dialler is: at `listen` if it said so, else where it dials from. Whoever listens on every address of its host
/// is found at the one that it dials from.
pub(super) fn home(listen: &Address, from: &Address) -> Address {
    if listen.as_str().is_empty() {
        return from.clone();
    }
    let parse = |address: &Address| address.as_str().parse::<SocketAddr>().ok();
    match (parse(listen), parse(from)) {
        (Some(mut told), Some(seen)) if told.ip().is_unspecified() => {
            told.set_ip(seen.ip());
            Address::new(&told.to_string()).unwrap_or_default()
        }
        _ => listen.clone(),
    }
}

/// Who shares slots: one address, or a network of IPv6, of which one host may have every address.
fn host(from: &Address) -> Option<IpAddr> {
    let address: SocketAddr = from.as_str().parse().ok()?;
    Some(match address.ip().to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    })
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Receiver, Sender, bounded};

    use super::*;
    use crate::testing::id;

    /// Says its name when it is closed.
    struct Named(&'static str, Sender<&'static str>);

    impl Close for Named {
        fn close(&self) {
            self.1.send(self.0).unwrap();
        }
    }

    /// Streams of `b` by number and life, and the names of those that were closed.
    fn guests() -> (impl Fn(u64, u32, &'static str) -> Guest, Receiver<&'static str>) {
        let (closing, closed) = bounded(8);
        let guest = move |number, counter, name| Guest {
            number,
            peer: id("b"),
            incarnation: Incarnation { counter, random: 1 },
            home: Address::default(),
            closer: Arc::new(Named(name, closing.clone())),
        };
        (guest, closed)
    }

    /// Two streams of one life, and the reader of the older one is late.
    #[test]
    fn an_older_stream_of_the_same_life_displaces_no_newer_one() {
        let (guest, closed) = guests();
        let mut slots = Slots::new(false);
        assert_eq!(slots.hear(&guest(2, 1, "newer")), Some(1));
        assert_eq!(slots.hear(&guest(1, 1, "older")), None);
        assert_eq!(closed.try_recv(), Ok("older"));
        assert_eq!(slots.hear(&guest(0, 2, "of a later life")), Some(2));
        assert_eq!(closed.try_recv(), Ok("newer"));
        assert!(closed.is_empty());
    }

    /// They closed each other's streams for ever, and cut every group of both off.
    #[test]
    fn two_processes_of_one_name_are_heard_side_by_side_where_streams_carry_many_groups() {
        let (guest, closed) = guests();
        let mut slots = Slots::new(true);
        for (number, life) in [(0, 1), (1, 2)] {
            assert!(slots.hear(&guest(number, life, "first")).is_some());
        }
        assert!(closed.is_empty());
        // Each has one stream.
        assert!(slots.hear(&guest(2, 1, "second")).is_some());
        assert_eq!(closed.try_recv(), Ok("first"));
        assert_eq!(slots.heard.iter().map(|guest| guest.number).collect::<Vec<_>>(), [1, 2]);
        // Of a third one it is known that the first are too many.
        assert!(slots.hear(&guest(3, 3, "third")).is_some());
        assert_eq!(closed.try_recv(), Ok("first"));
        assert_eq!(slots.heard.iter().map(|guest| guest.number).collect::<Vec<_>>(), [2, 3]);
    }

    /// Whoever opened streams faster than a member's handshake took kept every member out, from one host.
    #[test]
    fn a_host_that_opens_many_streams_closes_its_own() {
        let (closing, closed) = bounded(64);
        let mut slots = Slots::new(false);
        let mut admit = |from: &str, name| {
            let stream = Arc::new(Named(name, closing.clone()));
            slots.admit(stream, &Address::new(from).unwrap(), usize::MAX).unwrap();
        };
        admit("[fd00::1]:1", "member");
        for port in 1..=20 {
            admit(&format!("[fd00:0:0:1::{port}]:{port}"), "crowd");
        }
        admit("10.0.0.1:1", "another member");
        for port in 21..=40 {
            admit(&format!("[fd00:0:0:1::{port}]:{port}"), "crowd");
        }
        let closed: Vec<_> = closed.try_iter().collect();
        assert_eq!(closed, ["crowd"; 42 - HANDSHAKES_MAX]);
    }

    #[test]
    fn a_home_is_an_address_that_leads_somewhere() {
        let address = |text: &str| Address::new(text).unwrap();
        for (listen, from, wanted) in [
            ("10.0.0.2:7001", "10.0.0.1:40000", "10.0.0.2:7001"),
            ("b.example:7001", "10.0.0.1:40000", "b.example:7001"),
            ("0.0.0.0:7001", "10.0.0.1:40000", "10.0.0.1:7001"),
            ("[::]:7001", "10.0.0.1:40000", "10.0.0.1:7001"),
            ("[::]:7001", "[fd00::1]:40000", "[fd00::1]:7001"),
            ("0.0.0.0:7001", "", "0.0.0.0:7001"),
            ("", "10.0.0.1:40000", "10.0.0.1:40000"),
        ] {
            assert_eq!(home(&address(listen), &address(from)), address(wanted), "{listen} {from}");
        }
    }
}
