//! Which jobs are offered in the model, and which wait in the backlogs of their fairness groups:
//! for room in the window of the group, or for the group's turn in the window of the owner.

use std::collections::BTreeMap;

use domain::job::JobId;

use super::routing::NO_QUEUE_MS;
use super::state::{Model, Record};
use super::waiting::Position;

/// How many jobs of a fairness group are offered at a time.
pub(super) const OFFER_WINDOW: u64 = 64;
/// How many jobs of all groups of an owner that have a key are offered at a time in a queue.
const KEYED_WINDOW: u64 = 192;

impl Record {
    fn owner_name(&self) -> String {
        format!("{}:{}", self.queue(), self.owner)
    }

    pub(super) fn group_name(&self) -> String {
        let key = self.fairness_key.as_ref().map(|key| format!(":{key}"));
        format!("{}{}", self.owner_name(), key.unwrap_or_default())
    }
}

/// The owner and the fairness key in the name of a group that has a key.
fn owner_and_key(group: &str) -> Option<(&str, &str)> {
    let owner = group.find(':')? + 1;
    let key = owner + group[owner..].find(':')?;
    Some((&group[..key], &group[key + 1..]))
}

impl Model {
    /// Offers a job, now or when it is due.
    pub(super) fn schedule(&mut self, id: JobId) {
        let at = self.jobs[&id].scheduled_at;
        if at > self.now {
            self.job_mut(id).position = Position::Due(at);
        } else {
            self.offer(id);
        }
    }

    /// Offers a job through the queue of its route.
    pub(super) fn offer(&mut self, id: JobId) {
        if !self.assign_queue(id) {
            self.job_mut(id).position = Position::Due(self.now + NO_QUEUE_MS);
            return;
        }
        let group = self.jobs[&id].group_name();
        let has_room = self.offered_of(&group) < OFFER_WINDOW;
        let window = self.window_of(&self.jobs[&id].queue());
        let fits_wide = owner_and_key(&group).is_none() && self.offered_of(&group) < window;
        if fits_wide || has_room && self.owner_room(&group) > 0 {
            return self.offer_now(id);
        }
        if self.jobs[&id].action_queue {
            self.occurred("a job joins the backlog of an action queue");
        }
        self.job_mut(id).position = Position::Backlog;
        if has_room {
            self.occurred("a fairness group waits for its turn");
            self.join_turns(&group);
        }
    }

    pub(super) fn offer_now(&mut self, id: JobId) {
        let offered = self.offered.entry(self.jobs[&id].group_name()).or_default();
        *offered += 1;
        if *offered == 1 {
            self.share_window(&self.jobs[&id].queue());
        }
        self.publish(id);
    }

    pub(super) fn withdraw_offer(&mut self, id: JobId) {
        let group = self.jobs[&id].group_name();
        match self.withdrawn.iter_mut().find(|(name, _)| *name == group) {
            Some((_, count)) => *count += 1,
            None => self.withdrawn.push((group, 1)),
        }
    }

    /// Takes a job out of the offers or its backlog.
    pub(super) fn leave_queue(&mut self, id: JobId, to: Position) {
        let from = std::mem::replace(&mut self.job_mut(id).position, to);
        match from {
            Position::Offered(_) => self.withdraw_offer(id),
            Position::Backlog => {
                let group = self.jobs[&id].group_name();
                if self.backlog(&group).is_empty() {
                    self.leave_turns(&group);
                }
            }
            Position::Due(_) | Position::Parked | Position::Nowhere => {}
        }
    }

    /// Refills the windows from which this step has withdrawn offers.
    pub(super) fn refill_offers(&mut self) {
        for (group, count) in std::mem::take(&mut self.withdrawn) {
            let offered = self.offered.get_mut(&group).unwrap();
            *offered -= count;
            let room = OFFER_WINDOW.saturating_sub(*offered);
            if owner_and_key(&group).is_none() {
                if self.offer_next(&group, room) == room {
                    let room = self.widened_window(&group).saturating_sub(self.offered_of(&group));
                    self.offer_next(&group, room);
                }
            } else {
                if room > 0 && !self.backlog(&group).is_empty() {
                    self.join_turns(&group);
                }
                self.take_turns(&group);
            }
            self.offered.retain(|_, count| *count > 0);
        }
    }

