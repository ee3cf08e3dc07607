//! Kills the children of this process, found by walking `/proc`. Made for the reaper: it allocates nothing.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, getpid, read};

/// Where the length and the name of an entry stand in what `getdents64` writes.
const LENGTH: usize = 16;
const NAME: usize = 19;

/// Sends SIGKILL to every process whose parent this one is now. False when there is no `/proc` to find them in.
pub(super) fn kill_children() -> bool {
    let Ok(folder) = open(c"/proc", OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty()) else {
        return false;
    };
    let own = getpid();
    let mut buffer = [0_u8; 8192];
    loop {
        let entries = entries(&folder, &mut buffer);
        if entries.is_empty() {
            return true;
        }
        let mut at = 0;
        while let Some(&[low, high]) = entries.get(at + LENGTH..at + LENGTH + 2) {
            let length = usize::from(u16::from_ne_bytes([low, high]));
            let name = entries.get(at + NAME..at + length).unwrap_or_default();
            let pid = number(name);
            if let Some(pid) = pid.filter(|pid| parent_of(*pid) == Some(own.as_raw())) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            at += length.max(NAME);
        }
    }
}

#[expect(unsafe_code, reason = "the standard library reads folders only into the heap")]
fn entries<'a>(folder: &OwnedFd, buffer: &'a mut [u8]) -> &'a [u8] {
    let (fd, room) = (folder.as_raw_fd(), buffer.len());
    // SAFETY: the kernel writes at most `room` bytes into the buffer, which is that long.
    let bytes = unsafe { libc::syscall(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), room) };
    &buffer[..usize::try_from(bytes).unwrap_or(0)]
}

/// The number that a text ending with a zero byte is.
fn number(text: &[u8]) -> Option<i32> {
    let text = CStr::from_bytes_until_nul(text).ok()?.to_str().ok()?;
    text.parse().ok()
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
        assert_eq!(number(b"123\0\0junk"), Some(123));
        assert_eq!(number(b"self\0"), None);
    }
}
