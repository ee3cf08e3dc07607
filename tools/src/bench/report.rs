//! The report: tables for people, one JSON document for programs.

use std::fmt;

use client::command::table;
use serde::Serialize;

use crate::cost_tables::{cpu_table, redis_table};
use crate::memory::Memory;
use crate::numbers::{Percentiles, grouped, mebibytes, milliseconds};
use crate::phase::PhaseReport;
use crate::pickup::Pickup;
use crate::processes::Processes;
use crate::raw::Raw;

/// The measurements; `None` for those that were not made.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) processes: Option<Processes>,
    pub(crate) phases: Vec<PhaseReport>,
    pub(crate) pickup: Option<Pickup>,
    pub(crate) memory: Option<Memory>,
    pub(crate) raw: Option<Raw>,
}

impl Report {
    /// True when every job succeeded.
    pub(crate) fn all_succeeded(&self) -> bool {
        self.phases.iter().all(|phase| phase.fleet.failed == 0)
    }

    fn phase_table(&self) -> Option<String> {
        let rows = self.phases.iter().map(|phase| {
            let rate = phase.fleet.jobs_per_second;
            let floor = phase.floor.as_ref().map(|floor| floor.jobs_per_second);
            let share = floor.filter(|floor| *floor > 0.0).map(|floor| rate / floor);
            vec![
                phase.phase.title().to_owned(),
                grouped(rate),
                floor.map(grouped).unwrap_or_default(),
                share.map(|share| format!("{share:.2}")).unwrap_or_default(),
                if phase.fleet.failed > 0 { phase.fleet.failed.to_string() } else { String::new() },
            ]
        });
        let header = ["JOBS/S", "CAPSTAN", "FLOOR", "CAPSTAN/FLOOR", "FAILED JOBS"];
        (!self.phases.is_empty()).then(|| table(&header, rows))
    }

    fn pickup_table(&self) -> Option<String> {
        let pickup = self.pickup.as_ref()?;
        let title = format!("AT {} JOBS/S (ms)", pickup.jobs_per_second);
        let row = |what: &str, of: &Percentiles| {
            let times = [of.p50_us, of.p90_us, of.p99_us, of.max_us].map(milliseconds);
            [vec![what.to_owned()], times.to_vec()].concat()
        };
        let mut rows = vec![row("submit to start", &pickup.submit_to_start)];
        if let Some(floor) = &pickup.floor {
            rows.push(row("submit to start, floor", &floor.submit_to_start));
        }
        rows.push(row("POST", &pickup.post));
        Some(table(&[title.as_str(), "P50", "P90", "P99", "MAX"], rows))
    }

    /// The costs of each phase, with and without Capstan.
    fn cost_tables(&self) -> Vec<String> {
        let mut rows = Vec::new();
        let mut add = |title: &str, fleet, floor: Option<_>| {
            rows.push((title.to_owned(), fleet));
            rows.extend(floor.map(|floor| (format!("{title}, floor"), floor)));
        };
        for phase in &self.phases {
            let floor = phase.floor.as_ref().map(|floor| &floor.costs);
            add(phase.phase.title(), &phase.fleet.costs, floor);
        }
        if let Some(pickup) = &self.pickup {
            add("pickup", &pickup.costs, pickup.floor.as_ref().map(|floor| &floor.costs));
        }
        if rows.is_empty() { Vec::new() } else { vec![cpu_table(&rows), redis_table(&rows)] }
    }

    fn memory_table(&self) -> Option<String> {
        let memory = self.memory.as_ref()?;
        let services = memory.services.iter().map(|one| {
            let name = format!("{} ({})", one.name, one.pid);
            vec![name, mebibytes(one.before_bytes), mebibytes(one.after_bytes), String::new()]
        });
        let redis = memory.redis.iter().map(|redis| {
            let each = format!("{:.0}", redis.bytes_per_job);
            let (before, after) = (mebibytes(redis.before_bytes), mebibytes(redis.after_bytes));
            vec!["redis-server".to_owned(), before, after, each]
        });
        let rows: Vec<_> = services.chain(redis).collect();
        let header = ["MEMORY", "BEFORE (MiB)", "AFTER (MiB)", "BYTES PER JOB"];
        (!rows.is_empty()).then(|| table(&header, rows))
    }

    fn raw_table(&self) -> Option<String> {
        let raw = self.raw.as_ref()?;
        let mut rows = Vec::new();
        let mut add = |what: &str, rate: f64, unit: &str| {
            rows.push(vec![what.to_owned(), grouped(rate), unit.to_owned()]);
        };
        if let Some(bare) = &raw.broker {
            add("RabbitMQ alone, one by one", bare.offers_per_second_one_by_one, "offers/s");
            add("RabbitMQ alone, batches of 64", bare.offers_per_second_in_batches, "offers/s");
            add("RabbitMQ alone, 64 IDs per offer", bare.ids_per_second_in_batches, "IDs/s");
        }
        if let Some(bare) = &raw.redis {
            add("Redis alone, one by one", bare.calls_per_second_one_by_one, "calls/s");
            add("Redis alone, 64 in flight", bare.calls_per_second_in_flight, "calls/s");
        }
        Some(table(&["RATE", "", ""], rows))
    }

    fn missing(&self) -> Option<String> {
        let missing = &self.processes.as_ref()?.missing;
        let lines = missing.iter().map(|one| format!("CPU not measured of {one}"));
        (!missing.is_empty()).then(|| lines.collect::<Vec<_>>().join("\n"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = self.phase_table().into_iter().collect();
        parts.extend(self.pickup_table());
        parts.extend(self.cost_tables());
        parts.extend(self.missing());
        parts.extend(self.memory_table());
        parts.extend(self.raw_table());
        f.write_str(&parts.join("\n\n"))
    }
}

#[cfg(test)]
mod tests;
