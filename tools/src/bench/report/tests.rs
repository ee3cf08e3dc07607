use expect_test::expect;

use super::*;
use crate::costs::{Costs, OfferCosts, RedisCosts};
use crate::memory::{Growth, RedisMemory};
use crate::phase::{Measured, Phase};
use crate::pickup::PickupFloor;
use crate::processes::{Missing, Role};
use crate::raw::{RawBroker, RawRedis};

fn report(failed: u64) -> Report {
    let mib = 1 << 20;
    let measured = |jobs_per_second: f64, failed, costs| Measured {
        jobs_per_second,
        rounds_jobs_per_second: vec![jobs_per_second],
        failed,
        costs,
    };
    Report {
        processes: Some(Processes {
            found: Vec::new(),
            missing: vec![Missing { role: Role::Api, reason: "the API is on another machine" }],
        }),
        phases: vec![
            PhaseReport {
                phase: Phase::Submit,
                jobs: 1000,
                fleet: measured(18_500.4, failed, fleet_costs()),
                floor: Some(measured(37_000.0, 0, floor_costs())),
            },
            PhaseReport {
                phase: Phase::LiveSingle,
                jobs: 1000,
                fleet: measured(3_500.0, 0, Costs::default()),
                floor: None,
            },
        ],
        pickup: Some(Pickup {
            jobs_per_second: 50,
            jobs: 4,
            submit_to_start: Percentiles::of(vec![1350, 2200, 1400, 1300]),
            post: Percentiles::of(vec![600, 700]),
            costs: fleet_costs(),
            floor: Some(PickupFloor {
                submit_to_start: Percentiles::of(vec![900]),
                costs: floor_costs(),
            }),
        }),
        memory: Some(Memory {
            services: vec![Growth {
                name: "worker",
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

fn fleet_costs() -> Costs {
    Costs {
        cpu_us_per_job: [("redis-server", 91.24), ("worker", 40.0), ("bench", 1.5)].into(),
        redis: Some(RedisCosts {
            commands_per_job: 8.04,
            script_calls_per_job: 0.0681,
            us_per_script_call: 480.0,
            append_only_bytes_per_job: Some(1_912.0),
        }),
        offers: Some(OfferCosts {
            messages_per_job: 0.0156,
            jobs_per_offer: Some(64.0),
            deliveries_per_job: None,
        }),
        disk_flushes_per_job: Some(0.1),
    }
}

fn floor_costs() -> Costs {
    Costs {
        cpu_us_per_job: [("redis-server", 20.0), ("bench", 80.0)].into(),
        redis: None,
        offers: None,
        disk_flushes_per_job: None,
    }
}

#[test]
fn tables_show_the_fleet_beside_the_floor() {
    expect![[r#"
        JOBS/S              CAPSTAN  FLOOR   CAPSTAN/FLOOR  FAILED JOBS
        submit only         18,500   37,000  0.50           3
        live, single POSTs  3,500

        AT 50 JOBS/S (ms)       P50   P90   P99   MAX
        submit to start         1.35  2.20  2.20  2.20
        submit to start, floor  0.90  0.90  0.90  0.90
        POST                    0.60  0.70  0.70  0.70

        CPU PER JOB (µs)    ALL  redis-server  worker  bench
        submit only         133  91.2          40.0    1.50
        submit only, floor  100  20.0          -       80.0
        live, single POSTs  -    -             -       -
        pickup              133  91.2          40.0    1.50
        pickup, floor       100  20.0          -       80.0

        PER JOB             REDIS COMMANDS  SCRIPT CALLS  µs PER CALL  AOF BYTES  MESSAGES  JOBS PER OFFER  DELIVERIES  DISK FLUSHES
        submit only         8.04            0.068         480          1,912      0.016     64.0            -           0.100
        submit only, floor  -               -             -            -          -         -               -           -
        live, single POSTs  -               -             -            -          -         -               -           -
        pickup              8.04            0.068         480          1,912      0.016     64.0            -           0.100
        pickup, floor       -               -             -            -          -         -               -           -

        CPU not measured of api: the API is on another machine

        MEMORY        BEFORE (MiB)  AFTER (MiB)  BYTES PER JOB
        worker (7)    9.0           12.0
        redis-server  2.0           20.0         944

        RATE
        RabbitMQ alone, one by one        1,740    offers/s
        RabbitMQ alone, batches of 64     12,346   offers/s
        RabbitMQ alone, 64 IDs per offer  345,678  IDs/s
        Redis alone, one by one           9,000    calls/s
        Redis alone, 64 in flight         99,000   calls/s
    "#]].assert_eq(&(report(3).to_string() + "\n"));
}

#[test]
fn json_has_every_number_with_its_unit_in_the_name() {
    let mut report = report(1);
    assert!(!report.all_succeeded());
    report.phases.truncate(1);
    (report.memory, report.raw, report.pickup) = (None, None, None);
    expect![[r#"
        {
          "processes": {
            "found": [],
            "missing": [
              {
                "role": "api",
                "reason": "the API is on another machine"
              }
            ]
          },
          "phases": [
            {
              "phase": "submit",
              "jobs": 1000,
              "fleet": {
                "jobsPerSecond": 18500.4,
                "roundsJobsPerSecond": [
                  18500.4
                ],
                "failed": 1,
                "costs": {
                  "cpuUsPerJob": {
                    "bench": 1.5,
                    "redis-server": 91.24,
                    "worker": 40.0
                  },
                  "redis": {
                    "commandsPerJob": 8.04,
                    "scriptCallsPerJob": 0.0681,
                    "usPerScriptCall": 480.0,
                    "appendOnlyBytesPerJob": 1912.0
                  },
                  "offers": {
                    "messagesPerJob": 0.0156,
                    "jobsPerOffer": 64.0,
                    "deliveriesPerJob": null
                  },
                  "diskFlushesPerJob": 0.1
                }
              },
              "floor": {
                "jobsPerSecond": 37000.0,
                "roundsJobsPerSecond": [
                  37000.0
                ],
                "failed": 0,
                "costs": {
                  "cpuUsPerJob": {
                    "bench": 80.0,
                    "redis-server": 20.0
                  },
                  "redis": null,
                  "offers": null,
                  "diskFlushesPerJob": null
                }
              }
            }
          ],
          "pickup": null,
          "memory": null,
          "raw": null
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn the_picture_has_a_bar_for_each_number() {
    expect![[r##"
        <svg xmlns="http://www.w3.org/2000/svg" width="720" height="280" viewBox="0 0 720 280">
        <style>text { font: 12px sans-serif; fill: #222 } .title { font-weight: bold }</style>
        <rect width="720" height="280" fill="#fff"/>
        <text x="10" y="24" class="title">Jobs per second</text>
        <text x="10" y="50">submit only</text>
        <rect x="170" y="34" width="235.0" height="12" fill="#2f6fb0"/>
        <text x="411" y="45">18,500</text>
        <rect x="170" y="48" width="470.0" height="12" fill="#b8bec6"/>
        <text x="646" y="59">37,000</text>
        <text x="10" y="92">live, single POSTs</text>
        <rect x="170" y="76" width="44.5" height="12" fill="#2f6fb0"/>
        <text x="220" y="87">3,500</text>
        <text x="10" y="142" class="title">Milliseconds from submission to start at 50 jobs/s</text>
        <text x="10" y="168">median</text>
        <rect x="170" y="152" width="288.4" height="12" fill="#2f6fb0"/>
        <text x="464" y="163">1.35</text>
        <rect x="170" y="166" width="192.3" height="12" fill="#b8bec6"/>
        <text x="368" y="177">0.90</text>
        <text x="10" y="210">99th percentile</text>
        <rect x="170" y="194" width="470.0" height="12" fill="#2f6fb0"/>
        <text x="646" y="205">2.20</text>
        <rect x="170" y="208" width="192.3" height="12" fill="#b8bec6"/>
        <text x="368" y="219">0.90</text>
        <rect x="170" y="248" width="14.0" height="12" fill="#2f6fb0"/>
        <text x="190" y="260">Capstan</text>
        <rect x="270" y="248" width="14.0" height="12" fill="#b8bec6"/>
        <text x="290" y="260">Redis and RabbitMQ alone</text>
        </svg>
    "##]]
    .assert_eq(&crate::picture::svg(&report(0)));
}
