//! A private Redis, as durable as Capstan asks for in production.

use crate::{Error, Probe, Process, Run, free_port};

/// A Redis on a free port of 127.0.0.1 with its data in the folder of a run.
#[derive(Debug)]
pub struct Redis {
    /// The URL of its database.
    pub url: String,
    /// Its process.
    pub process: Process,
}

impl Redis {
    /// The name of its program, and of the Debian package that contains it.
    const PROGRAM: &str = "redis-server";

    /// Describes a Redis; it is not started yet.
    pub fn new(run: &Run) -> Result<Redis, Error> {
        let folder = run.create_folder("redis")?;
        let port = free_port()?;
        let mut command = run.command(Redis::PROGRAM);
        command.current_dir(folder).args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
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
        Ok(Redis { url: format!("redis://127.0.0.1:{port}/0"), process })
    }

    /// Returns the Debian package to install if its program is missing.
    pub(crate) fn missing_package() -> Option<&'static str> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).any(|dir| dir.join(Redis::PROGRAM).is_file());
        (!found).then_some(Redis::PROGRAM)
    }
}
