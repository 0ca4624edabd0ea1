//! The actions of the demo, one after another. Every wait is for an event and has a bound.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use elect_core::{Epoch, NodeId};
use redis_protocol::resp2::types::OwnedFrame as Reply;

use super::client::{Client, Ledger, ReadBack};
use super::clock::Clock;
use super::cluster::{Cluster, SetupError};
use super::console::{Console, LineKind};
use super::figures::Setting;
use super::format::{count, milliseconds};
use super::recorder::{Recorder, State, Stop};
use super::resp::Connection;
use super::trace::{ActionKind, EventKind};
use super::writer::Writer;

/// The whole demo takes less.
pub(crate) const DEMO_DURATION_MAX: Duration = Duration::from_secs(30);
/// The actions take less: then there are processes to stop and a page to draw.
const ACTIONS_DURATION_MAX: Duration = Duration::from_secs(26);
/// How long one thing may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(8);
/// How many writes are acknowledged between two actions.
const WRITES_BETWEEN: usize = 400;
/// How often a node is asked whether it has caught up.
const ROLE_INTERVAL: Duration = Duration::from_millis(5);

/// What kept the demo from going on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Stopped(#[from] Stop),
}

/// What the client knows at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunResult {
    pub(crate) ledger: Ledger,
    pub(crate) read_back: ReadBack,
    pub(crate) caught_up: Option<Duration>,
    pub(crate) primary: Option<NodeId>,
}

/// Plays the demo on a cluster.
pub(crate) struct Script<'a, W> {
    pub(crate) recorder: Arc<Recorder>,
    /// When the whole demo began: its bound counts from here, its times from the clock's start.
    pub(crate) began: Instant,
    pub(crate) clock: Clock,
    pub(crate) cluster: &'a mut Cluster,
    pub(crate) console: &'a mut Console<W>,
    pub(crate) setting: Setting,
}

/// A node that serves, and since when.
#[derive(Clone, Copy, Debug)]
struct Primary {
    node: NodeId,
    epoch: Epoch,
    elected: Duration,
}

