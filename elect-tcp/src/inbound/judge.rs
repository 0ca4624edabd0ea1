//! How the threads that receive ask the elector about a life.

use crossbeam_channel::{Receiver, Sender, bounded, select};

use crate::judgement::{Claim, Judgement, Sample};
use crate::orchestrator::Input;

/// Asks the orchestrator, which never waits for anything.
pub(crate) type Judge = Box<dyn Fn(Claim, Option<Sample>) -> Option<Judgement> + Send + Sync>;

/// The judge of a running node: its answer takes everything into account that was put into the inbox before. `None`: the
/// node ends.
pub(crate) fn judge(inbox: Sender<Input>, stop: Receiver<()>) -> Judge {
    Box::new(move |claim, sample| {
        let (answer, answered) = bounded(1);
        let sample = sample.map(Box::new);
        inbox.send(Input::Judge { claim, sample, answer }).ok()?;
        select! {
            recv(answered) -> judgement => judgement.ok(),
            recv(stop) -> _ => None,
        }
    })
}
