//! The report: tables for people, one JSON document for programs.

use std::fmt;

use client::command::table;
use serde::Serialize;

use crate::memory::Memory;
use crate::numbers::{Percentiles, grouped, mebibytes, milliseconds};
use crate::pickup::Pickup;
use crate::raw::Raw;
use crate::throughput::Throughput;

/// The measurements; `None` for those that were not made.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) throughput: Option<Throughput>,
    pub(crate) pickup: Option<Pickup>,
    pub(crate) memory: Option<Memory>,
    pub(crate) raw: Option<Raw>,
}

impl Report {
    /// True when every job succeeded.
    pub(crate) fn all_succeeded(&self) -> bool {
        self.throughput.as_ref().is_none_or(|all| all.ended_badly == 0)
    }

    fn rates(&self) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        let mut add = |what: &str, rate: f64, unit: &str| {
            rows.push(vec![what.to_owned(), grouped(rate), unit.to_owned()]);
        };
        if let Some(all) = &self.throughput {
            add("submitted", all.submitted_per_second, "jobs/s");
            add("submitted and finished", all.ended_per_second, "jobs/s");
            if all.ended_badly > 0 {
                add("not successful", all.ended_badly as f64, "jobs");
            }
        }
        if let Some(bare) = self.raw.as_ref().and_then(|raw| raw.broker.as_ref()) {
            add("RabbitMQ alone, one by one", bare.offers_per_second_one_by_one, "offers/s");
            add("RabbitMQ alone, batches of 64", bare.offers_per_second_in_batches, "offers/s");
            add("RabbitMQ alone, 64 IDs per offer", bare.ids_per_second_in_batches, "IDs/s");
        }
        if let Some(bare) = self.raw.as_ref().and_then(|raw| raw.redis.as_ref()) {
            add("Redis alone, one by one", bare.calls_per_second_one_by_one, "calls/s");
            add("Redis alone, 64 in flight", bare.calls_per_second_in_flight, "calls/s");
        }
        rows
    }

    fn memory_rows(&self) -> Vec<Vec<String>> {
        let Some(memory) = &self.memory else { return Vec::new() };
        let services = memory.services.iter().map(|one| {
            let name = format!("{} ({})", one.name, one.pid);
            vec![name, mebibytes(one.before_bytes), mebibytes(one.after_bytes), String::new()]
        });
        let redis = memory.redis.iter().map(|redis| {
            let each = format!("{:.0}", redis.bytes_per_job);
            let (before, after) = (mebibytes(redis.before_bytes), mebibytes(redis.after_bytes));
            vec!["Redis".to_owned(), before, after, each]
        });
        services.chain(redis).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tables = vec![table(&["RATE", "", ""], self.rates())];
        if let Some(pickup) = &self.pickup {
            let title = format!("AT {} JOBS/S (ms)", pickup.jobs_per_second);
            let row = |what: &str, of: &Percentiles| {
                let times = [of.p50_us, of.p90_us, of.p99_us, of.max_us].map(milliseconds);
                [vec![what.to_owned()], times.to_vec()].concat()
            };
            let rows = [row("submit to start", &pickup.submit_to_start), row("POST", &pickup.post)];
            tables.push(table(&[title.as_str(), "P50", "P90", "P99", "MAX"], rows));
        }
        let memory = self.memory_rows();
        if !memory.is_empty() {
            let header = ["MEMORY", "BEFORE (MiB)", "AFTER (MiB)", "BYTES PER JOB"];
            tables.push(table(&header, memory));
        }
        f.write_str(&tables.join("\n\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Growth, RedisMemory};
    use crate::raw::{RawBroker, RawRedis};
    use crate::throughput::Round;
    use expect_test::expect;

    fn report(ended_badly: u64) -> Report {
        let name = "capstan-worker".to_owned();
        let mib = 1 << 20;
        Report {
            throughput: Some(Throughput::of(
                20_000,
                vec![Round { submit_s: 0.5, end_s: 1.0, ended_badly }],
            )),
            pickup: Some(Pickup {
                jobs_per_second: 50,
                jobs: 4,
                submit_to_start: Percentiles::of(vec![1350, 2200, 1400, 1300]),
                post: Percentiles::of(vec![600, 700]),
            }),
            memory: Some(Memory {
                services: vec![Growth {
                    name,
                    pid: 7,
                    before_bytes: 9 * mib,
                    after_bytes: 12 * mib,
                }],
                redis: Some(RedisMemory {
                    before_bytes: 2 * mib,
                    after_bytes: 20 * mib,
                    bytes_per_job: 943.7,
                }),
            }),
            raw: Some(Raw {
                broker: Some(RawBroker {
                    offers_per_second_one_by_one: 1740.0,
                    offers_per_second_in_batches: 12_345.6,
                    ids_per_second_in_batches: 345_678.0,
                }),
                redis: Some(RawRedis {
                    calls_per_second_one_by_one: 9_000.0,
                    calls_per_second_in_flight: 99_000.0,
                }),
            }),
        }
    }

    #[test]
    fn tables_show_the_fleet_beside_rabbitmq_and_redis_alone() {
        expect![[r#"
            RATE
            submitted                         40,000   jobs/s
            submitted and finished            20,000   jobs/s
            RabbitMQ alone, one by one        1,740    offers/s
            RabbitMQ alone, batches of 64     12,346   offers/s
            RabbitMQ alone, 64 IDs per offer  345,678  IDs/s
            Redis alone, one by one           9,000    calls/s
            Redis alone, 64 in flight         99,000   calls/s

            AT 50 JOBS/S (ms)  P50   P90   P99   MAX
            submit to start    1.35  2.20  2.20  2.20
            POST               0.60  0.70  0.70  0.70

            MEMORY              BEFORE (MiB)  AFTER (MiB)  BYTES PER JOB
            capstan-worker (7)  9.0           12.0
            Redis               2.0           20.0         944
        "#]]
        .assert_eq(&(report(0).to_string() + "\n"));
    }

    #[test]
    fn json_has_every_number_with_its_unit_in_the_name() {
        let mut report = report(1);
        assert!(!report.all_succeeded());
        (report.memory, report.raw) = (None, None);
        expect![[r#"
            {
              "throughput": {
                "jobs": 20000,
                "submittedPerSecond": 40000.0,
                "endedPerSecond": 20000.0,
                "endedBadly": 1,
                "rounds": [
                  {
                    "submitS": 0.5,
                    "endS": 1.0,
                    "endedBadly": 1
                  }
                ]
              },
              "pickup": {
                "jobsPerSecond": 50,
                "jobs": 4,
                "submitToStart": {
                  "p50Us": 1350,
                  "p90Us": 2200,
                  "p99Us": 2200,
                  "maxUs": 2200
                },
                "post": {
                  "p50Us": 600,
                  "p90Us": 700,
                  "p99Us": 700,
                  "maxUs": 700
                }
              },
              "memory": null,
              "raw": null
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&report).unwrap());
    }
}
