//! Memory of the Capstan processes on this machine, and of Redis per job.

use std::fs;

use client::ClientError;
use serde::Serialize;
use store::Store;

use crate::services::unavailable;

/// The memory at one moment.
pub(crate) struct Sample {
    services: Vec<Service>,
    redis_bytes: Option<u64>,
}

/// A Capstan process on this machine.
#[derive(Debug, PartialEq, Eq)]
struct Service {
    name: String,
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
    /// The first 15 characters, as the kernel reports them.
    pub(crate) name: String,
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
pub(crate) async fn sample(store: Option<&Store>) -> Result<Sample, ClientError> {
    let redis_bytes = match store {
        Some(store) => Some(store.memory_use().await.map_err(unavailable)?.used_bytes),
        None => None,
    };
    Ok(Sample { services: services(), redis_bytes })
}

/// Compares the samples before and after `jobs` jobs.
pub(crate) fn compare(before: &Sample, after: &Sample, jobs: u64) -> Memory {
    let was = |pid| before.services.iter().find(|one| one.pid == pid).map_or(0, |one| one.bytes);
    let services = after.services.iter().map(|one| Growth {
        before_bytes: was(one.pid),
        after_bytes: one.bytes,
        name: one.name.clone(),
        pid: one.pid,
    });
    let redis = before.redis_bytes.zip(after.redis_bytes).map(|(before_bytes, after_bytes)| {
        let bytes_per_job = (after_bytes as f64 - before_bytes as f64) / jobs as f64;
        RedisMemory { before_bytes, after_bytes, bytes_per_job }
    });
    Memory { services: services.collect(), redis }
}

/// Finds the other processes whose name begins with `capstan-`; none without /proc.
fn services() -> Vec<Service> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = folders.filter_map(|folder| {
        let pid = folder.file_name().to_str()?.parse().ok()?;
        if pid == std::process::id() {
            return None;
        }
        // Unreadable when the process has ended meanwhile.
        service(pid, &fs::read_to_string(folder.path().join("status")).ok()?)
    });
    let mut found: Vec<Service> = found.collect();
    found.sort_by(|a, b| (&a.name, a.pid).cmp(&(&b.name, b.pid)));
    found
}

fn service(pid: u32, status: &str) -> Option<Service> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let name = field("Name:")?.trim();
    if !name.starts_with("capstan-") {
        return None;
    }
    let kib: u64 = field("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Service { name: name.to_owned(), pid, bytes: kib * 1024 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_recognized_by_the_name_in_its_status() {
        let status =
            "Name:\tcapstan-schedul\nState:\tS (sleeping)\nVmRSS:\t   12345 kB\nThreads:\t3\n";
        let bytes = 12_345 * 1024;
        let found = Service { name: "capstan-schedul".to_owned(), pid: 7, bytes };
        assert_eq!(service(7, status), Some(found));
        assert_eq!(service(7, "Name:\tcapstan\nVmRSS:\t 1 kB\n"), None);
        assert_eq!(service(7, "Name:\tcapstan-api\nState:\tZ (zombie)\n"), None);
    }

    #[test]
    fn growth_is_reported_by_process_and_by_job() {
        let service = |pid, bytes| Service { name: "capstan-api".to_owned(), pid, bytes };
        let before = Sample { services: vec![service(1, 100)], redis_bytes: Some(1000) };
        let after =
            Sample { services: vec![service(1, 150), service(2, 70)], redis_bytes: Some(6000) };
        let memory = compare(&before, &after, 10);
        let grown = memory.services.iter().map(|one| (one.pid, one.before_bytes, one.after_bytes));
        assert_eq!(grown.collect::<Vec<_>>(), [(1, 100, 150), (2, 0, 70)]);
        assert!((memory.redis.unwrap().bytes_per_job - 500.0).abs() < 1e-9);
    }
}
