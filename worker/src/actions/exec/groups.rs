//! Cgroups for runs whose commands are limited in memory or processors: cgroup v2, delegated to the
//! worker. Where it is not, that is said when the worker starts.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use domain::job::{JobId, Token};

use super::limits::Limits;

/// The cgroup below which jobs have theirs.
#[derive(Debug)]
pub(in crate::actions) struct Groups(PathBuf);

impl Groups {
    /// The worker's own cgroup, made ready to have others below it; or why that cannot be.
    pub(in crate::actions) fn of_this_worker() -> Result<Groups, String> {
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
        let own = own.ok_or("this machine has no cgroup v2")?;
        let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
        let mut mounts = mounts.iter().map(Path::new);
        let mount = mounts.find(|mount| mount.join("cgroup.controllers").exists());
        let folder = mount.ok_or("no cgroup v2 is mounted")?.join(own);
        Groups::below(folder)
    }

    fn below(folder: PathBuf) -> Result<Groups, String> {
        let controllers = fs::read_to_string(folder.join("cgroup.controllers"));
        let controllers = controllers.map_err(|error| error.to_string())?;
        for wanted in ["memory", "cpu"] {
            if !controllers.split_whitespace().any(|controller| controller == wanted) {
                return Err(format!("the worker's cgroup v2 does not control {wanted}"));
            }
        }
        let enable = || fs::write(folder.join("cgroup.subtree_control"), "+memory +cpu");
        // A cgroup has processes or others below it: the worker, if it is alone there, steps down
        // into one of its own.
        let ready = enable().or_else(|_| step_down(&folder).and_then(|()| enable()));
        ready.map_err(|error| format!("the worker's cgroup is not its own to divide: {error}"))?;
        Ok(Groups(folder))
    }

    /// A cgroup for one run.
    pub(super) fn group(&self, id: JobId, token: Token, limits: &Limits) -> io::Result<Group> {
        let group = Group(self.0.join(format!("capstan-{id}-{token}")));
        fs::create_dir(&group.0)?;
        for (file, value) in limits.of_group() {
            let written = fs::write(group.0.join(file), value);
            // A kernel without swap has no limit of it.
            if file != "memory.swap.max" {
                written?;
            }
        }
        Ok(group)
    }
}

fn step_down(folder: &Path) -> io::Result<()> {
    let own = std::process::id().to_string();
    let members = fs::read_to_string(folder.join("cgroup.procs"))?;
    if members.lines().any(|member| member != own) {
        return Err(io::Error::other("it has other processes"));
    }
    let leaf = folder.join("capstan-worker");
    fs::create_dir_all(&leaf)?;
    fs::write(leaf.join("cgroup.procs"), own)
}

/// The cgroup of one run. Goes when it is dropped, and must be empty by then.
#[derive(Debug)]
pub(super) struct Group(PathBuf);

impl Group {
    /// Its folder.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The file that takes its members.
    pub(super) fn members(&self) -> Option<CString> {
        CString::new(self.0.join("cgroup.procs").as_os_str().as_bytes()).ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.0) {
            tracing::debug!(group = %self.0.display(), %error, "cannot remove a cgroup");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_divides_only_a_cgroup_that_controls_what_is_asked() {
        let folder = std::env::temp_dir().join(JobId::random().to_string());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("cgroup.controllers"), "cpuset cpu io\n").unwrap();
        let refused = Groups::below(folder.clone()).unwrap_err();
        assert_eq!(refused, "the worker's cgroup v2 does not control memory");
        fs::write(folder.join("cgroup.controllers"), "cpu memory\n").unwrap();
        let groups = Groups::below(folder.clone()).unwrap();
        let enabled = fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap();
        assert_eq!(enabled, "+memory +cpu");
        let limits = toml::from_str("memory = 1").unwrap();
        let group = groups.group(JobId::random(), Token(3), &limits).unwrap();
        assert_eq!(fs::read_to_string(group.0.join("memory.max")).unwrap(), "1");
        assert!(!group.0.join("cpu.max").exists());
        drop(group);
        fs::remove_dir_all(&folder).unwrap();
    }
}
