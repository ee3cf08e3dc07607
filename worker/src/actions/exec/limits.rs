//! What a command may use: limits of its process, which every machine has, and of its cgroup, which the worker must be
//! allowed to make (cgroup v2, delegated to it). Where it is not, that is said when the worker starts.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use shared::job::{JobId, Token};

/// What a file of actions says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::actions) struct Limits {
    /// Of each process.
    pub(super) address_space: Option<Size>,
    /// Of each process.
    pub(super) open_files: Option<u64>,
    /// From 19, the most patient, to -20.
    pub(super) nice: Option<i32>,
    /// Of all processes of the job together.
    memory: Option<Size>,
    /// Of all processes of the job together, in processors.
    cpu: Option<f64>,
}

/// A number of bytes: `1048576`, `"1MiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub(in crate::actions) struct Size(pub(super) u64);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number of bytes, like 1048576 or \"1MiB\"")]
enum Written {
    Bytes(u64),
    Text(String),
}

impl TryFrom<Written> for Size {
    type Error = String;

    fn try_from(written: Written) -> Result<Size, String> {
        let text = match written {
            Written::Bytes(bytes) => return Ok(Size(bytes)),
            Written::Text(text) => text,
        };
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let factor = match &text[digits.len()..] {
            "" | "B" => Some(1),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            "GiB" => Some(1 << 30),
            _ => None,
        };
        let bytes = digits.trim().parse::<u64>().ok().zip(factor);
        let bytes = bytes.and_then(|(count, factor)| count.checked_mul(factor));
        bytes.map(Size).ok_or_else(|| format!("{text:?} is no number of bytes, like \"512MiB\""))
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.nice.is_some_and(|nice| !(-20..=19).contains(&nice)) {
            return Err("limits.nice must be from -20 to 19".to_owned());
        }
        if self.cpu.is_some_and(|cpu| !(0.01..=10_000.0).contains(&cpu)) {
            return Err("limits.cpu must be from 0.01 to 10000 processors".to_owned());
        }
        Ok(())
    }

    fn of_group(&self) -> Vec<(&'static str, String)> {
        const PERIOD_US: f64 = 100_000.0;
        let memory = self.memory.map(|Size(bytes)| ("memory.max", bytes.to_string()));
        // Or it would only be moved elsewhere.
        let swap = self.memory.map(|_| ("memory.swap.max", "0".to_owned()));
        let quota = |cpu: f64| format!("{} {PERIOD_US}", (cpu * PERIOD_US).round());
        let cpu = self.cpu.map(|cpu| ("cpu.max", quota(cpu)));
        [memory, swap, cpu].into_iter().flatten().collect()
    }

    /// True when they need a cgroup.
    pub(in crate::actions) fn need_group(&self) -> bool {
        self.memory.is_some() || self.cpu.is_some()
    }
}

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
        // A cgroup has processes or others below it: the worker, if it is alone there, steps down into one of its own.
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
    fn limits_are_read_and_written_as_the_kernel_wants_them() {
        let read = |text: &str| toml::from_str::<Limits>(text).map_err(|error| error.to_string());
        let limits = read("memory = '512MiB'\ncpu = 1.5\naddress_space = 4096\nnice = 5").unwrap();
        assert_eq!(limits.address_space, Some(Size(4096)));
        let expected = [
            ("memory.max", "536870912".to_owned()),
            ("memory.swap.max", "0".to_owned()),
            ("cpu.max", "150000 100000".to_owned()),
        ];
        assert_eq!(limits.of_group(), expected);
        assert!(limits.check().is_ok() && limits.need_group());
        assert!(!Limits::default().need_group());
        for wrong in ["memory = '1GB'", "memory = ''", "memory = '99999999999GiB'", "cpus = 1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read("nice = 20").unwrap().check().is_err());
        assert!(read("cpu = 0.0").unwrap().check().is_err());
    }

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
        let limits = Limits { memory: Some(Size(1)), ..Limits::default() };
        let group = groups.group(JobId::random(), Token(3), &limits).unwrap();
        assert_eq!(fs::read_to_string(group.0.join("memory.max")).unwrap(), "1");
        assert!(!group.0.join("cpu.max").exists());
        drop(group);
        fs::remove_dir_all(&folder).unwrap();
    }
}
