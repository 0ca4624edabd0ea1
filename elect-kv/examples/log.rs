//! What a node holds after many writes, and how long it takes to come back: disk, memory, restart.
//!
//! ```sh
//! cargo build --release -p elect-kv && cargo run --release -p elect-kv --example log [writes [directory]]
//! ```
//!
//! `ELECT_KV` names another binary to measure.
#![expect(clippy::print_stdout, reason = "it prints figures")]

use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CLIENTS: usize = 4;
const PIPELINE: usize = 64;
const VALUE: [u8; 100] = [b'x'; 100];
const KEY_BYTES: u64 = 12;

/// A voter alone: a write is durable on its disk, and nothing else is waited for.
struct Node {
    binary: PathBuf,
    dir: PathBuf,
    client: u16,
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let writes: u64 = arguments.next().map_or(Ok(1_000_000), |count| count.parse())?;
    let dir = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(dir)?;
    let node = Node::prepare(dir.path())?;
    let (mut process, _) = node.start()?;
    let began = Instant::now();
    node.write(writes)?;
    let rate = u128::from(writes) * 1_000 / began.elapsed().as_millis().max(1);
    let live = (writes * (KEY_BYTES + VALUE.len() as u64)) >> 20;
    println!("{writes} writes of {} bytes, one key each: {rate} a second", VALUE.len());
    println!(
        "live data {live} MiB, disk {} MiB, memory at most {} MiB",
        mebibytes(node.dir.as_path())?,
        peak(&process)?
    );
    process.kill()?;
    process.wait()?;
    for _ in 0..3 {
        let (mut process, [answers, serves]) = node.start()?;
        let worked = processor_time(&process)?;
        println!(
            "killed and started: answers after {answers:.0?}, serves after {serves:.0?}, {worked:.0?} of work"
        );
        process.kill()?;
        process.wait()?;
    }
    Ok(())
}

impl Node {
    fn prepare(dir: &Path) -> Outcome<Self> {
        let beside = std::env::current_exe()?.parent().and_then(Path::parent).map(|dir| dir.join("elect-kv"));
        let binary = std::env::var_os("ELECT_KV").map(PathBuf::from).or(beside).ok_or("no elect-kv")?;
        let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0"));
        let mut ports = [0; 3];
        for (port, listener) in ports.iter_mut().zip(&held) {
            *port = listener.as_ref().map_err(ToString::to_string)?.local_addr()?.port();
        }
        drop(held);
        let [election, replication, client] = ports;
        let text = format!(
            "cluster = \"log\"\nnode = \"a\"\ndata_dir = \"a\"\nlisten_election = \"127.0.0.1:{election}\"\n\
             listen_replication = \"127.0.0.1:{replication}\"\nlisten_client = \"127.0.0.1:{client}\"\n"
        );
        let node = Self { binary, dir: dir.into(), client };
        fs::write(node.config(), text)?;
        let made = Command::new(&node.binary).args(["init", "--config"]).arg(node.config()).output()?;
        if made.status.success() { Ok(node) } else { Err(String::from_utf8_lossy(&made.stderr).into()) }
    }

    fn config(&self) -> PathBuf {
        self.dir.join("a.toml")
    }

    /// A process that serves, after how long it answered, and after how long it served a read.
    fn start(&self) -> Outcome<(Child, [Duration; 2])> {
        let began = Instant::now();
        let mut command = Command::new(&self.binary);
        let process = command
            .args(["serve", "--log-level", "off", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let after = |words: &[&str]| -> Duration {
            let asked = || -> redis::RedisResult<redis::Value> {
                let mut command = redis::cmd(words[0]);
                command.arg(&words[1..]).query(&mut self.connect()?)
            };
            while asked().is_err() {
                std::thread::sleep(Duration::from_millis(1));
            }
            began.elapsed()
        };
        let spans = [after(&["PING"]), after(&["GET", "key-00000000"])];
        Ok((process, spans))
    }

    fn connect(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(format!("redis://127.0.0.1:{}", self.client))?.get_connection()
    }

    fn write(&self, writes: u64) -> Outcome<()> {
        std::thread::scope(|scope| {
            let clients = (0..).take(CLIENTS).map(|client| {
                scope.spawn(move || -> Outcome<()> {
                    let mut connection = self.connect()?;
                    let mut numbers = (client..writes).step_by(CLIENTS).peekable();
                    while numbers.peek().is_some() {
                        let mut pipeline = redis::pipe();
                        for number in numbers.by_ref().take(PIPELINE) {
                            pipeline.cmd("SET").arg(format!("key-{number:08}")).arg(&VALUE[..]).ignore();
                        }
                        pipeline.exec(&mut connection)?;
                    }
                    Ok(())
                })
            });
            let clients: Vec<_> = clients.collect();
            clients.into_iter().try_for_each(|client| client.join().map_err(|_| "a client panicked")?)
        })
    }
}

/// What a directory takes on the disk.
fn mebibytes(dir: &Path) -> Outcome<u64> {
    fn blocks(dir: &Path) -> std::io::Result<u64> {
        fs::read_dir(dir)?.try_fold(0, |sum, entry| {
            let entry = entry?;
            let below = if entry.file_type()?.is_dir() { blocks(&entry.path())? } else { 0 };
            Ok(sum + below + entry.metadata()?.blocks())
        })
    }
    Ok((blocks(dir)? * 512) >> 20)
}

/// What a process has used of the processors, to ten milliseconds: on a busy machine it waits for them, too.
fn processor_time(process: &Child) -> Outcome<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id()))?;
    let fields = stat.split_whitespace().skip(13).take(2).map(str::parse::<u64>);
    Ok(Duration::from_millis(10 * fields.sum::<Result<u64, _>>()?))
}

/// The most memory that a process had.
fn peak(process: &Child) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? >> 10)
}
