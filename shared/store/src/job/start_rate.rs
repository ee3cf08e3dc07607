//! How fast jobs like a given one started recently: the basis for an estimate of its start.

use redis::streams::StreamRangeReply;

use super::new_record::owner;
use crate::error::StoreError;
use crate::store::Store;
use domain::job::{Job, JobId};

/// How far back starts are counted.
const PERIOD_MS: i64 = 5 * 60_000;
/// How many events are read to find them.
const MOST_EVENTS: usize = 2_000;
/// How many jobs that started are looked at.
const MOST_STARTS: usize = 500;

/// How many jobs started in a period before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StartRate {
    /// Those that are offered to the same workers: of the same class, and of the same action if
    /// not every worker knows it.
    pub of_queue: u64,
    /// Those of the same fairness group among them.
    pub of_group: u64,
    /// The length of the period: five minutes, or less if more happened than is read.
    pub period_ms: u64,
}

impl Store {
    /// How fast jobs like this one started recently. Reads a bounded part of the event stream.
    pub async fn start_rate(&self, job: &Job) -> Result<StartRate, StoreError> {
        let mut command = redis::cmd("XREVRANGE");
        command.arg(self.keys.events()).arg("+").arg("-").arg("COUNT").arg(MOST_EVENTS);
        let mut connection = self.connection.clone();
        let events: StreamRangeReply = command.query_async(&mut connection).await?;
        let now = self.now().await?.ms();
        let at = |id: &str| id.split_once('-').and_then(|(ms, _)| ms.parse::<i64>().ok());
        let (mut first, mut started) = (now - PERIOD_MS, Vec::new());
        for event in &events.ids {
            let moment = at(&event.id).unwrap_or(now);
            if moment < first {
                break;
            }
            let word: Option<String> = event.get("status");
            if word.as_deref() == Some("running") {
                let id: Option<String> = event.get("job");
                started.extend(id.and_then(|id| id.parse::<JobId>().ok()));
            }
            if started.len() == MOST_STARTS {
                first = moment;
            }
        }
        if events.ids.len() == MOST_EVENTS {
            let last = events.ids.last().and_then(|event| at(&event.id));
            first = last.map_or(first, |last| last.max(first));
        }
        let period_ms = now.saturating_sub(first).max(0) as u64;
        let rate = StartRate { period_ms, ..StartRate::default() };
        if started.is_empty() { Ok(rate) } else { self.count_like(job, &started, rate).await }
    }

    async fn count_like(
        &self,
        job: &Job,
        started: &[JobId],
        mut rate: StartRate,
    ) -> Result<StartRate, StoreError> {
        let mut pipe = redis::pipe();
        for id in started {
            let fields = ["class", "action", "actionQueue", "owner", "fairnessKey"];
            pipe.cmd("HMGET").arg(self.keys.job(*id)).arg(&fields);
        }
        type Fields = [Option<String>; 5];
        let found: Vec<Fields> = pipe.query_async(&mut self.connection.clone()).await?;
        let own_action = job.action_queue.then(|| job.spec.action.as_str());
        let own_group = (owner(&job.spec), job.spec.fairness_key.as_deref());
        for [class, action, action_queue, owner, key] in &found {
            let action = action_queue.as_ref().and(action.as_deref());
            let is_like = class.as_deref() == Some(job.class.as_str()) && action == own_action;
            let group = (owner.as_deref().unwrap_or_default(), key.as_deref());
            rate.of_queue += u64::from(is_like);
            rate.of_group += u64::from(is_like && group == own_group);
        }
        Ok(rate)
    }
}
