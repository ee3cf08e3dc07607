//! Exit codes: what scripts learn from a command.

use std::process::ExitCode;

use super::error::CommandError;
use crate::error::ClientError;

/// Lists the exit codes, for the end of a `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  a job did not succeed, or the command failed
  2  invalid command line
  3  the API refused the request; the message names the field
  4  the API is unreachable or unavailable
  5  a wait timed out";

/// The result of a command.
pub type CommandResult = Result<CommandOutcome, CommandError>;

/// The result of a command that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOutcome {
    /// The command did what it should, and every job and check succeeded.
    Success,
    /// A job did not succeed, or a check failed.
    Failure,
    /// Another program, which the command ran, exited with this code.
    Exited(u8),
}

impl CommandOutcome {
    /// `Success` if the condition holds.
    #[must_use]
    pub fn success_if(condition: bool) -> CommandOutcome {
        if condition { CommandOutcome::Success } else { CommandOutcome::Failure }
    }
}

impl From<CommandOutcome> for ExitCode {
    fn from(outcome: CommandOutcome) -> ExitCode {
        match outcome {
            CommandOutcome::Success => ExitCode::SUCCESS,
            CommandOutcome::Failure => ExitCode::FAILURE,
            CommandOutcome::Exited(code) => ExitCode::from(code),
        }
    }
}

impl CommandError {
    /// The exit code of a program that fails with this error.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            CommandError::OutputClosed => 0,
            CommandError::Other(_) => 1,
            CommandError::Usage(_) | CommandError::Api(ClientError::InvalidSetting(_)) => 2,
            CommandError::Api(ClientError::Refused(_)) => 3,
            CommandError::Api(ClientError::Unavailable(_)) => 4,
            CommandError::Api(ClientError::TimedOut(_)) => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Refusal;
    use std::io;

    #[test]
    fn every_error_has_the_exit_code_that_the_help_lists() {
        let text = || "x".to_owned();
        let refusal =
            Refusal { status: 400, code: text(), message: text(), field: None, index: None };
        let cases: [(CommandError, u8); 7] = [
            (CommandError::Usage(text()), 2),
            (ClientError::InvalidSetting(text()).into(), 2),
            (ClientError::Refused(refusal).into(), 3),
            (ClientError::Unavailable(text()).into(), 4),
            (ClientError::TimedOut(text()).into(), 5),
            (io::Error::from(io::ErrorKind::BrokenPipe).into(), 0),
            (io::Error::from(io::ErrorKind::StorageFull).into(), 1),
        ];
        for (error, code) in cases {
            assert_eq!(error.exit_code(), code, "{error:?}");
        }
    }
}
