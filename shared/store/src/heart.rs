//! Leases: a worker's beat and leave, and the end of a lease that nobody renewed.

use std::time::Duration;

use super::answer::{Answer, read, unknown};
use super::{Store, StoreError};
use domain::capacity::CapacityMap;
use domain::job::{ActionName, JobId, Timestamp, FencingToken, WorkerId};

/// How many deaths of workers in a row a job survives.
const MAX_CRASHES: u32 = 3;
/// How many jobs one call ends: a dead worker may have held thousands, and a script blocks Redis.
const MOST_PER_CALL: usize = 100;

/// What a worker says of itself with each beat.
#[derive(Debug, Clone)]
pub struct Beat {
    /// Who beats.
    pub worker: WorkerId,
    /// How long its lease shall be from now.
    pub lease: Duration,
    /// A name for people.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// What it offers.
    pub capacity_map: CapacityMap,
    /// What of that is free now.
    pub free: CapacityMap,
    /// The actions it knows.
    pub actions: Vec<ActionName>,
    /// The jobs it runs.
    pub running: Vec<(JobId, FencingToken)>,
}

/// What a worker hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulse {
    /// Its lease is good.
    Alive(Orders),
    /// It was declared dead, or had left; it must begin anew under another id.
    Dead,
}

/// What a living worker hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orders {
    /// Until when its lease is good.
    pub until: Timestamp,
    /// It shall claim nothing.
    pub drain: bool,
    /// The capacity map that an operator wants it to offer.
    pub wanted: Option<CapacityMap>,
    /// What became of some of its jobs.
    pub verdicts: Vec<(JobId, Verdict)>,
}

/// What became of a running job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody asked to stop it.
    Cancel,
    /// The claim is not the worker's any more.
    Lost,
}

/// What became of a worker that wanted to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Its record says shutdown.
    Done,
    /// It still holds so many jobs.
    Holds(u64),
    /// It is unknown or dead.
    Gone,
}

/// What became of a lease that may have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// It is good, or there is none.
    Alive,
    /// So many jobs were ended, so many are left for the next call.
    Ended(u64, u64),
}

impl Store {
    /// Renews a worker's lease and record.
    pub async fn beat(&self, beat: &Beat) -> Result<Pulse, StoreError> {
        let actions: Vec<&str> = beat.actions.iter().map(ActionName::as_str).collect();
        let json = |value: &CapacityMap| serde_json::to_string(value).unwrap_or_default();
        let record = [
            ("name", beat.name.clone()),
            ("version", beat.version.clone()),
            ("capacityMap", json(&beat.capacity_map)),
            ("free", json(&beat.free)),
            ("actions", actions.join(",")),
        ];
        let answer = self.call(&self.scripts.beat, |call| {
            call.arg(beat.worker.as_str()).arg(beat.lease.as_millis() as u64);
            call.arg(2 * record.len()).arg(&record[..]);
            for (id, token) in &beat.running {
                call.arg(id.to_string()).arg(token.0);
            }
        });
        let mut parts = answer.await?.parts()?.into_iter();
        let mut next_word = || parts.next().map(Answer::word).transpose();
        match next_word()?.as_deref() {
            Some("dead") => Ok(Pulse::Dead),
            Some("alive") => {
                let until = read("beat", &next_word()?.unwrap_or_default())?;
                let drain = !next_word()?.unwrap_or_default().is_empty();
                let wanted = next_word()?.unwrap_or_default();
                let wanted = if wanted.is_empty() { None } else { Some(map(&wanted)?) };
                let verdicts = parts.map(|part| verdict(&part.words()?));
                let verdicts = verdicts.collect::<Result<_, _>>()?;
                let until = Timestamp::from_ms(until);
                Ok(Pulse::Alive(Orders { until, drain, wanted, verdicts }))
            }
            other => Err(unknown("beat", &[format!("{other:?}")])),
        }
    }

    /// Gives a worker's lease back when it holds nothing any more.
    pub async fn leave(&self, worker: &WorkerId) -> Result<Left, StoreError> {
        let answer = self.call(&self.scripts.leave, |call| {
            call.arg(worker.as_str());
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["left"] => Ok(Left::Done),
            ["holds", count] => Ok(Left::Holds(read("leave", count)?)),
            ["gone"] => Ok(Left::Gone),
            _ => Err(unknown("leave", &words)),
        }
    }

    /// Workers whose lease has ended but whose jobs have not, longest ago first.
    pub async fn ended_leases(&self) -> Result<Vec<WorkerId>, StoreError> {
        let mut connection = self.connection.clone();
        let now = self.now_ms().await?;
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.leases()).arg("-inf").arg(now).arg("BYSCORE").arg("LIMIT");
        let ids: Vec<String> = command.arg(0).arg(100).query_async(&mut connection).await?;
        ids.iter().map(|id| read("leases", id)).collect()
    }

    /// Ends jobs of a worker whose lease has ended, each with the follow-up that carries it on.
    pub async fn expire(&self, worker: &WorkerId) -> Result<Expired, StoreError> {
        let answer = self.call(&self.scripts.expire, |call| {
            call.arg(worker.as_str()).arg(MAX_CRASHES);
            for _ in 0..MOST_PER_CALL {
                call.arg(JobId::random().to_string());
            }
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["alive"] => Ok(Expired::Alive),
            ["expired", ended, left] => {
                Ok(Expired::Ended(read("expire", ended)?, read("expire", left)?))
            }
            _ => Err(unknown("expire", &words)),
        }
    }
}

fn map(json: &str) -> Result<CapacityMap, StoreError> {
    serde_json::from_str(json).map_err(|_| unknown("beat", &[json.to_owned()]))
}

fn verdict(words: &[String]) -> Result<(JobId, Verdict), StoreError> {
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cancel", id] => Ok((read("beat", id)?, Verdict::Cancel)),
        ["lost", id] => Ok((read("beat", id)?, Verdict::Lost)),
        _ => Err(unknown("beat", words)),
    }
}
