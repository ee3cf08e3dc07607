//! Lists directories without the heap. The supervisor is a fork of a process with threads, where
//! the standard library's `read_dir` is not allowed because it allocates.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::libc;

/// The offset of an entry's length in what `getdents64` writes.
const LENGTH: usize = 16;
/// The offset of an entry's name.
const NAME: usize = 19;

/// Calls `visit` with every name in an open directory except `.` and `..`.
pub(super) fn for_each_name(directory: &OwnedFd, mut visit: impl FnMut(&CStr)) {
    let mut buffer = [0_u8; 4096];
    loop {
        let entries = read_entries(directory, &mut buffer);
        if entries.is_empty() {
            return;
        }
        let mut at = 0;
        while let Some(&[low, high]) = entries.get(at + LENGTH..at + LENGTH + 2) {
            let length = usize::from(u16::from_ne_bytes([low, high]));
            let name = entries.get(at + NAME..at + length).unwrap_or_default();
            match CStr::from_bytes_until_nul(name) {
                Ok(name) if name != c"." && name != c".." => visit(name),
                Ok(_) | Err(_) => {}
            }
            at += length.max(NAME);
        }
    }
}

#[expect(unsafe_code, reason = "a system call that nix does not wrap")]
fn read_entries<'a>(directory: &OwnedFd, buffer: &'a mut [u8]) -> &'a [u8] {
    let (fd, size) = (directory.as_raw_fd(), buffer.len());
    // SAFETY: the kernel writes at most `size` bytes into the buffer, which is that long.
    let bytes = unsafe { libc::syscall(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), size) };
    &buffer[..usize::try_from(bytes).unwrap_or(0)]
}
