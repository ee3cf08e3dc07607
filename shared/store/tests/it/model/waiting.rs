//! Where jobs wait in the model: in wait queues of locks, or for other jobs; and who holds which
//! lock. Jobs of one moment stand in the order of their numbers. `offers.rs` has what is offered.

use std::collections::BTreeMap;

use domain::job::{JobId, Priority, Timestamp};

use super::routing::Kind;
use super::state::{Model, Record};

pub(super) const MOST_GRANTED: usize = 16;
pub(super) const MOST_WALKED: usize = 64;
const GRANT_MS: i64 = 2_000;

/// Where a job waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// Due at this time: its own, or a later one because there was no room for its queue.
    Due(i64),
    /// Offered, last at this time.
    Offered(i64),
    /// In the backlog of its fairness group.
    Backlog,
    /// Only in wait queues of locks.
    Parked,
    /// For other jobs, or nowhere yet.
    Nowhere,
}

impl Record {
    pub(super) fn queue(&self) -> String {
        let Record { class, action, priority, owner, .. } = self;
        let kind = Kind { class, action, priority: *priority, owner };
        if self.action_queue { kind.action_queue() } else { kind.shared_queue() }
    }

    pub(super) fn wait_score(&self) -> i64 {
        let band = match self.priority {
            Priority::High => 0,
            Priority::Normal => 1,
            Priority::Low => 2,
        };
        band * 300_000_000_000_000 + self.scheduled_at
    }

    pub(super) fn need(&self, name: &str) -> u64 {
        self.locks.iter().find(|(own, _)| own == name).map_or(1, |(_, need)| *need)
    }
}

impl Model {
    /// Takes a job out of wherever it waits.
    pub(super) fn withdraw(&mut self, id: JobId) {
        self.leave_queue(id, Position::Nowhere);
        let job = self.job_mut(id);
        let locks = std::mem::take(&mut job.awaited_locks);
        for name in locks {
            self.wake_waiters(&name);
        }
    }

    pub(super) fn permits_of(&self, name: &str) -> Option<u64> {
        if let Some(key) = name.strip_prefix("rate:") {
            return self.limits.get(key).map(|limit| limit.burst().into());
        }
        let limit = name.starts_with("action:") || name.starts_with("class:");
        if limit && self.paused.contains(name) {
            return Some(0);
        }
        self.permits.get(name).copied().or((!limit).then_some(1))
    }

    fn permits_held(&self, name: &str) -> u64 {
        if let Some(key) = name.strip_prefix("rate:") {
            return self.used_up(key);
        }
        self.holders.get(name).map_or(0, |holders| holders.values().sum())
    }

    pub(super) fn wait_queue(&self, name: &str) -> Vec<JobId> {
        let waits =
            |job: &Record| job.waits() && job.awaited_locks.iter().any(|other| other == name);
        let mut queue: Vec<(i64, u64, JobId)> = self
            .jobs
            .iter()
            .filter(|(_, job)| waits(job))
            .map(|(id, job)| (job.wait_score(), job.number, *id))
            .collect();
        queue.sort();
        queue.into_iter().map(|(_, _, id)| id).collect()
    }

    pub(super) fn granted_in(&self, name: &str, queue: &[JobId]) -> Vec<JobId> {
        let all = self.permits_of(name).unwrap_or(u64::MAX);
        let (held, mut taken, mut found) = (self.permits_held(name), 0, Vec::new());
        for id in queue.iter().take(MOST_WALKED) {
            let need = self.jobs[id].need(name);
            if need <= all {
                if held + taken + need > all || found.len() == MOST_GRANTED {
                    break;
                }
                taken += need;
                found.push(*id);
            }
        }
        found
    }

    fn is_granted(&self, name: &str, id: JobId) -> bool {
        self.granted_in(name, &self.wait_queue(name)).contains(&id)
    }

    /// Offers the waiters that a lock is granted to.
    pub(super) fn wake_waiters(&mut self, name: &str) {
        let queue = self.wait_queue(name);
        if queue.is_empty() {
            return;
        }
        if self.permits_of(name).is_none() {
            if !self.releasing {
                self.releasing = true;
                self.release_waiters(name, queue);
                self.releasing = false;
            }
            if !self.wait_queue(name).is_empty() {
                self.grants.insert(name.to_owned(), self.now);
            }
            return;
        }
        for id in self.granted_in(name, &queue) {
            let locks = self.jobs[&id].awaited_locks.clone();
            let ready = matches!(self.jobs[&id].position, Position::Offered(_));
            let everywhere = locks.iter().all(|other| self.is_granted(other, id));
            if !ready && everywhere {
                self.offer_now(id);
            }
            if ready || everywhere {
                for other in locks {
                    self.grants.entry(other).or_insert(self.now + GRANT_MS);
                }
            }
        }
        self.note_next_start(name);
    }

    fn release_waiters(&mut self, name: &str, queue: Vec<JobId>) {
        for id in queue.into_iter().take(MOST_WALKED) {
            self.stop_waiting_for(id, name);
            let job = &self.jobs[&id];
            if job.position == Position::Parked && job.awaited_locks.is_empty() {
                self.offer(id);
            }
            for other in self.jobs[&id].awaited_locks.clone() {
                self.wake_waiters(&other);
            }
        }
    }

    pub(super) fn stop_waiting_for(&mut self, id: JobId, name: &str) {
        self.job_mut(id).awaited_locks.retain(|other| other != name);
    }

