//! Locks as people see them and set them: who holds one, who stands in line; permits, pauses, and clearing by hand.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{read, unknown};
use super::{Store, StoreError};
use domain::job::{Job, JobId};
use domain::lock::{LockName, Locks};

/// How many of those that hold a lock are named: a limit may have thousands.
const MOST_HOLDERS: usize = 100;
/// How many of those in line are named.
const MOST_NAMED: isize = 10;

/// A lock that somebody holds or waits for, or that has a number of permits of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    /// Its name.
    pub name: LockName,
    /// How many permits it has; `None` is no limit.
    pub permits: Option<u32>,
    /// Nobody gets it until it is resumed.
    pub paused: bool,
    /// How many permits are taken.
    pub held: u32,
    /// Who has them, in the order in which they began; a hundred of them, if they are more.
    pub holders: Vec<Holder>,
    /// How many stand in line.
    pub waiting: u64,
    /// The first of them.
    pub line: Vec<Waiter>,
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Holder {
    /// The job; its token is the lock's fencing token.
    pub job: Job,
    /// How many permits.
    pub permits: u32,
}

/// Who stands in line.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiter {
    /// The job.
    pub job: Job,
    /// How many permits it needs.
    pub permits: u32,
}

impl Store {
    /// Locks in the order of their names, from the `start`-th on, at most `limit`; and how many there are.
    pub async fn locks(&self, start: usize, limit: usize) -> Result<(Vec<Lock>, u64), StoreError> {
        let mut pipe = redis::pipe();
        pipe.hkeys(self.keys.all("held")).hkeys(self.keys.all("permits"));
        pipe.smembers(self.keys.all("lines")).smembers(self.keys.all("paused"));
        let found: [Vec<String>; 4] = pipe.query_async(&mut self.connection.clone()).await?;
        let names: BTreeSet<String> = found.into_iter().flatten().collect();
        let total = names.len() as u64;
        let mut locks = Vec::new();
        for name in names.into_iter().skip(start).take(limit) {
            locks.push(self.lock(&read("locks", &name)?).await?);
        }
        Ok((locks, total))
    }

