//! Cgroups for commands with a limit of memory or CPU. They need cgroup v2, delegated to the
//! worker; a worker without it warns at startup that these limits are not enforced.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use domain::job::{FencingToken, JobId};

use super::limits::Limits;

/// The worker's cgroup, in which each run gets a child cgroup.
#[derive(Debug)]
pub(super) struct Cgroups(PathBuf);

impl Cgroups {
    /// Prepares the worker's cgroup to be divided. Returns why it cannot be.
    pub(super) fn of_this_worker() -> Result<Cgroups, String> {
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
        let own = own.ok_or("this machine has no cgroup v2")?;
        let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
        let mut mounts = mounts.iter().map(Path::new);
        let mount = mounts.find(|mount| mount.join("cgroup.controllers").exists());
        Cgroups::below(mount.ok_or("cgroup v2 is not mounted")?.join(own))
    }

    fn below(directory: PathBuf) -> Result<Cgroups, String> {
        let controllers = fs::read_to_string(directory.join("cgroup.controllers"));
        let controllers = controllers.map_err(|error| error.to_string())?;
        for required in ["memory", "cpu"] {
            if !controllers.split_whitespace().any(|controller| controller == required) {
                return Err(format!("the worker's cgroup has no {required} controller"));
            }
        }
        let enable = || fs::write(directory.join("cgroup.subtree_control"), "+memory +cpu");
        // A cgroup has either processes or child cgroups, so the worker moves into a child.
        let ready = enable().or_else(|_| move_to_child(&directory).and_then(|()| enable()));
        ready.map_err(|error| format!("the worker's cgroup is not delegated to it: {error}"))?;
        Ok(Cgroups(directory))
    }

    /// Creates the cgroup of one run.
    pub(super) fn cgroup(
        &self,
        id: JobId,
        token: FencingToken,
        limits: &Limits,
    ) -> io::Result<Cgroup> {
        let cgroup = Cgroup(self.0.join(format!("capstan-{id}-{token}")));
        fs::create_dir(&cgroup.0)?;
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

fn move_to_child(directory: &Path) -> io::Result<()> {
    let own = std::process::id().to_string();
    let members = fs::read_to_string(directory.join("cgroup.procs"))?;
    if members.lines().any(|member| member != own) {
        return Err(io::Error::other("it contains other processes"));
    }
    let child = directory.join("capstan-worker");
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
    fn only_a_cgroup_with_the_required_controllers_is_divided() {
        let directory = std::env::temp_dir().join(JobId::random().to_string());
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("cgroup.controllers"), "cpuset cpu io\n").unwrap();
        let refused = Cgroups::below(directory.clone()).unwrap_err();
        assert_eq!(refused, "the worker's cgroup has no memory controller");
        fs::write(directory.join("cgroup.controllers"), "cpu memory\n").unwrap();
        let cgroups = Cgroups::below(directory.clone()).unwrap();
        let enabled = fs::read_to_string(directory.join("cgroup.subtree_control")).unwrap();
        assert_eq!(enabled, "+memory +cpu");
        let limits = toml::from_str("memory = 1").unwrap();
        let cgroup = cgroups.cgroup(JobId::random(), FencingToken(3), &limits).unwrap();
        assert_eq!(fs::read_to_string(cgroup.0.join("memory.max")).unwrap(), "1");
        assert!(!cgroup.0.join("cpu.max").exists());
        drop(cgroup);
        fs::remove_dir_all(&directory).unwrap();
    }
}
