//! Many clients: what they cost, and what writing beside them takes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Outcome;
use super::client::{self, BOUND};
use super::figure::{Figure, Target, Unit};
use super::group::Group;
use super::setting::Setting;

const IDLE: usize = 10_000;
const HALF_SENT: usize = 500;
/// What a half-sent request has sent of its 100,000 bytes.
const HALF: usize = 50_000;
const BIG_READS: usize = 5;
/// A big read: so many values of a million bytes, just below what a reply may have.
const BIG_VALUES: usize = 30;
const BIG_VALUE_BYTES: usize = 1_000_000;
/// Clients that write meanwhile.
const WRITERS: u64 = 10;
const SPAN: Duration = Duration::from_secs(10);
/// Descriptors of this program besides the connections.
const OTHERS: u64 = 100;

pub(crate) fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    let (count, halves) = (setting.either(IDLE, 100), setting.either(HALF_SENT, 30));
    let span = SPAN / setting.either(1, 20);
    allow_descriptors(count + halves)?;
    let keys = format!("maxclients = {}\n", count + halves + 100);
    let (group, primary) = Group::start(setting, "clients", 3, &keys)?;
    let (port, process) = (group.port(primary), group.process(primary)?);
    write_big_values(port)?;
    let quiet = client::time_sets(port, WRITERS, span)?.millis(0.99);
    let before = process.memory()?;
    let idle: Vec<_> = (0..count).map(|_| idle(port)).collect::<Outcome<_>>()?;
    let each = (process.memory()? - before) * 1024.0 / f64::from(u32::try_from(count)?);
    let beside_idle = client::time_sets(port, WRITERS, span)?.millis(0.99);
    let half_sent: Vec<_> = (0..halves).map(|_| half_sent(port)).collect::<Outcome<_>>()?;
    let (beside_all, big_read) = beside_big_reads(port, span)?;
    let peak = process.peak()?;
    drop((idle, half_sent));
    let all = format!("{count} idle clients, {halves} half-sent requests and {BIG_READS} MGETs of 30 MB");
    let p99 = |what: &str, millis| {
        Figure::new(format!("SET, {WRITERS} clients, p99, {what}"), millis, Unit::Milliseconds)
    };
    Ok(vec![
        Figure::new(format!("memory of an idle client, of {count}"), each, Unit::Kibibytes),
        Figure::new(format!("memory at most, {all}"), peak, Unit::Mebibytes).should(Target::AtMost(256.0)),
        p99(&format!("beside {count} idle clients"), beside_idle)
            .beside("alone", quiet)
            .should(Target::RatioAtMost(3.0)),
        p99(&format!("beside {all}"), beside_all).beside("alone", quiet).should(Target::RatioAtMost(3.0)),
        Figure::new("the slowest of these MGETs", big_read, Unit::Milliseconds),
    ])
}

/// As many descriptors as that needs, if the hard limit has them.
fn allow_descriptors(connections: usize) -> Outcome<()> {
    let needed = u64::try_from(connections)? + OTHERS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if maximum.is_some_and(|maximum| maximum < needed + 256) {
        return Err(
            format!("{needed} open files are needed, and as many for a node: raise `ulimit -Hn`").into()
        );
    }
    if current.is_some_and(|current| current < needed) {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(())
}

fn write_big_values(port: u16) -> Outcome<()> {
    let (mut connection, value) = (client::connect(port)?, vec![b'v'; BIG_VALUE_BYTES]);
    for number in 0..BIG_VALUES {
        redis::cmd("SET").arg(format!("big-{number}")).arg(&value).exec(&mut connection)?;
    }
    Ok(())
}

/// A client that has asked something, and then asks nothing any more.
fn idle(port: u16) -> Outcome<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(BOUND))?;
    stream.write_all(b"PING\r\n")?;
    stream.read_exact(&mut [0; 7])?;
    Ok(stream)
}

/// A client whose request ends in the middle. How much of it the server takes is the server's affair.
fn half_sent(port: u16) -> Outcome<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nonblocking(true)?;
    let mut request = b"*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$100000\r\n".to_vec();
    request.resize(HALF, b'h');
    let _sent = stream.write(&request)?;
    Ok(stream)
}

/// p99 of writes while the big reads run, all at once and once each; and what the slowest of these took, both in milliseconds.
fn beside_big_reads(port: u16, span: Duration) -> Outcome<(f64, f64)> {
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..BIG_READS).map(|_| scope.spawn(move || big_read(port))).collect();
        let p99 = client::time_sets(port, WRITERS, span)?.millis(0.99);
        let mut slowest = Duration::ZERO;
        for reader in readers {
            slowest = slowest.max(reader.join().map_err(|_| "a reader panicked")??);
        }
        Ok((p99, slowest.as_secs_f64() * 1_000.0))
    })
}

/// Reads all big values at once, again while the server has no room for that.
fn big_read(port: u16) -> Outcome<Duration> {
    let (mut connection, began) = (client::connect(port)?, Instant::now());
    let names: Vec<_> = (0..BIG_VALUES).map(|number| format!("big-{number}")).collect();
    loop {
        match redis::cmd("MGET").arg(&names).query::<Vec<Vec<u8>>>(&mut connection) {
            Ok(values) if values.iter().all(|value| value.len() == BIG_VALUE_BYTES) => {
                return Ok(began.elapsed());
            }
            Ok(_) => return Err("a value is not what was written".into()),
            Err(error) if matches!(error.code(), Some("OOM" | "BUSY")) && began.elapsed() < BOUND => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(error.into()),
        }
    }
}
