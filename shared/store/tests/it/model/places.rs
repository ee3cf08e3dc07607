//! Where waiting jobs stand in the model: offered, behind their share, in the lines of locks, blocked; and who holds what.

use std::collections::BTreeMap;

use domain::job::{JobId, Priority};

use super::state::{Model, Record};

/// How many jobs of a share are offered before others of it wait.
pub(super) const WINDOW: u64 = 64;
const MOST_TURNS: usize = 16;
const MOST_WALKED: usize = 64;
const TURN_MS: i64 = 2_000;

/// Where a job stands while it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// Not due before this.
    Due(i64),
    /// Offered, last at this moment.
    Ready(i64),
    /// In the backlog of its share.
    Behind,
    /// Only in lines.
    Parked,
    /// It depends on others, or waits for its children.
    Nowhere,
}

impl Record {
    pub(super) fn queue(&self) -> String {
        format!("{}.{}", self.class, self.priority)
    }

    pub(super) fn share_name(&self) -> String {
        format!("{}:{}", self.queue(), self.share)
    }

    pub(super) fn line_score(&self) -> i64 {
        let band = match self.priority {
            Priority::High => 0,
            Priority::Normal => 1,
            Priority::Low => 2,
        };
        band * 300_000_000_000_000 + self.scheduled_at
    }

    fn need(&self, name: &str) -> u64 {
        self.locks.iter().find(|(own, _)| own == name).map_or(1, |(_, need)| *need)
    }
}

impl Model {
    /// Offers a job that stands nowhere, now or when it is due.
    pub(super) fn place(&mut self, id: JobId) {
        let at = self.jobs[&id].scheduled_at;
        if at > self.now {
            self.job_mut(id).stand = Stand::Due(at);
        } else {
            self.offer(id);
        }
    }

    pub(super) fn offer(&mut self, id: JobId) {
        let share = self.jobs[&id].share_name();
        if self.offered.get(&share).copied().unwrap_or(0) < WINDOW {
            self.admit(id);
        } else {
            self.job_mut(id).stand = Stand::Behind;
        }
    }

    pub(super) fn admit(&mut self, id: JobId) {
        *self.offered.entry(self.jobs[&id].share_name()).or_default() += 1;
        self.publish(id);
    }

    fn leave_ready(&mut self, id: JobId) {
        let share = self.jobs[&id].share_name();
        match self.gone.iter_mut().find(|(name, _)| *name == share) {
            Some((_, count)) => *count += 1,
            None => self.gone.push((share, 1)),
        }
    }

    /// Those behind come in the places of those who have left.
    pub(super) fn refill(&mut self) {
        for (share, count) in std::mem::take(&mut self.gone) {
            let offered = self.offered.get_mut(&share).unwrap();
            *offered -= count;
            let room = WINDOW.saturating_sub(*offered) as usize;
            let behind = |job: &Record| {
                job.stand == Stand::Behind && job.waits() && job.share_name() == share
            };
            let mut waiting: Vec<(i64, String, JobId)> = self
                .jobs
                .iter()
                .filter(|(_, job)| behind(job))
                .map(|(id, job)| (job.scheduled_at, id.to_string(), *id))
                .collect();
            waiting.sort();
            for (_, _, id) in waiting.into_iter().take(room) {
                self.admit(id);
            }
            self.offered.retain(|_, count| *count > 0);
        }
    }

    /// A job leaves wherever it waits.
    pub(super) fn take_out(&mut self, id: JobId) {
        if let Stand::Ready(_) = self.jobs[&id].stand {
            self.leave_ready(id);
        }
        let job = self.job_mut(id);
        job.stand = Stand::Nowhere;
        let stood = std::mem::take(&mut job.in_line);
        for name in stood {
            self.wake(&name);
        }
    }

    pub(super) fn permits_of(&self, name: &str) -> Option<u64> {
        let limit = name.starts_with("action:") || name.starts_with("class:");
        if limit && self.paused.contains(name) {
            return Some(0);
        }
        self.permits.get(name).copied().or((!limit).then_some(1))
    }

    fn taken(&self, name: &str) -> u64 {
        self.holders.get(name).map_or(0, |holders| holders.values().sum())
    }

    fn line(&self, name: &str) -> Vec<JobId> {
        let stands = |job: &Record| job.waits() && job.in_line.iter().any(|other| other == name);
        let mut line: Vec<(i64, String, JobId)> = self
            .jobs
            .iter()
            .filter(|(_, job)| stands(job))
            .map(|(id, job)| (job.line_score(), id.to_string(), *id))
            .collect();
        line.sort();
        line.into_iter().map(|(_, _, id)| id).collect()
    }

    fn turns_in(&self, name: &str, line: &[JobId]) -> Vec<JobId> {
        let all = self.permits_of(name).unwrap_or(u64::MAX);
        let (held, mut taken, mut found) = (self.taken(name), 0, Vec::new());
        for id in line.iter().take(MOST_WALKED) {
            let need = self.jobs[id].need(name);
            if need <= all {
                if held + taken + need > all || found.len() == MOST_TURNS {
                    break;
                }
                taken += need;
                found.push(*id);
            }
        }
        found
    }

    fn has_turn(&self, name: &str, id: JobId) -> bool {
        self.turns_in(name, &self.line(name)).contains(&id)
    }

    /// Offers whoever has a turn at a lock.
    pub(super) fn wake(&mut self, name: &str) {
        let line = self.line(name);
        if line.is_empty() {
            return;
        }
        if self.permits_of(name).is_none() {
            return self.let_go(name, line);
        }
        for id in self.turns_in(name, &line) {
            let lines = self.jobs[&id].in_line.clone();
            let ready = matches!(self.jobs[&id].stand, Stand::Ready(_));
            let everywhere = lines.iter().all(|other| self.has_turn(other, id));
            if !ready && everywhere {
                self.admit(id);
            }
            if ready || everywhere {
                for other in lines {
                    self.turns.entry(other).or_insert(self.now + TURN_MS);
                }
            }
        }
    }

