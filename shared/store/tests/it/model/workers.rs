//! Workers in the model: their leases, and the jobs of workers that lose them.

use std::collections::BTreeSet;

use domain::job::{FencingToken, JobId, Status, Timestamp, Transition, WorkerId};
use store::{Heartbeat, HeartbeatReply, Interruption, LeaseExpiry, LeaveAnswer, Renewal};

use super::jobs::fields;
use super::state::{Fields, Model, Record, WorkerRecord};

impl WorkerRecord {
    pub(super) fn actions(&self) -> impl Iterator<Item = &str> {
        self.reported["actions"].split(',').filter(|action| !action.is_empty())
    }

    pub(super) fn knows(&self, action: &str) -> bool {
        self.actions().any(|known| known == action)
    }
}

impl Model {
    pub(super) fn heartbeat(&mut self, heartbeat: &Heartbeat) -> HeartbeatReply {
        let known = self.workers.get(&heartbeat.worker);
        if known.is_some_and(|worker| worker.status != "running") {
            return HeartbeatReply::Dead;
        }
        if known.is_none() {
            self.emit_worker(&heartbeat.worker, "status", "running");
        }
        let json = |map| serde_json::to_string(map).unwrap();
        let actions: Vec<&str> = heartbeat.actions.iter().map(|action| action.as_str()).collect();
        let reported = fields([
            ("name", heartbeat.name.clone()),
            ("version", heartbeat.version.clone()),
            ("capacityMap", json(&heartbeat.capacity_map)),
            ("free", json(&heartbeat.free)),
            ("actions", actions.join(",")),
        ]);
        let until = self.now + heartbeat.lease.as_millis() as i64;
        let new = WorkerRecord {
            status: "running",
            started_at: self.now,
            until,
            leased: true,
            reported: Fields::new(),
            drain: None,
            wanted_map: None,
        };
        let worker = self.workers.entry(heartbeat.worker.clone()).or_insert(new);
        (worker.reported, worker.until, worker.leased) = (reported, until, true);
        let mine = |job: &&Record| job.worker.as_ref() == Some(&heartbeat.worker);
        let interruption = |(id, token): &(JobId, FencingToken)| {
            let job = self.jobs.get(id).filter(|job| job.token == Some(token.0)).filter(mine);
            match job.map(|job| job.status) {
                Some(Status::Running) => None,
                Some(Status::CancelRequest) => Some((*id, Interruption::Cancel)),
                Some(_) | None => Some((*id, Interruption::Lost)),
            }
        };
        let interruptions = heartbeat.running.iter().filter_map(interruption).collect();
        let unreported = self.jobs.iter().filter_map(|(id, job)| {
            let run = (*id, FencingToken(job.token?));
            let forgotten = mine(&job) && job.status.is_running() && run.1 <= heartbeat.noted;
            (forgotten && !heartbeat.running.contains(&run)).then_some(run)
        });
        let unreported = unreported.collect();
        let worker = &self.workers[&heartbeat.worker];
        let drain = worker.drain.as_deref().is_some_and(|drain| !drain.is_empty());
        let wanted = worker.wanted_map.as_ref().map(|json| serde_json::from_str(json).unwrap());
        HeartbeatReply::Renewed(Renewal {
            until: Timestamp::from_ms(until),
            drain,
            wanted,
            interruptions,
            unreported,
        })
    }

    fn jobs_of(&self, worker: &WorkerId) -> BTreeSet<JobId> {
        let mine = |job: &Record| job.status.is_running() && job.worker.as_ref() == Some(worker);
        self.jobs.iter().filter(|(_, job)| mine(job)).map(|(id, _)| *id).collect()
    }

    pub(super) fn leave(&mut self, id: &WorkerId) -> LeaveAnswer {
        let running = self.jobs_of(id).len();
        let Some(worker) = self.workers.get_mut(id).filter(|worker| worker.status != "dead") else {
            return LeaveAnswer::Gone;
        };
        if running > 0 {
            return LeaveAnswer::Holds(running as u64);
        }
        if worker.status == "running" {
            (worker.status, worker.leased) = ("shutdown", false);
            self.emit_worker(id, "status", "shutdown");
        }
        LeaveAnswer::Left
    }

    /// Ends a lease. The store chooses the order in which its jobs end and the ids of their
    /// follow-ups; `ended` has what it chose.
    pub(super) fn expire_lease(
        &mut self,
        id: &WorkerId,
        ended: &[(JobId, Option<JobId>)],
    ) -> LeaseExpiry {
        let over = |worker: &WorkerRecord| worker.leased && worker.until <= self.now;
        if !self.workers.get(id).is_some_and(over) {
            return LeaseExpiry::Alive;
        }
        let running = self.jobs_of(id);
        let chosen: BTreeSet<JobId> = ended.iter().map(|(id, _)| *id).collect();
        assert_eq!(chosen, running, "all jobs of the worker end");
        let worker = self.workers.get_mut(id).unwrap();
        (worker.status, worker.leased) = ("dead", false);
        self.emit_worker(id, "status", "dead");
        for (job, follow_up) in ended {
            self.lose_run(*job, *follow_up, &format!("the lease of worker {id} ended"));
        }
        LeaseExpiry::Ended(running.len() as u64, 0)
    }

    /// Ends runs that a worker does not know any more.
    pub(super) fn lose_runs(
        &mut self,
        worker: &WorkerId,
        runs: &[(JobId, FencingToken)],
        ended: &[(JobId, Option<JobId>)],
    ) -> u64 {
        let why = "does not run it any more, and redis has lost how it ended";
        let mut count = 0;
        for (id, token) in runs {
            let held = |job: &Record| {
                job.status.is_running()
                    && job.worker.as_ref() == Some(worker)
                    && job.token == Some(token.0)
            };
            if self.jobs.get(id).is_some_and(held) {
                let follow_up = ended.iter().find(|(one, _)| one == id).and_then(|(_, new)| *new);
                self.lose_run(*id, follow_up, &format!("worker {worker} {why}"));
                count += 1;
            }
        }
        count
    }

    fn lose_run(&mut self, id: JobId, follow_up: Option<JobId>, message: &str) {
        let to = self.next(id, Transition::Expire).unwrap();
        if to == Status::WorkerDead {
            let exception = format!(r#"{{"type":"WorkerDead","message":"{message}"}}"#);
            let job = self.job_mut(id);
            job.exception = Some(exception);
            let (left, crashes) = (job.retries_left, job.crashes);
            if crashes < 3 && !job.fails_with_its_worker {
                let new = follow_up.expect("the job has a follow-up");
                assert!(!self.jobs.contains_key(&new), "a follow-up is a new job");
                self.follow(id, new, (left, crashes + 1), 0);
            }
        }
        self.end(id, to);
        self.free_locks(id);
    }
}
