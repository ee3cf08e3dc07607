//! Costs per job as tables.

use std::collections::BTreeSet;

use client::command::table;

use crate::costs::{Costs, REDIS};
use crate::numbers::short;
use crate::processes::Role;

/// Costs with the name of what they were measured in.
pub(crate) type Row<'a> = (String, &'a Costs);

/// The processor time of each program.
pub(crate) fn cpu_table(rows: &[Row<'_>]) -> String {
    let programs = programs(rows.iter().map(|(_, costs)| *costs));
    let header = [&["CPU PER JOB (µs)", "ALL"][..], &programs].concat();
    let cells = rows.iter().map(|(name, costs)| {
        let name = [name.clone()].into_iter();
        name.chain(cpu_cells(costs, &programs)).collect()
    });
    table(&header, cells)
}

/// The programs whose processor time was measured.
pub(crate) fn programs<'a>(costs: impl Iterator<Item = &'a Costs>) -> Vec<&'static str> {
    let measured: BTreeSet<&str> =
        costs.flat_map(|costs| costs.cpu_us_per_job.keys().copied()).collect();
    let all = [REDIS].into_iter().chain(Role::ALL.map(Role::program));
    all.filter(|program| measured.contains(program)).collect()
}

/// The processor time of all programs, then that of each.
pub(crate) fn cpu_cells(costs: &Costs, programs: &[&str]) -> Vec<String> {
    let is_measured = !costs.cpu_us_per_job.is_empty();
    let used = programs.iter().map(|program| costs.cpu_us_per_job.get(program).copied());
    let numbers = [is_measured.then(|| costs.total_cpu_us_per_job())].into_iter().chain(used);
    numbers.map(cell).collect()
}

/// The work of Redis, the messages, and the flushes of the disks.
pub(crate) fn redis_table(rows: &[Row<'_>]) -> String {
    let header = [
        "PER JOB",
        "REDIS COMMANDS",
        "SCRIPT CALLS",
        "µs PER CALL",
        "AOF BYTES",
        "MESSAGES",
        "JOBS PER OFFER",
        "DELIVERIES",
        "DISK FLUSHES",
    ];
    let cells = rows.iter().map(|(name, costs)| {
        let (redis, offers) = (costs.redis.as_ref(), costs.offers.as_ref());
        let numbers = [
            redis.map(|redis| redis.commands_per_job),
            redis.map(|redis| redis.script_calls_per_job),
            redis.map(|redis| redis.us_per_script_call),
            redis.and_then(|redis| redis.append_only_bytes_per_job),
            offers.map(|offers| offers.messages_per_job),
            offers.and_then(|offers| offers.jobs_per_offer),
            offers.and_then(|offers| offers.deliveries_per_job),
            costs.disk_flushes_per_job,
        ];
        [name.clone()].into_iter().chain(numbers.map(cell)).collect()
    });
    table(&header, cells)
}

/// A number; one that was not measured is `-`.
fn cell(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), short)
}
