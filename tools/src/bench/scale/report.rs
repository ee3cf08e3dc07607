//! The report of `bench scale`: a row for each case.

use std::fmt;

use client::command::table;
use serde::Serialize;

use super::cases::Dimension;
use crate::cost_tables::{cpu_cells, programs};
use crate::costs::Costs;
use crate::numbers::grouped;
use crate::processes::Processes;

/// All cases that were measured.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScaleReport {
    pub(super) processes: Processes,
    pub(super) rows: Vec<Row>,
    /// Why the cases after these rows were not measured.
    pub(super) stopped: Option<String>,
}

impl ScaleReport {
    /// True when no error stopped it.
    pub(crate) fn is_complete(&self) -> bool {
        self.stopped.is_none()
    }
}

/// One case.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) dimension: Dimension,
    pub(super) value: String,
    /// Jobs that were submitted. A retry is not counted as another job.
    pub(super) jobs: u64,
    pub(super) jobs_per_second: f64,
    pub(super) cpu_us_per_job: f64,
    pub(super) costs: Costs,
}

impl fmt::Display for ScaleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let programs = programs(self.rows.iter().map(|row| &row.costs));
        let header = ["VARIED", "VALUE", "JOBS/S", "CPU PER JOB (µs)"];
        let header = [&header[..], &programs].concat();
        let rows = self.rows.iter().map(|row| {
            let (title, rate) = (row.dimension.title().to_owned(), grouped(row.jobs_per_second));
            let first = [title, row.value.clone(), rate];
            first.into_iter().chain(cpu_cells(&row.costs, &programs)).collect()
        });
        f.write_str(&table(&header, rows))?;
        for one in &self.processes.missing {
            write!(f, "\n\nCPU not measured of {one}")?;
        }
        self.stopped.iter().try_for_each(|reason| write!(f, "\n\n{reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn each_case_is_one_row() {
        let row = |dimension, value: &str, jobs_per_second, redis| Row {
            dimension,
            value: value.to_owned(),
            jobs: 5000,
            jobs_per_second,
            cpu_us_per_job: redis + 40.0,
            costs: Costs {
                cpu_us_per_job: [("redis-server", redis), ("worker", 40.0)].into(),
                ..Costs::default()
            },
        };
        let rows = vec![
            row(Dimension::KeptJobs, "1,000", 12_345.6, 90.0),
            row(Dimension::Workers, "10", 11_000.0, 95.5),
            row(Dimension::Kind, "with a lock", 9_000.0, 120.0),
        ];
        let stopped = Some("stopped while measuring kind: RabbitMQ is slow".to_owned());
        let report = ScaleReport { processes: Processes::default(), rows, stopped };
        assert!(!report.is_complete());
        expect![[r#"
            VARIED     VALUE        JOBS/S  CPU PER JOB (µs)  redis-server  worker
            kept jobs  1,000        12,346  130               90.0          40.0
            workers    10           11,000  136               95.5          40.0
            kind       with a lock  9,000   160               120           40.0

            stopped while measuring kind: RabbitMQ is slow
        "#]]
        .assert_eq(&(report.to_string() + "\n"));
    }
}
