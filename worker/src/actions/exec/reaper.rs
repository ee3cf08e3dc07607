//! The process between a worker and a command: it starts the command, passes signals on to its
//! group, and when the command ends, or the worker does, however that is killed, it kills all that
//! the command has started, and ends when nothing of it is left. Children that made sessions of
//! their own are found too: when their parents die they become the reaper's
//! (`PR_SET_CHILD_SUBREAPER`). If it was the worker that died, it removes what that would have
//! removed.
//!
//! It is a fork of the worker and no program of its own, so that nothing must be installed or
//! found. It shares the worker's memory until one of them writes, allocates nothing, and holds no
//! file but its line to the worker.
#![expect(unsafe_code, reason = "between fork and exec there are only system calls")]

use std::ffi::CString;
use std::io::{self, PipeWriter, Write};
use std::os::fd::AsRawFd;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::stat::Mode;
use nix::unistd::{ForkResult, Gid, Pid, Uid, fork, getpid, getppid, setgid, setgroups, setpgid};
use nix::unistd::{setuid, write};
use tokio::process::{Child, Command};

use super::children::kill_children;
use super::remains::Remains;

/// The reaper's two files.
const LINE: i32 = 0;
const SIGNALS: i32 = 1;

/// What a command is to become before it is executed.
#[derive(Debug, Clone, Default)]
pub(super) struct Become {
    /// Bytes of address space.
    pub(super) address_space: Option<u64>,
    /// How many files it may have open.
    pub(super) open_files: Option<u64>,
    /// Its niceness.
    pub(super) nice: Option<i32>,
    /// The file of a cgroup that takes its members.
    pub(super) cgroup: Option<CString>,
    /// Another user, with its groups.
    pub(super) user: Option<(Uid, Gid, Vec<Gid>)>,
}

/// A command under a reaper. Dropping it kills the command and all that it has started.
pub(super) struct Running {
    /// The reaper, which ends as the command did.
    pub(super) child: Child,
    /// A byte in it is a signal to be passed on, SIGKILL to all that the command has started. When
    /// it closes, the worker is gone, or wants to hear no more of the command.
    line: PipeWriter,
}

impl Running {
    /// Starts a command; `remains` is what nobody else removes if the worker does not live to see
    /// its end.
    pub(super) fn start(
        command: &mut Command,
        become_it: Become,
        remains: Remains,
    ) -> io::Result<Running> {
        let (heard, line) = io::pipe()?;
        let line_fd = heard.as_raw_fd();
        // SAFETY: what is called there are system calls on values made before, and the two
        // functions below.
        unsafe {
            command.pre_exec(move || begin(line_fd, &become_it, &remains));
        }
        let child = command.process_group(0).spawn()?;
        Ok(Running { child, line })
    }

    /// Sends a signal to the command and those of its children that stayed in its group.
    pub(super) fn signal(&mut self, signal: Signal) {
        // A reaper that is gone has left nobody to be told.
        let _ = self.line.write_all(&[signal as u8]);
    }

    /// Kills the command and all that it has started.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
    }

    /// How the command ended; by then nothing that it has started lives any more.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}

/// Called in the fork that the standard library made: it becomes the reaper, and a fork of it goes
/// on to be the command.
fn begin(line: i32, become_it: &Become, remains: &Remains) -> io::Result<()> {
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    prctl::set_child_subreaper(true)?;
    let reaper = getpid();
    // SAFETY: this process has one thread, and its child executes a program or exits.
    match unsafe { fork()? } {
        ForkResult::Parent { child } => reap(line, child, remains),
        ForkResult::Child => {
            become_it.apply()?;
            setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            // A reaper that died before that was asked for is not told of any more.
            if getppid() != reaper {
                return Err(Errno::ESRCH.into());
            }
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
            Ok(())
        }
    }
}