    /// Expires the grants of a lock. `expired` tells which waiters the store has found to have had
    /// theirs long enough.
    pub(super) fn expire_grants(&mut self, name: &str, expired: impl Fn(JobId) -> bool) {
        self.grants.remove(name);
        for id in self.granted_in(name, &self.wait_queue(name)) {
            if let Position::Offered(since) = self.jobs[&id].position
                && expired(id)
            {
                assert!(since <= self.clock - GRANT_MS, "a grant expired too early");
                self.stop_waiting_for(id, name);
            }
        }
        self.wake_waiters(name);
    }

    /// The locks a job must hold to run.
    pub(super) fn needs_of(&self, id: JobId) -> Vec<(String, u64)> {
        let job = &self.jobs[&id];
        let limits = [format!("action:{}", job.action), format!("class:{}", job.class)];
        let limits = limits.into_iter().filter(|name| self.permits_of(name).is_some());
        job.locks.iter().cloned().chain(limits.map(|name| (name, 1))).collect()
    }

    /// The first lock that keeps a job from starting; the job joins the wait queues.
    pub(super) fn park(&mut self, id: JobId, needs: &[(String, u64)]) -> Option<String> {
        let locks = self.jobs[&id].awaited_locks.clone();
        let mut busy = Vec::new();
        for (name, need) in needs {
            let waits = locks.contains(name);
            let room =
                self.permits_of(name).is_none_or(|all| self.permits_held(name) + need <= all);
            if waits || !room || !self.wait_queue(name).is_empty() {
                if !waits {
                    self.job_mut(id).awaited_locks.push(name.clone());
                }
                if !self.is_granted(name, id) {
                    busy.push(name.clone());
                } else if !waits {
                    self.stop_waiting_for(id, name);
                }
            }
        }
        let first = busy.first()?.clone();
        for name in &busy {
            self.note_next_start(name);
        }
        let now = Timestamp::from_ms(self.now);
        let job = self.job_mut(id);
        if job.passed.parked_at.is_none() {
            (job.passed.parked_at, job.parked_for) = (Some(now), Some(first.clone()));
        }
        self.leave_queue(id, Position::Parked);
        Some(first)
    }

    pub(super) fn hold_locks(&mut self, id: JobId, needs: &[(String, u64)]) {
        let (rates, locks): (Vec<_>, Vec<_>) =
            needs.iter().partition(|(name, _)| name.starts_with("rate:"));
        for (name, need) in &locks {
            self.holders.entry(name.clone()).or_default().insert(id, *need);
        }
        for (name, need) in rates {
            let key = name.trim_start_matches("rate:");
            self.use_rate(key, *need);
        }
        let holds: Vec<_> = locks.iter().map(|(name, need)| format!("{name}={need}")).collect();
        self.job_mut(id).holds = Some(holds.join(" ")).filter(|holds| !holds.is_empty());
    }

    pub(super) fn free_locks(&mut self, id: JobId) {
        let holds = self.jobs[&id].holds.clone().unwrap_or_default();
        for (name, _) in holds.split(' ').filter_map(|lock| lock.rsplit_once('=')) {
            let freed = self.holders.get_mut(name).and_then(|holders| holders.remove(&id));
            self.holders.retain(|_, holders| !holders.is_empty());
            if freed.is_some() {
                self.wake_waiters(name);
            }
        }
    }

    pub(super) fn emit_lock(&mut self, name: &str, change: &str, value: String) {
        let event = [("lock", name.to_owned()), ("change", change.to_owned()), ("value", value)];
        self.events.push(super::jobs::fields(event));
    }

    pub(super) fn set_permits(&mut self, name: &str, permits: Option<u32>) -> Option<u32> {
        match permits {
            Some(permits) => self.permits.insert(name.to_owned(), permits.into()),
            None => self.permits.remove(name),
        };
        self.wake_waiters(name);
        self.refill_offers();
        let value = permits.map(|permits| permits.to_string()).unwrap_or_default();
        self.emit_lock(name, "permits", value);
        self.permits_of(name).map(|permits| permits as u32)
    }

    pub(super) fn pause(&mut self, name: &str, on: bool) {
        let changed =
            if on { self.paused.insert(name.to_owned()) } else { self.paused.remove(name) };
        if changed {
            self.emit_lock(name, "paused", on.to_string());
        }
        if !on {
            self.wake_waiters(name);
        }
        self.refill_offers();
    }

    /// `order` is the order in which the store has named the holders.
    pub(super) fn clear_lock(&mut self, name: &str, order: &[JobId]) -> u64 {
        let Some(holders) = self.holders.remove(name) else { return 0 };
        let mut sorted = order.to_vec();
        sorted.sort();
        assert_eq!(sorted, holders.into_keys().collect::<Vec<_>>(), "all holders lose the lock");
        let ids: Vec<String> = order.iter().map(ToString::to_string).collect();
        self.emit_lock(name, "cleared", ids.join(" "));
        self.wake_waiters(name);
        self.refill_offers();
        order.len() as u64
    }

    /// How many jobs of each queue wait only for locks.
    pub(super) fn parked(&self) -> BTreeMap<String, u64> {
        let mut parked = BTreeMap::new();
        for job in self.jobs.values().filter(|job| job.waits() && job.position == Position::Parked)
        {
            *parked.entry(job.queue()).or_default() += 1;
        }
        parked
    }
}
