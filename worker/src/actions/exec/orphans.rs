//! Processes of commands whose supervisor was killed, by the command itself or by the kernel for
//! lack of memory. A worker that owns its process adopts them as a second subreaper, kills them and
//! waits for them. All its other children are supervisors.
//!
//! A worker that is part of another program does not adopt them: it could not tell them from
//! processes that the program started.

use std::collections::HashSet;
use std::io;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::descendants::for_each_child;

/// The pause between two checks.
const PAUSE: Duration = Duration::from_millis(5);
/// How many times to check. A process that waits for a broken disk cannot be killed.
const LOOKS: u32 = 1000;

/// The supervisors of this process, which are not orphans.
#[derive(Debug)]
pub(super) struct Orphans {
    supervisors: Mutex<HashSet<Pid>>,
    /// Read while a supervisor is started, which is a child before it is in the set.
    starting: RwLock<()>,
}

impl Orphans {
    /// Makes this process the adoptive parent of what supervisors leave behind.
    pub(super) fn adopt() -> io::Result<Orphans> {
        prctl::set_child_subreaper(true)?;
        Ok(Orphans { supervisors: Mutex::default(), starting: RwLock::new(()) })
    }

    /// Starts a supervisor.
    pub(super) fn start<Child>(
        &self,
        start: impl FnOnce() -> io::Result<(Child, Pid)>,
    ) -> io::Result<(Child, Pid)> {
        let _starting = self.starting.read().unwrap_or_else(PoisonError::into_inner);
        let (child, pid) = start()?;
        self.supervisors.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
        Ok((child, pid))
    }

    /// Notes that a supervisor has ended.
    pub(super) fn ended(&self, supervisor: Pid) {
        self.supervisors.lock().unwrap_or_else(PoisonError::into_inner).remove(&supervisor);
    }

    /// Kills every orphan and its descendants, which become orphans in turn. Returns false when
    /// some are left.
    pub(super) async fn kill_all(&self) -> bool {
        for _ in 0..LOOKS {
            let orphans = self.find();
            if orphans.is_empty() {
                return true;
            }
            for orphan in orphans {
                let _ = kill(orphan, Signal::SIGKILL);
                while waitpid(orphan, Some(WaitPidFlag::WNOHANG)) == Err(Errno::EINTR) {}
            }
            tokio::time::sleep(PAUSE).await;
        }
        false
    }

    fn find(&self) -> Vec<Pid> {
        let _none_starts = self.starting.write().unwrap_or_else(PoisonError::into_inner);
        let supervisors = self.supervisors.lock().unwrap_or_else(PoisonError::into_inner);
        let mut orphans = Vec::new();
        for_each_child(|child| {
            if !supervisors.contains(&child) {
                orphans.push(child);
            }
        });
        orphans
    }
}