impl Become {
    /// Limits first: after the change of user they could not be raised.
    fn apply(&self) -> nix::Result<()> {
        if let Some(file) = &self.cgroup {
            let file = open(file.as_c_str(), OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
            write(&file, b"0")?;
        }
        let limits =
            [(Resource::RLIMIT_AS, self.address_space), (Resource::RLIMIT_NOFILE, self.open_files)];
        for (resource, most) in limits {
            most.map(|most| setrlimit(resource, most, most)).transpose()?;
        }
        if let Some(nice) = self.nice {
            // SAFETY: a bare system call on plain numbers.
            Errno::result(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) })?;
        }
        if let Some((user, group, groups)) = &self.user {
            setgroups(groups)?;
            setgid(*group)?;
            setuid(*user)?;
        }
        Ok(())
    }
}

/// The reaper's life. All signals are blocked, so none of the worker's handlers runs here.
fn reap(line: i32, command: Pid, remains: &Remains) -> ! {
    keep_only(line);
    let _ = prctl::set_name(c"capstan-reaper");
    let (mut ended, mut orphan) = (None, false);
    while ended.is_none() {
        ended = collect(command);
        if ended.is_some() {
            break;
        }
        let watched = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut files = [watched(LINE), watched(SIGNALS)];
        // SAFETY: the kernel reads and writes the two entries that are there.
        unsafe { libc::poll(files.as_mut_ptr(), 2, -1) };
        if files[1].revents != 0 {
            let mut told = [0_u8; 128];
            // SAFETY: the kernel writes at most as many bytes as there are.
            unsafe { libc::read(SIGNALS, told.as_mut_ptr().cast(), told.len()) };
        }
        if files[0].revents != 0 {
            let mut byte = 0_u8;
            // SAFETY: the kernel writes one byte.
            orphan = unsafe { libc::read(LINE, (&raw mut byte).cast(), 1) } != 1;
            if orphan || i32::from(byte) == libc::SIGKILL {
                break;
            }
            // SAFETY: a bare system call on plain numbers.
            unsafe { libc::kill(-command.as_raw(), i32::from(byte)) };
        }
    }
    let ended = kill_all(command).or(ended);
    if orphan {
        remains.remove();
    }
    end_as(ended.unwrap_or(libc::SIGKILL))
}

/// Kills all that is left of the command, and waits until nothing is; the command's own end, if it
/// had not ended before.
fn kill_all(command: Pid) -> Option<i32> {
    // SAFETY: a bare system call on plain numbers.
    unsafe { libc::kill(-command.as_raw(), libc::SIGKILL) };
    let mut ended = None;
    while kill_children() {
        let mut status = 0;
        // SAFETY: the kernel writes one number.
        let child = unsafe { libc::waitpid(-1, &raw mut status, 0) };
        if child == command.as_raw() {
            ended = Some(status);
        } else if child == -1 {
            break;
        }
    }
    ended
}

/// Collects children that have ended; the command's own end, if it is among them.
fn collect(command: Pid) -> Option<i32> {
    loop {
        let mut status = 0;
        // SAFETY: the kernel writes one number.
        match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } {
            -1 | 0 => return None,
            child if child == command.as_raw() => return Some(status),
            _ => {}
        }
    }
}

/// Closes all files but the line to the worker, and opens the one that tells of ended children.
/// What is copied here is the command's output, which must end with the command, and the start that
/// the worker waits for.
fn keep_only(line: i32) {
    let children = SigSet::from(Signal::SIGCHLD);
    // SAFETY: system calls on plain numbers and on a set of signals that is there.
    unsafe {
        libc::dup2(line, LINE);
        let signals = libc::signalfd(-1, children.as_ref(), libc::SFD_NONBLOCK);
        libc::dup2(signals, SIGNALS);
        if libc::syscall(libc::SYS_close_range, SIGNALS + 1, u32::MAX, 0) == -1 {
            // Linux before 5.9.
            for file in SIGNALS + 1..65_536 {
                libc::close(file);
            }
        }
    }
}

/// Ends this process in the way of another.
fn end_as(status: i32) -> ! {
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        // SAFETY: system calls on plain numbers; the last one ends this process unless the signal
        // does not.
        unsafe {
            libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
            libc::signal(signal, libc::SIG_DFL);
        }
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
        let _ = Signal::try_from(signal).map(|signal| kill(getpid(), signal));
    }
    // SAFETY: it does not return, and runs nothing of the worker's.
    unsafe { libc::_exit(libc::WEXITSTATUS(status)) }
}
