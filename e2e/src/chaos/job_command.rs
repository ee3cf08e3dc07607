//! The command that the jobs run, and the reader of what it records.
//!
//! Every run appends its start and its end to one file, the run log. The checks judge by this file
//! instead of trusting what the fleet reports.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use domain::job::{FencingToken, JobId};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};

use crate::actions::ActionSet;

/// The number of lines that a run which is not cut off prints to the log of its job.
pub(crate) const LOG_LINES: u64 = 2;

/// What a run that waits for a signal writes.
const WAIT: &str = "{\"wait\": {\"signal\": \"go\", \"timeout\": \"3s\"}}\n";

/// The pause between two checkpoints.
const CHECKPOINT_PERIOD: Duration = Duration::from_millis(150);

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Behaviour {
    /// It succeeds.
    Succeed,
    /// It fails.
    Fail,
    /// It fails in the first attempt and succeeds in a later one.
    FailOnce,
    /// It ignores SIGTERM and succeeds.
    IgnoreSigterm,
    /// It kills the worker that runs it.
    KillWorker,
    /// It saves checkpoints, and succeeds.
    SaveCheckpoints,
    /// It saves checkpoints, fails in the first attempt and succeeds in a later one.
    SaveCheckpointsAndFailOnce,
    /// It waits for a signal after its run, unless it has received one.
    WaitForSignal,
}

/// The arguments and the environment of a run.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How the run ends
    #[arg(long)]
    behaviour: Behaviour,
    /// How long it takes, in milliseconds
    #[arg(long)]
    ms: u64,
    /// The file in which runs are recorded
    #[arg(long, env = "CAPSTAN_CHAOS_RUN_LOG")]
    run_log: PathBuf,
    /// The id of the job
    #[arg(long, env = "JOB_ID")]
    id: String,
    /// The token of the claim
    #[arg(long, env = "JOB_TOKEN")]
    token: u64,
    /// The number of the attempt
    #[arg(long, env = "JOB_ATTEMPT")]
    attempt: u32,
    /// The pipe for checkpoints
    #[arg(long, env = "JOB_CHECKPOINT")]
    checkpoint: PathBuf,
    /// The file with the last checkpoint
    #[arg(long, env = "JOB_RESUME")]
    resume: Option<PathBuf>,
    /// The pipe for what the job waits for
    #[arg(long, env = "JOB_CHILDREN")]
    children: PathBuf,
    /// The file with the signal that continued the job
    #[arg(long, env = "JOB_SIGNAL")]
    signal: Option<PathBuf>,
}

impl Behaviour {
    fn saves_checkpoints(self) -> bool {
        matches!(self, Behaviour::SaveCheckpoints | Behaviour::SaveCheckpointsAndFailOnce)
    }
}

/// The TOML file that declares these actions.
pub(crate) fn actions_file(
    actions: &ActionSet,
    program: &Path,
    run_log: &Path,
    run_folder: &Path,
) -> String {
    let (program, run_log) = (program.display().to_string(), run_log.display().to_string());
    let (mark, run_folder) = (devserver::MARK, run_folder.display().to_string());
    let action = |name: &str| {
        format!(
            "[actions.{name}]\n\
             argv = [{program:?}, 'job', '--behaviour', '{{{{behaviour}}}}', \
             '--ms', '{{{{ms}}}}']\n\
             environment = {{ CAPSTAN_CHAOS_RUN_LOG = {run_log:?}, {mark} = {run_folder:?} }}\n",
        )
    };
    actions.iter().map(|name| action(name)).collect()
}

