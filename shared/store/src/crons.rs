//! Crons: set, read, deleted, run when somebody asks. What is due is fired in `fire`.

use std::collections::HashMap;

use uuid::Uuid;

use super::answer::unknown;
use super::fire::firing_of;
use super::start::MAX_QUEUES;
use super::{Store, StoreError};
use domain::cron::{Cause, CronName, CronSpec};
use domain::job::{Job, JobId, Timestamp};

/// How many crons a namespace may have.
pub const MAX_CRONS: u32 = 200_000;
/// How often a step is tried again that somebody else came before.
const TRIES: u32 = 10;

/// A cron as the store has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cron {
    /// Its identity: a cron that is deleted and made again is another one.
    pub id: Uuid,
    /// What it is called.
    pub name: CronName,
    /// What it is to do.
    pub spec: CronSpec,
    /// Changes with every change of what it is to do.
    pub revision: u64,
    /// It does not fire.
    pub paused: bool,
    /// It stands in a file that a scheduler applies when it starts.
    pub declared: bool,
    /// The tick that comes next; `None` when it is paused, or when there will be none.
    pub next_run: Option<Timestamp>,
    /// The tick of the job that was made last.
    pub last_run: Option<Timestamp>,
    /// That job.
    pub last_job: Option<JobId>,
    /// How many jobs were made.
    pub fired: u64,
    /// How many ticks were left out.
    pub skipped: u64,
    /// The last time that ticks were left out.
    pub last_skip: Option<Skip>,
    /// How many firings wait for an earlier job to be over.
    pub held: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub last_updated: Timestamp,
}

/// Ticks that got no job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Why: `missed`, `overlap`, `replaced`, `too_many_held`, `no_queue`.
    pub reason: String,
    /// The newest of them.
    pub tick: Timestamp,
    /// How many at once.
    pub count: u64,
    /// When that was noticed.
    pub at: Timestamp,
}

/// What a cron shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct SetCron {
    /// What it is called.
    pub name: CronName,
    /// What it is to do.
    pub spec: CronSpec,
    /// Whether it is not to fire; `None` leaves that as it is.
    pub paused: Option<bool>,
    /// Whether it stands in a file.
    pub declared: bool,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CronSet {
    /// It is new.
    Created,
    /// It is another now.
    Changed,
    /// It was so already.
    Same,
    /// The namespace has as many as it may have.
    TooMany,
}

