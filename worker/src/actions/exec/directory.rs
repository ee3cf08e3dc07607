//! Opens and lists directories, and opens the lock files in them, without the heap. The supervisor
//! is a fork of a process with threads, where the standard library's `read_dir` is not allowed
//! because it allocates.
//!
//! The directories are in one that other users and commands may write to, such as `/tmp`. So a link
//! is never followed, opening never waits, and what is found there is checked before it is used.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::libc;
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::geteuid;

/// The lock file in a worker's directory, which is locked while the worker lives.
pub(super) const LOCK: &CStr = c"lock";

/// The offset of an entry's length in what `getdents64` writes.
const LENGTH: usize = 16;
/// The offset of an entry's name.
const NAME: usize = 19;

/// Opens a directory, but not through a symbolic link.
pub(super) fn open_directory(parent: impl AsFd, name: &CStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

/// Opens the directory of a worker of this user.
pub(super) fn open_own_directory(parent: impl AsFd, name: &CStr) -> nix::Result<OwnedFd> {
    own(open_directory(parent, name)?, SFlag::S_IFDIR)
}

/// Creates the lock file. Fails if there is anything in its place.
pub(super) fn create_lock(directory: impl AsFd) -> nix::Result<File> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    openat(directory, LOCK, flags, Mode::S_IRUSR | Mode::S_IWUSR).map(File::from)
}

/// Opens the lock file. Fails if a link, a pipe or a file of another user is in its place.
pub(super) fn open_lock(directory: impl AsFd) -> nix::Result<File> {
    let flags = OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    own(openat(directory, LOCK, flags, Mode::empty())?, SFlag::S_IFREG).map(File::from)
}

/// Returns the file if it is of this type and of this process's user.
fn own(file: OwnedFd, file_type: SFlag) -> nix::Result<OwnedFd> {
    let found = fstat(&file)?;
    let same_type = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == file_type;
    if same_type && found.st_uid == geteuid().as_raw() { Ok(file) } else { Err(Errno::EPERM) }
}

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