/// Runs the command.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut sigterm = signal(SignalKind::terminate())?;
    let worker = worker_pid()?;
    record(&arguments, "start", &worker.to_string())?;
    writeln!(std::io::stdout(), "attempt {} starts", arguments.attempt)?;
    let until = tokio::time::Instant::now() + Duration::from_millis(arguments.ms);
    let mut step = resumed(&arguments)?;
    if let Some(path) = &arguments.signal {
        record(&arguments, "signal", &std::fs::read_to_string(path)?)?;
    }
    loop {
        step += 1;
        save_checkpoint(&arguments, step)?;
        let next = tokio::time::Instant::now() + CHECKPOINT_PERIOD;
        tokio::select! {
            () = tokio::time::sleep_until(until) => break,
            () = tokio::time::sleep_until(next), if arguments.behaviour.saves_checkpoints() => {}
            _ = sigterm.recv() => {
                if arguments.behaviour != Behaviour::IgnoreSigterm {
                    record(&arguments, "end", STOPPED)?;
                    return Ok(ExitCode::from(143));
                }
            }
        }
    }
    if arguments.behaviour == Behaviour::KillWorker {
        record(&arguments, "kill", &worker.to_string())?;
        kill(Pid::from_raw(i32::try_from(worker)?), Signal::SIGKILL)?;
        std::future::pending::<()>().await;
    }
    let succeeds = match arguments.behaviour {
        Behaviour::Succeed
        | Behaviour::IgnoreSigterm
        | Behaviour::KillWorker
        | Behaviour::SaveCheckpoints
        | Behaviour::WaitForSignal => true,
        Behaviour::Fail => false,
        Behaviour::FailOnce | Behaviour::SaveCheckpointsAndFailOnce => arguments.attempt > 1,
    };
    if arguments.behaviour == Behaviour::WaitForSignal && arguments.signal.is_none() {
        let mut pipe = OpenOptions::new().write(true).open(&arguments.children)?;
        pipe.write_all(WAIT.as_bytes())?;
    }
    writeln!(std::io::stdout(), "attempt {} ends", arguments.attempt)?;
    record(&arguments, "end", if succeeds { SUCCEEDED } else { FAILED })?;
    Ok(if succeeds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the step that the last checkpoint names, and records it.
fn resumed(arguments: &Arguments) -> anyhow::Result<u64> {
    let Some(path) = &arguments.resume else { return Ok(0) };
    let step: u64 = std::fs::read_to_string(path)?.parse()?;
    record(arguments, "resume", &step.to_string())?;
    Ok(step)
}

/// Saves a checkpoint that names this step, and then records it.
fn save_checkpoint(arguments: &Arguments, step: u64) -> anyhow::Result<()> {
    if !arguments.behaviour.saves_checkpoints() {
        return Ok(());
    }
    let mut pipe = OpenOptions::new().write(true).open(&arguments.checkpoint)?;
    pipe.write_all(format!("{step}\n").as_bytes())?;
    record(arguments, "save", &step.to_string())
}

/// How a run ended, as the run log spells it.
pub(crate) const SUCCEEDED: &str = "succeeded";
pub(crate) const FAILED: &str = "failed";
pub(crate) const STOPPED: &str = "stopped";

/// The worker that runs this command. Its supervisor process is in between.
fn worker_pid() -> anyhow::Result<u32> {
    let supervisor = std::os::unix::process::parent_id();
    let stat = std::fs::read_to_string(format!("/proc/{supervisor}/stat"))?;
    let fields = stat.rsplit_once(") ").context("unexpected format of /proc/…/stat")?.1;
    Ok(fields.split(' ').nth(1).context("no parent in /proc/…/stat")?.parse()?)
}

/// Appends one line in one write, so that lines of different processes do not mix.
fn record(arguments: &Arguments, event: &str, value: &str) -> anyhow::Result<()> {
    let now = chrono::Utc::now().timestamp_micros();
    let line = format!("{event} {} {} {now} {value}\n", arguments.id, arguments.token);
    let mut file = OpenOptions::new().append(true).create(true).open(&arguments.run_log)?;
    Ok(file.write_all(line.as_bytes())?)
}

/// A run as it recorded itself.
#[derive(Debug, Clone)]
pub(crate) struct RecordedRun {
    pub(crate) id: JobId,
    pub(crate) token: FencingToken,
    /// The worker process that started it.
    pub(crate) worker_pid: u32,
    pub(crate) start_us: i64,
    /// When and how it ended; `None` if it was killed.
    pub(crate) end: Option<(i64, String)>,
    /// The step that the checkpoint names from which it continued.
    pub(crate) resumed: Option<u64>,
    /// The last step that it saved.
    pub(crate) saved: Option<u64>,
    /// The body of the signal that continued its job.
    pub(crate) signal: Option<String>,
}

/// Reads the run log. The runs are in the order of their starts; two starts with the same token are
/// two runs.
pub(crate) fn read_runs(path: &Path) -> anyhow::Result<Vec<RecordedRun>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path:?}"))?;
    let mut runs: Vec<RecordedRun> = Vec::new();
    let mut open: BTreeMap<(JobId, u64), usize> = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [event, id, token, at, value] = fields[..] else {
            anyhow::bail!("the run log has a malformed line: {line:?}");
        };
        let (id, token, at): (JobId, u64, i64) = (id.parse()?, token.parse()?, at.parse()?);
        match event {
            "start" => {
                open.insert((id, token), runs.len());
                let (token, worker_pid) = (FencingToken(token), value.parse()?);
                runs.push(RecordedRun {
                    id,
                    token,
                    worker_pid,
                    start_us: at,
                    end: None,
                    resumed: None,
                    saved: None,
                    signal: None,
                });
            }
            "kill" => {}
            _ => {
                let run = open.get(&(id, token)).and_then(|index| runs.get_mut(*index));
                let run = run.context("a run has no start")?;
                match event {
                    "resume" => run.resumed = Some(value.parse()?),
                    "save" => run.saved = Some(value.parse()?),
                    "signal" => run.signal = Some(value.to_owned()),
                    _ => run.end = Some((at, value.to_owned())),
                }
            }
        }
    }
    Ok(runs)
}

/// When a job killed this worker, if one did.
pub(crate) fn killed_at(path: &Path, worker_pid: u32) -> Option<i64> {
    let text = std::fs::read_to_string(path).ok()?;
    let kills = text.lines().filter(|line| line.starts_with("kill "));
    let mut times = kills.filter_map(|line| {
        let (rest, pid) = line.rsplit_once(' ')?;
        let (_, at) = rest.rsplit_once(' ')?;
        (pid.parse() == Ok(worker_pid)).then(|| at.parse().ok()).flatten()
    });
    times.next_back()
}
