//! The loops of a scheduler in the model: due, expire_waiting, redispatch, trim.

use std::collections::BTreeMap;

use domain::job::{JobId, Status};
use store::{Dumped, ExpiredWaiting, Redispatch, Redispatched, Settings, Trimmed};

use super::state::{Model, Record, World};
use super::waiting::Position;

impl Model {
    /// The waiting jobs for which `by` returns a value, smallest first, then by number.
    pub(super) fn waiting(&self, by: impl Fn(&Record) -> Option<i64>) -> Vec<JobId> {
        let waiting = self.jobs.iter().filter(|(_, job)| job.status == Status::Waiting);
        let mut found: Vec<_> =
            waiting.filter_map(|(id, job)| Some((by(job)?, job.number, *id))).collect();
        found.sort();
        found.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Reads from the store which grants have expired: they last longer than several steps.
    pub(super) fn due(&mut self, after: &World) -> u64 {
        let now = self.now;
        let due = self.waiting(|job| match job.position {
            Position::Due(at) => Some(at).filter(|at| *at <= now),
            Position::Offered(_) | Position::Backlog | Position::Parked | Position::Nowhere => None,
        });
        due.iter().for_each(|id| self.offer(*id));
        let kept = match after.get("grants") {
            Some(Dumped::Sorted(grants)) => grants.clone(),
            Some(_) | None => BTreeMap::new(),
        };
        let over = |(name, at): &(&String, &i64)| kept.get(*name) != Some(&(**at as f64));
        let mut over: Vec<(i64, String)> =
            self.grants.iter().filter(over).map(|(name, at)| (*at, name.clone())).collect();
        over.sort();
        for (at, name) in &over {
            assert!(*at <= self.clock, "a grant of {name} expired too early");
            let expired = |id: JobId| match after.get(&format!("job:{id}")) {
                Some(Dumped::Hash(job)) => {
                    let locks = job.get("awaitedLocks").map(String::as_str).unwrap_or_default();
                    !locks.split(' ').any(|other| other == name)
                }
                Some(_) | None => false,
            };
            self.expire_grants(name, expired);
        }
        (due.len() + over.len()) as u64
    }

    pub(super) fn expire_waiting(&mut self) -> ExpiredWaiting {
        let now = self.now;
        let mut ended = self.waiting(|job| job.expires().filter(|at| *at <= now));
        // Their index is by id.
        ended.sort_by_key(|id| (self.jobs[id].expires(), id.to_string()));
        let (timed_out, expired): (Vec<JobId>, Vec<JobId>) =
            ended.iter().partition(|id| self.jobs[id].signals.awaited.is_some());
        for id in &ended {
            if timed_out.contains(id) {
                self.time_out(*id);
            } else {
                self.refuse(*id);
            }
        }
        ExpiredWaiting { expired: expired.len() as u64, timed_out: timed_out.len() as u64 }
    }

    /// Offers in the outbox are recent, and nothing older is offered again while there are any.
    pub(super) fn redispatch(&mut self, which: &Redispatch) -> Redispatched {
        if !self.outbox.is_empty() {
            return Redispatched::default();
        }
        let (queue, mut before) =
            (which.queue.to_string(), self.now - which.age.as_millis() as i64);
        if let Some(behind) = which.behind {
            let reached = self.claimed_up_to.get(&queue).copied().unwrap_or(0);
            before = before.min(reached - behind.as_millis() as i64);
        }
        let lost = self.waiting(|job| {
            let Position::Offered(offered) = job.position else { return None };
            Some(offered).filter(|offered| job.queue() == queue && *offered <= before)
        });
        lost.iter().for_each(|id| self.publish(*id));
        Redispatched { offered: lost.len() as u64, removed: 0 }
    }

    /// Removes jobs that are over: all that are too old, then those that were due first. The store
    /// may choose among jobs that were due at the same time.
    pub(super) fn trim(&mut self, settings: &Settings, after: &World) -> Trimmed {
        let over = |job: &Record| job.status.is_final() && job.status != Status::Deleted;
        let ended: Vec<JobId> =
            self.jobs.iter().filter(|(_, job)| over(job)).map(|(id, _)| *id).collect();
        let (removed, kept): (Vec<JobId>, Vec<JobId>) =
            ended.iter().partition(|id| !after.contains_key(&format!("job:{id}")));
        let age = settings.job_history_max_age.duration();
        let last = age.map_or(-1, |age| self.now - age.as_millis() as i64);
        let is_old = |id: &JobId| self.jobs[id].finished_at.is_some_and(|at| at <= last);
        assert!(!kept.iter().any(is_old), "jobs that are too old are removed");
        let keep = settings.job_history_to_keep as usize;
        let too_many = if keep == 0 { 0 } else { ended.len().saturating_sub(keep) };
        let enough = removed.iter().filter(|id| is_old(id)).count().max(too_many);
        assert_eq!(removed.len(), enough, "as many are removed as must be");
        let due = |id: &JobId| self.jobs[id].scheduled_at;
        let newest_removed = removed.iter().filter(|id| !is_old(id)).map(due).max();
        let oldest_kept = kept.iter().map(due).min();
        assert!(newest_removed <= oldest_kept.or(newest_removed), "the oldest are removed first");
        self.jobs.retain(|id, _| !removed.contains(id));
        Trimmed { jobs: removed.len() as u64, workers: 0 }
    }
}
