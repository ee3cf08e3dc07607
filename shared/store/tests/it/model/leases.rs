//! Workers in the model: their leases, and the jobs of those who lose them.

use std::collections::BTreeSet;

use domain::job::{Transition, JobId, Status, Timestamp, FencingToken, WorkerId};
use store::{Beat, Expired, Left, Orders, Pulse, Verdict};

use super::moves::fields;
use super::state::{Fields, Model, Record, WorkerRecord};

impl Model {
    pub(super) fn beat(&mut self, beat: &Beat) -> Pulse {
        let known = self.workers.get(&beat.worker);
        if known.is_some_and(|worker| worker.status != "running") {
            return Pulse::Dead;
        }
        if known.is_none() {
            self.tell_of_worker(&beat.worker, "status", "running");
        }
        let json = |map| serde_json::to_string(map).unwrap();
        let actions: Vec<&str> = beat.actions.iter().map(|action| action.as_str()).collect();
        let told = fields([
            ("name", beat.name.clone()),
            ("version", beat.version.clone()),
            ("capacityMap", json(&beat.capacity_map)),
            ("free", json(&beat.free)),
            ("actions", actions.join(",")),
        ]);
        let until = self.now + beat.lease.as_millis() as i64;
        let new = WorkerRecord {
            status: "running",
            started_at: self.now,
            until,
            leased: true,
            told: Fields::new(),
            drain: None,
            wanted_map: None,
        };
        let worker = self.workers.entry(beat.worker.clone()).or_insert(new);
        (worker.told, worker.until, worker.leased) = (told, until, true);
        let verdict = |(id, token): &(JobId, FencingToken)| {
            let job = self.jobs.get(id).filter(|job| job.token == Some(token.0));
            match job.map(|job| job.status) {
                Some(Status::Running) => None,
                Some(Status::CancelRequest) => Some((*id, Verdict::Cancel)),
                Some(_) | None => Some((*id, Verdict::Lost)),
            }
        };
        let verdicts = beat.running.iter().filter_map(verdict).collect();
        let drain = worker.drain.as_deref().is_some_and(|drain| !drain.is_empty());
        let wanted = worker.wanted_map.as_ref().map(|json| serde_json::from_str(json).unwrap());
        Pulse::Alive(Orders { until: Timestamp::from_ms(until), drain, wanted, verdicts })
    }

    fn held(&self, worker: &WorkerId) -> BTreeSet<JobId> {
        let mine = |job: &Record| job.status.is_running() && job.worker.as_ref() == Some(worker);
        self.jobs.iter().filter(|(_, job)| mine(job)).map(|(id, _)| *id).collect()
    }

    pub(super) fn leave(&mut self, id: &WorkerId) -> Left {
        let held = self.held(id).len();
        let Some(worker) = self.workers.get_mut(id).filter(|worker| worker.status != "dead") else {
            return Left::Gone;
        };
        if held > 0 {
            return Left::Holds(held as u64);
        }
        if worker.status == "running" {
            (worker.status, worker.leased) = ("shutdown", false);
            self.tell_of_worker(id, "status", "shutdown");
        }
        Left::Done
    }

    /// Ends a lease. The store chooses in which order its jobs end and what their follow-ups are called: `ended` says
    /// what it chose.
    pub(super) fn expire(&mut self, id: &WorkerId, ended: &[(JobId, Option<JobId>)]) -> Expired {
        let over = |worker: &WorkerRecord| worker.leased && worker.until <= self.now;
        if !self.workers.get(id).is_some_and(over) {
            return Expired::Alive;
        }
        let held = self.held(id);
        let chosen: BTreeSet<JobId> = ended.iter().map(|(id, _)| *id).collect();
        assert_eq!(chosen, held, "a lost lease ends all the jobs that its worker held");
        let worker = self.workers.get_mut(id).unwrap();
        (worker.status, worker.leased) = ("dead", false);
        self.tell_of_worker(id, "status", "dead");
        for (job, follow_up) in ended {
            self.expire_one(id, *job, *follow_up);
        }
        Expired::Ended(held.len() as u64, 0)
    }

    fn expire_one(&mut self, worker: &WorkerId, id: JobId, follow_up: Option<JobId>) {
        let to = self.next(id, Transition::Expire).unwrap();
        if to == Status::WorkerDead {
            let message = format!("the lease of worker {worker} ended");
            let exception = format!(r#"{{"type":"WorkerDead","message":"{message}"}}"#);
            let job = self.job_mut(id);
            job.exception = Some(exception);
            let (left, crashes) = (job.retries_left, job.crashes);
            if crashes < 3 && !job.fails_with_its_worker {
                let new = follow_up.expect("a job of a dead worker is carried on");
                assert!(!self.jobs.contains_key(&new), "a follow-up is a new job");
                self.follow(id, new, (left, crashes + 1), 0);
            }
        }
        self.end(id, to);
        self.free(id);
    }
}
