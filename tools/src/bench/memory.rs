//! Memory of the Capstan processes on this machine, and of Redis per job.

use std::fs;

use client::ClientError;
use serde::Serialize;
use store::Store;

use crate::processes::{Processes, Role};
use crate::services::unavailable;

const FLEET: [Role; 3] = [Role::Scheduler, Role::Worker, Role::Api];

/// The memory at one moment.
pub(crate) struct Sample {
    services: Vec<Service>,
    redis_bytes: Option<u64>,
}

/// A Capstan process on this machine.
#[derive(Debug, PartialEq, Eq)]
struct Service {
    name: &'static str,
    pid: u32,
    bytes: u64,
}

/// The memory before and after the rounds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    /// Empty when the services run elsewhere.
    pub(crate) services: Vec<Growth>,
    pub(crate) redis: Option<RedisMemory>,
}

/// The memory of one process.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Growth {
    pub(crate) name: &'static str,
    pub(crate) pid: u32,
    /// Zero if the process started later.
    pub(crate) before_bytes: u64,
    pub(crate) after_bytes: u64,
}

/// The memory of Redis.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedisMemory {
    pub(crate) before_bytes: u64,
    pub(crate) after_bytes: u64,
    pub(crate) bytes_per_job: f64,
}

/// Takes a sample.
pub(crate) async fn sample(
    processes: &Processes,
    store: Option<&Store>,
) -> Result<Sample, ClientError> {
    let redis_bytes = match store {
        Some(store) => Some(store.memory_use().await.map_err(unavailable)?.used_bytes),
        None => None,
    };
    Ok(Sample { services: services(processes), redis_bytes })
}

/// Compares the samples before and after `jobs` jobs.
pub(crate) fn compare(before: &Sample, after: &Sample, jobs: u64) -> Memory {
    let was = |pid| before.services.iter().find(|one| one.pid == pid).map_or(0, |one| one.bytes);
    let services = after.services.iter().map(|one| Growth {
        before_bytes: was(one.pid),
        after_bytes: one.bytes,
        name: one.name,
        pid: one.pid,
    });
    let redis = before.redis_bytes.zip(after.redis_bytes).map(|(before_bytes, after_bytes)| {
        let bytes_per_job = (after_bytes as f64 - before_bytes as f64) / jobs as f64;
        RedisMemory { before_bytes, after_bytes, bytes_per_job }
    });
    Memory { services: services.collect(), redis }
}

/// Reads the memory of the processes; one that has ended is left out.
fn services(processes: &Processes) -> Vec<Service> {
    let services = processes.of(FLEET).filter_map(|process| {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).ok()?;
        let name = process.role.program();
        Some(Service { name, pid: process.pid, bytes: resident_bytes(&status)? })
    });
    services.collect()
}

fn resident_bytes(status: &str) -> Option<u64> {
    let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = size.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_process_is_what_is_resident() {
        let status = "Name:\tcapstan-schedul\nVmSize:\t 99999 kB\nVmRSS:\t   12345 kB\n";
        assert_eq!(resident_bytes(status), Some(12_345 * 1024));
        assert_eq!(resident_bytes("Name:\tcapstan-api\nState:\tZ (zombie)\n"), None);
    }

    #[test]
    fn growth_is_reported_by_process_and_by_job() {
        let service = |pid, bytes| Service { name: "api", pid, bytes };
        let before = Sample { services: vec![service(1, 100)], redis_bytes: Some(1000) };
        let after =
            Sample { services: vec![service(1, 150), service(2, 70)], redis_bytes: Some(6000) };
        let memory = compare(&before, &after, 10);
        let grown = memory.services.iter().map(|one| (one.pid, one.before_bytes, one.after_bytes));
        assert_eq!(grown.collect::<Vec<_>>(), [(1, 100, 150), (2, 0, 70)]);
        assert!((memory.redis.unwrap().bytes_per_job - 500.0).abs() < 1e-9);
    }
}
