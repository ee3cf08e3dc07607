//! Finds the children of this process in `/proc`, and kills them. Runs in the supervisor too, so it
//! must not allocate.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, getpid, read};

use super::directory::for_each_name;

/// Sends SIGKILL to every child of this process. Returns false when there is no `/proc`.
pub(super) fn kill_children() -> bool {
    for_each_child(|child| {
        let _ = kill(child, Signal::SIGKILL);
    })
}

/// Calls `visit` with every child of this process. Returns false when there is no `/proc`.
pub(super) fn for_each_child(mut visit: impl FnMut(Pid)) -> bool {
    let Some(proc) = open_proc() else { return false };
    let own = getpid();
    for_each_name(&proc, |name| {
        let pid = name.to_str().ok().and_then(|name| name.parse().ok()).map(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| parent_of(&proc, name) == Some(own)) {
            visit(pid);
        }
    });
    true
}

fn open_proc() -> Option<OwnedFd> {
    open(c"/proc", OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty()).ok()
}

/// Reads the parent of a process from its `stat`: `pid (name) state parent …`. The name may contain
/// any character.
fn parent_of(proc: &OwnedFd, pid: &CStr) -> Option<Pid> {
    let directory = openat(proc, pid, OFlag::O_PATH | OFlag::O_DIRECTORY, Mode::empty()).ok()?;
    let file = openat(&directory, c"stat", OFlag::O_RDONLY, Mode::empty()).ok()?;
    let mut stat = [0_u8; 256];
    let length = read(&file, &mut stat).ok()?;
    let name_ends = stat[..length].iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat[name_ends + 1..length].split(|byte| *byte == b' ').skip(2);
    std::str::from_utf8(fields.next()?).ok()?.parse().ok().map(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    #[test]
    fn the_parent_of_a_process_is_read_from_its_stat() {
        let proc = open_proc().unwrap();
        let parent = |pid: i32| parent_of(&proc, &CString::new(pid.to_string()).unwrap());
        assert_eq!(parent(getpid().as_raw()), Some(nix::unistd::getppid()));
        assert_eq!(parent(1), Some(Pid::from_raw(0)));
        assert_eq!(parent(i32::MAX), None);
    }
}
