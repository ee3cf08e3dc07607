//! One call, made of the store and of the model alike; both answer in the store's own types, compared as text.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use shared::job::{Cancelled, JobId, NewJob, Status, Timestamp, Token, WorkerId};
use shared::store::{
    Appended, Beat, ClaimRequest, Dumped, Finish, Line, Outbox, Pulse, Reoffer, Settings, Steer,
    Steered, Store, StoreError, Trimmed,
};

use super::moves::fields;
use super::state::{Fields, Model, Record, World};

/// One call of a history.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Submit(Vec<NewJob>),
    Claim(WorkerId, Vec<ClaimRequest>),
    Finish(Vec<Finish>),
    Beat(Beat),
    Leave(WorkerId),
    Expire(WorkerId),
    Cancel(Vec<JobId>, Cancelled),
    Delete(JobId),
    Retry(JobId, JobId),
    Due,
    Lapse,
    Reoffer(Reoffer),
    Log(JobId, Token, u64, Vec<Line>),
    Progress(JobId, Token, Value),
    Steer(WorkerId, Steer),
    Trim(Settings),
    /// A relay publishes all that stands in the outbox.
    Publish,
}

/// What a repeated call may change.
pub(super) enum Repeated {
    Nothing,
    /// It is told once more.
    Events,
    /// Time goes on.
    Time,
}

/// What the store answered, and the moment, where the answer says it.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) moment: Option<i64>,
}

fn answer<T: std::fmt::Debug>(answer: &T) -> String {
    format!("{answer:?}")
}

impl Step {
    /// A line for people.
    pub(super) fn told(&self) -> String {
        let Step::Submit(jobs) = self else { return format!("{self:?}") };
        let told = jobs.iter().map(|job| {
            let (id, class, spec) = (job.id, &job.class, serde_json::to_string(&job.spec).unwrap());
            let at = job.scheduled_at.map(Timestamp::ms);
            format!("\n      {id} {class} at {at:?} once {} {spec}", job.once)
        });
        format!("Submit{}", told.collect::<String>())
    }

    pub(super) fn repeated(&self) -> Repeated {
        match self {
            Step::Progress(..) | Step::Steer(..) => Repeated::Events,
            Step::Beat(_) | Step::Reoffer(_) => Repeated::Time,
            Step::Submit(_)
            | Step::Claim(..)
            | Step::Finish(_)
            | Step::Leave(_)
            | Step::Expire(_)
            | Step::Cancel(..)
            | Step::Delete(_)
            | Step::Retry(..)
            | Step::Due
            | Step::Lapse
            | Step::Log(..)
            | Step::Trim(_)
            | Step::Publish => Repeated::Nothing,
        }
    }

    /// True when it asks how old something is: then all that is there has to be a little older than now.
    pub(super) fn asks_for_age(&self) -> bool {
        matches!(self, Step::Trim(_) | Step::Reoffer(_))
    }

    /// Asks the store.
    pub(super) async fn call(
        &self,
        store: &Store,
        outbox: &mut Outbox,
    ) -> Result<Answer, StoreError> {
        let mut moment = None;
        let text = match self {
            Step::Submit(jobs) => answer(&store.submit(jobs).await?),
            Step::Claim(worker, requests) => answer(&store.claim(worker, requests).await?),
            Step::Finish(ends) => answer(&store.finish(ends).await?),
            Step::Beat(beat) => {
                let pulse = store.beat(beat).await?;
                if let Pulse::Alive(orders) = &pulse {
                    moment = Some(orders.until.ms() - beat.lease.as_millis() as i64);
                }
                answer(&pulse)
            }
            Step::Leave(worker) => answer(&store.leave(worker).await?),
            Step::Expire(worker) => answer(&store.expire(worker).await?),
            Step::Cancel(ids, why) => answer(&store.cancel(ids, why).await?),
            Step::Delete(id) => answer(&store.delete(*id).await?),
            Step::Retry(id, new) => answer(&store.retry(*id, *new).await?),
            Step::Due => answer(&store.due().await?.moved),
            Step::Lapse => answer(&store.lapse().await?),
            Step::Reoffer(which) => answer(&store.reoffer(which).await?),
            Step::Log(id, token, first, lines) => {
                answer(&store.log(*id, *token, *first, lines).await?)
            }
            Step::Progress(id, token, value) => answer(&store.progress(*id, *token, value).await?),
            Step::Steer(worker, wanted) => answer(&store.steer(worker, wanted).await?),
            Step::Trim(settings) => answer(&store.trim(settings).await?),
            Step::Publish => {
                let entries = outbox.fresh(10_000, Duration::from_millis(1)).await?;
                outbox.remove(entries.iter()).await?;
                answer(&entries.len())
            }
        };
        Ok(Answer { text, moment })
    }
}

