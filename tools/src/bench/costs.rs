//! What jobs cost: processor time of each process, commands and writes of Redis, messages.

use std::collections::BTreeMap;
use std::time::Duration;

use client::ClientError;
use futures_util::future::LocalBoxFuture;
use reqwest::Client;
use serde::Serialize;
use store::{ServerStats, Store};

use crate::disk;
use crate::offer_counts::OfferCounts;
use crate::processes::{Processes, Role};
use crate::services::unavailable;

/// How often the size of the append-only file is read. What is appended in the period in which a
/// rewrite ends is not counted.
const SIZE_PERIOD: Duration = Duration::from_millis(250);

/// Costs per job.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Costs {
    /// Processor time in microseconds, by program. Redis reports its own; that of the others is in
    /// `/proc`, in steps of 10 ms.
    pub(crate) cpu_us_per_job: BTreeMap<&'static str, f64>,
    /// `None` without the address of Redis.
    pub(crate) redis: Option<RedisCosts>,
    /// `None` if no scheduler serves its metrics on this machine.
    pub(crate) offers: Option<OfferCosts>,
    /// By all processes of this machine. `None` if its disks do not count them.
    pub(crate) disk_flushes_per_job: Option<f64>,
}

/// What Redis did per job.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedisCosts {
    /// Includes the commands that scripts call.
    pub(crate) commands_per_job: f64,
    pub(crate) script_calls_per_job: f64,
    /// Zero if no script was called.
    pub(crate) us_per_script_call: f64,
    /// `None` without an append-only file.
    pub(crate) append_only_bytes_per_job: Option<f64>,
}

/// The messages per job.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfferCosts {
    pub(crate) messages_per_job: f64,
    /// `None` if no offer was published.
    pub(crate) jobs_per_offer: Option<f64>,
    /// `None` if no worker serves its metrics on this machine. More than the messages published
    /// means that workers returned some.
    pub(crate) deliveries_per_job: Option<f64>,
}

/// Measures costs.
pub(crate) struct Meter<'a> {
    pub(crate) processes: Processes,
    pub(crate) store: Option<&'a Store>,
    /// `None` leaves out the metrics of the services.
    pub(crate) http: Option<Client>,
}

impl Costs {
    /// The processor time of all programs.
    pub(crate) fn total_cpu_us_per_job(&self) -> f64 {
        self.cpu_us_per_job.values().sum()
    }
}

/// All counts at one moment.
struct Snapshot {
    processor_times: BTreeMap<Role, Duration>,
    redis: Option<ServerStats>,
    offers: OfferCounts,
    flushes: Option<u64>,
}

impl Meter<'_> {
    /// Does the work of `jobs` jobs and returns what it cost.
    pub(crate) async fn measure<T, E: From<ClientError>>(
        &self,
        jobs: u64,
        work: LocalBoxFuture<'_, Result<T, E>>,
    ) -> Result<(T, Costs), E> {
        let before = self.snapshot().await?;
        let size = before.redis.as_ref().and_then(|redis| redis.append_only_bytes);
        let mut growth = size.map(Growth::since);
        let result = tokio::select! {
            result = work => result?,
            error = self.watch(&mut growth) => return Err(error.into()),
        };
        let after = self.snapshot().await?;
        let size = after.redis.as_ref().and_then(|redis| redis.append_only_bytes);
        if let (Some(growth), Some(size)) = (&mut growth, size) {
            growth.observe(size);
        }
        let appended = growth.map(|growth| growth.bytes);
        Ok((result, costs(&before, &after, appended, jobs)))
    }

    /// Watches the append-only file until an error.
    async fn watch(&self, growth: &mut Option<Growth>) -> ClientError {
        let (Some(store), Some(growth)) = (self.store, growth) else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(SIZE_PERIOD).await;
            match store.append_only_bytes().await {
                Ok(size) => growth.observe(size.unwrap_or_default()),
                Err(error) => return unavailable(error),
            }
        }
    }

    async fn snapshot(&self) -> Result<Snapshot, ClientError> {
        let offers = match &self.http {
            Some(http) => OfferCounts::read(http, &self.processes).await,
            None => OfferCounts::default(),
        };
        let redis = match self.store {
            Some(store) => Some(store.server_stats().await.map_err(unavailable)?),
            None => None,
        };
        let processor_times = self.processes.processor_times();
        Ok(Snapshot { processor_times, redis, offers, flushes: disk::flushes() })
    }
}

