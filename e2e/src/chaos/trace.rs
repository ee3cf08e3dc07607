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
use shared::job::{JobId, Token};
use tokio::signal::unix::{SignalKind, signal};

/// The name of the action.
pub(crate) const ACTION: &str = "trace";

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

/// The TOML file that declares the action.
pub(crate) fn actions_file(program: &Path, trace: &Path, mark: &str) -> String {
    let (program, trace) = (program.display(), trace.display());
    format!(
        "[actions.{ACTION}]\nargv = [{program:?}, 'job', '--how', '{{{{how}}}}', '--ms', '{{{{ms}}}}']\n\
         environment = {{ CAPSTAN_CHAOS_TRACE = {trace:?}, CAPSTAN_DEV_RUN = {mark:?} }}\n",
        program = program.to_string(),
        trace = trace.to_string(),
    )
}

/// Does what the job is to do.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut terminated = signal(SignalKind::terminate())?;
    let worker = std::os::unix::process::parent_id();
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
    let well = match arguments.how {
        How::Well | How::Stubborn => true,
        How::Fail => false,
        How::FailOnce => arguments.attempt > 1,
    };
    writeln!(std::io::stdout(), "run {} ends", arguments.attempt)?;
    note(&arguments, "end", if well { "well" } else { "badly" })?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
            _ => {
                let run = open.get(&(id, token)).and_then(|at| runs.get_mut(*at));
                run.context("a run ended that did not start")?.end = Some((at, more.to_owned()));
            }
        }
    }
    Ok(runs)
}
