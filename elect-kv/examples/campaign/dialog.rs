//! One operation over one connection of the `redis` crate, and what its outcome promises.

use std::time::Duration;

use redis::{Cmd, Connection, RedisError, Value, cmd};

use super::operation::{Answer, Operation, Write};

/// What became of an operation.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answered(Answer),
    /// It did not take effect and never does: the error's code, and where to go instead.
    Refused(String, Option<u16>),
    /// It may or may not take effect, whenever.
    Open,
    /// Something that this server must not say.
    Wrong(String),
}

/// Codes of errors with which the server promises that nothing was changed.
const REFUSALS: [&str; 6] = ["MOVED", "NOLEADER", "TRYAGAIN", "NOREPLICAS", "BUSY", "OOM"];

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection to one node.
pub(crate) struct Dialog {
    connection: Connection,
    /// Whether an answer was lost: what comes next could be that of another request.
    is_over: bool,
}

impl Dialog {
    pub(crate) fn open(port: u16, timeout: Duration) -> Result<Self, RedisError> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
        let connection = client.get_connection_with_timeout(CONNECT_TIMEOUT)?;
        connection.set_read_timeout(Some(timeout))?;
        connection.set_write_timeout(Some(timeout))?;
        Ok(Self { connection, is_over: false })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Asks for an operation on a group of keys. `before_last` is called before that is sent which makes it take effect.
    pub(crate) fn run(&mut self, group: u32, operation: &Operation, before_last: impl FnOnce()) -> Outcome {
        if let Operation::Transaction(writes) = operation {
            let queued = writes.iter().map(|write| write_command(group, write));
            for command in std::iter::once(cmd("MULTI")).chain(queued) {
                if let Err(outcome) = self.queue(&command) {
                    return outcome;
                }
            }
        }
        before_last();
        let reply = self.ask(&command(group, operation));
        self.judge(operation, reply)
    }

    /// Nothing of it takes effect before the end of the transaction, which is not sent after a failure here.
    fn queue(&mut self, command: &Cmd) -> Result<(), Outcome> {
        let Err(error) = self.ask(command) else { return Ok(()) };
        self.is_over = true;
        match refusal(&error) {
            Some(refused) => Err(refused),
            None if is_of_server(&error) => Err(Outcome::Wrong(error.to_string())),
            None => Err(Outcome::Refused("LOST".into(), None)),
        }
    }

    fn ask(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        self.connection.send_packed_command(&command.get_packed_command())?;
        self.connection.recv_response().and_then(Value::extract_error)
    }

    fn judge(&mut self, operation: &Operation, reply: Result<Value, RedisError>) -> Outcome {
        match reply {
            Ok(value) => match answer(operation, &value) {
                Some(answer) => Outcome::Answered(answer),
                None => Outcome::Wrong(format!("{operation} was answered with {value:?}")),
            },
            Err(error) => {
                if let Some(refused) = refusal(&error) {
                    return refused;
                }
                let is_unknown = error.code() == Some("UNKNOWN");
                if is_of_server(&error) && operation.is_read() {
                    // A storage that does not answer: a read takes no effect anyway.
                    return Outcome::Refused(error.code().unwrap_or_default().to_owned(), None);
                }
                if is_of_server(&error) && !is_unknown {
                    return Outcome::Wrong(format!("{operation} was answered with {error}"));
                }
                self.is_over |= !is_unknown;
                Outcome::Open
            }
        }
    }

    /// The names of all keys.
    pub(crate) fn keys(&mut self) -> Result<Vec<String>, RedisError> {
        redis::from_redis_value(self.ask(cmd("KEYS").arg("*"))?).map_err(Into::into)
    }
}

/// What an error promises that says that nothing was changed.
fn refusal(error: &RedisError) -> Option<Outcome> {
    let code = error.code().filter(|code| REFUSALS.contains(code))?;
    let moved = error.redirect_node().and_then(|(address, _)| address.rsplit(':').next()?.parse().ok());
    Some(Outcome::Refused(code.to_owned(), moved))
}

/// Whether the server has said so, and not the connection.
fn is_of_server(error: &RedisError) -> bool {
    error.code().is_some()
}

/// A group's key, as the server knows it.
pub(crate) fn key(group: u32, key: usize) -> String {
    format!("{group}/{key}")
}

fn command(group: u32, operation: &Operation) -> Cmd {
    match operation {
        Operation::Get(at) => with_keys("GET", group, &[*at]),
        Operation::GetMany(keys) => with_keys("MGET", group, keys),
        Operation::Exists(keys) => with_keys("EXISTS", group, keys),
        Operation::Write(write) => write_command(group, write),
        Operation::Transaction(_) => cmd("EXEC"),
    }
}

fn write_command(group: u32, write: &Write) -> Cmd {
    match write {
        Write::Set(at, value) => cmd("SET").arg(key(group, *at)).arg(*value).to_owned(),
        Write::SetNew(at, value) => cmd("SET").arg(key(group, *at)).arg(*value).arg("NX").to_owned(),
        Write::SetMany(pairs) => {
            let mut command = cmd("MSET");
            for (at, value) in pairs {
                command.arg(key(group, *at)).arg(*value);
            }
            command
        }
        Write::Increment(at) => with_keys("INCR", group, &[*at]),
        Write::Delete(keys) => with_keys("DEL", group, keys),
    }
}

fn with_keys(name: &str, group: u32, keys: &[usize]) -> Cmd {
    let mut command = cmd(name);
    for at in keys {
        command.arg(key(group, *at));
    }
    command
}

/// What a reply to this operation says; `None` if it cannot be one.
fn answer(operation: &Operation, value: &Value) -> Option<Answer> {
    match (operation, value) {
        (Operation::Get(_), value) => Some(Answer::Values(numbers(std::slice::from_ref(value))?)),
        (Operation::GetMany(keys), Value::Array(values)) if keys.len() == values.len() => {
            Some(Answer::Values(numbers(values)?))
        }
        (Operation::Exists(_), Value::Int(count)) => Some(Answer::Number(*count)),
        (Operation::Write(write), value) => written(write, value),
        (Operation::Transaction(writes), Value::Array(values)) if writes.len() == values.len() => {
            let answers = writes.iter().zip(values).map(|(write, value)| written(write, value));
            Some(Answer::All(answers.collect::<Option<_>>()?))
        }
        _ => None,
    }
}

fn written(write: &Write, value: &Value) -> Option<Answer> {
    match (write, value) {
        (Write::Set(..) | Write::SetNew(..) | Write::SetMany(_), Value::Okay) => Some(Answer::Done),
        (Write::SetNew(..), Value::Nil) => Some(Answer::Nothing),
        (Write::Increment(_) | Write::Delete(_), Value::Int(number)) => Some(Answer::Number(*number)),
        _ => None,
    }
}

/// Values that were stored, or none.
fn numbers(values: &[Value]) -> Option<Vec<Option<i64>>> {
    let number = |value: &Value| match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => {
            let text = std::str::from_utf8(bytes).ok();
            text.and_then(|text| text.parse().ok()).map(Some).ok_or(())
        }
        _ => Err(()),
    };
    values.iter().map(number).collect::<Result<_, _>>().ok()
}