fn costs(before: &Snapshot, after: &Snapshot, appended: Option<u64>, jobs: u64) -> Costs {
    let per_job = |count: u64| count as f64 / jobs.max(1) as f64;
    let cpu = |used: Duration| used.as_secs_f64() * 1e6 / jobs.max(1) as f64;
    let mut cpu_us_per_job: BTreeMap<&str, f64> = BTreeMap::new();
    for (role, time) in &after.processor_times {
        let start = before.processor_times.get(role).copied().unwrap_or_default();
        cpu_us_per_job.insert(role.program(), cpu(time.saturating_sub(start)));
    }
    let redis = before.redis.as_ref().zip(after.redis.as_ref()).map(|(before, after)| {
        let used = after.processor_time.saturating_sub(before.processor_time);
        cpu_us_per_job.insert(REDIS, cpu(used));
        let calls = after.script_calls.saturating_sub(before.script_calls);
        let time = after.script_time.saturating_sub(before.script_time);
        RedisCosts {
            commands_per_job: per_job(after.commands.saturating_sub(before.commands)),
            script_calls_per_job: per_job(calls),
            us_per_script_call: time.as_secs_f64() * 1e6 / calls.max(1) as f64,
            append_only_bytes_per_job: appended.map(per_job),
        }
    });
    Costs {
        cpu_us_per_job,
        redis,
        offers: offer_costs(&before.offers, &after.offers, jobs),
        disk_flushes_per_job: difference(before.flushes, after.flushes).map(per_job),
    }
}

/// The program whose processor time Redis itself reports.
pub(crate) const REDIS: &str = "redis-server";

fn offer_costs(before: &OfferCounts, after: &OfferCounts, jobs: u64) -> Option<OfferCosts> {
    let per_job = |count: u64| count as f64 / jobs.max(1) as f64;
    let published = difference(before.published, after.published)?;
    let offered = difference(before.published_jobs, after.published_jobs)?;
    Some(OfferCosts {
        messages_per_job: per_job(published),
        jobs_per_offer: (published > 0).then(|| offered as f64 / published as f64),
        deliveries_per_job: difference(before.delivered, after.delivered).map(per_job),
    })
}

fn difference(before: Option<u64>, after: Option<u64>) -> Option<u64> {
    Some(after?.saturating_sub(before?))
}

/// How much was appended to a file that is rewritten now and then.
#[derive(Debug)]
struct Growth {
    size: u64,
    bytes: u64,
}

impl Growth {
    fn since(size: u64) -> Growth {
        Growth { size, bytes: 0 }
    }

    fn observe(&mut self, size: u64) {
        self.bytes += size.saturating_sub(self.size);
        self.size = size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewrite_of_the_file_is_not_taken_for_less_written() {
        let mut growth = Growth::since(1000);
        for size in [1000, 1500, 200, 900] {
            growth.observe(size);
        }
        assert_eq!(growth.bytes, 1200);
    }

    #[test]
    fn costs_are_differences_per_job() {
        let snapshot = |ms, calls, offers: Option<u64>| Snapshot {
            processor_times: [(Role::Worker, Duration::from_millis(ms))].into(),
            redis: Some(ServerStats {
                processor_time: Duration::from_millis(ms * 2),
                commands: calls * 10,
                script_calls: calls,
                script_time: Duration::from_micros(calls * 50),
                append_only_bytes: Some(0),
            }),
            offers: OfferCounts { published: offers, published_jobs: Some(ms), delivered: None },
            flushes: None,
        };
        let before = snapshot(100, 3, Some(10));
        let found = costs(&before, &snapshot(300, 43, Some(60)), Some(5000), 100);
        let redis = found.redis.as_ref().unwrap();
        let offers = found.offers.as_ref().unwrap();
        let numbers = [
            (found.cpu_us_per_job["worker"], 2000.0),
            (found.total_cpu_us_per_job(), 6000.0),
            (redis.commands_per_job, 4.0),
            (redis.script_calls_per_job, 0.4),
            (redis.us_per_script_call, 50.0),
            (redis.append_only_bytes_per_job.unwrap(), 50.0),
            (offers.messages_per_job, 0.5),
            (offers.jobs_per_offer.unwrap(), 4.0),
        ];
        for (found, expected) in numbers {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
        assert_eq!(offers.deliveries_per_job, None);
        assert!(costs(&before, &snapshot(300, 43, None), None, 100).offers.is_none());
    }
}
