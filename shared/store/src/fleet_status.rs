//! The state of the fleet as a whole, read in two round trips whose answers are bounded.

use std::collections::BTreeMap;

use redis::streams::StreamRangeReply;

use crate::error::StoreError;
use crate::fleet_health::{FleetHealth, Reply, next};
use crate::history::events_of;
use crate::store::Store;
use domain::job::{Status, Timestamp, WorkerId};
use domain::lock::LockName;
use domain::queue::QueueName;

/// How far back changes of jobs are counted.
const RATES_PERIOD_MS: i64 = 60_000;
/// How many entries of the stream of events are read to count them.
const MAX_ENTRIES: usize = 1_000;
/// How many workers are read.
const MAX_WORKERS: isize = 1_000;
/// How many paused actions and classes are read.
const MAX_PAUSED: usize = 100;

/// The state of the fleet as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetStatus {
    /// The services and the memory.
    pub health: FleetHealth,
    /// Why Redis refuses writes, if it does so for another reason than its memory.
    pub refuses_writes: Option<String>,
    /// Whether Redis writes each change to disk; `None` without permission to read it.
    pub append_only: Option<bool>,
    /// How many jobs are in each status.
    pub jobs: Vec<(Status, u64)>,
    /// What happened to jobs recently.
    pub rates: Rates,
    /// The live workers.
    pub workers: LiveWorkers,
    /// When the job that has been offered for the longest time was offered.
    pub oldest_ready: Option<Timestamp>,
    /// The paused actions and classes for which jobs wait, at most 100.
    pub paused: Vec<LockName>,
}

/// What happened to jobs in a period before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// How many started.
    pub started: u64,
    /// How many ended, in whatever way.
    pub ended: u64,
    /// How many of those neither succeeded nor were cancelled.
    pub failed: u64,
    /// The length of the period: a minute, or less if more events happened than are read.
    pub period_ms: u64,
}

/// The live workers. Versions and drains are those of the first 1,000.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveWorkers {
    /// How many there are.
    pub count: u64,
    /// How many of them are draining.
    pub draining: u64,
    /// How many have each version.
    pub versions: BTreeMap<String, u64>,
}

impl Store {
    /// Reads the state of the fleet.
    pub async fn fleet_status(&self) -> Result<FleetStatus, StoreError> {
        let mut pipe = redis::pipe();
        self.ask_health(&mut pipe);
        pipe.cmd("DEL").arg(self.keys.check());
        pipe.cmd("INFO").arg("persistence");
        for status in Status::ALL {
            pipe.zcard(self.keys.status(status));
        }
        pipe.cmd("XREVRANGE").arg(self.keys.events()).arg("+").arg("-");
        pipe.arg("COUNT").arg(MAX_ENTRIES);
        pipe.zcard(self.keys.leases()).zrange(self.keys.leases(), 0, MAX_WORKERS - 1);
        pipe.hkeys(self.keys.routing());
        pipe.cmd("SRANDMEMBER").arg(self.keys.paused()).arg(MAX_PAUSED);
        let mut replies = self.replies(pipe).await?;

        let health = FleetHealth::read(&mut replies)?;
        let refuses_writes = next::<u64>(&mut replies).err().map(|error| error.to_string());
        let info: Option<redis::InfoDict> = next(&mut replies).ok();
        let append_only = info.and_then(|info| info.get("aof_enabled")).map(|on: u8| on == 1);
        let mut jobs = Vec::with_capacity(Status::ALL.len());
        for status in Status::ALL {
            jobs.push((status, next(&mut replies)?));
        }
        let rates = rates(next(&mut replies)?, health.now);
        let count = next(&mut replies)?;
        let workers: Vec<String> = next(&mut replies)?;
        let workers = workers.into_iter().filter_map(|id| WorkerId::try_from(id).ok());
        let workers: Vec<WorkerId> = workers.collect();
        let routing: Vec<String> = next(&mut replies)?;
        let queues = routing.iter().filter_map(|field| field.strip_prefix("queue:")?.parse().ok());
        let queues: Vec<QueueName> = queues.collect();
        let paused: Vec<String> = next(&mut replies)?;
        let paused = paused.into_iter().filter_map(|name| LockName::try_from(name).ok()).collect();
        let details = self.details(&workers, &queues, paused).await?;
        let workers = LiveWorkers { count, ..details.workers };
        let (oldest_ready, paused) = (details.oldest_ready, details.paused);
        Ok(FleetStatus {
            health,
            refuses_writes,
            append_only,
            jobs,
            rates,
            workers,
            oldest_ready,
            paused,
        })
    }

