//! The command behind the jobs: it appends to one file, line by line, when it starts and how it ends, so that runs
//! are judged by what ran and not by what the fleet says. And the reader of that file.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use domain::job::{Job, JobId, Token};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};

/// The name of the action.
pub(crate) const ACTION: &str = "trace";
/// The same under another name, which cancelling by a filter tells from the others.
pub(crate) const SWEPT: &str = "swept";

/// Lines that every run which is not cut off prints into its job's log.
pub(crate) const LOG_LINES: u64 = 2;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    /// It ends well.
    Well,
    /// It fails.
    Fail,
    /// It fails in its first run and ends well in a later one.
    FailOnce,
    /// It does not stop when it is asked to.
    Stubborn,
    /// It kills the worker that runs it.
    Kill,
}

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    how: How,
    /// How long it takes
    #[arg(long)]
    ms: u64,
    #[arg(long, env = "CAPSTAN_CHAOS_TRACE")]
    trace: PathBuf,
    #[arg(long, env = "JOB_ID")]
    id: String,
    #[arg(long, env = "JOB_TOKEN")]
    token: u64,
    #[arg(long, env = "JOB_ATTEMPT")]
    attempt: u32,
}

/// Whether jobs of this action write themselves down.
pub(crate) fn is_traced(job: &Job) -> bool {
    matches!(job.spec.action.as_str(), ACTION | SWEPT)
}

/// The TOML file that declares the actions.
pub(crate) fn actions_file(program: &Path, trace: &Path, mark: &str) -> String {
    let (program, trace) = (program.display().to_string(), trace.display().to_string());
    let action = |name: &str| {
        format!(
            "[actions.{name}]\nargv = [{program:?}, 'job', '--how', '{{{{how}}}}', '--ms', '{{{{ms}}}}']\n\
             environment = {{ CAPSTAN_CHAOS_TRACE = {trace:?}, CAPSTAN_DEV_RUN = {mark:?} }}\n",
        )
    };
    [ACTION, SWEPT].map(action).concat()
}

/// Does what the job is to do.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut terminated = signal(SignalKind::terminate())?;
    let worker = worker_pid()?;
    note(&arguments, "start", &worker.to_string())?;
    writeln!(std::io::stdout(), "run {} begins", arguments.attempt)?;
    let until = tokio::time::Instant::now() + Duration::from_millis(arguments.ms);
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(until) => break,
            _ = terminated.recv() => {
                if arguments.how != How::Stubborn {
                    note(&arguments, "end", "stopped")?;
                    return Ok(ExitCode::from(143));
                }
            }
        }
    }
    if arguments.how == How::Kill {
        note(&arguments, "kill", &worker.to_string())?;
        kill(Pid::from_raw(i32::try_from(worker)?), Signal::SIGKILL)?;
        std::future::pending::<()>().await;
    }
    let well = match arguments.how {
        How::Well | How::Stubborn | How::Kill => true,
        How::Fail => false,
        How::FailOnce => arguments.attempt > 1,
    };
    writeln!(std::io::stdout(), "run {} ends", arguments.attempt)?;
    note(&arguments, "end", if well { "well" } else { "badly" })?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The worker that runs this: between the two is what ends all that a command leaves behind.
fn worker_pid() -> anyhow::Result<u32> {
    let between = std::os::unix::process::parent_id();
    let stat = std::fs::read_to_string(format!("/proc/{between}/stat"))?;
    let fields = stat.rsplit_once(") ").context("a stat of another form")?.1;
    Ok(fields.split(' ').nth(1).context("no parent in it")?.parse()?)
}

/// One line, in one write, so that lines of many processes do not mix.
fn note(arguments: &Arguments, what: &str, more: &str) -> anyhow::Result<()> {
    let now = chrono::Utc::now().timestamp_micros();
    let line = format!("{what} {} {} {now} {more}\n", arguments.id, arguments.token);
    let mut file = OpenOptions::new().append(true).create(true).open(&arguments.trace)?;
    Ok(file.write_all(line.as_bytes())?)
}

/// A run, as it wrote itself down.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: JobId,
    pub(crate) token: Token,
    /// The process that started it.
    pub(crate) worker_pid: u32,
    pub(crate) start_us: i64,
    /// When and how it ended; `None` when it was killed.
    pub(crate) end: Option<(i64, String)>,
}

/// The runs, in the order of their starts; two starts with one token are two runs.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Run>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path:?}"))?;
    let mut runs: Vec<Run> = Vec::new();
    let mut open: BTreeMap<(JobId, u64), usize> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [what, id, token, at, more] = words[..] else {
            anyhow::bail!("the trace has a line of another form: {line:?}");
        };
        let (id, token, at): (JobId, u64, i64) = (id.parse()?, token.parse()?, at.parse()?);
        match what {
            "start" => {
                open.insert((id, token), runs.len());
                let worker_pid = more.parse()?;
                runs.push(Run { id, token: Token(token), worker_pid, start_us: at, end: None });
            }
            "kill" => {}
            _ => {
                let run = open.get(&(id, token)).and_then(|at| runs.get_mut(*at));
                run.context("a run ended that did not start")?.end = Some((at, more.to_owned()));
            }
        }
    }
    Ok(runs)
}

/// When a job killed this worker, if one did.
pub(crate) fn killed_at(path: &Path, worker_pid: u32) -> Option<i64> {
    let text = std::fs::read_to_string(path).ok()?;
    let kills = text.lines().filter(|line| line.starts_with("kill "));
    let mut of_it = kills.filter_map(|line| {
        let (rest, pid) = line.rsplit_once(' ')?;
        let (_, at) = rest.rsplit_once(' ')?;
        (pid.parse() == Ok(worker_pid)).then(|| at.parse().ok()).flatten()
    });
    of_it.next_back()
}
