//! The supervisor: a process between the worker and a command. It starts the command, passes
//! signals to its process group, and kills every descendant when the command ends or the worker
//! dies, however the worker is killed. Descendants in other sessions are found too: when their
//! parents die, they become children of the supervisor (`PR_SET_CHILD_SUBREAPER`). If the
//! worker died, the supervisor also removes what the worker would have removed. If the supervisor
//! itself was killed, the worker kills what is left, by the cgroup of the run and as the next
//! subreaper.
//!
//! The supervisor is a fork of the worker, not a separate program and not a second execution of the
//! worker's program. A worker may be part of any Rust program, whose `main` must not run again for
//! each command; and the fork needs no copy of the command's environment, so secrets are not passed
//! through another process. The price is that it must not allocate: other threads may hold locks of
//! the allocator at the time of the fork. It shares the worker's memory until one of them writes.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, killpg, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid, read, setpgid};
use tokio::process::{Child, Command};

use super::cgroup::Cgroup;
use super::cleanup::Cleanup;
use super::descendants::kill_children;
use super::orphans::Orphans;
use super::process_settings::ProcessSettings;

/// The name of the process. `ps` shows its first 15 characters.
const NAME: &std::ffi::CStr = c"capstan-supervisor";

/// A command under a supervisor. Dropping it kills the command and its descendants.
pub(super) struct SupervisedCommand {
    /// The supervisor, which exits as the command did.
    pub(super) child: Child,
    /// A byte written to it is a signal for the command's process group; SIGKILL kills every
    /// descendant too. When it is closed, the worker is gone or has given up the run.
    control: PipeWriter,
    supervisor: Pid,
    /// `None` when another program's processes could be mistaken for orphans.
    orphans: Option<Arc<Orphans>>,
    /// Dropped, and so removed, with this.
    cgroup: Option<Cgroup>,
}

impl SupervisedCommand {
    /// Starts a command. The supervisor runs `cleanup` if the worker dies before the command ends.
    #[expect(unsafe_code, reason = "the supervisor is a fork")]
    pub(super) fn start(
        command: &mut Command,
        settings: ProcessSettings,
        cleanup: Cleanup,
        orphans: Option<Arc<Orphans>>,
        cgroup: Option<Cgroup>,
    ) -> io::Result<SupervisedCommand> {
        let (requests, control) = io::pipe()?;
        // SAFETY: the closure makes system calls on values that were prepared here. It does not
        // allocate and takes no lock.
        unsafe {
            command.pre_exec(move || split(&requests, &settings, &cleanup));
        }
        let mut spawn = || {
            let child = command.process_group(0).spawn()?;
            let id = child.id().and_then(|id| id.try_into().ok()).unwrap_or_default();
            Ok((child, Pid::from_raw(id)))
        };
        let (child, supervisor) = match &orphans {
            Some(orphans) => orphans.start(spawn)?,
            None => spawn()?,
        };
        Ok(SupervisedCommand { child, control, supervisor, orphans, cgroup })
    }

    /// Sends a signal to the command's process group.
    pub(super) fn signal(&mut self, signal: Signal) {
        // An error means that the supervisor has exited, so no process is left.
        let _ = self.control.write_all(&[signal as u8]);
    }

    /// Kills the command and its descendants.
    pub(super) fn kill(&mut self) {
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill();
        }
        self.signal(Signal::SIGKILL);
        // The command may have stopped its supervisor.
        self.signal_supervisor(Signal::SIGCONT);
    }

    /// Kills a supervisor that does not end, if the worker adopts what it leaves behind.
    pub(super) fn kill_supervisor(&self) {
        if self.orphans.is_some() {
            self.signal_supervisor(Signal::SIGKILL);
        }
    }

    fn signal_supervisor(&self, signal: Signal) {
        // The id is known, and so not used by another process, until the supervisor was waited for.
        if self.child.id().is_some() {
            let _ = kill(self.supervisor, signal);
        }
    }

    /// Waits until the command and its descendants are gone. Returns how the command ended.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        let mut gone = match &self.cgroup {
            Some(cgroup) => cgroup.kill_rest().await,
            None => true,
        };
        if let Some(orphans) = &self.orphans {
            orphans.ended(self.supervisor);
            // The only signal that can have ended the supervisor before its time.
            if status.signal() == Some(Signal::SIGKILL as i32) {
                gone &= orphans.kill_all().await;
            }
        }
        if !gone {
            tracing::warn!("processes of a command cannot be killed");
        }
        Ok(status)
    }
}

impl Drop for SupervisedCommand {
    fn drop(&mut self) {
        self.signal_supervisor(Signal::SIGCONT);
        if let Some(orphans) = &self.orphans {
            orphans.ended(self.supervisor);
        }
    }
}

