//! The settings that a process applies to itself before it executes a command: limits, cgroup,
//! user, and that no program gives it more privileges. Nothing here allocates, because it runs
//! between fork and exec.

use std::ffi::CString;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid, write};

/// The settings of a command's process.
#[derive(Debug, Clone, Default)]
pub(super) struct ProcessSettings {
    pub(super) address_space_bytes: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) nice: Option<i32>,
    /// The `cgroup.procs` file of the cgroup to join.
    pub(super) cgroup_procs: Option<CString>,
    /// The user to become, with its groups.
    pub(super) user: Option<(Uid, Gid, Vec<Gid>)>,
}

impl ProcessSettings {
    /// Applies the settings to this process. The user comes last, because another user may not be
    /// allowed to raise limits.
    #[expect(unsafe_code, reason = "nix does not wrap setpriority")]
    pub(super) fn apply(&self) -> nix::Result<()> {
        close_inherited_files_on_exec();
        if let Some(file) = &self.cgroup_procs {
            let file = open(file.as_c_str(), OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
            write(&file, b"0")?;
        }
        let limits = [
            (Resource::RLIMIT_AS, self.address_space_bytes),
            (Resource::RLIMIT_NOFILE, self.open_files),
        ];
        for (resource, limit) in limits {
            limit.map(|limit| setrlimit(resource, limit, limit)).transpose()?;
        }
        if let Some(nice) = self.nice {
            // SAFETY: a system call on plain numbers.
            Errno::result(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) })?;
        }
        if let Some((user, group, groups)) = &self.user {
            setgroups(groups)?;
            setgid(*group)?;
            setuid(*user)?;
            drop_ambient_capabilities()?;
        }
        // A program with the set-user-ID bit, such as sudo, stays what it was started as.
        prctl::set_no_new_privs()
    }
}

/// Keeps files that the worker itself was started with, and that stay open in every program, from
/// the command. Those of the worker are closed anyway.
#[expect(unsafe_code, reason = "a system call that nix does not wrap")]
fn close_inherited_files_on_exec() {
    const STANDARD_FILES: u32 = 3;
    // SAFETY: a system call on plain numbers. Linux before 5.11 refuses it.
    unsafe {
        libc::syscall(libc::SYS_close_range, STANDARD_FILES, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
    }
}

/// Drops the capabilities that a program inherits. Those of a worker that is not root would survive
/// a change of the user.
#[expect(unsafe_code, reason = "nix does not wrap the ambient capabilities")]
fn drop_ambient_capabilities() -> nix::Result<()> {
    // SAFETY: a system call on plain numbers.
    let cleared = unsafe {
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong, 0, 0, 0)
    };
    Errno::result(cleared).map(drop)
}
