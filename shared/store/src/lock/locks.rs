//! Locks as operators see them: who holds one, and who waits for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::StoreError;
use crate::keys::{id_part, member};
use crate::store::Store;
use domain::job::{Job, JobId};
use domain::lock::{LockName, Locks};

/// How many holders are listed: a limit may have thousands.
const MOST_HOLDERS: usize = 100;
/// How many waiters are listed.
const MOST_WAITERS: isize = 10;

/// A lock that is held, waited for, paused, or has its own number of permits.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    /// Its name.
    pub name: LockName,
    /// How many permits it has; `None` is no limit.
    pub permits: Option<u32>,
    /// No job gets it until it is resumed.
    pub paused: bool,
    /// How many permits are held.
    pub held: u32,
    /// The jobs that hold it, in the order in which they started; at most a hundred.
    pub holders: Vec<Holder>,
    /// How many jobs wait for it.
    pub waiting: u64,
    /// The first jobs in its wait queue.
    pub waiters: Vec<Waiter>,
}

/// A job that holds a lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Holder {
    /// The job; its token is the lock's fencing token.
    pub job: Job,
    /// How many permits it holds.
    pub permits: u32,
}

/// A job that waits for a lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiter {
    /// The job.
    pub job: Job,
    /// How many permits it needs.
    pub permits: u32,
}

impl Store {
    /// Locks in the order of their names, from the `start`-th on, at most `limit`; and how many
    /// there are.
    pub async fn locks(&self, start: usize, limit: usize) -> Result<(Vec<Lock>, u64), StoreError> {
        let mut pipe = redis::pipe();
        pipe.hkeys(self.keys.permits_held()).hkeys(self.keys.permits());
        pipe.smembers(self.keys.contended()).smembers(self.keys.paused());
        let found: [Vec<String>; 4] = pipe.query_async(&mut self.connection.clone()).await?;
        let mut names: BTreeSet<String> = found.into_iter().flatten().collect();
        // Rate limits are listed separately.
        names.retain(|name| !name.starts_with("rate:"));
        let total = names.len() as u64;
        let mut locks = Vec::new();
        for name in names.into_iter().skip(start).take(limit) {
            let name = name.parse().map_err(|error| StoreError::unreadable("locks", error));
            if let Some(name) = self.left_out.readable(name) {
                locks.push(self.lock(&name).await?);
            }
        }
        Ok((locks, total))
    }

    /// One lock. A name that is not in use is that of a free lock.
    pub async fn lock(&self, name: &LockName) -> Result<Lock, StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("HRANDFIELD").arg(self.keys.lock(name)).arg(MOST_HOLDERS).arg("WITHVALUES");
        pipe.zcard(self.keys.waiters(name));
        pipe.zrange(self.keys.waiters(name), 0, MOST_WAITERS - 1);
        pipe.hget(self.keys.permits_held(), name.as_str());
        type Found = (BTreeMap<String, u32>, u64, Vec<String>, Option<u32>);
        let (holders, waiting, waiters, held): Found =
            pipe.query_async(&mut self.connection.clone()).await?;
        let (permits, paused) = self.permits(name).await?;
        let mut held_by = Vec::new();
        for job in self.jobs_named(holders.keys().map(String::as_str)).await? {
            let permits = holders.get(&job.id.to_string()).copied().unwrap_or(1);
            held_by.push(Holder { job, permits });
        }
        held_by.sort_by_key(|holder| holder.job.token.map(|token| token.0));
        let ids = waiters.iter().map(|member| id_part(member));
        let waiters = self.jobs_named(ids).await?.into_iter().map(|job| {
            let permits = permits_in(&job.spec.locks, name);
            Waiter { job, permits }
        });
        Ok(Lock {
            name: name.clone(),
            permits,
            paused,
            held: held.unwrap_or(0),
            holders: held_by,
            waiting,
            waiters: waiters.collect(),
        })
    }

    /// True for a lock that is listed: it is held, waited for, paused, or has its own number of
    /// permits.
    pub async fn is_lock_known(&self, name: &LockName) -> Result<bool, StoreError> {
        let mut pipe = redis::pipe();
        pipe.hexists(self.keys.permits_held(), name.as_str());
        pipe.hexists(self.keys.permits(), name.as_str());
        pipe.sismember(self.keys.contended(), name.as_str());
        pipe.sismember(self.keys.paused(), name.as_str());
        let found: [bool; 4] = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(found.contains(&true))
    }

    /// How many jobs wait for a lock ahead of this one; `None` when it does not wait for it.
    pub async fn waiters_ahead(
        &self,
        name: &LockName,
        job: &Job,
    ) -> Result<Option<u64>, StoreError> {
        let mut command = redis::cmd("ZRANK");
        command.arg(self.keys.waiters(name)).arg(member(job.id, job.number));
        Ok(command.query_async(&mut self.connection.clone()).await?)
    }

    async fn jobs_named<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<Job>, StoreError> {
        let ids: Vec<JobId> = names.filter_map(|id| id.parse().ok()).collect();
        self.jobs_by_id(&ids).await
    }
}

fn permits_in(locks: &Locks, name: &LockName) -> u32 {
    locks.iter().find(|(own, _)| *own == name).map_or(1, |(_, permits)| permits)
}
