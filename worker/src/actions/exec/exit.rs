//! How a command ends, by itself or after a stop request, and what that means for its job.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use domain::job::Exception;
use nix::sys::signal::Signal;
use serde_json::json;
use store::LogSource;

use super::supervisor::SupervisedCommand;
use crate::context::Context;
use crate::context::stop::{immediate_stop_requested, stop_requested};

/// How long a supervisor may take to kill a command and its descendants.
const SUPERVISOR_TIMEOUT: Duration = Duration::from_secs(1);

/// Returns the error of a command that did not start because `step` failed.
pub(super) fn cannot_start(step: &str, error: &std::io::Error) -> Exception {
    Exception::new("CannotStart", format!("cannot {step}: {error}"))
}

/// Waits for the command. After a stop request, sends SIGTERM to its process group and, once the
/// stop timeout is over, kills its descendants. Returns how the command ended, and whether a
/// stop request came first.
pub(super) async fn wait(
    command: &mut SupervisedCommand,
    context: &mut Context,
) -> std::io::Result<(ExitStatus, bool)> {
    tokio::select! {
        biased;
        status = command.wait() => return Ok((status?, false)),
        () = stop_requested(&mut context.stop) => {}
    }
    command.signal(Signal::SIGTERM);
    tokio::select! {
        status = command.wait() => return Ok((status?, true)),
        () = immediate_stop_requested(&mut context.stop) => {}
        () = tokio::time::sleep(context.stop_timeout) => {}
    }
    command.kill();
    let killed = tokio::time::timeout(SUPERVISOR_TIMEOUT, command.wait()).await;
    let status = match killed {
        Ok(status) => status?,
        Err(_) => {
            command.kill_supervisor();
            command.wait().await?
        }
    };
    let line = "the command did not stop after SIGTERM in time and was killed";
    context.log.line(LogSource::Capstan, line).await;
    Ok((status, true))
}

/// Returns an error unless the exit status is 0.
pub(super) fn check(status: ExitStatus) -> Result<(), Exception> {
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