impl<W: Write> Script<'_, W> {
    pub(crate) fn play(mut self) -> Result<RunResult, Failure> {
        let began = self.clock.now();
        self.cluster.start()?;
        self.console.print_at(
            began,
            LineKind::Progress,
            "three nodes start, each a process of its own, and a client begins to write",
        );
        let writer =
            Writer::start(self.cluster.nodes(), Arc::clone(&self.recorder), self.clock).map_err(|error| {
                SetupError::new("the client's thread", &error, "allow this user to start more threads")
            })?;
        let first = self.first_primary()?;
        let second = self.failover(first)?;
        let caught_up = self.restart(first.node, second)?;
        let third = self.handover(second, first.node)?;
        let ledger = writer.stop();
        let read_back = self.read_back(&ledger)?;
        Ok(RunResult { ledger, read_back, caught_up: Some(caught_up), primary: Some(third.node) })
    }

    fn first_primary(&mut self) -> Result<Primary, Stop> {
        let first = self.next_primary(Duration::ZERO, None)?;
        let text = format!("{} leads epoch {}: the first primary", first.node, first.epoch);
        self.console.print_at(first.elected, LineKind::Progress, &text);
        let write = self.wait("the first acknowledged write", |state| state.acknowledged.first().copied())?;
        self.console.print_at(
            write.at,
            LineKind::Progress,
            &format!("{} acknowledges the first write", write.by),
        );
        self.writes_go_on()?;
        Ok(first)
    }

    fn failover(&mut self, old: Primary) -> Result<Primary, Stop> {
        let at = self.cluster.kill(old.node);
        self.recorder.record_action(at, ActionKind::Kill { node: old.node });
        let writes = self.recorder.read(|state| state.acknowledged.len());
        let text = format!(
            "kill \u{2212}9 {}, the primary of epoch {}; {} writes acknowledged so far",
            old.node,
            old.epoch,
            count(writes)
        );
        self.console.print_at(at, LineKind::Action, &text);
        let new = self.next_primary(at, Some(old.node))?;
        let took = new.elected.saturating_sub(at);
        let target = milliseconds(self.setting.failover_target());
        let text = format!(
            "{} leads epoch {}, elected {} ms after the kill (target: at most {target} ms)",
            new.node,
            new.epoch,
            milliseconds(took)
        );
        self.console.print_at(new.elected, LineKind::Figure, &text);
        self.clients_write_again(at, old.node)?;
        self.writes_go_on()?;
        Ok(new)
    }

    fn restart(&mut self, node: NodeId, primary: Primary) -> Result<Duration, Failure> {
        let at = self.clock.now();
        self.recorder.record_action(at, ActionKind::Restart { node });
        self.cluster.start()?;
        self.console.print_at(at, LineKind::Action, &format!("{node} is started again"));
        let following = self.wait("the restarted node to follow", |state| {
            state
                .events
                .iter()
                .find(|event| {
                    event.node == node && event.at >= at && matches!(event.kind, EventKind::Following { .. })
                })
                .map(|event| event.at)
        })?;
        let text = format!(
            "{node} follows {}, {} ms after its start",
            primary.node,
            milliseconds(following.saturating_sub(at))
        );
        self.console.print_at(following, LineKind::Progress, &text);
        let caught_up = self.caught_up(node, primary.node)?;
        let text = format!("{node} holds everything that {} held when it came back", primary.node);
        self.console.print_at(caught_up, LineKind::Progress, &text);
        self.writes_go_on()?;
        Ok(caught_up)
    }

    fn handover(&mut self, old: Primary, to: NodeId) -> Result<Primary, Stop> {
        let at = self.clock.now();
        self.recorder.record_action(at, ActionKind::Handover { from: old.node, to });
        let text = format!("{} is asked to hand over to {to}, which led before", old.node);
        self.console.print_at(at, LineKind::Action, &text);
        self.ask(old.node, &["ELECT", "HANDOVER", to.as_str()])?;
        let new = self.next_primary(at, Some(old.node))?;
        let took = milliseconds(new.elected.saturating_sub(at));
        let text = format!("{} leads epoch {}, elected {took} ms after the request", new.node, new.epoch);
        self.console.print_at(new.elected, LineKind::Figure, &text);
        self.clients_write_again(at, old.node)?;
        self.writes_go_on()?;
        Ok(new)
    }

    fn clients_write_again(&mut self, after: Duration, old: NodeId) -> Result<(), Stop> {
        let (last, first) = self.wait("a write that the new primary acknowledges", |state| {
            let first = state.acknowledged.iter().position(|write| write.at >= after && write.by != old)?;
            Some((state.acknowledged[first.checked_sub(1)?], state.acknowledged[first]))
        })?;
        let gap = milliseconds(first.at.saturating_sub(last.at));
        let text = format!("{} acknowledges writes; clients could not write for {gap} ms", first.by);
        self.console.print_at(first.at, LineKind::Figure, &text);
        Ok(())
    }

    fn writes_go_on(&mut self) -> Result<(), Stop> {
        let before = self.recorder.read(|state| state.acknowledged.len());
        self.wait("more acknowledged writes", |state| {
            (state.acknowledged.len() >= before + WRITES_BETWEEN).then_some(())
        })
    }

    fn read_back(&mut self, ledger: &Ledger) -> Result<ReadBack, Stop> {
        let mut reader = Client::new(self.cluster.nodes());
        let within = STEP_TIMEOUT.min(self.left());
        let read_back = reader
            .read_back(ledger, within)
            .map_err(|error| Stop::Failed(format!("reading back: {error}")))?;
        let text = format!(
            "the client stops; its {} acknowledged keys and its counter are read back",
            count(ledger.keys.len())
        );
        self.console.print_at(self.clock.now(), LineKind::Progress, &text);
        Ok(read_back)
    }

    /// Waits until `node` holds everything that the primary holds at the call.
    fn caught_up(&self, node: NodeId, primary: NodeId) -> Result<Duration, Stop> {
        let (within, began) = (STEP_TIMEOUT.min(self.left()), self.clock.now());
        let wanted = self.log_end(primary)?;
        while self.log_end(node)? < wanted {
            if self.clock.now().saturating_sub(began) > within {
                return Err(Stop::TimedOut { what: "the restarted node to catch up", within });
            }
            // A short wait that an interruption ends at once.
            match self.recorder.wait("the next look", ROLE_INTERVAL, |_| None::<()>) {
                Ok(()) | Err(Stop::TimedOut { .. }) => {}
                Err(stop) => return Err(stop),
            }
        }
        Ok(self.clock.now())
    }

    /// How far the log of `node` reaches.
    fn log_end(&self, node: NodeId) -> Result<i64, Stop> {
        let role = self.ask(node, &["ROLE"])?;
        offset_in(&role)
            .ok_or_else(|| Stop::Failed(format!("{node} answers ROLE without an offset: {role:?}")))
    }

    fn ask(&self, node: NodeId, command: &[&str]) -> Result<Reply, Stop> {
        let failed = |why: &dyn std::fmt::Display| {
            Stop::Failed(format!("{node} was told {}: {why}", command.join(" ")))
        };
        let address =
            self.cluster.client_address(node).ok_or_else(|| failed(&"it is no node of the demo"))?;
        let reply = Connection::open(address, STEP_TIMEOUT.min(self.left()))
            .and_then(|mut connection| connection.call(command))
            .map_err(|error| failed(&error))?;
        match reply {
            Reply::Error(error) => Err(failed(&error)),
            reply => Ok(reply),
        }
    }

    /// The first node other than `old` that is elected after `after`.
    fn next_primary(&self, after: Duration, old: Option<NodeId>) -> Result<Primary, Stop> {
        self.wait("a new primary", |state: &State| {
            state.events.iter().find_map(|event| match event.kind {
                EventKind::Elected { epoch } if event.at >= after && Some(event.node) != old => {
                    Some(Primary { node: event.node, epoch, elected: event.at })
                }
                _ => None,
            })
        })
    }

    fn wait<T>(&self, what: &'static str, find: impl FnMut(&State) -> Option<T>) -> Result<T, Stop> {
        self.recorder.wait(what, STEP_TIMEOUT.min(self.left()), find)
    }

    /// What is left of the time that the whole demo may take.
    fn left(&self) -> Duration {
        ACTIONS_DURATION_MAX.saturating_sub(self.began.elapsed())
    }
}

/// The offset in what `ROLE` answers: `master offset replicas`, or `slave host port state offset`.
fn offset_in(role: &Reply) -> Option<i64> {
    let Reply::Array(words) = role else { return None };
    let (Reply::BulkString(name) | Reply::SimpleString(name)) = words.first()? else { return None };
    let index = match &name[..] {
        b"master" => 1,
        b"slave" => 4,
        _ => return None,
    };
    match words.get(index)? {
        Reply::Integer(offset) => Some(*offset),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Reply {
        Reply::BulkString(text.into())
    }

    #[test]
    fn offset_stands_where_the_role_puts_it() {
        let master = Reply::Array(vec![word("master"), Reply::Integer(7), Reply::Array(vec![])]);
        assert_eq!(offset_in(&master), Some(7));
        let link =
            [word("slave"), word("127.0.0.1"), Reply::Integer(7001), word("connected"), Reply::Integer(8)];
        assert_eq!(offset_in(&Reply::Array(link.to_vec())), Some(8));
        for other in
            [Reply::Array(vec![]), Reply::Array(vec![word("sentinel"), Reply::Integer(1)]), word("master")]
        {
            assert_eq!(offset_in(&other), None);
        }
    }
}