    /// The second round trip, about what the first has named.
    async fn details(
        &self,
        workers: &[WorkerId],
        queues: &[QueueName],
        paused: Vec<LockName>,
    ) -> Result<Details, StoreError> {
        let mut pipe = redis::pipe();
        // An empty pipeline would never be answered.
        pipe.cmd("PING");
        for id in workers {
            let fields = ["status", "version", "drain"];
            pipe.cmd("HMGET").arg(self.keys.worker(id)).arg(&fields);
        }
        for queue in queues {
            pipe.zrange_withscores(self.keys.ready(queue), 0, 0);
        }
        for name in &paused {
            pipe.zcard(self.keys.waiters(name));
        }
        let mut replies = self.replies(pipe).await?;
        next::<String>(&mut replies)?;
        let mut details = Details::default();
        for _ in workers {
            type Fields = (Option<String>, Option<String>, Option<String>);
            let (status, version, drain): Fields = next(&mut replies)?;
            if status.as_deref() == Some("running") {
                details.workers.draining += u64::from(drain.is_some_and(|drain| !drain.is_empty()));
                *details.workers.versions.entry(version.unwrap_or_default()).or_default() += 1;
            }
        }
        let mut ready = Vec::new();
        for queue in queues {
            let first: Vec<(String, f64)> = next(&mut replies)?;
            if let Some((_, at)) = first.first() {
                let at = Timestamp::from_ms(*at as i64);
                details.oldest_ready = Some(details.oldest_ready.map_or(at, |known| known.min(at)));
                ready.push(queue);
            }
        }
        for name in paused {
            let parked: u64 = next(&mut replies)?;
            if parked > 0 || ready.iter().any(|queue| is_limit_of(&name, queue)) {
                details.paused.push(name);
            }
        }
        details.paused.sort();
        Ok(details)
    }

    async fn replies(
        &self,
        mut pipe: redis::Pipeline,
    ) -> Result<impl Iterator<Item = Reply>, StoreError> {
        pipe.ignore_errors();
        let replies: Vec<Reply> = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(replies.into_iter())
    }
}

/// What the second round trip reads.
#[derive(Default)]
struct Details {
    workers: LiveWorkers,
    oldest_ready: Option<Timestamp>,
    paused: Vec<LockName>,
}

/// Returns true if all jobs of a queue wait while this is paused.
fn is_limit_of(name: &LockName, queue: &QueueName) -> bool {
    let of_action = queue.action.as_ref().map(LockName::of_action);
    *name == LockName::of_class(&queue.class) || of_action.as_ref() == Some(name)
}

/// Counts the changes of jobs in a list of events, the last one first.
fn rates(entries: StreamRangeReply, now: Timestamp) -> Rates {
    let at = |id: &str| id.split_once('-').and_then(|(ms, _)| ms.parse::<i64>().ok());
    let since = now.ms() - RATES_PERIOD_MS;
    // Events before the last one that was read are unknown.
    let first = entries.ids.last().filter(|_| entries.ids.len() >= MAX_ENTRIES);
    let since = first.and_then(|first| at(&first.id)).map_or(since, |first| first.max(since));
    let mut rates = Rates { period_ms: now.ms().saturating_sub(since) as u64, ..Rates::default() };
    for event in entries.ids.into_iter().flat_map(events_of) {
        if event.at().ms() < since || !event.fields.contains_key("job") {
            continue;
        }
        let status: Option<Status> = event.fields.get("status").and_then(|s| s.parse().ok());
        let (started, ended, failed) = match status {
            Some(Status::Running) => (1, 0, 0),
            Some(Status::Done | Status::Cancel) => (0, 1, 0),
            Some(Status::Error | Status::WorkerDead | Status::WorkerShutdown) => (0, 1, 1),
            // A job whose worker comes back has ended before.
            Some(
                Status::Waiting
                | Status::CancelRequest
                | Status::WorkerResurrection
                | Status::Deleted,
            )
            | None => (0, 0, 0),
        };
        rates.started += started;
        rates.ended += ended;
        rates.failed += failed;
    }
    rates
}
