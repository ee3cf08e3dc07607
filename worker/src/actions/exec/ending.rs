//! How a command ends, by itself or because it is asked to, and what that means for its job.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;
use serde_json::json;
use domain::job::Exception;
use store::Source;

use super::reaper::Running;
use crate::actions::Context;
use crate::board::{asked_to_end_now, asked_to_stop};

/// The error of a command that was never there.
pub(super) fn cannot_start(what: &str, error: &std::io::Error) -> Exception {
    Exception::new("CannotStart", format!("cannot start {what}: {error}"))
}

/// Waits for the command; asked to stop, sends SIGTERM to its group and, when time is up, SIGKILL to all that it has
/// started. Returns how it ended, and whether it had been sent a signal by then.
pub(super) async fn end_of(
    running: &mut Running,
    context: &mut Context,
) -> std::io::Result<(ExitStatus, bool)> {
    tokio::select! {
        biased;
        status = running.wait() => return Ok((status?, false)),
        () = asked_to_stop(&mut context.signal) => {}
    }
    running.signal(Signal::SIGTERM);
    tokio::select! {
        status = running.wait() => return Ok((status?, true)),
        () = asked_to_end_now(&mut context.signal) => {}
        () = tokio::time::sleep(context.stop_timeout) => {}
    }
    running.kill();
    let status = running.wait().await?;
    let told = "the command did not end on SIGTERM in time, it was killed";
    context.log.line(Source::Capstan, told).await;
    Ok((status, true))
}

pub(super) fn ended_as(status: ExitStatus) -> Result<(), Exception> {
    if status.success() {
        return Ok(());
    }
    let mut exception = match (status.code(), status.signal()) {
        (Some(code), _) => Exception::new("ExitCode", format!("exit status {code}")),
        (None, Some(signal)) => {
            let name = Signal::try_from(signal).map_or("an unknown signal", Signal::as_str);
            Exception::new("Signal", format!("killed by {name}"))
        }
        (None, None) => Exception::new("Unknown", status.to_string()),
    };
    exception.detail = Some(json!({"code": status.code(), "signal": status.signal()}));
    Err(exception)
}
