//! One call, made of both the store and the model. Both answer in the store's types, compared as
//! text.

use std::time::Duration;

use domain::job::{Cancellation, FencingToken, JobId, NewJob, Status, Timestamp, WorkerId};
use domain::limit::{LimitName, RateLimit};
use domain::lock::LockName;
use domain::queue::QueueName;
use serde_json::Value;
use store::{
    ClaimRequest, Dumped, Finish, Heartbeat, HeartbeatReply, JobChange, NewLogLine, NewSignal,
    Outbox, Redispatch, Settings, SignalTo, Store, StoreError, Sweep, WaitPosition, WorkerCommand,
};

use super::state::{Model, World};
use crate::calls::ids_of;

/// One call of a history.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Submit(Vec<NewJob>),
    Claim(WorkerId, Vec<ClaimRequest>),
    Finish(Vec<Finish>),
    Heartbeat(Heartbeat),
    Leave(WorkerId),
    ExpireLease(WorkerId),
    LoseRuns(WorkerId, Vec<(JobId, FencingToken)>),
    Cancel(Vec<JobId>, Cancellation),
    Delete(JobId),
    Retry(JobId, JobId),
    Due,
    /// Changes nothing, because the clock was not set back.
    ClampTimes,
    ExpireWaiting,
    Redispatch(Redispatch),
    Log(JobId, FencingToken, u64, Vec<NewLogLine>),
    Progress(JobId, FencingToken, Value),
    Checkpoint(JobId, FencingToken, &'static str),
    Signal(JobId, NewSignal),
    Command(WorkerId, WorkerCommand),
    Trim(Settings),
    Propagate,
    Change(JobId, JobChange),
    SetPermits(LockName, Option<u32>),
    SetLimit(LimitName, Option<RateLimit>),
    Pause(LockName, bool),
    ClearLock(LockName),
    /// A relay publishes all entries of the outbox.
    Publish,
    Retire(QueueName, Duration),
    Declare(Vec<QueueName>),
    Forget(QueueName),
    /// Reads where a job waits.
    Look(JobId),
}

/// What a repeated call may change.
pub(super) enum Repeated {
    Nothing,
    /// The event is emitted again.
    Events,
    /// Anything: it finds more to do as time passes.
    Time,
}

/// The answer of the store, and the time of the step when the answer has it.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) moment: Option<i64>,
}

fn answer<T: std::fmt::Debug>(answer: &T) -> String {
    format!("{answer:?}")
}

impl Step {
    /// One line about the step.
    pub(super) fn line(&self) -> String {
        let Step::Submit(jobs) = self else { return format!("{self:?}") };
        let lines = jobs.iter().map(|job| {
            let (id, class, spec) = (job.id, &job.class, serde_json::to_string(&job.spec).unwrap());
            let at = job.scheduled_at.map(Timestamp::ms);
            let (once, hash) = (job.reserve_id, job.request_hash);
            format!("\n      {id} {class} at {at:?} once {once} {hash:?} {spec}")
        });
        format!("Submit{}", lines.collect::<String>())
    }

    pub(super) fn repeated(&self) -> Repeated {
        match self {
            Step::Progress(..) | Step::Command(..) | Step::SetPermits(..) | Step::SetLimit(..) => {
                Repeated::Events
            }
            Step::Heartbeat(_)
            | Step::Redispatch(_)
            | Step::Due
            | Step::Propagate
            | Step::Finish(_) => Repeated::Time,
            // A job that was parked may now find a lock that a later job of the same call has
            // taken.
            Step::Claim(_, requests)
                if requests.iter().map(|one| one.ids.len()).sum::<usize>() > 1 =>
            {
                Repeated::Time
            }
            Step::Submit(_)
            | Step::Claim(..)
            | Step::Leave(_)
            | Step::ExpireLease(_)
            | Step::LoseRuns(..)
            | Step::Cancel(..)
            | Step::Delete(_)
            | Step::Retry(..)
            | Step::ClampTimes
            | Step::ExpireWaiting
            | Step::Change(..)
            | Step::Pause(..)
            | Step::ClearLock(_)
            | Step::Log(..)
            | Step::Checkpoint(..)
            | Step::Signal(..)
            | Step::Trim(_)
            | Step::Publish
            | Step::Retire(..)
            | Step::Declare(_)
            | Step::Forget(_)
            | Step::Look(_) => Repeated::Nothing,
        }
    }

    /// True when the step depends on ages: then everything must be a little older than now.
    pub(super) fn asks_for_age(&self) -> bool {
        matches!(self, Step::Trim(_) | Step::Redispatch(_) | Step::Retire(..))
    }

