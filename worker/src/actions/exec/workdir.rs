//! Working directories of commands. Each run has a private one, which is removed when the run ends.
//! A worker's directories are together in one directory with a lock file that is locked while the
//! worker lives, so that a worker that starts can remove those that killed workers left behind.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use domain::job::{Exception, FencingToken, JobId, WorkerId};
use nix::fcntl::AT_FDCWD;
use nix::libc;
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, Uid, chown, mkfifo};
use serde_json::Value;

use super::directory::{create_lock, open_lock, open_own_directory};
use crate::action::RESULT_BYTES;

const PREFIX: &str = "capstan-worker-";
const RESULT: &str = "result.json";
const PROGRESS: &str = "progress";
const CHECKPOINT: &str = "checkpoint";
const RESUME: &str = "resume.json";
const SIGNAL: &str = "signal.json";
const CHILDREN: &str = "children";

/// The directory of one worker. Dropping it removes it with everything in it.
#[derive(Debug)]
pub(super) struct Workdirs {
    directory: PathBuf,
    _lock: File,
}

impl Workdirs {
    /// Creates a directory in `temporary`. Other users may pass through it but not list it.
    pub(super) fn create(temporary: &Path) -> io::Result<Workdirs> {
        let name = WorkerId::random();
        // Commands get paths in it, so the path must be absolute.
        let temporary = fs::canonicalize(temporary)?;
        // It gets its final name once it is locked, so that no other worker removes it before.
        let unlocked = temporary.join(format!("capstan-new-{name}"));
        DirBuilder::new().mode(0o700).create(&unlocked)?;
        let opened = open_own_directory(AT_FDCWD, &c_path(&unlocked)?)?;
        let lock = create_lock(&opened)?;
        lock.try_lock()?;
        fchmod(&opened, Mode::from_bits_truncate(0o711))?;
        let directory = temporary.join(format!("{PREFIX}{name}"));
        fs::rename(&unlocked, &directory)?;
        Ok(Workdirs { directory, _lock: lock })
    }

    /// Removes the directories of dead workers of this user. What another user or a command has put
    /// in the place of one is left alone.
    pub(super) fn remove_abandoned(temporary: &Path) -> io::Result<()> {
        for entry in fs::read_dir(temporary)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            if !name.as_bytes().starts_with(PREFIX.as_bytes()) {
                continue;
            }
            let directory = open_own_directory(AT_FDCWD, &c_path(&path)?);
            if let Ok(lock) = directory.and_then(open_lock)
                && lock.try_lock().is_ok()
            {
                remove(&path);
            }
        }
        Ok(())
    }

    /// Creates the working directory of one run, with its pipes.
    pub(super) fn workdir(&self, id: JobId, token: FencingToken) -> io::Result<Workdir> {
        let workdir = Workdir(self.directory.join(format!("{id}-{token}")));
        DirBuilder::new().mode(0o700).create(&workdir.0)?;
        for pipe in workdir.pipes() {
            mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR)?;
        }
        Ok(workdir)
    }
}

impl Drop for Workdirs {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

/// The working directory of one run. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Workdir(PathBuf);

impl Workdir {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives the directory to another user. From then on, commands of that user can replace what is
    /// in it, so the worker must have opened its ends of the pipes.
    pub(super) fn give_to(&self, owner: Option<(Uid, Gid)>) -> io::Result<()> {
        let Some((user, group)) = owner else { return Ok(()) };
        let files =
            [self.resume_file(), self.signal_file()].into_iter().filter(|file| file.exists());
        for path in self.pipes().into_iter().chain(files).chain([self.0.clone()]) {
            chown(&path, Some(user), Some(group))?;
        }
        Ok(())
    }

    /// Returns the path of the file in which the command may leave its result.
    pub(super) fn result_file(&self) -> PathBuf {
        self.0.join(RESULT)
    }

    /// Returns the path of the pipe through which the command reports progress.
    pub(super) fn progress_pipe(&self) -> PathBuf {
        self.0.join(PROGRESS)
    }

    /// Returns the path of the pipe through which the command requests children.
    pub(super) fn children_pipe(&self) -> PathBuf {
        self.0.join(CHILDREN)
    }

    /// Returns the path of the pipe through which the command saves checkpoints.
    pub(super) fn checkpoint_pipe(&self) -> PathBuf {
        self.0.join(CHECKPOINT)
    }

    /// Returns the path of the file with the checkpoint from which the command continues.
    pub(super) fn resume_file(&self) -> PathBuf {
        self.0.join(RESUME)
    }

    /// Returns the path of the file with the signal that continued the job.
    pub(super) fn signal_file(&self) -> PathBuf {
        self.0.join(SIGNAL)
    }

