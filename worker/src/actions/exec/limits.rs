//! Resource limits of commands. Limits of a process work everywhere; limits of a cgroup only where
//! the worker may create cgroups.
//!
//! The number of processes is not limited with `RLIMIT_NPROC`: it counts the processes of a user on
//! the whole machine, so one job would make those of others fail.

use serde::Deserialize;

/// How many processes and threads a job may have unless its action says otherwise. More than a sane
/// job needs, and few enough for a job that only forks to leave the machine usable.
const PROCESSES: u64 = 4096;

/// The `limits` of an action in the actions file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::actions) struct Limits {
    /// The address space of each process.
    pub(super) address_space: Option<Size>,
    /// The open files of each process.
    pub(super) open_files: Option<u64>,
    /// The niceness, from -20 (highest priority) to 19.
    pub(super) nice: Option<i32>,
    /// The memory of all processes of the job together.
    memory: Option<Size>,
    /// The CPU time of all processes of the job together, in processors.
    cpu: Option<f64>,
    /// The processes and threads of the job together.
    processes: Option<u64>,
}

/// A number of bytes: `1048576`, `"1MiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "RawSize")]
pub(in crate::actions) struct Size(pub(super) u64);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number of bytes such as 1048576 or \"1MiB\"")]
enum RawSize {
    Bytes(u64),
    Text(String),
}

impl TryFrom<RawSize> for Size {
    type Error = String;

    fn try_from(raw: RawSize) -> Result<Size, String> {
        let text = match raw {
            RawSize::Bytes(bytes) => return Ok(Size(bytes)),
            RawSize::Text(text) => text,
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
        bytes.map(Size).ok_or_else(|| {
            format!("{text:?} is not a size; expected a number of bytes such as \"512MiB\"")
        })
    }
}

impl Limits {
    /// Returns an error that names the first limit that is out of range.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.nice.is_some_and(|nice| !(-20..=19).contains(&nice)) {
            return Err("limits.nice must be from -20 to 19".to_owned());
        }
        if self.cpu.is_some_and(|cpu| !(0.01..=10_000.0).contains(&cpu)) {
            return Err("limits.cpu must be from 0.01 to 10000 processors".to_owned());
        }
        if self.processes == Some(0) {
            return Err("limits.processes must be at least 1".to_owned());
        }
        Ok(())
    }

    /// Returns the files of a cgroup with their contents.
    pub(super) fn cgroup_files(&self) -> Vec<(&'static str, String)> {
        const PERIOD_US: f64 = 100_000.0;
        let memory = self.memory.map(|Size(bytes)| ("memory.max", bytes.to_string()));
        // Without this limit the memory would be moved to swap.
        let swap = self.memory.map(|_| ("memory.swap.max", "0".to_owned()));
        let quota = |cpu: f64| format!("{} {PERIOD_US}", (cpu * PERIOD_US).round());
        let cpu = self.cpu.map(|cpu| ("cpu.max", quota(cpu)));
        let processes = self.processes.unwrap_or(PROCESSES);
        let processes = Some(("pids.max", processes.to_string()));
        [memory, swap, cpu, processes].into_iter().flatten().collect()
    }

    /// Returns true when the limits need a cgroup.
    pub(in crate::actions) fn need_cgroup(&self) -> bool {
        self.memory.is_some() || self.cpu.is_some() || self.processes.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_parsed_and_written_in_the_kernels_format() {
        let parse = |text: &str| toml::from_str::<Limits>(text).map_err(|error| error.to_string());
        let limits = parse("memory = '512MiB'\ncpu = 1.5\naddress_space = 4096\nnice = 5").unwrap();
        assert_eq!(limits.address_space, Some(Size(4096)));
        let expected = [
            ("memory.max", "536870912".to_owned()),
            ("memory.swap.max", "0".to_owned()),
            ("cpu.max", "150000 100000".to_owned()),
            ("pids.max", "4096".to_owned()),
        ];
        assert_eq!(limits.cgroup_files(), expected);
        assert!(limits.check().is_ok() && limits.need_cgroup());
        assert!(!Limits::default().need_cgroup());
        let limits = parse("processes = 8").unwrap();
        assert_eq!(limits.cgroup_files(), [("pids.max", "8".to_owned())]);
        assert!(limits.need_cgroup());
        for wrong in ["memory = '1GB'", "memory = ''", "memory = '99999999999GiB'", "cpus = 1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("nice = 20").unwrap().check().is_err());
        assert!(parse("cpu = 0.0").unwrap().check().is_err());
        assert!(parse("processes = 0").unwrap().check().is_err());
    }
}