impl Store {
    /// Makes a cron or changes one. A tick that has come and is not fired yet still fires, unless the line changed.
    pub async fn set_cron(&self, wanted: &SetCron) -> Result<CronSet, StoreError> {
        for _ in 0..TRIES {
            let was = self.cron(&wanted.name).await?;
            let paused = wanted.paused.unwrap_or(was.as_ref().is_some_and(|was| was.paused));
            let next = self.next_of(wanted, was.as_ref(), paused).await?;
            let answer = self.call(&self.scripts.set_cron, |call| {
                let seen = was.map(|was| was.revision.to_string()).unwrap_or_default();
                call.arg(MAX_CRONS).arg(wanted.name.as_str()).arg(seen);
                call.arg(Uuid::new_v4().to_string()).arg(json(&wanted.spec));
                call.arg(wanted.spec.overlap.as_str()).arg(u8::from(paused));
                call.arg(u8::from(wanted.declared)).arg(next);
            });
            let words = answer.await?.words()?;
            return match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["set", "created"] => Ok(CronSet::Created),
                ["set", "changed"] => Ok(CronSet::Changed),
                ["set", "same"] => Ok(CronSet::Same),
                ["too_many_crons"] => Ok(CronSet::TooMany),
                ["moved"] | ["late"] => continue,
                _ => Err(unknown("set_cron", &words)),
            };
        }
        Err(contended(&wanted.name))
    }

    /// Pauses a cron or lets it go on; ticks that come while it is paused are not made up for. `None` when there is
    /// no such cron.
    pub async fn pause_cron(
        &self,
        name: &CronName,
        paused: bool,
    ) -> Result<Option<Cron>, StoreError> {
        let Some(cron) = self.cron(name).await? else { return Ok(None) };
        let Cron { name, spec, declared, .. } = cron;
        let wanted = SetCron { name, spec, paused: Some(paused), declared };
        self.set_cron(&wanted).await?;
        self.cron(&wanted.name).await
    }

    /// Deletes a cron; false when there is none.
    pub async fn delete_cron(&self, name: &CronName) -> Result<bool, StoreError> {
        let answer = self.call(&self.scripts.delete_cron, |call| {
            call.arg(name.as_str());
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["deleted"] => Ok(true),
            ["gone"] => Ok(false),
            _ => Err(unknown("delete_cron", &words)),
        }
    }

    /// Makes a job of a cron now; `None` when there is no such cron.
    pub async fn run_cron(&self, name: &CronName) -> Result<Option<Job>, StoreError> {
        let id = JobId::random();
        for _ in 0..TRIES {
            let Some(cron) = self.cron(name).await? else { return Ok(None) };
            let (defaults, now) = (self.action_defaults().await?, self.now().await?);
            let firing = firing_of(name, &cron.spec, &defaults, (id, Cause::Run, now, 0));
            let answer = self.call(&self.scripts.run_cron, |call| {
                call.arg(MAX_QUEUES).arg(name.as_str()).arg(cron.revision);
                firing.write(call);
            });
            let words = answer.await?.words()?;
            return match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["made"] => self.job(id).await,
                ["too_many_queues", queue] => Err(StoreError::TooManyQueues(queue.to_owned())),
                ["moved"] => continue,
                _ => Err(unknown("run_cron", &words)),
            };
        }
        Err(contended(name))
    }

    /// One cron; `None` when there is no such.
    pub async fn cron(&self, name: &CronName) -> Result<Option<Cron>, StoreError> {
        Ok(self.crons_by_name(std::slice::from_ref(name)).await?.pop())
    }

    /// A page of all crons by name, and how many there are.
    pub async fn crons(&self, start: usize, limit: usize) -> Result<(Vec<Cron>, u64), StoreError> {
        let mut pipe = redis::pipe();
        pipe.zcard(self.keys.cron_names());
        pipe.cmd("ZRANGE").arg(self.keys.cron_names()).arg("-inf").arg("+inf").arg("BYSCORE");
        pipe.arg("LIMIT").arg(start).arg(limit);
        let (total, names): (u64, Vec<String>) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let names: Vec<CronName> = names.into_iter().filter_map(|name| name.parse().ok()).collect();
        Ok((self.crons_by_name(&names).await?, total))
    }

    /// The store's clock.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_ms(self.now_ms().await?))
    }

    async fn crons_by_name(&self, names: &[CronName]) -> Result<Vec<Cron>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for name in names {
            pipe.hgetall(self.keys.cron(name)).zcard(self.keys.cron_held(name));
        }
        let values: Vec<redis::Value> = pipe.query_async(&mut self.connection.clone()).await?;
        let mut crons = Vec::with_capacity(names.len());
        for (name, pair) in names.iter().zip(values.chunks(2)) {
            let fields: HashMap<String, String> =
                redis::from_redis_value_ref(&pair[0]).map_err(redis::RedisError::from)?;
            let held = redis::from_redis_value_ref(&pair[1]).map_err(redis::RedisError::from)?;
            if !fields.is_empty() {
                crons.push(record(name, &fields, held)?);
            }
        }
        Ok(crons)
    }

    /// The next tick as `set_cron` is told it.
    async fn next_of(
        &self,
        wanted: &SetCron,
        was: Option<&Cron>,
        paused: bool,
    ) -> Result<String, StoreError> {
        let same = |was: &Cron| {
            was.spec.schedule == wanted.spec.schedule && was.spec.time_zone == wanted.spec.time_zone
        };
        if !paused && was.is_some_and(|was| !was.paused && same(was)) {
            return Ok("keep".to_owned());
        }
        let next = if paused { None } else { wanted.spec.next(self.now().await?) };
        Ok(next.map(|next| next.ms().to_string()).unwrap_or_default())
    }
}

/// A specification as the store keeps it.
fn json(spec: &CronSpec) -> String {
    serde_json::to_string(spec).unwrap_or_default()
}

fn contended(name: &CronName) -> StoreError {
    StoreError::Record { key: format!("cron {name}"), why: "it never stops changing".to_owned() }
}

fn record(
    name: &CronName,
    fields: &HashMap<String, String>,
    held: u64,
) -> Result<Cron, StoreError> {
    let wrong = |why: String| StoreError::Record { key: format!("cron {name}"), why };
    let text = |field: &str| fields.get(field).map(String::as_str).unwrap_or_default();
    let number = |field: &str| text(field).parse::<u64>().unwrap_or(0);
    let time = |field: &str| text(field).parse().ok().map(Timestamp::from_ms);
    let spec = serde_json::from_str(text("spec")).map_err(|error| wrong(error.to_string()))?;
    let skip = |tick| Skip {
        reason: text("skipReason").to_owned(),
        tick,
        count: number("skipCount"),
        at: time("skipAt").unwrap_or(tick),
    };
    Ok(Cron {
        id: text("id").parse().map_err(|_| wrong(format!("id is {:?}", text("id"))))?,
        name: name.clone(),
        spec,
        revision: number("revision"),
        paused: text("paused") == "1",
        declared: text("declared") == "1",
        next_run: time("nextRun"),
        last_run: time("lastRun"),
        last_job: text("lastJobID").parse().ok(),
        fired: number("fired"),
        skipped: number("skipped"),
        last_skip: time("skipTick").map(skip),
        held,
        created_at: time("createdAt").unwrap_or(Timestamp::from_ms(0)),
        last_updated: time("lastUpdated").unwrap_or(Timestamp::from_ms(0)),
    })
}
