//! What the loops of a scheduler do: they look at all there is, and take no input.

use std::collections::BTreeMap;

use domain::job::{JobId, Status};
use store::{Dumped, Redispatch, Settings, Trimmed};

use super::state::{Model, Record, World};
use super::waiting::Position;

impl Model {
    /// The waiting jobs for which this is something, least first.
    pub(super) fn waiting(&self, by: impl Fn(&Record) -> Option<i64>) -> Vec<JobId> {
        let waiting = self.jobs.iter().filter(|(_, job)| job.status == Status::Waiting);
        let mut found: Vec<_> =
            waiting.filter_map(|(id, job)| Some((by(job)?, id.to_string(), *id))).collect();
        found.sort();
        found.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Whose turns the store found to be over it may say: they last as long as several steps.
    pub(super) fn due(&mut self, after: &World) -> u64 {
        let now = self.now;
        let due = self.waiting(|job| match job.position {
            Position::Due(at) => Some(at).filter(|at| *at <= now),
            Position::Offered(_) | Position::Backlog | Position::Parked | Position::Nowhere => None,
        });
        due.iter().for_each(|id| self.offer(*id));
        let kept = match after.get("grants") {
            Some(Dumped::Sorted(turns)) => turns.clone(),
            Some(_) | None => BTreeMap::new(),
        };
        let over = |(name, at): &(&String, &i64)| kept.get(*name) != Some(&(**at as f64));
        let mut over: Vec<(i64, String)> =
            self.grants.iter().filter(over).map(|(name, at)| (*at, name.clone())).collect();
        over.sort();
        for (at, name) in &over {
            assert!(*at <= now + 1_000, "a turn is over when its time has come");
            let stepped_out = |id: JobId| match after.get(&format!("job:{id}")) {
                Some(Dumped::Hash(job)) => {
                    let lines = job.get("awaitedLocks").map(String::as_str).unwrap_or_default();
                    !lines.split(' ').any(|other| other == name)
                }
                Some(_) | None => false,
            };
            self.expire_grants(name, stepped_out);
        }
        (due.len() + over.len()) as u64
    }

    pub(super) fn expire_waiting(&mut self) -> u64 {
        let now = self.now;
        let expired =
            self.waiting(|job| job.expires_at.filter(|at| *at <= now && !job.awaits_children));
        expired.iter().for_each(|id| self.refuse(*id));
        expired.len() as u64
    }

    /// What stands in the outbox was offered just now, so that nothing there is older than that.
    pub(super) fn redispatch(&mut self, which: &Redispatch) -> u64 {
        if !self.outbox.is_empty() {
            return 0;
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
        lost.len() as u64
    }

    /// Removes what is over: all that is too old, and, of what is left over, the ones that were due first. Of those that
    /// were due at the same moment the store may choose.
    pub(super) fn trim(&mut self, settings: &Settings, after: &World) -> Trimmed {
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
