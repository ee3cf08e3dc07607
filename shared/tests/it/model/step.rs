//! One call, made of the store and of the model alike; both answer in the store's own types, compared as text.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use shared::job::{Cancelled, JobId, NewJob, Spec, Status, Timestamp, Token, WorkerId};
use shared::lock::LockName;
use shared::store::{
    Appended, Beat, Changed, ClaimRequest, Dumped, Finish, JobChange as Change, Line, Outbox,
    Pulse, Reoffer, Settings, Steer, Steered, Store, StoreError, Trimmed,
};

use super::moves::fields;
use super::places::Stand;
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
    Settle,
    Change(JobId, Change),
    Permits(LockName, Option<u32>),
    Pause(LockName, bool),
    Clear(LockName),
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
            Step::Progress(..) | Step::Steer(..) | Step::Permits(..) => Repeated::Events,
            // A second look finds more to do.
            Step::Beat(_) | Step::Reoffer(_) | Step::Due | Step::Settle | Step::Finish(_) => {
                Repeated::Time
            }
            // One that was parked may find a lock taken by a later one of the same call.
            Step::Claim(_, requests)
                if requests.iter().map(|one| one.ids.len()).sum::<usize>() > 1 =>
            {
                Repeated::Time
            }
            Step::Submit(_)
            | Step::Claim(..)
            | Step::Leave(_)
            | Step::Expire(_)
            | Step::Cancel(..)
            | Step::Delete(_)
            | Step::Retry(..)
            | Step::Lapse
            | Step::Change(..)
            | Step::Pause(..)
            | Step::Clear(_)
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
            Step::Submit(jobs) => match store.submit(jobs).await {
                Err(StoreError::Relation(bad)) => answer(&Err::<(), _>(bad)),
                other => answer(&Ok::<_, ()>(other?)),
            },
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
            Step::Settle => answer(&store.settle().await?),
            Step::Change(id, change) => answer(&store.change(*id, *change).await?),
            Step::Permits(name, permits) => answer(&store.set_permits(name, *permits).await?),
            Step::Pause(name, on) => answer(&store.pause(name, *on).await?),
            Step::Clear(name) => {
                // In which order the holders are named is the store's to choose.
                let mut ids = store.clear_lock(name).await?;
                ids.sort();
                answer(&ids)
            }
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
            Step::Submit(jobs) => match self.submit(jobs) {
                Err(bad) => answer(&Err::<(), _>(bad)),
                Ok(submitted) => answer(&Ok::<_, ()>(submitted)),
            },
            Step::Claim(worker, requests) => answer(&self.claim(worker, requests)),
            Step::Finish(ends) => {
                self.noted = false;
                let answers: Vec<_> = ends.iter().map(|end| self.finish(end)).collect();
                if self.noted {
                    self.settle(16);
                }
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
            Step::Due => answer(&self.due(after)),
            Step::Settle => {
                let moved = self.settle(100) as u64;
                answer(&(moved, self.settling.len() as u64))
            }
            Step::Change(id, change) => answer(&self.change(*id, *change)),
            Step::Permits(name, permits) => answer(&self.set_permits(name.as_str(), *permits)),
            Step::Pause(name, on) => {
                self.pause(name.as_str(), *on);
                answer(&())
            }
            Step::Clear(name) => {
                let mut cleared = self.clear_lock(name.as_str(), &named_by_clear(after));
                cleared.sort();
                answer(&cleared)
            }
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

    /// Whose turns the store found to be over it may say: they last as long as several steps.
    fn due(&mut self, after: &World) -> u64 {
        let now = self.now;
        let due = self.waiting(|job| match job.stand {
            Stand::Due(at) => Some(at).filter(|at| *at <= now),
            Stand::Ready(_) | Stand::Behind | Stand::Parked | Stand::Nowhere => None,
        });
        due.iter().for_each(|id| self.offer(*id));
        let kept = match after.get("turns") {
            Some(Dumped::Sorted(turns)) => turns.clone(),
            Some(_) | None => BTreeMap::new(),
        };
        let over = |(name, at): &(&String, &i64)| kept.get(*name) != Some(&(**at as f64));
        let mut over: Vec<(i64, String)> =
            self.turns.iter().filter(over).map(|(name, at)| (*at, name.clone())).collect();
        over.sort();
        for (at, name) in &over {
            assert!(*at <= now + 1_000, "a turn is over when its time has come");
            let stepped_out = |id: JobId| match after.get(&format!("job:{id}")) {
                Some(Dumped::Hash(job)) => {
                    let lines = job.get("inLine").map(String::as_str).unwrap_or_default();
                    !lines.split(' ').any(|other| other == name)
                }
                Some(_) | None => false,
            };
            self.end_turns(name, stepped_out);
        }
        (due.len() + over.len()) as u64
    }

    fn change(&mut self, id: JobId, change: Change) -> Changed {
        let Some(job) = self.jobs.get(&id) else { return Changed::Gone };
        if job.status != Status::Waiting || job.awaits {
            return Changed::Refused(job.status);
        }
        let at = change.scheduled_at.map_or(job.scheduled_at, Timestamp::ms);
        let priority = change.priority.unwrap_or(job.priority);
        if let Some(expires) = job.expires_at.filter(|expires| at >= *expires) {
            return Changed::TooLate(Timestamp::from_ms(expires));
        }
        if (at, priority) == (job.scheduled_at, job.priority) {
            return Changed::Done;
        }
        let (blocked, now) = (job.blockers > 0, self.now);
        self.queues.insert(format!("{}.{priority}", job.class));
        if !blocked {
            self.take_out(id);
        }
        let job = self.job_mut(id);
        (job.priority, job.scheduled_at, job.last_updated) = (priority, at, now);
        if change.priority.is_some() {
            let mut spec: Spec = serde_json::from_str(&job.spec).unwrap();
            spec.priority = priority;
            job.spec = serde_json::to_string(&spec).unwrap();
        }
        if !blocked {
            self.place(id);
        }
        self.refill();
        self.tell(id);
        Changed::Done
    }

    fn lapse(&mut self) -> u64 {
        let now = self.now;
        let expired = self.waiting(|job| job.expires_at.filter(|at| *at <= now && !job.awaits));
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
            let Stand::Ready(offered) = job.stand else { return None };
            Some(offered).filter(|offered| job.queue() == queue && *offered <= before)
        });
        lost.iter().for_each(|id| self.publish(*id));
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

