//! The state after the drain: the store is consistent, and everything that is bounded is small.

use store::{Dumped, WorkerStatus};

use super::violations::Violations;
use crate::fleet::{PROCESSES, worker_count};
use crate::observations::Observations;

const CONSISTENT: &str = "lists, counts and records agree";
const BOUNDED: &str = "everything is bounded";

/// Redis trims the stream to about 10,000 entries, by whole nodes. An entry has up to 32 events.
const MAX_EVENTS: usize = 32 * 11_000;
const MAX_MEMORY_KIB: u64 = 150 * 1024;
const MAX_FILES: usize = 200;

pub(super) fn check(observations: &Observations, violations: &mut Violations) {
    for disagreement in testkit::disagreements(&observations.dump) {
        violations.add(CONSISTENT, disagreement);
    }
    for (key, value) in &observations.dump {
        let count = match value {
            Dumped::Text(text) => text.len(),
            Dumped::Hash(fields) => fields.len(),
            Dumped::Set(members) => members.len(),
            Dumped::Sorted(members) => members.len(),
            Dumped::List(entries) => entries.len(),
            Dumped::Stream(entries) => entries.len(),
        };
        match key.split(':').next().unwrap_or_default() {
            "ready" | "due" | "running" | "outbox" | "batches" | "batch" | "expiring"
            | "unique" | "cron_held"
                if count > 0 =>
            {
                violations.add(BOUNDED, format!("{key} has {count} entries after the drain"));
            }
            "events" if count > MAX_EVENTS => {
                violations.add(BOUNDED, format!("{count} events are kept"));
            }
            _ => {}
        }
    }
    let is_running = |status| status == WorkerStatus::Running;
    let running = observations.workers.iter().filter(|worker| is_running(worker.status)).count();
    if running != worker_count() {
        let details = format!("{running} workers are recorded as running, {} run", worker_count());
        violations.add(CONSISTENT, details);
    }
    for service in PROCESSES.iter().filter(|process| process.role.is_service()) {
        let usage = observations.resource_usage.get(service.name);
        let (memory, files) = usage.copied().unwrap_or_default();
        if memory > MAX_MEMORY_KIB || files > MAX_FILES {
            let details = format!("{} had {memory} KiB and {files} open files", service.name);
            violations.add(BOUNDED, details);
        }
    }
}