    /// Makes the call of the store.
    pub(super) async fn call(
        &self,
        store: &Store,
        outbox: &mut Outbox,
    ) -> Result<Answer, StoreError> {
        let mut moment = None;
        let text = match self {
            Step::Submit(jobs) => match store.submit(jobs).await {
                Err(StoreError::Relation(bad)) => answer(&Err::<(), _>(answer(&bad))),
                Err(StoreError::OtherRequest(id)) => answer(&Err::<(), _>(answer(&id))),
                Err(StoreError::TooManyQueues(queue)) => answer(&Err::<(), _>(queue)),
                other => answer(&Ok::<_, ()>(other?)),
            },
            Step::Claim(worker, requests) => answer(&store.claim(worker, requests).await?),
            Step::Finish(ends) => answer(&store.finish(ends).await?),
            Step::Heartbeat(heartbeat) => {
                let reply = store.heartbeat(heartbeat).await?;
                if let HeartbeatReply::Renewed(renewal) = &reply {
                    moment = Some(renewal.until.ms() - heartbeat.lease.as_millis() as i64);
                }
                answer(&reply)
            }
            Step::Leave(worker) => answer(&store.leave(worker).await?),
            Step::ExpireLease(worker) => answer(&store.expire_lease(worker).await?),
            Step::LoseRuns(worker, runs) => answer(&store.lose_runs(worker, runs).await?),
            Step::Cancel(ids, why) => answer(&store.cancel(ids, why).await?),
            Step::Delete(id) => answer(&store.delete(*id).await?),
            Step::Retry(id, new) => answer(&store.retry(*id, *new).await?),
            Step::Due => answer(&store.due().await?.moved),
            Step::ClampTimes => answer(&store.clamp_times(Duration::from_secs(3_600)).await?),
            Step::ExpireWaiting => answer(&store.expire_waiting().await?),
            Step::Redispatch(which) => answer(&store.redispatch(which).await?),
            Step::Log(id, token, first, lines) => {
                answer(&store.append_log(*id, *token, *first, lines).await?)
            }
            Step::Progress(id, token, value) => answer(&store.progress(*id, *token, value).await?),
            Step::Checkpoint(id, token, checkpoint) => {
                answer(&store.save_checkpoint(*id, *token, checkpoint).await?)
            }
            Step::Signal(id, signal) => answer(&store.signal(SignalTo::Chain(*id), signal).await?),
            Step::Command(worker, wanted) => answer(&store.command_worker(worker, wanted).await?),
            Step::Trim(settings) => answer(&store.trim(settings, &mut Sweep::default()).await?),
            Step::Propagate => answer(&store.propagate().await?),
            Step::Change(id, change) => match store.change(*id, *change).await {
                Err(StoreError::TooManyQueues(queue)) => answer(&Err::<(), _>(queue)),
                other => answer(&Ok::<_, ()>(other?)),
            },
            Step::SetPermits(name, permits) => answer(&store.set_permits(name, *permits).await?),
            Step::SetLimit(name, Some(limit)) => {
                store.set_limit(name, *limit).await?;
                answer(&())
            }
            Step::SetLimit(name, None) => {
                store.delete_limit(name).await?;
                answer(&())
            }
            Step::Pause(name, on) => answer(&store.pause(name, *on).await?),
            Step::ClearLock(name) => answer(&store.clear_lock(name).await?),
            Step::Publish => {
                let entries = outbox.read_new(10_000, Duration::from_millis(1)).await?;
                outbox.remove(&ids_of(&entries)).await?;
                answer(&entries.iter().map(|entry| entry.jobs.len()).sum::<usize>())
            }
            Step::Retire(queue, unused) => answer(&store.retire_queue(queue, *unused).await?),
            Step::Declare(queues) => answer(&store.queues_declared(queues).await?),
            Step::Forget(queue) => {
                let retired = store.retired_queues().await?;
                store.forget_queue(queue).await?;
                answer(&sorted(retired.iter().map(ToString::to_string).collect()))
            }
            Step::Look(id) => answer(&look(store, *id).await?),
        };
        Ok(Answer { text, moment })
    }
}

