//! Removes what a run leaves on disk when its worker is killed: its working directory, its cgroup,
//! and with the last run the worker's own directory. The supervisor does this, so nothing here
//! allocates. Whatever remains, because the supervisor was killed too, the next worker removes.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::UnlinkatFlags::{NoRemoveDir, RemoveDir};
use nix::unistd::{unlinkat, write};

use super::cgroup::Cgroup;
use super::directory::{
    LOCK, create_lock, for_each_name, open_directory, open_lock, open_own_directory,
};
use super::workdir::Workdir;

/// How deep directories are removed. Each level takes stack space and an open file.
const MAX_DEPTH: u32 = 64;
/// How often the worker's lock is tried: a dying process closes its files one after the other.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The paths to remove, prepared before the fork.
#[derive(Debug, Clone)]
pub(super) struct Cleanup {
    workdir: CString,
    /// The worker's directory, which contains the working directories of its runs.
    workdirs: CString,
    cgroup: Option<CString>,
    /// The file to which a `1` is written to kill the members of the cgroup.
    cgroup_kill: Option<CString>,
}

impl Cleanup {
    pub(super) fn new(workdir: &Workdir, cgroup: Option<&Cgroup>) -> io::Result<Cleanup> {
        let kill = cgroup.map(Cgroup::kill_file);
        let cgroup_kill = kill.map(|file| CString::new(file.into_os_string().into_vec()));
        let cgroup_kill = cgroup_kill.transpose()?;
        let cleanup = Cleanup::of_paths(workdir.path(), cgroup.map(Cgroup::path))?;
        Ok(Cleanup { cgroup_kill, ..cleanup })
    }

    fn of_paths(workdir: &Path, cgroup: Option<&Path>) -> io::Result<Cleanup> {
        let text = |path: &Path| Ok::<_, io::Error>(CString::new(path.as_os_str().as_bytes())?);
        let no_parent = || io::Error::other("the working directory has no parent");
        let workdirs = workdir.parent().ok_or_else(no_parent)?;
        Ok(Cleanup {
            workdir: text(workdir)?,
            workdirs: text(workdirs)?,
            cgroup: cgroup.map(text).transpose()?,
            cgroup_kill: None,
        })
    }

    /// Kills every member of the cgroup, if there is one.
    pub(super) fn kill_cgroup(&self) {
        if let Some(file) = &self.cgroup_kill
            && let Ok(file) = open(file.as_c_str(), OFlag::O_WRONLY, Mode::empty())
        {
            let _ = write(&file, b"1");
        }
    }

    /// Removes everything. Must be called after the last process of the run has ended.
    pub(super) fn run(&self) {
        if let Some(cgroup) = &self.cgroup {
            let _ = remove_directory(cgroup);
        }
        if let Ok(workdir) = open_directory(AT_FDCWD, &self.workdir) {
            empty(&workdir, MAX_DEPTH);
        }
        let _ = remove_directory(&self.workdir);
        let Ok(workdirs) = open_own_directory(AT_FDCWD, &self.workdirs) else { return };
        if worker_is_dead(&workdirs) {
            let _ = unlinkat(&workdirs, LOCK, NoRemoveDir);
            // Other runs of the worker may still be in progress: put the lock file back for them.
            if remove_directory(&self.workdirs) == Err(Errno::ENOTEMPTY) {
                let _ = create_lock(&workdirs);
            }
        }
    }
}

/// Returns true when the worker's lock is free or already removed. A live worker may have given up
/// the run.
fn worker_is_dead(workdirs: &OwnedFd) -> bool {
    let lock = match open_lock(workdirs) {
        Ok(lock) => lock,
        Err(error) => return error == Errno::ENOENT,
    };
    for _ in 0..LOCK_TRIES {
        if lock.try_lock().is_ok() {
            return true;
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    false
}

fn remove_directory(path: &CStr) -> nix::Result<()> {
    unlinkat(AT_FDCWD, path, RemoveDir)
}

/// Removes everything in a directory.
fn empty(directory: &OwnedFd, depth: u32) {
    for_each_name(directory, |name| {
        if unlinkat(directory, name, NoRemoveDir).is_ok() {
            return;
        }
        if let Some(depth) = depth.checked_sub(1)
            && let Ok(below) = open_directory(directory, name)
        {
            empty(&below, depth);
        }
        let _ = unlinkat(directory, name, RemoveDir);
    });
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::PathBuf;

    use super::*;

    /// A worker's directory with two working directories, and its lock file.
    fn workdirs() -> (PathBuf, [PathBuf; 2], PathBuf) {
        let name = format!("cleanup-{}", domain::job::JobId::random());
        let workdirs = std::env::temp_dir().join(name);
        let [one, two] = ["one", "two"].map(|name| workdirs.join(name));
        fs::create_dir_all(one.join("deep/deeper")).unwrap();
        fs::create_dir(&two).unwrap();
        let lock = workdirs.join("lock");
        fs::write(&lock, "").unwrap();
        (workdirs, [one, two], lock)
    }

    #[test]
    fn a_working_directory_is_emptied_and_the_last_one_takes_the_workers_directory_along() {
        let (workdirs, [one, two], lock) = workdirs();
        let elsewhere = workdirs.with_extension("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("kept"), "").unwrap();
        std::os::unix::fs::symlink(&elsewhere, one.join("deep/link")).unwrap();
        for number in 0..500 {
            let name = format!("deep/deeper/a file with a long name, {number}");
            fs::write(one.join(name), "").unwrap();
        }
        Cleanup::of_paths(&one, None).unwrap().run();
        assert!(!one.exists() && two.exists() && lock.exists(), "the other run is not over");
        assert!(elsewhere.join("kept").exists(), "symbolic links are not followed");
        Cleanup::of_paths(&two, None).unwrap().run();
        assert!(!workdirs.exists());
        fs::remove_dir_all(&elsewhere).unwrap();
    }

    #[test]
    fn a_pipe_in_place_of_the_lock_does_not_block_and_the_directory_stays() {
        let (workdirs, [one, two], lock) = workdirs();
        fs::remove_file(&lock).unwrap();
        nix::unistd::mkfifo(&lock, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for workdir in [&one, &two] {
            Cleanup::of_paths(workdir, None).unwrap().run();
        }
        assert!(!one.exists() && !two.exists() && lock.exists());
        fs::remove_dir_all(&workdirs).unwrap();
    }

    #[test]
    fn the_directory_of_a_live_worker_stays() {
        let (workdirs, [one, two], lock) = workdirs();
        let held = File::open(&lock).unwrap();
        held.try_lock().unwrap();
        for workdir in [&one, &two] {
            Cleanup::of_paths(workdir, None).unwrap().run();
        }
        assert!(!one.exists() && !two.exists() && lock.exists());
        drop(held);
        fs::remove_dir_all(&workdirs).unwrap();
    }
}