    /// Offers jobs of the owner of this group until there is no room, or no group waits.
    fn take_turns(&mut self, group: &str) {
        let (owner, _) = owner_and_key(group).unwrap();
        let mut room = self.owner_room(group);
        while room > 0 {
            let waiting = self.in_turn(owner);
            let next: Vec<String> = waiting.into_iter().take(room as usize).collect();
            if next.is_empty() {
                return;
            }
            let groups: Vec<String> = next.iter().map(|key| format!("{owner}:{key}")).collect();
            groups.iter().for_each(|group| self.leave_turns(group));
            let each = room / groups.len() as u64;
            for group in groups {
                self.occurred("a fairness group gets its turn");
                let free = OFFER_WINDOW.saturating_sub(self.offered_of(&group));
                let offered = self.offer_next(&group, each.min(free));
                if offered == each && free > each && !self.backlog(&group).is_empty() {
                    self.join_turns(&group);
                }
                room -= offered;
            }
        }
    }

    /// Offers the next jobs of a backlog, at most so many. Returns how many.
    fn offer_next(&mut self, group: &str, most: u64) -> u64 {
        let next: Vec<JobId> = self.backlog(group).into_iter().take(most as usize).collect();
        next.iter().for_each(|id| self.offer_now(*id));
        next.len() as u64
    }

    /// The jobs in the backlog of a group, in order.
    fn backlog(&self, group: &str) -> Vec<JobId> {
        self.waiting(|job| {
            let behind = job.position == Position::Backlog && job.group_name() == group;
            behind.then_some(job.scheduled_at)
        })
    }

    pub(super) fn offered_of(&self, group: &str) -> u64 {
        self.offered.get(group).copied().unwrap_or(0)
    }

    /// How many more jobs of the owner of this group may be offered.
    fn owner_room(&self, group: &str) -> u64 {
        let Some((owner, _)) = owner_and_key(group) else { return u64::MAX };
        let offered = self.offered_keyed().get(owner).copied().unwrap_or(0);
        KEYED_WINDOW.saturating_sub(offered)
    }

    /// How many jobs with a fairness key each owner has offered in a queue.
    pub(super) fn offered_keyed(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (group, count) in &self.offered {
            if let Some((owner, _)) = owner_and_key(group) {
                *counts.entry(owner.to_owned()).or_default() += count;
            }
        }
        counts
    }

    /// How many jobs of each owner wait, and the bytes of their specs.
    pub(super) fn waiting_by_owner(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for job in self.jobs.values().filter(|job| job.waits()) {
            *counts.entry(format!("jobs:{}", job.owner)).or_default() += 1;
            *counts.entry(format!("bytes:{}", job.owner)).or_default() += job.spec.len() as u64;
        }
        counts
    }

    fn join_turns(&mut self, group: &str) {
        let (owner, key) = owner_and_key(group).unwrap();
        let turns = self.turns.entry(owner.to_owned()).or_default();
        let last = turns.values().max().copied().unwrap_or(0);
        turns.entry(key.to_owned()).or_insert(last + 1);
    }

    fn leave_turns(&mut self, group: &str) {
        let Some((owner, key)) = owner_and_key(group) else { return };
        if let Some(turns) = self.turns.get_mut(owner) {
            turns.remove(key);
        }
        self.turns.retain(|_, turns| !turns.is_empty());
    }

    /// The keys of an owner whose groups wait for their turn, next one first.
    fn in_turn(&self, owner: &str) -> Vec<String> {
        let Some(turns) = self.turns.get(owner) else { return Vec::new() };
        let mut turns: Vec<(&i64, &String)> = turns.iter().map(|(key, turn)| (turn, key)).collect();
        turns.sort();
        turns.into_iter().map(|(_, key)| key.clone()).collect()
    }

    /// How many groups have their turn before this one.
    pub(super) fn turns_before(&self, group: &str) -> Option<u64> {
        let (owner, key) = owner_and_key(group)?;
        self.in_turn(owner).iter().position(|other| other == key).map(|rank| rank as u64)
    }
}