impl Model {
    /// Makes the same call of the model. `after` is the store after the call. Where the store may
    /// choose, the model reads what it chose, and panics when that was not one of the choices.
    pub(super) fn step(&mut self, step: &Step, after: &World) -> String {
        match step {
            Step::Submit(jobs) => match self.submit(jobs) {
                Err(bad) => answer(&Err::<(), _>(bad)),
                Ok(submitted) => answer(&Ok::<_, ()>(submitted)),
            },
            Step::Claim(worker, requests) => answer(&self.claim(worker, requests)),
            Step::Finish(ends) => {
                self.end_noted = false;
                let answers: Vec<_> = ends.iter().map(|end| self.finish(end)).collect();
                if self.end_noted {
                    self.propagate(16);
                }
                answer(&answers)
            }
            Step::Heartbeat(heartbeat) => answer(&self.heartbeat(heartbeat)),
            Step::Leave(worker) => answer(&self.leave(worker)),
            Step::ExpireLease(worker) => {
                let ended = self.chosen_by_expiry(after);
                answer(&self.expire_lease(worker, &ended))
            }
            Step::LoseRuns(worker, runs) => {
                let ended = self.chosen_by_expiry(after);
                answer(&self.lose_runs(worker, runs, &ended))
            }
            Step::Cancel(ids, why) => {
                let answers: Vec<_> = ids.iter().map(|id| self.cancel(*id, why)).collect();
                answer(&answers)
            }
            Step::Delete(id) => answer(&self.delete(*id)),
            Step::Retry(id, new) => answer(&self.retry(*id, *new)),
            Step::Due => answer(&self.due(after)),
            Step::Propagate => {
                let moved = self.propagate(100) as u64;
                answer(&(moved, self.propagations.len() as u64))
            }
            Step::Change(id, change) => match self.change(*id, *change) {
                Ok(changed) => answer(&Ok::<_, ()>(changed)),
                Err(queue) => answer(&Err::<(), _>(queue)),
            },
            Step::SetPermits(name, permits) => answer(&self.set_permits(name.as_str(), *permits)),
            Step::SetLimit(name, limit) => {
                self.set_limit(name, *limit);
                answer(&())
            }
            Step::Pause(name, on) => {
                self.pause(name.as_str(), *on);
                answer(&())
            }
            Step::ClearLock(name) => answer(&self.clear_lock(name.as_str(), &named_holders(after))),
            Step::ClampTimes => answer(&()),
            Step::ExpireWaiting => answer(&self.expire_waiting()),
            Step::Redispatch(which) => answer(&self.redispatch(which)),
            Step::Log(id, token, first, lines) => answer(&self.log(*id, *token, *first, lines)),
            Step::Progress(id, token, value) => answer(&self.progress(*id, *token, value)),
            Step::Checkpoint(id, token, checkpoint) => {
                answer(&self.save_checkpoint(*id, *token, checkpoint))
            }
            Step::Signal(id, signal) => answer(&self.signal(*id, signal)),
            Step::Command(worker, wanted) => answer(&self.command_worker(worker, wanted)),
            Step::Trim(settings) => answer(&self.trim(settings, after)),
            Step::Publish => answer(&std::mem::take(&mut self.outbox).len()),
            Step::Retire(queue, unused) => answer(&self.retire_queue(&queue.to_string(), *unused)),
            Step::Declare(queues) => {
                self.declared.extend(queues.iter().map(ToString::to_string));
                answer(&())
            }
            Step::Forget(queue) => {
                let retired = self.retired_queues();
                self.forget_queue(&queue.to_string());
                answer(&retired)
            }
            Step::Look(id) => answer(&self.look(*id)),
        }
    }

    /// The order in which the store ended jobs, and the ids of their follow-ups.
    fn chosen_by_expiry(&self, after: &World) -> Vec<(JobId, Option<JobId>)> {
        let Some(Dumped::Stream(events)) = after.get("events") else { return Vec::new() };
        let ends = events.iter().skip(self.events.len()).filter(|event| {
            let to = event.get("status").map(String::as_str);
            event.contains_key("job") && matches!(to, Some("worker_dead" | "cancel"))
        });
        let ended = ends.map(|event| {
            let id = &event["job"];
            let named = match after.get(&format!("job:{id}")) {
                Some(Dumped::Hash(job)) => job.get("followUpID"),
                _ => None,
            };
            (id.parse().unwrap(), named.map(|id| id.parse().unwrap()))
        });
        ended.collect()
    }
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

/// Where a waiting job waits, and how many waiters each of its locks has ahead of it.
async fn look(
    store: &Store,
    id: JobId,
) -> Result<Option<(WaitPosition, Vec<Option<u64>>)>, StoreError> {
    let job = store.job(id).await?.filter(|job| job.status == Status::Waiting);
    let Some(job) = job else { return Ok(None) };
    let (position, mut ahead) = (store.wait_position(&job).await?, Vec::new());
    if let WaitPosition::Locks(names) = &position {
        for name in names {
            ahead.push(store.waiters_ahead(name, &job).await?);
        }
    }
    Ok(Some((position, ahead)))
}

/// The former holders of a lock that was cleared, in the order in which the store names them.
fn named_holders(after: &World) -> Vec<JobId> {
    let Some(Dumped::Stream(events)) = after.get("events") else { return Vec::new() };
    let cleared = events
        .iter()
        .rev()
        .find(|event| event.get("change").is_some_and(|change| change == "cleared"));
    let ids = cleared.map(|event| event["value"].clone()).unwrap_or_default();
    ids.split_whitespace().map(|id| id.parse().unwrap()).collect()
}
