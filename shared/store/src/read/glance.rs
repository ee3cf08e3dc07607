//! Small looks at one job: where it is in its life, and where it waits.

use super::super::start::share;
use super::{Store, StoreError};
use domain::job::{Job, JobId, Priority, Status};
use domain::lock::LockName;
use domain::queue::QueueName;

/// Where a job waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It is not due yet.
    Due,
    /// For so many other jobs that it depends on.
    Dependent(u32),
    /// For its children, of which so many are not over.
    Awaiting(u64),
    /// In the lines of these locks.
    InLine(Vec<LockName>),
    /// Its action or its class is paused.
    Paused(LockName),
    /// In the outbox or offered, behind so many others of its class.
    Ready(u64),
    /// Behind so many others of its own share, that are offered first.
    Behind(u64),
    /// Nowhere: it does not wait any more.
    Nowhere,
}

impl Store {
    /// The status of a job; `None` when there is no such.
    pub async fn status(&self, id: JobId) -> Result<Option<Status>, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.job(id)).arg("status");
        let word: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        let read = |word: String| {
            word.parse().map_err(|error: domain::job::UnknownStatus| StoreError::Record {
                key: format!("job {id}"),
                why: error.to_string(),
            })
        };
        word.map(read).transpose()
    }

    /// Where a job waits now, and how many of its class go before it: all of the more urgent bands,
    /// and those that were offered earlier in its own.
    pub async fn place(&self, job: &Job) -> Result<Place, StoreError> {
        let queue = |priority: Priority| QueueName { class: job.class.clone(), priority };
        let own = queue(job.spec.priority);
        let (id, share) = (job.id.to_string(), format!("{own}:{}", share(&job.spec)));
        let limits = [LockName::of_action(&job.spec.action), LockName::of_class(&job.class)];
        let mut pipe = redis::pipe();
        pipe.cmd("HMGET").arg(self.keys.job(job.id)).arg(&["inLine", "blockers", "awaits"]);
        pipe.cmd("ZSCORE").arg(self.keys.due()).arg(&id);
        pipe.cmd("ZRANK").arg(self.keys.ready(&own)).arg(&id);
        pipe.cmd("ZRANK").arg(self.keys.backlog(&share)).arg(&id);
        pipe.hget(self.keys.all("offered"), &share);
        pipe.zcard(self.keys.children(job.child_group.unwrap_or(job.id)));
        pipe.cmd("SMISMEMBER").arg(self.keys.all("paused")).arg(&limits.clone().map(String::from));
        type Fields = (Option<String>, Option<u32>, Option<u32>);
        type Found = (Fields, Option<f64>, Option<u64>, Option<u64>, Option<u64>, u64, [bool; 2]);
        let mut connection = self.connection.clone();
        let ((in_line, blockers, awaits), due, rank, behind, offered, children, paused): Found =
            pipe.query_async(&mut connection).await?;
        let later = due.is_some_and(|at| at <= job.scheduled_at.ms() as f64);
        let lines = in_line.unwrap_or_default();
        let lines: Vec<LockName> = lines.split(' ').filter_map(|name| name.parse().ok()).collect();
        let paused = limits.into_iter().zip(paused).find(|(_, paused)| *paused);
        if let Some(blockers) = blockers {
            return Ok(Place::Dependent(blockers));
        }
        if awaits.is_some() {
            return Ok(Place::Awaiting(children));
        }
        if later {
            return Ok(Place::Due);
        }
        if let Some((name, _)) = paused {
            return Ok(Place::Paused(name));
        }
        if rank.is_none() && !lines.is_empty() {
            return Ok(Place::InLine(lines));
        }
        Ok(match (rank, behind, due) {
            (Some(rank), ..) => Place::Ready(rank + self.more_urgent(job).await?),
            (None, Some(rank), _) => Place::Behind(rank + offered.unwrap_or(0)),
            // A worker that does not know its action has refused it; it is offered again soon.
            (None, None, Some(_)) => Place::Ready(0),
            (None, None, None) => Place::Nowhere,
        })
    }

    /// How many jobs of the same class are offered in more urgent bands.
    async fn more_urgent(&self, job: &Job) -> Result<u64, StoreError> {
        // A pipe of nothing is never answered.
        if job.spec.priority == Priority::High {
            return Ok(0);
        }
        let mut pipe = redis::pipe();
        for priority in Priority::ALL.into_iter().filter(|band| *band < job.spec.priority) {
            pipe.zcard(self.keys.ready(&QueueName { class: job.class.clone(), priority }));
        }
        let counts: Vec<u64> = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(counts.into_iter().sum())
    }
}
