//! Reads which crons are due. `domain::cron::due` decides what to fire.

use std::time::Duration;

use uuid::Uuid;

use super::firing::AGAIN;
use crate::answer::Answer;
use crate::error::StoreError;
use crate::json::read_json;
use crate::script::Script;
use crate::store::Store;
use domain::cron::{CronName, CronSpec};
use domain::job::Timestamp;

static DUE_CRONS: Script = Script::new("due_crons", include_str!("due_crons.lua"));

/// The crons that are due.
#[derive(Debug, Clone, PartialEq)]
pub struct DueCrons {
    /// The moment of the read, by the store's clock.
    pub now: Timestamp,
    /// How long until the next one is due; `None` when none is known.
    pub next: Option<Duration>,
    /// Those that are due.
    pub crons: Vec<DueCron>,
    /// Why others that are due cannot be read: they must not keep these from being fired.
    pub unreadable: Vec<String>,
}

/// A cron that is due, as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct DueCron {
    /// Its name.
    pub name: CronName,
    /// Its identity.
    pub id: Uuid,
    /// Its revision.
    pub revision: u64,
    /// Its next tick.
    pub next_run: Option<Timestamp>,
    /// What it does.
    pub spec: CronSpec,
    /// The first held firing, when it may begin: its tick, and how many missed ticks it stands for.
    pub held: Option<(Timestamp, u64)>,
}

impl Store {
    /// Crons that are due, at most `most` of them.
    pub async fn due_crons(&self, most: usize) -> Result<DueCrons, StoreError> {
        let seed = Uuid::new_v4().as_u64_pair().0 >> 32;
        let answer = self.call(&DUE_CRONS, |call| {
            call.arg(most).arg(seed).arg(AGAIN.as_millis() as u64);
        });
        let (head, crons) = answer.await?.split()?;
        let (now, wait) = head.decode(|words| match words {
            ["due", now, wait] => Some((now.parse().ok()?, wait.parse::<i64>().ok()?)),
            _ => None,
        })?;
        let mut due = DueCrons {
            now: Timestamp::from_ms(now),
            next: u64::try_from(wait).ok().map(Duration::from_millis),
            crons: Vec::new(),
            unreadable: Vec::new(),
        };
        for cron in crons {
            match due_cron(cron) {
                Ok(cron) => due.crons.push(cron),
                Err(error) => due.unreadable.push(error.to_string()),
            }
        }
        Ok(due)
    }
}

fn due_cron(answer: Answer) -> Result<DueCron, StoreError> {
    answer.decode(|words| {
        let [name, id, revision, next_run, spec, held] = words else { return None };
        let time = |text: &str| text.parse().ok().map(Timestamp::from_ms);
        let next_run = if next_run.is_empty() { None } else { Some(time(next_run)?) };
        let held = match held.split_once(':') {
            Some((tick, missed)) => Some((time(tick)?, missed.parse().ok()?)),
            None => None,
        };
        let spec = match read_json(&format!("cron {name}"), spec) {
            Ok(spec) => spec,
            Err(error) => return Some(Err(error)),
        };
        let (name, id, revision) = (name.parse().ok()?, id.parse().ok()?, revision.parse().ok()?);
        Some(Ok(DueCron { name, id, revision, next_run, spec, held }))
    })?
}
