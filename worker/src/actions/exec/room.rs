//! Where commands do their work: each run has a private directory, which goes when it ends. What a killed worker and its
//! reapers left behind is removed by the next one that starts: a worker that lives holds a lock in the folder of its rooms.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::libc;
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, chown, mkfifo};
use serde_json::Value;
use domain::job::{Exception, JobId, Token, WorkerId};

use crate::attempt::RESULT_BYTES;

const PREFIX: &str = "capstan-worker-";
pub(super) const LOCK: &str = "lock";
const RESULT: &str = "result.json";
const PROGRESS: &str = "progress";
const CHILDREN: &str = "children";

/// The folder of one worker's rooms. Goes with everything in it when it is dropped.
#[derive(Debug)]
pub(in crate::actions) struct Rooms {
    folder: PathBuf,
    _lock: Flock<File>,
}

impl Rooms {
    /// A new folder in `temporary`, which others may pass through and not list.
    pub(in crate::actions) fn open(temporary: &Path) -> io::Result<Rooms> {
        let name = WorkerId::random();
        // Commands are given paths in it, and have directories of their own.
        let temporary = fs::canonicalize(temporary)?;
        // Nobody may find it without its lock and take it for one that a dead worker left.
        let unfinished = temporary.join(format!("capstan-new-{name}"));
        DirBuilder::new().mode(0o711).create(&unfinished)?;
        fs::set_permissions(&unfinished, Permissions::from_mode(0o711))?;
        let lock =
            Flock::lock(File::create(unfinished.join(LOCK))?, FlockArg::LockExclusiveNonblock);
        let lock = lock.map_err(|(_, error)| error)?;
        let folder = temporary.join(format!("{PREFIX}{name}"));
        fs::rename(&unfinished, &folder)?;
        Ok(Rooms { folder, _lock: lock })
    }

    /// Removes the folders of workers that are dead. Those of other users are theirs.
    pub(in crate::actions) fn sweep(temporary: &Path) -> io::Result<()> {
        for entry in fs::read_dir(temporary)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
                continue;
            }
            let Ok(lock) = OpenOptions::new().write(true).open(entry.path().join(LOCK)) else {
                continue;
            };
            let Ok(_lock) = Flock::lock(lock, FlockArg::LockExclusiveNonblock) else { continue };
            remove(&entry.path());
        }
        Ok(())
    }

    /// A room for one run, which belongs to `owner`.
    pub(super) fn room(
        &self,
        id: JobId,
        token: Token,
        owner: Option<(Uid, Gid)>,
    ) -> io::Result<Room> {
        let room = Room(self.folder.join(format!("{id}-{token}")));
        DirBuilder::new().mode(0o700).create(&room.0)?;
        let pipes = [room.progress(), room.children()];
        for pipe in &pipes {
            mkfifo(pipe, Mode::S_IRUSR | Mode::S_IWUSR)?;
        }
        if let Some((user, group)) = owner {
            for path in pipes.iter().chain([&room.0]) {
                chown(path, Some(user), Some(group))?;
            }
        }
        Ok(room)
    }
}

impl Drop for Rooms {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// The private directory of one run. Goes when it is dropped.
#[derive(Debug)]
pub(super) struct Room(PathBuf);

impl Room {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Where the command may leave its result.
    pub(super) fn result(&self) -> PathBuf {
        self.0.join(RESULT)
    }

    /// The pipe in which it tells its progress.
    pub(super) fn progress(&self) -> PathBuf {
        self.0.join(PROGRESS)
    }

    /// The pipe in which it asks for children.
    pub(super) fn children(&self) -> PathBuf {
        self.0.join(CHILDREN)
    }

    /// The result that the command has left. It may have left anything, and is not trusted with more than a file.
    pub(super) fn read_result(&self) -> Result<Option<Value>, Exception> {
        let refused = |why: String| Exception::new("BadResult", format!("{RESULT}: {why}"));
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(self.result());
        let file = match file {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused(error.to_string())),
        };
        if !file.metadata().is_ok_and(|found| found.is_file()) {
            return Err(refused("it is no file".to_owned()));
        }
        let mut json = Vec::new();
        let read = file.take(RESULT_BYTES as u64 + 1).read_to_end(&mut json);
        read.map_err(|error| refused(error.to_string()))?;
        if json.len() > RESULT_BYTES {
            let message = format!("{RESULT} has more than the {RESULT_BYTES} bytes that are kept");
            return Err(Exception::new("ResultTooLarge", message));
        }
        if json.trim_ascii().is_empty() {
            return Ok(None);
        }
        let value = serde_json::from_slice(&json);
        value.map(Some).map_err(|error| refused(format!("it is no JSON: {error}")))
    }

    /// Removes it, beside the work of others.
    pub(super) async fn leave(self) {
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Symbolic links are removed, not followed.
fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "cannot remove a temporary directory");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("rooms-{}", JobId::random()));
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn a_folder_goes_with_its_worker_or_is_swept_when_its_lock_is_free() {
        let temporary = temporary();
        let count = || fs::read_dir(&temporary).unwrap().count();
        let rooms = Rooms::open(&temporary).unwrap();
        let room = rooms.room(JobId::random(), Token(1), None).unwrap();
        fs::write(room.path().join("half-written"), "x").unwrap();
        // What a killed worker leaves: all but its lock.
        let left = temporary.join(format!("{PREFIX}0123456789ab"));
        fs::create_dir_all(left.join("job/deep")).unwrap();
        File::create(left.join(LOCK)).unwrap();
        std::os::unix::fs::symlink(room.path(), left.join("job/link")).unwrap();
        assert_eq!(count(), 2);
        Rooms::sweep(&temporary).unwrap();
        assert_eq!(count(), 1);
        assert!(room.path().join("half-written").exists(), "its worker lives");
        drop((room, rooms));
        assert_eq!(count(), 0);
        fs::remove_dir(&temporary).unwrap();
    }

    #[test]
    fn a_result_is_a_small_file_of_json_and_nothing_else() {
        let temporary = temporary();
        let rooms = Rooms::open(&temporary).unwrap();
        let room = rooms.room(JobId::random(), Token(1), None).unwrap();
        let kind = || room.read_result().map_err(|error| error.kind);
        assert_eq!(kind(), Ok(None));
        fs::write(room.result(), " \n").unwrap();
        assert_eq!(kind(), Ok(None));
        fs::write(room.result(), r#"{"a": 1}"#).unwrap();
        assert_eq!(kind(), Ok(Some(serde_json::json!({"a": 1}))));
        fs::write(room.result(), "{").unwrap();
        assert_eq!(kind(), Err("BadResult".to_owned()));
        fs::write(room.result(), vec![b' '; RESULT_BYTES + 1]).unwrap();
        assert_eq!(kind(), Err("ResultTooLarge".to_owned()));
        fs::remove_file(room.result()).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", room.result()).unwrap();
        assert_eq!(kind(), Err("BadResult".to_owned()));
        fs::remove_file(room.result()).unwrap();
        mkfifo(&room.result(), Mode::S_IRUSR).unwrap();
        assert_eq!(kind(), Err("BadResult".to_owned()));
        drop((room, rooms));
        fs::remove_dir(&temporary).unwrap();
    }
}