impl Model {
    /// Makes the same call of the model. `after` is what the store became: where the store may choose, the model looks
    /// what it chose, and fails when that was not one of the choices.
    pub(super) fn step(&mut self, step: &Step, after: &World) -> String {
        match step {
            Step::Submit(jobs) => answer(&self.submit(jobs)),
            Step::Claim(worker, requests) => answer(&self.claim(worker, requests)),
            Step::Finish(ends) => {
                let answers: Vec<_> = ends.iter().map(|end| self.finish(end)).collect();
                answer(&answers)
            }
            Step::Beat(beat) => answer(&self.beat(beat)),
            Step::Leave(worker) => answer(&self.leave(worker)),
            Step::Expire(worker) => {
                let ended = self.chosen_by_expire(after);
                answer(&self.expire(worker, &ended))
            }
            Step::Cancel(ids, why) => {
                let answers: Vec<_> = ids.iter().map(|id| self.cancel(*id, why)).collect();
                answer(&answers)
            }
            Step::Delete(id) => answer(&self.delete(*id)),
            Step::Retry(id, new) => answer(&self.retry(*id, *new)),
            Step::Due => answer(&self.due()),
            Step::Lapse => answer(&self.lapse()),
            Step::Reoffer(which) => answer(&self.reoffer(which)),
            Step::Log(id, token, first, lines) => answer(&self.log(*id, *token, *first, lines)),
            Step::Progress(id, token, value) => answer(&self.progress(*id, *token, value)),
            Step::Steer(worker, wanted) => answer(&self.steer(worker, wanted)),
            Step::Trim(settings) => answer(&self.trim(settings, after)),
            Step::Publish => answer(&std::mem::take(&mut self.outbox).len()),
        }
    }

