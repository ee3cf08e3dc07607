//! Kills the children of this process, found by walking `/proc`. Made for the reaper: it allocates nothing.

use std::ffi::CStr;

use nix::fcntl::{OFlag, open};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, getpid, read};

use super::folder::each_name;

/// Sends SIGKILL to every process whose parent this one is now. False when there is no `/proc` to find them in.
pub(super) fn kill_children() -> bool {
    let Ok(folder) = open(c"/proc", OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty()) else {
        return false;
    };
    let own = getpid();
    each_name(&folder, |name| {
        let pid = name.to_str().ok().and_then(|name| name.parse().ok());
        if let Some(pid) = pid.filter(|pid| parent_of(*pid) == Some(own.as_raw())) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    });
    true
}

/// The parent of a process, as its `stat` has it: `pid (name) state parent …`, where the name may hold anything.
fn parent_of(pid: i32) -> Option<i32> {
    let mut path = *b"/proc/\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let (mut digits, mut left, mut at) = ([0_u8; 10], pid, 10);
    while left > 0 {
        at -= 1;
        digits[at] = b'0' + u8::try_from(left % 10).ok()?;
        left /= 10;
    }
    let digits = &digits[at..];
    path[6..6 + digits.len()].copy_from_slice(digits);
    path[6 + digits.len()..11 + digits.len()].copy_from_slice(b"/stat");
    let path = CStr::from_bytes_until_nul(&path).ok()?;
    let file = open(path, OFlag::O_RDONLY, Mode::empty()).ok()?;
    let mut stat = [0_u8; 256];
    let length = read(&file, &mut stat).ok()?;
    let name_ends = stat[..length].iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat[name_ends + 1..length].split(|byte| *byte == b' ').skip(2);
    std::str::from_utf8(fields.next()?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_of_a_process_is_read_off_its_stat() {
        let own = getpid().as_raw();
        assert_eq!(parent_of(own), Some(nix::unistd::getppid().as_raw()));
        assert_eq!(parent_of(1), Some(0));
        assert_eq!(parent_of(i32::MAX), None);
    }
}
