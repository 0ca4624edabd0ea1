//! One node: `unix-transport DIRECTORY NAME PEER...`, once with `init` before the directory at its first boot. Start
//! three of them, and end the one that leads.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use elect_core::{ClusterId, Config, Duty, NoLog, NodeId, Raised};
use elect_tcp::{HostEvent, Node, NodeConfig, VoteFile, random_seed};
use unix_transport::UnixTransport;

fn main() -> ExitCode {
    let mut arguments: Vec<_> = env::args().skip(1).collect();
    let is_first_boot = arguments.first().is_some_and(|word| word == "init");
    if is_first_boot {
        arguments.remove(0);
    }
    let [directory, names @ ..] = &arguments[..] else {
        eprintln!("usage: unix-transport [init] DIRECTORY NAME PEER...");
        return ExitCode::FAILURE;
    };
    match run(&PathBuf::from(directory), names, is_first_boot) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("unix-transport: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(directory: &PathBuf, names: &[String], is_first_boot: bool) -> Result<(), Box<dyn Error>> {
    let names = names.iter().map(|name| NodeId::new(name)).collect::<Result<Vec<_>, _>>()?;
    let own = *names.first().ok_or("the first name is this node's own")?;
    let elect = Config::builder(ClusterId::new("local")?, own).voters(names).seed(random_seed()).build()?;
    let vote_file = directory.join(format!("{own}.vote"));
    if is_first_boot {
        std::fs::create_dir_all(directory)?;
        return Ok(VoteFile::init(vote_file, &elect)?);
    }
    // Locked before the socket of that name is taken.
    let vote = VoteFile::open(vote_file, &elect)?;
    let config = NodeConfig::builder_without_file(elect).build_for_transport()?;
    let (node, events) =
        Node::start_with(config, vote, Arc::new(NoLog), UnixTransport::bind(directory, own)?)?;
    for event in &events {
        match event {
            HostEvent::Act(
                Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. },
            ) => {
                let office = elected.serve_without_log_forgetting_earlier_writes();
                node.on_office(&office);
                println!("{own} leads");
            }
            HostEvent::Act(Duty::HandoverBegan { .. }) => node.on_drained(),
            HostEvent::Act(Duty::Stopped { reason }) => return Err(reason.to_string().into()),
            HostEvent::Lost(loss) => println!("{own} no longer leads: {}", loss.reason),
            HostEvent::Ended(_) => break,
            HostEvent::Act(_) | HostEvent::Happened(_) => {}
        }
    }
    Ok(())
}
