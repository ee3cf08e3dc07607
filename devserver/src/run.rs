//! The folder of a run, the lock on it, and the mark by which processes of a dead run are found.
//!
//! Every process has [`MARK`]`=<folder>` in its environment, and its children inherit it. Only
//! processes with the mark are killed, even if their parent has died. The owner of a run holds the
//! lock in the folder as long as it lives. A run that is not locked was left behind when its owner
//! was killed.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Error, Log, ports};

/// The environment variable that holds the folder of the run.
pub const MARK: &str = "CAPSTAN_DEV_RUN";

const TEMPORARY_PREFIX: &str = "capstan-up-";
const KILL_LIMIT: Duration = Duration::from_secs(10);
const KILL_PERIOD: Duration = Duration::from_millis(10);

/// A folder that belongs to this process alone. Dropping it kills every process that
/// carries its mark, and deletes the folder if it is temporary.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    temporary: bool,
    _lock: File,
}

impl Run {
    /// Opens a folder that is kept, and creates it if needed. Fails if another run has it open.
    pub fn open(folder: &Path) -> Result<Run, Error> {
        let creating = |error| Error::io(format!("create {}", folder.display()))(error);
        std::fs::create_dir_all(folder).map_err(creating)?;
        // The mark of its processes must not depend on the working directory.
        let folder = folder.canonicalize().map_err(creating)?;
        let path = folder.join("lock");
        let lock = File::options().append(true).create(true).open(&path).map_err(creating)?;
        if lock.try_lock().is_err() {
            return Err(Error::FolderInUse { folder });
        }
        kill_marked(|marked| marked == folder);
        Run::with(folder, lock, false)
    }

    /// Creates a folder that is deleted at the end of the run.
    pub fn temporary() -> Result<Run, Error> {
        let folder = std::env::temp_dir().join(format!("{TEMPORARY_PREFIX}{:x}", ports::random()));
        let creating = |error| Error::io(format!("create {}", folder.display()))(error);
        DirBuilder::new().mode(0o700).create(&folder).map_err(creating)?;
        let folder = folder.canonicalize().map_err(creating)?;
        // Locked before it gets its name: a sweep takes a lock that is free for abandoned.
        let unnamed = folder.join("new-lock");
        let lock = File::create(&unnamed).map_err(creating)?;
        lock.lock().map_err(creating)?;
        std::fs::rename(unnamed, folder.join("lock")).map_err(creating)?;
        Run::with(folder, lock, true)
    }

    /// Kills the processes of runs whose owner was killed, and deletes their temporary folders.
    /// Returns whether there were any processes.
    pub fn sweep() -> bool {
        let killed = kill_marked(is_abandoned);
        let folders = std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
        for folder in folders {
            let named = folder.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX);
            let is_folder = folder.file_type().is_ok_and(|kind| kind.is_dir());
            if named && is_folder && is_abandoned(&folder.path()) {
                // Fails for the folder of another user.
                let _ = std::fs::remove_dir_all(folder.path());
            }
        }
        killed
    }

    /// The absolute path of the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The log file of a process.
    #[must_use]
    pub fn log(&self, process: &str) -> Log {
        Log::File(self.folder.join("log").join(process))
    }

    /// A command whose process belongs to this run.
    #[must_use]
    pub fn command(&self, program: impl AsRef<Path>) -> std::process::Command {
        let mut command = std::process::Command::new(program.as_ref());
        command.env(MARK, &self.folder);
        command
    }

    /// Creates a folder in the folder of this run.
    pub(crate) fn create_folder(&self, name: &str) -> Result<PathBuf, Error> {
        let folder = self.folder.join(name);
        let creating = Error::io(format!("create {}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(creating)?;
        Ok(folder)
    }

    fn with(folder: PathBuf, lock: File, temporary: bool) -> Result<Run, Error> {
        let run = Run { folder, temporary, _lock: lock };
        let logs = run.create_folder("log")?;
        for old in std::fs::read_dir(logs).into_iter().flatten().flatten() {
            let _ = std::fs::remove_file(old.path());
        }
        Ok(run)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        kill_marked(|marked| marked == self.folder);
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Whether a folder has a lock that no process holds. A folder without a lock file may be that of a
/// container whose processes we can see.
fn is_abandoned(folder: &Path) -> bool {
    File::open(folder.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok())
}

/// Kills the processes whose mark is accepted, until none is left. Returns whether there were any.
fn kill_marked(accept: impl Fn(&Path) -> bool) -> bool {
    let deadline = Instant::now() + KILL_LIMIT;
    let mut any = false;
    loop {
        let pids: Vec<i32> =
            marked().filter(|(_, folder)| accept(folder)).map(|(pid, _)| pid).collect();
        if pids.is_empty() || Instant::now() > deadline {
            return any;
        }
        any = true;
        for pid in pids {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        std::thread::sleep(KILL_PERIOD);
    }
}

/// The processes that carry a mark, except this one, with the folder that it names.
fn marked() -> impl Iterator<Item = (i32, PathBuf)> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|process| {
        let pid: i32 = process.file_name().to_str()?.parse().ok()?;
        let environment = std::fs::read(process.path().join("environ")).ok()?;
        let folder = environment.split(|byte| *byte == 0).find_map(|variable| {
            let variable = str::from_utf8(variable).ok()?;
            variable.strip_prefix(MARK)?.strip_prefix('=').map(PathBuf::from)
        })?;
        (pid != std::process::id().cast_signed()).then_some((pid, folder))
    })
}
