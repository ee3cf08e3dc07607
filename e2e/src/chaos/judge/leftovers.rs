//! After the drain nothing is left over: the store agrees with itself, and what is bounded is small.

use store::{Dumped, WorkerStatus};

use super::Findings;
use crate::evidence::Evidence;
use crate::fleet::{MEMBERS, Role};

const AGREES: &str = "7: lists, counts and records agree";
const BOUNDED: &str = "8: everything is bounded";

/// The stream is trimmed to about 10,000; Redis trims whole nodes of it.
const EVENTS: usize = 11_000;
const MEMORY_KIB: u64 = 150 * 1024;
const FILES: usize = 200;

pub(super) fn judge(evidence: &Evidence, findings: &mut Findings) {
    for wrong in e2e::disagreements(&evidence.world) {
        findings.add(AGREES, wrong);
    }
    for (key, value) in &evidence.world {
        let count = match value {
            Dumped::Text(text) => text.len(),
            Dumped::Hash(fields) => fields.len(),
            Dumped::Set(members) => members.len(),
            Dumped::Sorted(members) => members.len(),
            Dumped::List(entries) => entries.len(),
            Dumped::Stream(entries) => entries.len(),
        };
        let kind = key.split(':').next().unwrap_or_default();
        match kind {
            "ready" | "due" | "held" | "outbox" | "batches" | "batch" | "expiring" | "unique"
            | "cron_held"
                if count > 0 =>
            {
                findings.add(BOUNDED, format!("{key} has {count} entries after the drain"));
            }
            "events" if count > EVENTS => {
                findings.add(BOUNDED, format!("{count} events are kept"));
            }
            _ => {}
        }
    }
    let living = evidence.workers.iter().filter(|worker| worker.status == WorkerStatus::Running);
    let expected = MEMBERS.iter().filter(|member| member.1 == Role::Worker).count();
    let living = living.count();
    if living != expected {
        findings.add(AGREES, format!("{living} workers are said to run, {expected} do"));
    }
    for (name, (memory, files)) in &evidence.sizes {
        let ours = MEMBERS
            .iter()
            .any(|member| member.0 == *name && !matches!(member.1, Role::Redis | Role::RabbitMq));
        if ours && (*memory > MEMORY_KIB || *files > FILES) {
            findings.add(BOUNDED, format!("{name} had {memory} KiB and {files} open files"));
        }
    }
}
