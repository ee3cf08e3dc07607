//! A child process that can be started, killed and started again, and that dies with its parent.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, setsid};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::log::copy_to_screen;
use crate::{Error, Log, Probe};

const PROBE_PERIOD: Duration = Duration::from_millis(50);
/// How long to wait for the last lines of a process that has ended. A process that it left behind
/// may hold the pipe open.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(2);

/// A child process and the command that starts it. Dropping it kills the process and waits for its
/// end.
#[derive(Debug)]
pub struct Process {
    name: String,
    command: Command,
    probe: Option<Probe>,
    log: Log,
    signals_group: bool,
    child: Option<Child>,
    copies: JoinSet<()>,
}

impl Process {
    /// Describes a process; [`Process::spawn`] and [`Process::start`] start it.
    ///
    /// The process runs in a new session, so that Ctrl-C in a terminal reaches only us. The kernel
    /// kills it when the thread that started it ends: start it from a thread that lives as long as
    /// the process should.
    #[must_use]
    pub fn new(name: impl Into<String>, command: std::process::Command, log: Log) -> Process {
        let mut command = Command::from(command);
        command.stdin(Stdio::null());
        #[expect(unsafe_code, reason = "the closure only makes two system calls")]
        // SAFETY: between fork and exec, setsid and prctl are allowed, and nothing is allocated.
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                Ok(set_pdeathsig(Signal::SIGKILL)?)
            });
        }
        let copies = JoinSet::new();
        let name = name.into();
        Process { name, command, probe: None, log, signals_group: false, child: None, copies }
    }

    /// Sets how the process is asked whether it is ready. Without a probe it is ready at once.
    #[must_use]
    pub fn with_probe(mut self, probe: Probe) -> Process {
        self.probe = Some(probe);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Process {
        self.command.env(name, value);
        self
    }

    /// Sends signals to the whole process group, for a command that starts others.
    #[must_use]
    pub fn with_group_signals(mut self) -> Process {
        self.signals_group = true;
        self
    }

    /// Its name in logs and messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it logs.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its process id; `None` when it is not running.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref()?.id()
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&mut self) -> Result<(), Error> {
        self.spawn()?;
        self.ready().await
    }

    /// Starts it without waiting. A process that is still running is killed first.
    pub fn spawn(&mut self) -> Result<(), Error> {
        self.kill();
        let log = self.log.outputs();
        let (stdout, stderr) = log.map_err(Error::io(format!("open the log of {}", self.name)))?;
        let spawned = self.command.stdout(stdout).stderr(stderr).spawn();
        let mut child = spawned.map_err(|error| {
            let program = self.command.as_std().get_program().display();
            Error::io(format!("start {} ({program})", self.name))(error)
        })?;
        copy_to_screen(&self.name, &mut child, &mut self.copies);
        self.child = Some(child);
        Ok(())
    }

    /// Waits until it is ready. Fails when it ends before that, or takes too long.
    pub async fn ready(&mut self) -> Result<(), Error> {
        let Some(probe) = self.probe.clone() else { return Ok(()) };
        let deadline = Instant::now() + probe.limit();
        loop {
            let ready = probe.is_ready().await;
            // Checked after the probe: if it has ended, another process answered.
            if let Some(status) = self.try_wait()? {
                return Err(Error::Ended { process: self.name.clone(), status });
            }
            if ready {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::NotReady { process: self.name.clone(), limit: probe.limit() });
            }
            sleep(PROBE_PERIOD).await;
        }
    }

    /// Returns how it ended; `None` while it runs and before it is started.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        let status = self.child.as_mut().map(Child::try_wait).transpose();
        Ok(status.map_err(Error::io(format!("wait for {}", self.name)))?.flatten())
    }

    /// Waits until it ends. Waits forever for a process that has not been started.
    pub async fn wait(&mut self) -> Result<ExitStatus, Error> {
        match &mut self.child {
            Some(child) => child.wait().await.map_err(Error::io(format!("wait for {}", self.name))),
            None => std::future::pending().await,
        }
    }

    /// Sends it a signal; does nothing when it is not running.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        let Some(pid) = self.pid() else { return Ok(()) };
        let sent = if self.signals_group { killpg(pid, signal) } else { kill(pid, signal) };
        sent.map_err(|errno| Error::io(format!("send {signal} to {}", self.name))(errno.into()))
    }

    /// Asks it to stop, and kills it if it has not ended within `grace`. Returns how it ended,
    /// `None` if it had to be killed or was not running.
    pub async fn stop(&mut self, grace: Duration) -> Result<Option<ExitStatus>, Error> {
        self.signal(Signal::SIGTERM)?;
        let ended = match &self.child {
            Some(_) => timeout(grace, self.wait()).await.ok().transpose()?,
            None => None,
        };
        self.kill();
        let last_lines = async { while self.copies.join_next().await.is_some() {} };
        let _ = timeout(LAST_LINES_WITHIN, last_lines).await;
        Ok(ended)
    }

    /// Kills it with SIGKILL and blocks until it is gone.
    pub fn kill(&mut self) {
        let _ = self.signal(Signal::SIGKILL);
        if let Some(pid) = self.pid() {
            // Leaves the status for the runtime, which collects it below.
            let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.try_wait();
        }
    }

    fn pid(&self) -> Option<Pid> {
        Some(Pid::from_raw(i32::try_from(self.id()?).ok()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a process was killed from outside, as opposed to having ended by itself.
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::SIGKILL as i32)
}

/// Waits until one of them ends; returns its index and how it ended.
pub(crate) async fn first_to_end(
    processes: impl Iterator<Item = &mut Process>,
) -> Result<(usize, ExitStatus), Error> {
    let waits: Vec<_> = processes.map(|process| Box::pin(process.wait())).collect();
    if waits.is_empty() {
        return std::future::pending().await;
    }
    let (status, index, _) = futures_util::future::select_all(waits).await;
    Ok((index, status?))
}
