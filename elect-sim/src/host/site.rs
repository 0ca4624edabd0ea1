//! What a machine stands in: as much of the world as its host may reach.

use std::fmt;

use elect_core::{Epoch, Office, Position, Time};

use crate::book::Book;
use crate::clock::Real;
use crate::ids::{Life, NodeIndex};
use crate::input::Request;
use crate::model_log::Entries;
use crate::options::Options;
use crate::packet::Packet;
use crate::random::Random;

/// The surroundings of a machine.
pub(crate) trait Site: fmt::Debug {
    fn options(&self) -> &Options;

    /// Real time.
    fn now(&self) -> Real;

    /// What the machine's clock shows.
    fn local(&self, node: NodeIndex) -> Time;

    /// Whom the machine's elector follows, and in which epoch.
    fn following(&self, node: NodeIndex) -> Option<(NodeIndex, Epoch)>;

    /// Which life of its process this is.
    fn life(&self, node: NodeIndex) -> Life;

    /// Whether its process runs, and is not stopped.
    fn is_running(&self, node: NodeIndex) -> bool;

    /// Whether something that the host needs to serve is missing.
    fn setup_fails(&self, node: NodeIndex) -> bool;

    /// Chance for hosts and clients.
    fn random(&mut self) -> &mut Random;

    /// What the logs of all built-in stores are made of.
    fn entries(&self) -> &Entries;

    /// What is checked, counted and noted.
    fn book(&self) -> &Book;

    fn book_mut(&mut self) -> &mut Book;

    /// The entries, and the book in which acknowledgements are checked.
    fn entries_and_book(&mut self) -> (&mut Entries, &mut Book);

    /// A message leaves for a member.
    fn send(&mut self, from: NodeIndex, to: NodeIndex, packet: &Packet);

    /// The host is woken in so many nanoseconds.
    fn wake_in(&mut self, node: NodeIndex, span: u64, ticket: u64);

    /// A sync begins, if none is under way.
    fn sync(&mut self, node: NodeIndex) -> bool;

    /// The host asks its elector for something.
    fn ask(&mut self, node: NodeIndex, what: Asked<'_>);
}

/// What a host asks its elector for, or tells it.
#[derive(Debug)]
pub(crate) enum Asked<'a> {
    /// It is in office.
    EnteredOffice(&'a Office),
    /// What a handover waited for is done.
    Drained,
    /// The source of a catch-up does not have what it reported, or cannot be reached.
    SourceLost,
    /// Replaced storage holds everything up to this entry.
    Rebuilt(Option<Position>),
    /// Its log is durable up to this entry: known at once.
    Reached(Option<Position>),
    /// The same, known as late as reports are.
    Reports(Option<Position>),
    Request(Request),
}
