//! Where a job waits, and how many go before it: the facts from which the API makes the reason it
//! shows.

use super::new_record::owner;
use crate::error::StoreError;
use crate::keys::member;
use crate::store::Store;
use domain::job::{Job, Priority};
use domain::lock::LockName;
use domain::queue::QueueName;

/// Where a job waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitPosition {
    /// It is not due yet.
    Due,
    /// For so many jobs that it depends on.
    Dependencies(u32),
    /// For its children, of which so many are not over.
    Children(u64),
    /// For a signal.
    Signal,
    /// In the wait queues of these locks.
    Locks(Vec<LockName>),
    /// Its action or its class is paused.
    Paused(LockName),
    /// In the outbox or offered, behind so many others of its class.
    Offered(u64),
    /// In the backlog of its fairness group.
    Backlog {
        /// How many jobs of its group go before it.
        ahead: u64,
        /// How many other groups of its owner are offered a job before its own group is; `None`
        /// when the group waits for no turn, because as many of its jobs are offered as may be.
        turns: Option<u64>,
    },
    /// For a queue: the namespace has as many as it may have.
    Queue,
    /// Nowhere: it does not wait any more.
    Nowhere,
}

impl Store {
    /// Where a job waits now, and how many of its class go before it: all with a higher priority,
    /// and those of its own that were offered earlier.
    pub async fn wait_position(&self, job: &Job) -> Result<WaitPosition, StoreError> {
        let own = job.queue();
        let member = member(job.id, job.number);
        let owner = format!("{own}:{}", owner(&job.spec));
        let key = job.spec.fairness_key.as_ref();
        let group = key.map_or_else(|| owner.clone(), |key| format!("{owner}:{key}"));
        let limits = [LockName::of_action(&job.spec.action), LockName::of_class(&job.class)];
        let mut pipe = redis::pipe();
        let fields = ["awaitedLocks", "blockers", "awaitsChildren", "awaitedSignal"];
        pipe.cmd("HMGET").arg(self.keys.job(job.id)).arg(&fields);
        pipe.cmd("ZSCORE").arg(self.keys.due()).arg(&member);
        pipe.cmd("ZRANK").arg(self.keys.ready(&own)).arg(&member);
        pipe.cmd("ZRANK").arg(self.keys.backlog(&group)).arg(&member);
        pipe.hget(self.keys.offered(), &group);
        pipe.cmd("ZRANK").arg(self.keys.turns(&owner)).arg(key.map_or("", String::as_str));
        pipe.zcard(self.keys.children(job.child_group.unwrap_or(job.id)));
        pipe.cmd("SMISMEMBER").arg(self.keys.paused()).arg(&limits.clone().map(String::from));
        type Fields = (Option<String>, Option<u32>, Option<u32>, Option<String>);
        type Count = Option<u64>;
        type Found = (Fields, Option<f64>, Count, Count, Count, Count, u64, [bool; 2]);
        let mut connection = self.connection.clone();
        let (
            (locks, blockers, children_awaited, signal),
            due,
            rank,
            behind,
            offered,
            turns,
            children,
            paused,
        ): Found = pipe.query_async(&mut connection).await?;
        let locks = locks.unwrap_or_default();
        let locks: Vec<LockName> = locks.split(' ').filter_map(|name| name.parse().ok()).collect();
        let paused = limits.into_iter().zip(paused).find(|(_, paused)| *paused);
        if let Some(blockers) = blockers {
            return Ok(WaitPosition::Dependencies(blockers));
        }
        match (children_awaited, signal) {
            (Some(_), _) => return Ok(WaitPosition::Children(children)),
            (None, Some(_)) => return Ok(WaitPosition::Signal),
            (None, None) => {}
        }
        if due.is_some_and(|at| at <= job.scheduled_at.ms() as f64) {
            return Ok(WaitPosition::Due);
        }
        if let Some((name, _)) = paused {
            return Ok(WaitPosition::Paused(name));
        }
        if rank.is_none() && !locks.is_empty() {
            return Ok(WaitPosition::Locks(locks));
        }
        Ok(match (rank, behind, due) {
            (Some(rank), ..) => WaitPosition::Offered(rank + self.more_urgent(job).await?),
            (None, Some(rank), _) => {
                WaitPosition::Backlog { ahead: rank + offered.unwrap_or(0), turns }
            }
            (None, None, Some(_)) => WaitPosition::Queue,
            (None, None, None) => WaitPosition::Nowhere,
        })
    }

    /// How many jobs of the same class are offered with a higher priority.
    async fn more_urgent(&self, job: &Job) -> Result<u64, StoreError> {
        // An empty pipeline would never be answered.
        if job.spec.priority == Priority::High {
            return Ok(0);
        }
        let mut pipe = redis::pipe();
        for priority in Priority::ALL.into_iter().filter(|band| *band < job.spec.priority) {
            pipe.zcard(self.keys.ready(&QueueName { priority, ..job.queue() }));
        }
        let counts: Vec<u64> = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(counts.into_iter().sum())
    }
}
