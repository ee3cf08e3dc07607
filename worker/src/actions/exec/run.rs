//! One run of a command, from its working directory to its result.

use std::path::PathBuf;

use domain::job::Exception;
use store::LogSource;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::cgroup::Cgroup;
use super::child_requests::{self, create_children};
use super::cleanup::Cleanup;
use super::command::CommandTemplate;
use super::environment::ExecEnvironment;
use super::exit::{self, cannot_start};
use super::output::{copy_checkpoints, copy_output, copy_progress};
use super::pipe_lines::PipeLines;
use super::secrets::Secrets;
use super::supervisor::SupervisedCommand;
use super::workdir::Workdir;
use crate::action::ActionResult;
use crate::context::Context;
use crate::context::checkpoint::CHECKPOINT_BYTES;
use crate::context::progress::PROGRESS_BYTES;

/// Runs the command. When this returns, no process and no file of the run is left.
pub(super) async fn run(
    template: &CommandTemplate,
    environment: &ExecEnvironment,
    context: Context,
) -> ActionResult {
    let (id, token) = (context.job.id, context.job.token);
    let workdir = environment.workdirs.workdir(id, token);
    let workdir = workdir.map_err(|error| cannot_start("create the working directory", &error))?;
    let result = run_in(template, environment, &workdir, context).await;
    workdir.remove().await;
    result
}

async fn run_in(
    template: &CommandTemplate,
    environment: &ExecEnvironment,
    workdir: &Workdir,
    mut context: Context,
) -> ActionResult {
    let mut secrets = Secrets::default();
    let mut command = template.command(&context, workdir, &mut secrets)?;
    let stdin = template.stdin(&context, &mut secrets)?;
    let secrets = secrets.finder().map_err(|error| {
        cannot_start("prepare the search for secrets", &std::io::Error::other(error))
    })?;
    let open = |pipe: PathBuf, max_line_bytes| {
        let opened = PipeLines::open(&pipe, max_line_bytes);
        opened.map_err(|error| cannot_start("open the pipes", &error))
    };
    let progress_pipe = open(workdir.progress_pipe(), 2 * PROGRESS_BYTES)?;
    let checkpoint_pipe = open(workdir.checkpoint_pipe(), CHECKPOINT_BYTES)?;
    let children_pipe = open(workdir.children_pipe(), child_requests::LINE_BYTES)?;
    workdir
        .write_resume_state(context.checkpoints.last(), context.signals.body())
        .map_err(|error| cannot_start("write the last checkpoint", &error))?;
    workdir
        .give_to(template.owner())
        .map_err(|error| cannot_start("give the working directory to its user", &error))?;
    let cgroup = cgroup_for(template, environment, &context)?;
    let settings = template.process_settings(cgroup.as_ref());
    let cleanup = Cleanup::new(workdir, cgroup.as_ref())
        .map_err(|error| cannot_start("prepare the cleanup", &error))?;
    let orphans = environment.orphans.clone();
    let mut running = SupervisedCommand::start(&mut command, settings, cleanup, orphans, cgroup)
        .map_err(|error| cannot_start(&format!("start {}", template.program), &error))?;
    drop(command);
    let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
    let input = running.child.stdin.take().zip(stdin);
    let (log, progress) = (context.log.clone(), context.progress.clone());
    let (checkpoints, children) = (context.checkpoints.clone(), context.children.clone());
    let (rate_limits, signals) = (context.rate_limits.clone(), context.signals.clone());
    let over = CancellationToken::new();
    let write_input = async {
        if let Some((mut pipe, text)) = input {
            // The command may end without reading all of its input.
            over.run_until_cancelled(pipe.write_all(text.as_bytes())).await;
        }
    };
    let wait = async {
        let ended = exit::wait(&mut running, &mut context).await;
        over.cancel();
        ended
    };
    let (ended, stdout_complete, stderr_complete, (), (), children_created, ()) = tokio::join!(
        wait,
        copy_output(stdout, LogSource::Stdout, &log, &secrets, &over),
        copy_output(stderr, LogSource::Stderr, &log, &secrets, &over),
        copy_progress(progress_pipe, &progress, &rate_limits, &log, &over),
        copy_checkpoints(checkpoint_pipe, &checkpoints, &log, &over),
        create_children(children_pipe, (&children, &signals), &log, &over),
        write_input,
    );
    if !(stdout_complete && stderr_complete) {
        let line = "output cut: a process outside the job keeps the command's output open";
        log.line(LogSource::Capstan, line).await;
    }
    let (status, stop_requested) = ended.map_err(|error| {
        Exception::new("CannotWait", format!("cannot wait for {}: {error}", template.program))
    })?;
    exit::check(status)?;
    if stop_requested {
        // A clean exit after SIGTERM does not mean that the work is done.
        return Err(Exception::new("Stopped", "the command stopped after a stop request"));
    }
    children_created?;
    workdir.read_result()
}

/// Creates the cgroup of the run, if the machine allows it.
fn cgroup_for(
    template: &CommandTemplate,
    environment: &ExecEnvironment,
    context: &Context,
) -> Result<Option<Cgroup>, Exception> {
    let Some(cgroups) = &environment.cgroups else { return Ok(None) };
    let (id, token) = (context.job.id, context.job.token);
    match cgroups.cgroup(id, token, &template.limits) {
        Ok(cgroup) => Ok(Some(cgroup)),
        Err(error) if template.limits.need_cgroup() => {
            Err(cannot_start("create the cgroup", &error))
        }
        Err(error) => {
            tracing::warn!(job.id = %id, %error, "cannot create the cgroup of a run");
            Ok(None)
        }
    }
}
