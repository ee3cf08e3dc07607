//! Cgroups of runs, where cgroup v2 is delegated to the worker. With one, every process of a run is
//! found and killed at once, whatever became of its supervisor; and where the worker may also
//! divide its controllers, memory, CPU and the number of processes are limited. A worker without
//! them runs commands all the same, and warns at startup of limits that are not enforced.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::job::{FencingToken, JobId, WorkerId};
use nix::unistd::{AccessFlags, access};

use super::limits::Limits;

/// The controllers that limits need, all of which a service manager delegates together.
const CONTROLLERS: [&str; 3] = ["memory", "cpu", "pids"];
/// The cgroup of the worker itself, when it had to leave the one that it divides.
const WORKER: &str = "capstan-worker";
/// Written to by a worker or a supervisor, it kills all members (Linux 5.14).
const KILL: &str = "cgroup.kill";
/// The pause between two checks whether killed processes are gone.
const PAUSE: Duration = Duration::from_millis(5);
/// How many times to check. A process that waits for a broken disk cannot be killed.
const LOOKS: u32 = 1000;

/// The worker's cgroup, in which each run gets a child cgroup.
#[derive(Debug)]
pub(super) struct Cgroups {
    directory: PathBuf,
    /// Why limits are not enforced, if they are not.
    no_limits: Option<String>,
}

impl Cgroups {
    /// Prepares the worker's cgroup to be divided. Returns why it cannot be.
    pub(super) fn of_this_worker() -> Result<Cgroups, String> {
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
        let own = own.ok_or("this machine has no cgroup v2")?;
        // An earlier worker of this process may have moved it.
        let own = own.strip_suffix(WORKER).unwrap_or(own);
        let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
        let mut mounts = mounts.iter().map(Path::new);
        let mount = mounts.find(|mount| mount.join("cgroup.controllers").exists());
        Cgroups::below(mount.ok_or("cgroup v2 is not mounted")?.join(own))
    }

    fn below(directory: PathBuf) -> Result<Cgroups, String> {
        let no_limits = divide_controllers(&directory).err();
        let not_delegated = |error| format!("the worker's cgroup is not delegated to it: {error}");
        access(&directory.join("cgroup.procs"), AccessFlags::W_OK).map_err(not_delegated)?;
        let probe = directory.join(format!("capstan-probe-{}", WorkerId::random()));
        fs::create_dir(&probe)
            .map_err(|error| format!("the worker's cgroup is not delegated to it: {error}"))?;
        let can_kill = probe.join(KILL).exists();
        let _ = fs::remove_dir(&probe);
        if no_limits.is_some() && !can_kill {
            return Err("this kernel cannot kill the members of a cgroup".to_owned());
        }
        Ok(Cgroups { directory, no_limits })
    }

    /// Returns why limits are not enforced, if they are not.
    pub(super) fn no_limits(&self) -> Option<&str> {
        self.no_limits.as_deref()
    }

    /// Creates the cgroup of one run.
    pub(super) fn cgroup(
        &self,
        id: JobId,
        token: FencingToken,
        limits: &Limits,
    ) -> io::Result<Cgroup> {
        let cgroup = Cgroup(self.directory.join(format!("capstan-{id}-{token}")));
        fs::create_dir(&cgroup.0)?;
        if self.no_limits.is_some() {
            return Ok(cgroup);
        }
        for (file, value) in limits.cgroup_files() {
            let written = fs::write(cgroup.0.join(file), value);
            // A kernel without swap has no such file.
            if file != "memory.swap.max" {
                written?;
            }
        }
        Ok(cgroup)
    }
}

/// Lets child cgroups limit memory, CPU and processes. Returns why they cannot.
fn divide_controllers(directory: &Path) -> Result<(), String> {
    let controllers = fs::read_to_string(directory.join("cgroup.controllers"));
    let controllers = controllers.map_err(|error| error.to_string())?;
    for required in CONTROLLERS {
        if !controllers.split_whitespace().any(|controller| controller == required) {
            return Err(format!("the worker's cgroup has no {required} controller"));
        }
    }
    let enabled = CONTROLLERS.map(|controller| format!("+{controller}")).join(" ");
    let enable = || fs::write(directory.join("cgroup.subtree_control"), &enabled);
    // A cgroup has either processes or child cgroups with limits, so the worker moves into a child.
    let ready = enable().or_else(|_| move_to_child(directory).and_then(|()| enable()));
    ready.map_err(|error| format!("the worker's cgroup is not delegated to it: {error}"))
}

fn move_to_child(directory: &Path) -> io::Result<()> {
    let own = std::process::id().to_string();
    let members = fs::read_to_string(directory.join("cgroup.procs"))?;
    if members.lines().any(|member| member != own) {
        return Err(io::Error::other("it contains other processes"));
    }
    let child = directory.join(WORKER);
    fs::create_dir_all(&child)?;
    fs::write(child.join("cgroup.procs"), own)
}

/// The cgroup of one run. Dropping it removes it; it must be empty by then.
#[derive(Debug)]
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the path of the file to which a process writes to join.
    pub(super) fn procs_file(&self) -> Option<CString> {
        CString::new(self.0.join("cgroup.procs").as_os_str().as_bytes()).ok()
    }

    /// Returns the path of the file to which a `1` is written to kill every member.
    pub(super) fn kill_file(&self) -> PathBuf {
        self.0.join(KILL)
    }

    /// Kills every member, without waiting until they are gone.
    pub(super) fn kill(&self) {
        // A kernel without this file leaves it to the supervisor.
        let _ = fs::write(self.kill_file(), "1");
    }

    /// Kills what is left, and waits until it is gone. Returns false when something is left.
    pub(super) async fn kill_rest(&self) -> bool {
        for _ in 0..LOOKS {
            let events = fs::read_to_string(self.0.join("cgroup.events")).unwrap_or_default();
            if !events.lines().any(|line| line == "populated 1") {
                return true;
            }
            self.kill();
            tokio::time::sleep(PAUSE).await;
        }
        false
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.0) {
            tracing::debug!(cgroup = %self.0.display(), %error, "cannot remove a cgroup");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cgroup_with_the_required_controllers_has_limits() {
        let directory = std::env::temp_dir().join(JobId::random().to_string());
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("cgroup.procs"), "").unwrap();
        fs::write(directory.join("cgroup.controllers"), "cpuset cpu io memory\n").unwrap();
        let refused = divide_controllers(&directory).unwrap_err();
        assert_eq!(refused, "the worker's cgroup has no pids controller");
        assert_eq!(
            Cgroups::below(directory.clone()).unwrap_err(),
            "this kernel cannot kill the members of a cgroup"
        );
        fs::write(directory.join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        let cgroups = Cgroups::below(directory.clone()).unwrap();
        assert_eq!(cgroups.no_limits(), None);
        let enabled = fs::read_to_string(directory.join("cgroup.subtree_control")).unwrap();
        assert_eq!(enabled, "+memory +cpu +pids");
        let limits = toml::from_str("memory = 1").unwrap();
        let cgroup = cgroups.cgroup(JobId::random(), FencingToken(3), &limits).unwrap();
        let limit = |file: &str| fs::read_to_string(cgroup.0.join(file)).unwrap();
        assert_eq!([limit("memory.max"), limit("pids.max")], ["1", "4096"]);
        assert!(!cgroup.0.join("cpu.max").exists());
        drop(cgroup);
        fs::remove_dir_all(&directory).unwrap();
    }
}