/// Runs in the fork that the standard library made: that process becomes the supervisor, and
/// returns in a second fork, which then executes the command.
#[expect(unsafe_code, reason = "fork")]
fn split(requests: &PipeReader, settings: &ProcessSettings, cleanup: &Cleanup) -> io::Result<()> {
    let mut worker_mask = SigSet::empty();
    // With every signal blocked, none of the worker's handlers runs in the supervisor.
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut worker_mask))?;
    prctl::set_child_subreaper(true)?;
    let supervisor = getpid();
    // SAFETY: this process has one thread, and its child executes a program or exits.
    match unsafe { fork()? } {
        ForkResult::Parent { child } => supervise(requests, child, cleanup),
        ForkResult::Child => {
            settings.apply()?;
            setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            // A supervisor that died before the previous line sends no signal.
            if getppid() != supervisor {
                return Err(Errno::ESRCH.into());
            }
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&worker_mask), None)?;
            Ok(())
        }
    }
}

/// What wakes the supervisor.
enum Event {
    ChildEnded,
    /// The worker requests a signal for the command's process group.
    Signal(Signal),
    /// The worker requests the end of every descendant.
    Kill,
    /// The worker is dead or has given up the run.
    WorkerGone,
}

fn supervise(requests: &PipeReader, command: Pid, cleanup: &Cleanup) -> ! {
    // The command's output must end with the command, and the worker waits for the end of the
    // standard library's own pipe: the supervisor must not hold either open.
    close_all_files_but(requests.as_raw_fd());
    let _ = prctl::set_name(NAME);
    let child_signals = SigSet::from(Signal::SIGCHLD);
    let signals = SignalFd::with_flags(&child_signals, SfdFlags::SFD_NONBLOCK);
    let (status, worker_gone) = loop {
        if let Some(status) = collect_ended(command) {
            break (Some(status), false);
        }
        match signals.as_ref().map_or(Event::Kill, |signals| next_event(requests, signals)) {
            Event::ChildEnded => {}
            Event::Signal(signal) => {
                let _ = killpg(command, signal);
            }
            Event::Kill => break (None, false),
            Event::WorkerGone => break (None, true),
        }
    };
    cleanup.kill_cgroup();
    let status = kill_all(command).or(status);
    if worker_gone {
        cleanup.run();
    }
    exit_as(status.unwrap_or(libc::SIGKILL))
}

/// Waits for a request of the worker, or for a child to end.
fn next_event(requests: &PipeReader, signals: &SignalFd) -> Event {
    let mut files = [
        PollFd::new(requests.as_fd(), PollFlags::POLLIN),
        PollFd::new(signals.as_fd(), PollFlags::POLLIN),
    ];
    let _ = poll(&mut files, PollTimeout::NONE);
    let [requested, ended] = files.map(|file| file.any().unwrap_or(true));
    if ended {
        let _ = signals.read_signal();
    }
    if !requested {
        return Event::ChildEnded;
    }
    let mut byte = [0];
    match (read(requests, &mut byte), Signal::try_from(i32::from(byte[0]))) {
        (Ok(1), Ok(Signal::SIGKILL)) => Event::Kill,
        (Ok(1), Ok(signal)) => Event::Signal(signal),
        (Ok(1), Err(_)) => Event::ChildEnded,
        (Ok(_) | Err(_), _) => Event::WorkerGone,
    }
}

/// Kills the command and its descendants, and waits until none is left. Returns how the command
/// ended, if it had not ended before.
fn kill_all(command: Pid) -> Option<i32> {
    let _ = killpg(command, Signal::SIGKILL);
    let mut ended = None;
    while kill_children() {
        match wait_for_child(0) {
            Some((child, status)) if child == command => ended = Some(status),
            Some(_) => {}
            None => break,
        }
    }
    ended
}

/// Collects children that have ended. Returns how the command ended, if it is among them.
fn collect_ended(command: Pid) -> Option<i32> {
    while let Some((child, status)) = wait_for_child(libc::WNOHANG) {
        if child == command {
            return Some(status);
        }
    }
    None
}

/// Waits for any child. Returns `None` when there is none, or with `WNOHANG` when none has ended.
/// nix's `waitpid` reports a death by a real-time signal as an error, after it collected the child.
#[expect(unsafe_code, reason = "a system call")]
fn wait_for_child(flags: i32) -> Option<(Pid, i32)> {
    let mut status = 0;
    // SAFETY: the kernel writes one number.
    let child = unsafe { libc::waitpid(-1, &raw mut status, flags) };
    (child > 0).then(|| (Pid::from_raw(child), status))
}

#[expect(unsafe_code, reason = "system calls that nix does not wrap")]
fn close_all_files_but(kept: i32) {
    let close_range = |first: u32, last: u32| {
        // SAFETY: a system call on plain numbers.
        if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0 {
            return;
        }
        // Linux before 5.9.
        for file in first..=last.min(65_535) {
            // SAFETY: as above.
            unsafe { libc::close(file as i32) };
        }
    };
    let kept = kept as u32;
    if kept > 0 {
        close_range(0, kept - 1);
    }
    close_range(kept + 1, u32::MAX);
}

/// Ends this process in the way that another has ended: with its exit code or by its signal.
#[expect(unsafe_code, reason = "no destructor or handler of the worker may run")]
fn exit_as(status: i32) -> ! {
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        // SAFETY: system calls on plain numbers.
        unsafe {
            libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
            libc::signal(signal, libc::SIG_DFL);
        }
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
        let _ = Signal::try_from(signal).map(|signal| kill(getpid(), signal));
    }
    // SAFETY: it does not return.
    unsafe { libc::_exit(libc::WEXITSTATUS(status)) }
}
