//! Clients: what they write, and how long it takes.

use std::time::{Duration, Instant};

use redis::{Connection, Value};

use super::Outcome;
use super::spans::Spans;

/// Longer than anything here takes, on a busy machine too.
pub(crate) const BOUND: Duration = Duration::from_mins(1);
/// What is written, unless a part says otherwise.
pub(crate) const VALUE: [u8; 100] = [b'x'; 100];
/// What a key of [`fill`] takes.
pub(crate) const KEY_BYTES: usize = 12;

const FILL_CLIENTS: u64 = 4;
const FILL_PIPELINE: usize = 64;

/// A connection whose replies are waited for, but not for ever.
pub(crate) fn connect(port: u16) -> redis::RedisResult<Connection> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let connection = client.get_connection_with_timeout(BOUND)?;
    connection.set_read_timeout(Some(BOUND))?;
    Ok(connection)
}

/// Whether the node there serves as the primary.
pub(crate) fn is_primary(port: u16) -> bool {
    let role =
        connect(port).and_then(|mut connection| redis::cmd("ROLE").query::<Vec<Value>>(&mut connection));
    role.is_ok_and(|role| role.first() == Some(&Value::BulkString(b"master".into())))
}

/// Writes so many keys, each once.
pub(crate) fn fill(port: u16, writes: u64) -> Outcome<()> {
    in_parallel(FILL_CLIENTS, |client| {
        let mut connection = connect(port)?;
        let mut numbers = (client..writes).step_by(usize::try_from(FILL_CLIENTS)?).peekable();
        while numbers.peek().is_some() {
            let mut pipeline = redis::pipe();
            for number in numbers.by_ref().take(FILL_PIPELINE) {
                pipeline.cmd("SET").arg(format!("key-{number:08}")).arg(&VALUE[..]).ignore();
            }
            pipeline.exec(&mut connection)?;
        }
        Ok(())
    })
    .map(drop)
}

/// So many clients write for so long, each as soon as its last write was answered: how long each write took.
pub(crate) fn time_sets(port: u16, clients: u64, span: Duration) -> Outcome<Spans> {
    let spans = in_parallel(clients, |client| {
        let (mut connection, mut spans) = (connect(port)?, Spans::default());
        let until = Instant::now() + span;
        for number in 0_u64.. {
            let key = format!("timed-{client}-{}", number % 1_000);
            let began = Instant::now();
            redis::cmd("SET").arg(key).arg(&VALUE[..]).exec(&mut connection)?;
            spans.note(began.elapsed());
            if Instant::now() >= until {
                break;
            }
        }
        Ok(spans)
    })?;
    let mut all = Spans::default();
    for spans in spans {
        all.merge(spans);
    }
    Ok(all)
}

/// The same from so many threads, which are told their number.
fn in_parallel<T: Send>(threads: u64, work: impl Fn(u64) -> Outcome<T> + Sync) -> Outcome<Vec<T>> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..threads).map(|number| scope.spawn(move || work(number))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a client panicked")?).collect()
    })
}
