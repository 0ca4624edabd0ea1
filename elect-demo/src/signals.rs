//! Ctrl-C and its relatives end every wait of the demo, so that it cleans up.

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::recorder::{Recorder, Stop};

/// From now on SIGINT, SIGTERM and SIGHUP stop the demo in good order instead of the process.
pub(crate) fn stop_on_signals(recorder: Arc<Recorder>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate, mut hang_up) = {
        let _guard = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?)
    };
    thread::Builder::new().name("signals".into()).spawn(move || {
        let name = runtime.block_on(first(&mut interrupt, &mut terminate, &mut hang_up));
        recorder.stop(Stop::Interrupted(name));
    })?;
    Ok(())
}

async fn first(interrupt: &mut Signal, terminate: &mut Signal, hang_up: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
        _ = hang_up.recv() => "SIGHUP",
    }
}
