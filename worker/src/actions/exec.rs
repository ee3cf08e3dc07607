//! Actions that run a command: without a shell, in a separate process group and a private working
//! directory. When the run ends, every process that it started is gone. The protocol
//! between a command and Capstan is in docs/exec-protocol.md.

mod cgroup;
mod child_requests;
mod cleanup;
mod command;
mod descendants;
mod directory;
mod environment;
mod exit;
mod limits;
mod masked_lines;
mod orphans;
mod output;
mod pipe_lines;
mod process_settings;
mod run;
mod secrets;
mod supervisor;
mod workdir;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use nix::unistd::{Gid, Uid};
use store::ActionDefaults;

use crate::action::{Action, ActionResult};
use crate::context::Context;
use command::CommandTemplate;

pub(crate) use child_requests::ChildRequest;
pub(super) use command::CommandDeclaration;
pub(super) use environment::ExecEnvironment;
pub(super) use limits::Limits;
pub(super) use secrets::{SecretFinder, Secrets};

/// An action that runs a command.
pub(super) struct Exec {
    command: CommandTemplate,
    environment: ExecEnvironment,
    defaults: ActionDefaults,
}

impl Exec {
    /// Creates the action. Its command runs as `job_user`, unless it is declared with a user.
    /// Returns why the command cannot run.
    pub(super) fn new(
        declaration: CommandDeclaration,
        job_user: Option<(Uid, Gid)>,
        environment: ExecEnvironment,
        defaults: ActionDefaults,
    ) -> Result<Exec, String> {
        Ok(Exec { command: CommandTemplate::new(declaration, job_user)?, environment, defaults })
    }

    /// Returns the program of the command if it is not installed.
    pub(super) fn missing_program(&self) -> Option<&str> {
        self.command.missing_program()
    }
}

impl Action for Exec {
    fn defaults(&self) -> ActionDefaults {
        self.defaults.clone()
    }

    fn run(&self, context: Context) -> BoxFuture<'_, ActionResult> {
        run::run(&self.command, &self.environment, context).boxed()
    }
}