    /// Creates the files with the checkpoint and the signal from which the command continues.
    pub(super) fn write_resume_state(
        &self,
        checkpoint: Option<&str>,
        signal: Option<&str>,
    ) -> io::Result<()> {
        for (path, text) in [(self.resume_file(), checkpoint), (self.signal_file(), signal)] {
            let Some(text) = text else { continue };
            let mut file = OpenOptions::new();
            let mut file = file.write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    fn pipes(&self) -> [PathBuf; 3] {
        [self.progress_pipe(), self.checkpoint_pipe(), self.children_pipe()]
    }

    /// Reads the result that the command left. Only a regular file of limited size is read, because
    /// the command may have left anything there.
    pub(super) fn read_result(&self) -> Result<Option<Value>, Exception> {
        let bad_result = |why: String| Exception::new("BadResult", format!("{RESULT}: {why}"));
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(self.result_file());
        let file = match file {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(bad_result(error.to_string())),
        };
        if !file.metadata().is_ok_and(|found| found.is_file()) {
            return Err(bad_result("not a regular file".to_owned()));
        }
        let mut json = Vec::new();
        let read = file.take(RESULT_BYTES as u64 + 1).read_to_end(&mut json);
        read.map_err(|error| bad_result(error.to_string()))?;
        if json.len() > RESULT_BYTES {
            let message = format!("{RESULT} has more than {RESULT_BYTES} bytes");
            return Err(Exception::new("ResultTooLarge", message));
        }
        if json.trim_ascii().is_empty() {
            return Ok(None);
        }
        let value = serde_json::from_slice(&json);
        value.map(Some).map_err(|error| bad_result(format!("not valid JSON: {error}")))
    }

    /// Removes the directory without blocking other tasks.
    pub(super) async fn remove(self) {
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }
}

impl Drop for Workdir {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Removes a directory. Symbolic links in it are removed, not followed.
fn remove(directory: &Path) {
    if let Err(error) = fs::remove_dir_all(directory)
        && error.kind() != io::ErrorKind::NotFound
    {
        let directory = directory.display();
        tracing::warn!(%directory, %error, "cannot remove a temporary directory");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary() -> PathBuf {
        let directory = std::env::temp_dir().join(format!("workdirs-{}", JobId::random()));
        fs::create_dir(&directory).unwrap();
        directory
    }

    #[test]
    fn a_directory_is_removed_with_its_worker_or_later_when_its_lock_is_free() {
        let temporary = temporary();
        let count = || fs::read_dir(&temporary).unwrap().count();
        let workdirs = Workdirs::create(&temporary).unwrap();
        let workdir = workdirs.workdir(JobId::random(), FencingToken(1)).unwrap();
        fs::write(workdir.path().join("half-written"), "x").unwrap();
        // What a killed worker leaves behind.
        let abandoned = temporary.join(format!("{PREFIX}0123456789ab"));
        fs::create_dir_all(abandoned.join("job/deep")).unwrap();
        File::create(abandoned.join("lock")).unwrap();
        std::os::unix::fs::symlink(workdir.path(), abandoned.join("job/link")).unwrap();
        assert_eq!(count(), 2);
        Workdirs::remove_abandoned(&temporary).unwrap();
        assert_eq!(count(), 1);
        assert!(workdir.path().join("half-written").exists(), "its worker is alive");
        drop((workdir, workdirs));
        assert_eq!(count(), 0);
        fs::remove_dir(&temporary).unwrap();
    }

    #[test]
    fn what_looks_like_an_abandoned_directory_neither_blocks_nor_redirects() {
        let temporary = temporary();
        let elsewhere = temporary.join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        File::create(elsewhere.join("lock")).unwrap();
        let planted = |name: &str| temporary.join(format!("{PREFIX}{name}"));
        // A lock that is a pipe, one that is a link, and a directory that is a link.
        fs::create_dir(planted("pipe")).unwrap();
        mkfifo(&planted("pipe").join("lock"), Mode::S_IRWXU).unwrap();
        fs::create_dir(planted("link")).unwrap();
        let link = std::os::unix::fs::symlink::<PathBuf, PathBuf>;
        link(elsewhere.join("lock"), planted("link").join("lock")).unwrap();
        link(elsewhere.clone(), planted("directory")).unwrap();
        fs::write(planted("file"), "").unwrap();
        Workdirs::remove_abandoned(&temporary).unwrap();
        assert!(elsewhere.join("lock").exists());
        let left = ["pipe", "link", "directory", "file"].map(|name| planted(name).exists());
        assert_eq!(left, [true; 4], "they are not directories of a worker");
        fs::remove_dir_all(&temporary).unwrap();
    }

    #[test]
    fn a_result_must_be_a_small_regular_file_of_json() {
        let temporary = temporary();
        let workdirs = Workdirs::create(&temporary).unwrap();
        let workdir = workdirs.workdir(JobId::random(), FencingToken(1)).unwrap();
        let read = || workdir.read_result().map_err(|error| error.kind);
        let file = workdir.result_file();
        assert_eq!(read(), Ok(None));
        fs::write(&file, " \n").unwrap();
        assert_eq!(read(), Ok(None));
        fs::write(&file, r#"{"a": 1}"#).unwrap();
        assert_eq!(read(), Ok(Some(serde_json::json!({"a": 1}))));
        fs::write(&file, "{").unwrap();
        assert_eq!(read(), Err("BadResult".to_owned()));
        fs::write(&file, vec![b' '; RESULT_BYTES + 1]).unwrap();
        assert_eq!(read(), Err("ResultTooLarge".to_owned()));
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &file).unwrap();
        assert_eq!(read(), Err("BadResult".to_owned()));
        fs::remove_file(&file).unwrap();
        mkfifo(&file, Mode::S_IRUSR).unwrap();
        assert_eq!(read(), Err("BadResult".to_owned()));
        drop((workdir, workdirs));
        fs::remove_dir(&temporary).unwrap();
    }
}