    /// In which order the store ended jobs, and the follow-ups that it named.
    fn chosen_by_expire(&self, after: &World) -> Vec<(JobId, Option<JobId>)> {
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

    /// The waiting jobs for which this is something, least first.
    fn waiting(&self, by: impl Fn(&Record) -> Option<i64>) -> Vec<JobId> {
        let waiting = self.jobs.iter().filter(|(_, job)| job.status == Status::Waiting);
        let mut found: Vec<_> =
            waiting.filter_map(|(id, job)| Some((by(job)?, id.to_string(), *id))).collect();
        found.sort();
        found.into_iter().map(|(_, _, id)| id).collect()
    }

    fn due(&mut self) -> u64 {
        let now = self.now;
        let due = self.waiting(|job| {
            let later = job.offered_at.is_none();
            Some(job.scheduled_at).filter(|at| later && *at <= now)
        });
        due.iter().for_each(|id| self.offer(*id));
        due.len() as u64
    }

    fn lapse(&mut self) -> u64 {
        let now = self.now;
        let expired = self.waiting(|job| job.expires_at.filter(|at| *at <= now));
        expired.iter().for_each(|id| self.refuse(*id));
        expired.len() as u64
    }

    /// What stands in the outbox was offered just now, so that nothing there is older than that.
    fn reoffer(&mut self, which: &Reoffer) -> u64 {
        if !self.outbox.is_empty() {
            return 0;
        }
        let (queue, mut before) =
            (which.queue.to_string(), self.now - which.age.as_millis() as i64);
        if let Some(behind) = which.behind {
            let reached = self.reached.get(&queue).copied().unwrap_or(0);
            before = before.min(reached - behind.as_millis() as i64);
        }
        let lost = self.waiting(|job| {
            job.offered_at.filter(|offered| job.queue() == queue && *offered <= before)
        });
        lost.iter().for_each(|id| self.offer(*id));
        lost.len() as u64
    }

    fn log(&mut self, id: JobId, token: Token, first: u64, lines: &[Line]) -> Appended {
        let now = self.now;
        let Some(job) = self.running(id, token) else { return Appended::Stale };
        let log = job.log.get_or_insert_default();
        let known = log.len().saturating_sub(first as usize);
        log.extend(lines.iter().skip(known).map(|line| (now, line.clone())));
        Appended::All
    }

    fn progress(&mut self, id: JobId, token: Token, value: &Value) -> Appended {
        let Some(job) = self.running(id, token) else { return Appended::Stale };
        job.progress = Some(value.to_string());
        let told = fields([
            ("job", id.to_string()),
            ("number", job.number.to_string()),
            ("action", job.action.clone()),
            ("progress", value.to_string()),
        ]);
        self.events.push(told);
        Appended::All
    }

    fn steer(&mut self, id: &WorkerId, wanted: &Steer) -> Steered {
        let Some(worker) = self.workers.get_mut(id) else { return Steered::Gone };
        if worker.status != "running" {
            return Steered::Over;
        }
        let (field, value) = match wanted {
            Steer::Drain => ("drain", "1".to_owned()),
            Steer::Resume => ("drain", String::new()),
            Steer::Capacity(map) => ("wantedMap", serde_json::to_string(map).unwrap()),
        };
        let place = if field == "drain" { &mut worker.drain } else { &mut worker.wanted_map };
        *place = Some(value.clone());
        self.events.push(fields([("worker", id.to_string()), (field, value)]));
        Steered::Told
    }

    /// Removes what is over: all that is too old, and, of what is left over, the ones that were due first. Of those that
    /// were due at the same moment the store may choose.
    fn trim(&mut self, settings: &Settings, after: &World) -> Trimmed {
        let over = |job: &Record| job.status.is_final() && job.status != Status::Deleted;
        let ended: Vec<JobId> =
            self.jobs.iter().filter(|(_, job)| over(job)).map(|(id, _)| *id).collect();
        let (gone, kept): (Vec<JobId>, Vec<JobId>) =
            ended.iter().partition(|id| !after.contains_key(&format!("job:{id}")));
        let age = settings.job_history_max_age.duration();
        let last = age.map_or(-1, |age| self.now - age.as_millis() as i64);
        let is_old = |id: &JobId| self.jobs[id].finished_at.is_some_and(|at| at <= last);
        assert!(!kept.iter().any(is_old), "what is too old goes");
        let keep = settings.job_history_to_keep as usize;
        let too_many = if keep == 0 { 0 } else { ended.len().saturating_sub(keep) };
        let enough = gone.iter().filter(|id| is_old(id)).count().max(too_many);
        assert_eq!(gone.len(), enough, "as many go as have to");
        let due = |id: &JobId| self.jobs[id].scheduled_at;
        let newest_gone = gone.iter().filter(|id| !is_old(id)).map(due).max();
        let oldest_kept = kept.iter().map(due).min();
        assert!(newest_gone <= oldest_kept.or(newest_gone), "the oldest go first");
        self.jobs.retain(|id, _| !gone.contains(id));
        Trimmed { jobs: gone.len() as u64, workers: 0 }
    }
}

/// The moment of a step: what it wrote says it. None when it wrote no time.
pub(super) fn moment(before: &World, after: &World) -> Option<i64> {
    let mut found = BTreeSet::new();
    let none = Fields::new();
    for (key, value) in after.iter().filter(|(key, value)| before.get(*key) != Some(*value)) {
        match value {
            Dumped::Hash(job) if key.starts_with("job:") => {
                let old = match before.get(key) {
                    Some(Dumped::Hash(old)) => old,
                    _ => &none,
                };
                let at = job.get("lastUpdated").filter(|at| old.get("lastUpdated") != Some(*at));
                found.extend(at.map(|at| at.parse::<i64>().unwrap()));
            }
            Dumped::Sorted(offered) if key.starts_with("ready:") => {
                found.extend(offered.values().copied().map(|score| score as i64).max());
            }
            Dumped::Stream(lines) if key.starts_with("log:") => {
                found.extend(lines.last().map(|line| line["at"].parse::<i64>().unwrap()));
            }
            Dumped::Text(_)
            | Dumped::Hash(_)
            | Dumped::Set(_)
            | Dumped::Sorted(_)
            | Dumped::List(_)
            | Dumped::Stream(_) => {}
        }
    }
    found.pop_last()
}
