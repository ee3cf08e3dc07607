//! A private Redis, as durable as Capstan asks for in production.

use std::path::{Path, PathBuf};

use crate::{Error, Probe, Process, Run, free_port};

/// A Redis on a free port of 127.0.0.1 with its data in the folder of a run.
#[derive(Debug)]
pub struct Redis {
    /// The URL of its database.
    pub url: String,
    /// The folder of its data.
    pub data: PathBuf,
    /// Its process.
    pub process: Process,
}

impl Redis {
    /// The name of its program, and of the Debian package that contains it.
    const PROGRAM: &str = "redis-server";
    /// The folder of its append-only files, within its data.
    const APPEND_ONLY: &str = "appendonlydir";

    /// Describes a Redis; it is not started yet.
    pub fn new(run: &Run) -> Result<Redis, Error> {
        let folder = run.create_folder("redis")?;
        let port = free_port()?;
        let mut command = run.command(Redis::PROGRAM);
        command.current_dir(&folder).args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        // An accepted job is on disk before the answer, and nothing is ever evicted.
        command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
        command.args(["--maxmemory-policy", "noeviction", "--maxmemory", "4gb"]);
        // Keeps the record of a job in the compact form even if one of its values is longer than
        // 64 bytes.
        command.args(["--hash-max-listpack-value", "1024"]);
        // Redis would write its title over its environment, which holds the mark of the run.
        command.args(["--set-proc-title", "no"]);
        let process =
            Process::new("redis", command, run.log("redis")).with_probe(Probe::redis(port));
        Ok(Redis { url: format!("redis://127.0.0.1:{port}/0"), data: folder, process })
    }

    /// Copies the data of a Redis that may be running: what it has answered is in the copy.
    pub fn save_data(data: &Path, copy: &Path) -> std::io::Result<()> {
        // Redis only appends to these files, so a copy of them is an earlier state.
        copy_files(&data.join(Redis::APPEND_ONLY), copy)
    }

    /// Puts a copy back in the place of the data of a Redis that is not running: it forgets what it
    /// has answered since, as a failover to a replica that was behind does.
    pub fn restore_data(data: &Path, copy: &Path) -> std::io::Result<()> {
        copy_files(copy, &data.join(Redis::APPEND_ONLY))
    }

    /// Returns the Debian package to install if its program is missing.
    pub(crate) fn missing_package() -> Option<&'static str> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).any(|dir| dir.join(Redis::PROGRAM).is_file());
        (!found).then_some(Redis::PROGRAM)
    }
}

/// Replaces a folder by a copy of another that holds only files.
fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        std::fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}