/// Who held a lock that was cleared, in the order in which the store names them.
fn named_by_clear(after: &World) -> Vec<JobId> {
    let Some(Dumped::Stream(events)) = after.get("events") else { return Vec::new() };
    let cleared = events
        .iter()
        .rev()
        .find(|event| event.get("change").is_some_and(|change| change == "cleared"));
    let ids = cleared.map(|event| event["value"].clone()).unwrap_or_default();
    ids.split_whitespace().map(|id| id.parse().unwrap()).collect()
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
                let old = match before.get(key) {
                    Some(Dumped::Sorted(old)) => old,
                    Some(_) | None => &BTreeMap::new(),
                };
                let new = offered.iter().filter(|(id, at)| old.get(*id) != Some(*at));
                found.extend(new.map(|(_, at)| *at as i64).max());
            }
            // One that nobody has to wait for any more is looked at at once, others after two seconds.
            Dumped::Sorted(turns) if key == "turns" => {
                let old = match before.get(key) {
                    Some(Dumped::Sorted(old)) => old.clone(),
                    Some(_) | None => BTreeMap::new(),
                };
                let new = turns.iter().filter(|(name, at)| old.get(*name) != Some(*at));
                let ahead = chrono::Utc::now().timestamp_millis() + 500;
                found.extend(
                    new.map(|(_, at)| *at as i64).map(
                        |at| {
                            if at > ahead { at - 2_000 } else { at }
                        },
                    ),
                );
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
