//! What a run leaves on the disk when its worker is killed: its room, its cgroup, and, when it was
//! the last one, the folder of the worker's rooms. The reaper removes them, without the heap: it is
//! a fork. What it cannot remove, or what is left when it is killed too, the next worker sweeps.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open, openat};
use nix::libc;
use nix::sys::stat::Mode;
use nix::unistd::UnlinkatFlags::{NoRemoveDir, RemoveDir};
use nix::unistd::unlinkat;

use super::folder::each_name;
use super::groups::Group;
use super::room::{LOCK, Room};

/// Folders within folders that are removed; each takes a part of the stack and an open file.
const DEEPEST: u32 = 64;
/// How often, and with what pause, it is looked whether the worker's lock is free: a dying process
/// closes its files one after the other.
const LOOKS: u32 = 100;
const PAUSE_MS: i32 = 10;

/// Where it is. Made before the fork.
#[derive(Debug, Clone)]
pub(super) struct Remains {
    room: CString,
    /// The folder of the worker's rooms, and the lock in it that the worker holds while it lives.
    rooms: CString,
    lock: CString,
    group: Option<CString>,
}

impl Remains {
    pub(super) fn new(room: &Room, group: Option<&Group>) -> io::Result<Remains> {
        Remains::at(room.path(), group.map(Group::path))
    }

    fn at(room: &Path, group: Option<&Path>) -> io::Result<Remains> {
        let text = |path: &Path| Ok::<_, io::Error>(CString::new(path.as_os_str().as_bytes())?);
        let rooms = room.parent().ok_or_else(|| io::Error::other("a room that is nowhere"))?;
        Ok(Remains {
            room: text(room)?,
            rooms: text(rooms)?,
            lock: text(&rooms.join(LOCK))?,
            group: group.map(text).transpose()?,
        })
    }

    /// Removes all of it; no process of the run lives any more.
    pub(super) fn remove(&self) {
        if let Some(group) = &self.group {
            let _ = remove_folder(group);
        }
        if let Ok(room) = open_folder(AT_FDCWD, &self.room) {
            empty(&room, DEEPEST);
        }
        let _ = remove_folder(&self.room);
        // Other runs of the worker may not be over. Whoever removes the lock too early puts it
        // back.
        if self.worker_is_dead() {
            let _ = unlinkat(AT_FDCWD, self.lock.as_c_str(), NoRemoveDir);
            if remove_folder(&self.rooms) == Err(Errno::ENOTEMPTY) {
                let flags = OFlag::O_WRONLY | OFlag::O_CREAT;
                let _ = open(self.lock.as_c_str(), flags, Mode::from_bits_truncate(0o600));
            }
        }
    }

    /// Its lock is free, or gone already. A run may also be given up by a worker that lives.
    #[expect(unsafe_code, reason = "bare system calls; the safe ways to lock own their file")]
    fn worker_is_dead(&self) -> bool {
        let lock = match open(self.lock.as_c_str(), OFlag::O_WRONLY, Mode::empty()) {
            Ok(lock) => lock,
            Err(error) => return error == Errno::ENOENT,
        };
        for _ in 0..LOOKS {
            // SAFETY: bare system calls on plain numbers; the second is a pause.
            unsafe {
                if libc::flock(lock.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 {
                    return true;
                }
                libc::poll(std::ptr::null_mut(), 0, PAUSE_MS);
            }
        }
        false
    }
}

fn remove_folder(path: &CStr) -> nix::Result<()> {
    unlinkat(AT_FDCWD, path, RemoveDir)
}

/// Of a link nothing is opened: whoever made it is not trusted with other folders.
fn open_folder(within: impl std::os::fd::AsFd, name: &CStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(within, name, flags, Mode::empty())
}

/// Removes all that is in a folder.
fn empty(folder: &OwnedFd, depth: u32) {
    each_name(folder, |name| {
        if unlinkat(folder, name, NoRemoveDir).is_ok() {
            return;
        }
        if let Some(depth) = depth.checked_sub(1)
            && let Ok(below) = open_folder(folder, name)
        {
            empty(&below, depth);
        }
        let _ = unlinkat(folder, name, RemoveDir);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{Flock, FlockArg};
    use std::fs::{self, File};
    use std::path::PathBuf;

    /// A worker's folder with two rooms, and its lock.
    fn rooms() -> (PathBuf, [PathBuf; 2], PathBuf) {
        let rooms = std::env::temp_dir().join(format!("remains-{}", domain::job::JobId::random()));
        let [one, two] = ["one", "two"].map(|name| rooms.join(name));
        fs::create_dir_all(one.join("deep/deeper")).unwrap();
        fs::create_dir(&two).unwrap();
        let lock = rooms.join("lock");
        fs::write(&lock, "").unwrap();
        (rooms, [one, two], lock)
    }

    #[test]
    fn all_of_a_room_goes_and_the_folder_with_the_last_one() {
        let (rooms, [one, two], lock) = rooms();
        let elsewhere = rooms.with_extension("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("kept"), "").unwrap();
        std::os::unix::fs::symlink(&elsewhere, one.join("deep/link")).unwrap();
        for number in 0..500 {
            fs::write(one.join(format!("deep/deeper/a file with a long name, {number}")), "")
                .unwrap();
        }
        Remains::at(&one, None).unwrap().remove();
        assert!(!one.exists() && two.exists() && lock.exists(), "another one is not over");
        assert!(elsewhere.join("kept").exists(), "links are not followed");
        Remains::at(&two, None).unwrap().remove();
        assert!(!rooms.exists());
        fs::remove_dir_all(&elsewhere).unwrap();
    }

    #[test]
    fn the_folder_of_a_worker_that_lives_stays() {
        let (rooms, [one, two], lock) = rooms();
        let held = Flock::lock(File::open(&lock).unwrap(), FlockArg::LockExclusiveNonblock);
        let held = held.unwrap();
        for room in [&one, &two] {
            Remains::at(room, None).unwrap().remove();
        }
        assert!(!one.exists() && !two.exists() && lock.exists());
        drop(held);
        fs::remove_dir_all(&rooms).unwrap();
    }
}