    /// One lock, as it is now; a name that nobody uses is that of a free lock.
    pub async fn lock(&self, name: &LockName) -> Result<Lock, StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("HRANDFIELD")
            .arg(self.keys.lock(name.as_str()))
            .arg(MOST_HOLDERS)
            .arg("WITHVALUES");
        pipe.zcard(self.keys.line(name.as_str()));
        pipe.zrange(self.keys.line(name.as_str()), 0, MOST_NAMED - 1);
        pipe.hget(self.keys.all("held"), name.as_str());
        type Found = (BTreeMap<String, u32>, u64, Vec<String>, Option<u32>);
        let (holders, waiting, line, held): Found =
            pipe.query_async(&mut self.connection.clone()).await?;
        let (permits, paused) = self.permits(name).await?;
        let mut held_by = Vec::new();
        for job in self.jobs_named(holders.keys()).await? {
            let permits = holders.get(&job.id.to_string()).copied().unwrap_or(1);
            held_by.push(Holder { job, permits });
        }
        held_by.sort_by_key(|holder| holder.job.token.map(|token| token.0));
        let line = self.jobs_named(line.iter()).await?.into_iter().map(|job| {
            let permits = permits_of(&job.spec.locks, name);
            Waiter { job, permits }
        });
        Ok(Lock {
            name: name.clone(),
            permits,
            paused,
            held: held.unwrap_or(0),
            holders: held_by,
            waiting,
            line: line.collect(),
        })
    }

    /// How many permits a lock has, `None` for no limit, and whether it is paused; as `permits` of the scripts.
    pub async fn permits(&self, name: &LockName) -> Result<(Option<u32>, bool), StoreError> {
        let mut parts = name.as_str().splitn(3, ':');
        let keys = match (parts.next(), parts.next(), parts.next()) {
            (Some("action"), Some(action), Some(_)) => format!("action:{action}:*"),
            _ => String::new(),
        };
        let mut pipe = redis::pipe();
        pipe.hget(self.keys.all("permits"), name.as_str()).hget(self.keys.all("permits"), keys);
        pipe.sismember(self.keys.all("paused"), name.as_str());
        let (own, of_keys, paused): (Option<u32>, Option<u32>, bool) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let unsaid = if name.is_reserved() { None } else { Some(1) };
        Ok((own.or(of_keys).or(unsaid), paused))
    }

    /// How many permits locks have that jobs may name, in the order asked.
    pub async fn permits_each(&self, names: &[LockName]) -> Result<Vec<u32>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("HMGET");
        command.arg(self.keys.all("permits"));
        for name in names {
            command.arg(name.as_str());
        }
        let said: Vec<Option<u32>> = command.query_async(&mut self.connection.clone()).await?;
        Ok(said.into_iter().map(|permits| permits.unwrap_or(1)).collect())
    }

    /// True for a lock that is listed: somebody holds it, stands in line for it, or has said something of it.
    pub async fn is_lock_known(&self, name: &LockName) -> Result<bool, StoreError> {
        let mut pipe = redis::pipe();
        pipe.hexists(self.keys.all("held"), name.as_str());
        pipe.hexists(self.keys.all("permits"), name.as_str());
        pipe.sismember(self.keys.all("lines"), name.as_str());
        pipe.sismember(self.keys.all("paused"), name.as_str());
        let found: [bool; 4] = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(found.contains(&true))
    }

    /// How many stand in line for a lock before a job; `None` when it does not stand there.
    pub async fn ahead_in_line(
        &self,
        name: &LockName,
        job: JobId,
    ) -> Result<Option<u64>, StoreError> {
        let mut command = redis::cmd("ZRANK");
        command.arg(self.keys.line(name.as_str())).arg(job.to_string());
        Ok(command.query_async(&mut self.connection.clone()).await?)
    }

    async fn jobs_named(
        &self,
        names: impl Iterator<Item = &String>,
    ) -> Result<Vec<Job>, StoreError> {
        let ids: Vec<JobId> = names.filter_map(|id| id.parse().ok()).collect();
        self.jobs_by_id(&ids).await
    }

    /// Sets how many permits a lock has; `None` for what it has when nothing is said. Returns how many that is.
    pub async fn set_permits(
        &self,
        name: &LockName,
        permits: Option<u32>,
    ) -> Result<Option<u32>, StoreError> {
        let answer = self.call(&self.scripts.set_permits, |call| {
            call.arg(name.as_str());
            call.arg(permits.map(|permits| permits.to_string()).unwrap_or_default());
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["set", ""] => Ok(None),
            ["set", permits] => Ok(Some(read("set_permits", permits)?)),
            _ => Err(unknown("set_permits", &words)),
        }
    }

    /// Pauses an action or a class, or resumes it.
    pub async fn pause(&self, name: &LockName, paused: bool) -> Result<(), StoreError> {
        let answer = self.call(&self.scripts.pause, |call| {
            call.arg(name.as_str()).arg(if paused { "1" } else { "" });
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["paused"] | ["resumed"] => Ok(()),
            _ => Err(unknown("pause", &words)),
        }
    }

    /// Takes a lock from all who hold it; returns who did.
    pub async fn clear_lock(&self, name: &LockName) -> Result<Vec<JobId>, StoreError> {
        let answer = self.call(&self.scripts.clear_lock, |call| {
            call.arg(name.as_str());
        });
        let words = answer.await?.words()?;
        match words.split_first() {
            Some((word, ids)) if word == "cleared" => {
                ids.iter().map(|id| read("clear_lock", id)).collect()
            }
            _ => Err(unknown("clear_lock", &words)),
        }
    }
}

fn permits_of(locks: &Locks, name: &LockName) -> u32 {
    locks.iter().find(|(own, _)| *own == name).map_or(1, |(_, permits)| permits)
}
