//! The state of the fleet as a sentence, with what explains it and what was ruled out. It is
//! computed from the store at the time of asking, and the reads are bounded.

mod causes;
mod facts;
mod rules;
mod statement;

use std::time::{Duration, Instant};

use store::{Store, StoreError};

use crate::error::{Error, STORE_UNAVAILABLE};
use crate::waiting::{Waiting, waiting};
use facts::{Facts, Holder};

pub(crate) use statement::{Urgency, Verdict};

/// How long the store may take, which is less than the whole request may take.
const LIMIT: Duration = Duration::from_secs(4);

/// Returns the verdict on the fleet. A store that does not answer is a verdict too.
pub(crate) async fn verdict(store: &Store) -> Result<Verdict, Error> {
    let read = tokio::time::timeout(LIMIT, read(store)).await;
    match read.map_or(Err(STORE_UNAVAILABLE), |read| read.map_err(Error::from)) {
        Ok((facts, waiting)) => Ok(rules::verdict(&facts, &waiting)),
        Err(Error::Unavailable(why)) => Ok(without_store(why)),
        Err(error) => Err(error),
    }
}

fn without_store(why: &str) -> Verdict {
    Verdict {
        urgency: Urgency::Alarm,
        text: format!("Nothing is known of the fleet: {why}."),
        because: Vec::new(),
        ruled_out: Vec::new(),
        drains_in_ms: None,
    }
}

async fn read(store: &Store) -> Result<(Facts, Waiting), StoreError> {
    let asked = Instant::now();
    store.ping().await?;
    let store_ms = asked.elapsed().as_millis() as u64;
    let status = store.fleet_status().await?;
    let now = status.health.now;
    let (waiting, workers, dead) =
        tokio::try_join!(waiting(store, now), store.live_workers(), store.dead_workers())?;
    let holder = match waiting.groups.iter().find(|group| group.code == "lock") {
        Some(group) => holder(store, &group.subject).await?,
        None => None,
    };
    Ok((Facts { now, store_ms, status, workers, dead, holder }, waiting))
}

/// Returns the job that has held a lock for the longest time.
async fn holder(store: &Store, name: &str) -> Result<Option<Holder>, StoreError> {
    let Ok(parsed) = name.parse() else { return Ok(None) };
    let lock = store.lock(&parsed).await?;
    let holders = lock.holders.into_iter().map(|holder| holder.job);
    let longest = holders.min_by_key(|job| job.started_at);
    let lock = name.to_owned();
    Ok(longest.map(|job| Holder { lock, id: job.id, number: job.number, since: job.started_at }))
}
