//! A node of the demo does not outlive the demo, not even one that was killed.

use std::io;

/// From now on this process is killed when its parent ends. It is an error if the parent, whose id is `parent`, has
/// ended already.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn end_with(parent: u32) -> io::Result<()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before the request was made: then this process has been given to another parent.
    match getppid() {
        Some(now) if u32::try_from(now.as_raw_nonzero().get()).is_ok_and(|now| now == parent) => Ok(()),
        _ => Err(io::Error::other(format!("the process {parent} that started this one has ended"))),
    }
}

/// Other systems offer nothing of the kind: a demo that is killed leaves its nodes behind.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail on Linux")]
pub(crate) fn end_with(_parent: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn parent_that_is_not_there_is_an_error() {
        // The request counts for the whole process, so it is withdrawn.
        let error = end_with(u32::MAX).expect_err("no process has this id");
        rustix::process::set_parent_process_death_signal(None).expect("it can be withdrawn");
        assert!(error.to_string().contains("has ended"));
    }
}
