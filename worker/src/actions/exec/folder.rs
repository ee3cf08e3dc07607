//! Folders read without the heap, for the reaper: the standard library's way of reading them is not
//! allowed in a fork.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::libc;

/// Where the length and the name of an entry stand in what `getdents64` writes.
const LENGTH: usize = 16;
const NAME: usize = 19;

/// Calls `each` with every name in an opened folder but `.` and `..`.
pub(super) fn each_name(folder: &OwnedFd, mut each: impl FnMut(&CStr)) {
    let mut buffer = [0_u8; 4096];
    loop {
        let entries = entries(folder, &mut buffer);
        if entries.is_empty() {
            return;
        }
        let mut at = 0;
        while let Some(&[low, high]) = entries.get(at + LENGTH..at + LENGTH + 2) {
            let length = usize::from(u16::from_ne_bytes([low, high]));
            let name = entries.get(at + NAME..at + length).unwrap_or_default();
            match CStr::from_bytes_until_nul(name) {
                Ok(name) if name != c"." && name != c".." => each(name),
                Ok(_) | Err(_) => {}
            }
            at += length.max(NAME);
        }
    }
}

#[expect(unsafe_code, reason = "a bare system call")]
fn entries<'a>(folder: &OwnedFd, buffer: &'a mut [u8]) -> &'a [u8] {
    let (fd, room) = (folder.as_raw_fd(), buffer.len());
    // SAFETY: the kernel writes at most `room` bytes into the buffer, which is that long.
    let bytes = unsafe { libc::syscall(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), room) };
    &buffer[..usize::try_from(bytes).unwrap_or(0)]
}
