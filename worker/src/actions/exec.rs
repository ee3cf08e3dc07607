//! An action that runs a command: no shell, a process group of its own, output line by line into the log.

mod argument;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::json;
use shared::job::Exception;
use shared::store::{ActionDefaults, Source};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::{Action, Context, Ended, Log};
use crate::board::{asked_to_end_now, asked_to_stop};
use crate::journal::LINE_BYTES;
use argument::Argument;

/// After the command has ended and its group was killed, its output is read for so long at most: a process that
/// left the group may hold the pipe open for ever.
const DRAIN: Duration = Duration::from_secs(2);
/// What a command gets of the worker's environment; all else may hold secrets.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// A command with places for parameters.
#[derive(Debug)]
pub(super) struct Exec {
    program: String,
    arguments: Vec<Argument>,
    environment: BTreeMap<String, String>,
    directory: Option<PathBuf>,
    defaults: ActionDefaults,
}

impl Exec {
    pub(super) fn new(
        argv: &[String],
        environment: BTreeMap<String, String>,
        directory: Option<PathBuf>,
        defaults: ActionDefaults,
    ) -> Result<Exec, String> {
        let mut arguments = argv.iter().map(|argument| Argument::parse(argument));
        let program = match arguments.next().ok_or("argv is empty")?? {
            Argument::Literal(program) if !program.is_empty() => program,
            Argument::Literal(_) => return Err("the command is empty".to_owned()),
            Argument::Parameter(_) => {
                return Err("the command itself cannot be a parameter".to_owned());
            }
        };
        let arguments = arguments.collect::<Result<_, String>>()?;
        Ok(Exec { program, arguments, environment, directory, defaults })
    }

    fn command(&self, context: &Context) -> Result<Command, Exception> {
        let mut command = Command::new(&self.program);
        for argument in &self.arguments {
            command.arg(argument.filled(context.job.spec.parameters.as_ref())?);
        }
        command.env_clear();
        for name in INHERITED {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("JOB_ID", context.job.id.to_string());
        command.env("JOB_NUMBER", context.job.number.to_string());
        command.env("JOB_ACTION", context.job.spec.action.as_str());
        command.env("JOB_ATTEMPT", context.job.attempt.to_string());
        command.env("JOB_TOKEN", context.job.token.to_string());
        command.envs(&self.environment);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        die_with_the_worker(&mut command);
        Ok(command)
    }

    async fn run(&self, mut context: Context) -> Ended {
        let mut command = self.command(&context)?;
        let mut child = command.spawn().map_err(|error| {
            Exception::new("CannotStart", format!("cannot start {}: {error}", self.program))
        })?;
        let group = Group::of(&child);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let log = context.log.clone();
        let over = CancellationToken::new();
        let reading = async {
            tokio::join!(
                copy_lines(stdout, Source::Stdout, &log, &over),
                copy_lines(stderr, Source::Stderr, &log, &over)
            )
        };
        let ending = async {
            let ended = end_of(&mut child, &group, &mut context).await;
            // What the command has left running must not outlive the job.
            group.signal(Signal::SIGKILL);
            over.cancel();
            ended
        };
        let (ended, whole) = tokio::join!(ending, reading);
        if whole != (true, true) {
            let told =
                "a process that left the job's group still holds its output, which is cut here";
            log.line(Source::Capstan, told).await;
        }
        let (status, asked) = ended.map_err(|error| {
            Exception::new("CannotWait", format!("cannot wait for {}: {error}", self.program))
        })?;
        let ended = ended_as(status);
        if asked && ended.is_ok() {
            // It was told to end, and has, cleanly: that does not mean that its work is done.
            return Err(Exception::new("Stopped", "the command ended when it was asked to"));
        }
        ended
    }
}

impl Action for Exec {
    fn defaults(&self) -> ActionDefaults {
        self.defaults.clone()
    }

    fn run(&self, context: Context) -> BoxFuture<'_, Ended> {
        Exec::run(self, context).boxed()
    }
}

/// A worker that is killed cannot stop its commands, and their jobs go on elsewhere: the kernel kills them. What they
/// have started themselves it does not reach; a container ends that.
#[expect(unsafe_code, reason = "the one call between fork and exec is safe to make there")]
fn die_with_the_worker(command: &mut Command) {
    let worker = Pid::this();
    let die_too = move || {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        // One that died before that was asked for is not told of any more.
        if Pid::parent() == worker { Ok(()) } else { Err(nix::errno::Errno::ESRCH.into()) }
    };
    // SAFETY: both are bare system calls: they allocate nothing and take no lock that the parent could have held.
    unsafe {
        command.pre_exec(die_too);
    }
}

/// The process group of a job: the command and whatever it starts.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Group {
        // The command was made the leader of a group of its own, so their numbers are the same.
        Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // A group that is gone already is what was wanted.
            let _ = killpg(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// Waits for the command; asked to stop, sends SIGTERM to its group and, when time is up, SIGKILL. Returns how it
/// ended, and whether it had been sent a signal by then.
async fn end_of(
    child: &mut Child,
    group: &Group,
    context: &mut Context,
) -> std::io::Result<(ExitStatus, bool)> {
    tokio::select! {
        biased;
        status = child.wait() => return Ok((status?, false)),
        () = asked_to_stop(&mut context.signal) => {}
    }
    group.signal(Signal::SIGTERM);
    tokio::select! {
        status = child.wait() => return Ok((status?, true)),
        () = asked_to_end_now(&mut context.signal) => {}
        () = tokio::time::sleep(context.stop_timeout) => {}
    }
    group.signal(Signal::SIGKILL);
    let status = child.wait().await?;
    let told = "the command did not end on SIGTERM in time, it was killed";
    context.log.line(Source::Capstan, told).await;
    Ok((status, true))
}

fn ended_as(status: ExitStatus) -> Ended {
    use std::os::unix::process::ExitStatusExt;
    if status.success() {
        return Ok(None);
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

/// Copies output to its end into the log. False when it was cut: after the command is `over`, nobody waits for more
/// than [`DRAIN`] for what is still to be said. The log takes as long as it takes.
async fn copy_lines(
    output: Option<impl AsyncRead + Unpin>,
    source: Source,
    log: &Log,
    over: &CancellationToken,
) -> bool {
    let Some(output) = output else { return true };
    let mut reader = BufReader::with_capacity(LINE_BYTES, output);
    let (mut line, mut whole, mut patience) = (Vec::new(), true, DRAIN);
    loop {
        let began = Instant::now();
        let available = tokio::select! {
            biased;
            read = reader.fill_buf() => read.unwrap_or_default(),
            () = drained(over, patience) => {
                whole = false;
                break;
            }
        };
        if over.is_cancelled() {
            patience = patience.saturating_sub(began.elapsed());
        }
        if available.is_empty() {
            break;
        }
        let room = LINE_BYTES - line.len();
        let some = &available[..available.len().min(room)];
        let (used, ended) = match some.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (some.len(), false),
        };
        line.extend_from_slice(&some[..used - usize::from(ended)]);
        reader.consume(used);
        if ended || line.len() == LINE_BYTES {
            log.line(source, String::from_utf8_lossy(&line)).await;
            line.clear();
        }
    }
    if !line.is_empty() {
        log.line(source, String::from_utf8_lossy(&line)).await;
    }
    whole
}

async fn drained(over: &CancellationToken, patience: Duration) {
    over.cancelled().await;
    tokio::time::sleep(patience).await;
}
