//! Crons as the store keeps them.

use std::collections::HashMap;

use uuid::Uuid;

use crate::answer::hash_and_count;
use crate::error::StoreError;
use crate::json::read_json;
use crate::store::Store;
use domain::cron::{CronName, CronSpec};
use domain::job::{JobId, Timestamp};

/// A cron as the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cron {
    /// Its identity: a cron that is deleted and created again is another one.
    pub id: Uuid,
    /// Its name.
    pub name: CronName,
    /// What it does.
    pub spec: CronSpec,
    /// Changes with every change of the cron.
    pub revision: u64,
    /// It does not fire.
    pub paused: bool,
    /// A file that a scheduler applies when it starts declares it.
    pub declared: bool,
    /// The next tick; `None` when it is paused, or when there will be none.
    pub next_run: Option<Timestamp>,
    /// The tick of the job that was created last.
    pub last_run: Option<Timestamp>,
    /// That job.
    pub last_job: Option<JobId>,
    /// How many jobs were created.
    pub fired: u64,
    /// How many ticks were skipped.
    pub skipped: u64,
    /// The ticks that were skipped last.
    pub last_skip: Option<Skip>,
    /// How many firings wait until an earlier job is over.
    pub held: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub last_updated: Timestamp,
}

/// Ticks that got no job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Why: `missed`, `overlap`, `replaced`, `too_many_held`, `no_queue`, `quota`.
    pub reason: String,
    /// The newest of them.
    pub tick: Timestamp,
    /// How many there were at once.
    pub count: u64,
    /// When they were skipped.
    pub at: Timestamp,
}

impl Store {
    /// One cron; `None` when it does not exist.
    pub async fn cron(&self, name: &CronName) -> Result<Option<Cron>, StoreError> {
        self.crons_by_name(std::slice::from_ref(name)).await?.pop().transpose()
    }

    /// A page of all crons by name, and how many there are. One that cannot be read is left out.
    pub async fn crons(&self, start: usize, limit: usize) -> Result<(Vec<Cron>, u64), StoreError> {
        let mut pipe = redis::pipe();
        pipe.zcard(self.keys.cron_names());
        pipe.cmd("ZRANGE").arg(self.keys.cron_names()).arg("-inf").arg("+inf").arg("BYSCORE");
        pipe.arg("LIMIT").arg(start).arg(limit);
        let (total, names): (u64, Vec<String>) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let names: Vec<CronName> = names.into_iter().filter_map(|name| name.parse().ok()).collect();
        let crons = self.crons_by_name(&names).await?.into_iter();
        Ok((crons.filter_map(|cron| self.left_out.readable(cron)).collect(), total))
    }

    /// Those of these crons that exist; for one that cannot be read, an error instead.
    async fn crons_by_name(
        &self,
        names: &[CronName],
    ) -> Result<Vec<Result<Cron, StoreError>>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for name in names {
            pipe.hgetall(self.keys.cron(name)).zcard(self.keys.cron_held(name));
        }
        pipe.ignore_errors();
        let values: Vec<redis::RedisResult<redis::Value>> =
            pipe.query_async(&mut self.connection.clone()).await?;
        let read = |(name, pair): (&CronName, &[redis::RedisResult<redis::Value>])| {
            let (fields, held) = match hash_and_count(pair) {
                Ok(read) => read,
                Err(error) => {
                    return Some(Err(StoreError::of_record(format!("cron {name}"), error)));
                }
            };
            (!fields.is_empty()).then(|| record(name, &fields, held))
        };
        Ok(names.iter().zip(values.chunks(2)).filter_map(read).collect())
    }
}

fn record(
    name: &CronName,
    fields: &HashMap<String, String>,
    held: u64,
) -> Result<Cron, StoreError> {
    let wrong = |why: String| StoreError::unreadable(format!("cron {name}"), why);
    let text = |field: &str| fields.get(field).map(String::as_str).unwrap_or_default();
    let number = |field: &str| text(field).parse::<u64>().unwrap_or(0);
    let time = |field: &str| text(field).parse().ok().map(Timestamp::from_ms);
    let spec = read_json(&format!("cron {name}"), text("spec"))?;
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