    fn let_go(&mut self, name: &str, line: Vec<JobId>) {
        for id in line.into_iter().take(MOST_WALKED) {
            self.step_out(id, name);
            let job = &self.jobs[&id];
            if job.stand == Stand::Parked && job.in_line.is_empty() {
                self.offer(id);
            }
            for other in self.jobs[&id].in_line.clone() {
                self.wake(&other);
            }
        }
        if !self.line(name).is_empty() {
            self.turns.insert(name.to_owned(), self.now);
        }
    }

    fn step_out(&mut self, id: JobId, name: &str) {
        self.job_mut(id).in_line.retain(|other| other != name);
    }

    /// Turns at this lock are over; `stepped_out` says whose the store found to have lasted long enough.
    pub(super) fn end_turns(&mut self, name: &str, stepped_out: impl Fn(JobId) -> bool) {
        self.turns.remove(name);
        for id in self.turns_in(name, &self.line(name)) {
            if let Stand::Ready(since) = self.jobs[&id].stand
                && stepped_out(id)
            {
                assert!(since <= self.now - TURN_MS + 1_000, "a turn is not over so soon");
                self.step_out(id, name);
            }
        }
        self.wake(name);
    }

    /// What a job needs before it runs.
    pub(super) fn needs_of(&self, id: JobId) -> Vec<(String, u64)> {
        let job = &self.jobs[&id];
        let limits = [format!("action:{}", job.action), format!("class:{}", job.class)];
        let limits = limits.into_iter().filter(|name| self.permits_of(name).is_some());
        job.locks.iter().cloned().chain(limits.map(|name| (name, 1))).collect()
    }

    /// The lock that keeps a job from starting; it stands in line then.
    pub(super) fn find_busy(&mut self, id: JobId, needs: &[(String, u64)]) -> Option<String> {
        let stood = self.jobs[&id].in_line.clone();
        let mut busy = Vec::new();
        for (name, need) in needs {
            let stands = stood.contains(name);
            let room = self.permits_of(name).is_none_or(|all| self.taken(name) + need <= all);
            if stands || !room || !self.line(name).is_empty() {
                if !stands {
                    self.job_mut(id).in_line.push(name.clone());
                }
                if !self.has_turn(name, id) {
                    busy.push(name.clone());
                } else if !stands {
                    self.step_out(id, name);
                }
            }
        }
        let first = busy.first()?.clone();
        if let Stand::Ready(_) = self.jobs[&id].stand {
            self.leave_ready(id);
        }
        self.job_mut(id).stand = Stand::Parked;
        Some(first)
    }

    pub(super) fn hold(&mut self, id: JobId, needs: &[(String, u64)]) {
        for (name, need) in needs {
            self.holders.entry(name.clone()).or_default().insert(id, *need);
        }
        let holds: Vec<_> = needs.iter().map(|(name, need)| format!("{name}={need}")).collect();
        self.job_mut(id).holds = Some(holds.join(" ")).filter(|holds| !holds.is_empty());
    }

    pub(super) fn free(&mut self, id: JobId) {
        let holds = self.jobs[&id].holds.clone().unwrap_or_default();
        for (name, _) in holds.split(' ').filter_map(|lock| lock.rsplit_once('=')) {
            let freed = self.holders.get_mut(name).and_then(|holders| holders.remove(&id));
            self.holders.retain(|_, holders| !holders.is_empty());
            if freed.is_some() {
                self.wake(name);
            }
        }
    }

    fn tell_of_lock(&mut self, name: &str, change: &str, value: String) {
        let told = [("lock", name.to_owned()), ("change", change.to_owned()), ("value", value)];
        self.events.push(super::moves::fields(told));
    }

    pub(super) fn set_permits(&mut self, name: &str, permits: Option<u32>) -> Option<u32> {
        match permits {
            Some(permits) => self.permits.insert(name.to_owned(), permits.into()),
            None => self.permits.remove(name),
        };
        self.wake(name);
        self.refill();
        let value = permits.map(|permits| permits.to_string()).unwrap_or_default();
        self.tell_of_lock(name, "permits", value);
        self.permits_of(name).map(|permits| permits as u32)
    }

    pub(super) fn pause(&mut self, name: &str, on: bool) {
        let changed =
            if on { self.paused.insert(name.to_owned()) } else { self.paused.remove(name) };
        if changed {
            self.tell_of_lock(name, "paused", on.to_string());
        }
        if !on {
            self.wake(name);
        }
        self.refill();
    }

    /// `order` is in which the store named those who held it.
    pub(super) fn clear_lock(&mut self, name: &str, order: &[JobId]) -> Vec<JobId> {
        let Some(holders) = self.holders.remove(name) else { return Vec::new() };
        let mut sorted = order.to_vec();
        sorted.sort();
        assert_eq!(sorted, holders.into_keys().collect::<Vec<_>>(), "all who held it lose it");
        let ids: Vec<String> = order.iter().map(ToString::to_string).collect();
        self.tell_of_lock(name, "cleared", ids.join(" "));
        self.wake(name);
        self.refill();
        order.to_vec()
    }

    /// How many jobs of each queue stand only in lines.
    pub(super) fn parked(&self) -> BTreeMap<String, u64> {
        let mut parked = BTreeMap::new();
        for job in self.jobs.values().filter(|job| job.waits() && job.stand == Stand::Parked) {
            *parked.entry(job.queue()).or_default() += 1;
        }
        parked
    }
}
