//! The decisions that follow from the state of the admission, as commands in order.

use std::time::Instant;

use domain::capacity::CapacityMap;
use domain::job::{JobId, Priority};
use domain::queue::QueueName;

use super::command::{Claim, Command};
use super::queue_state::{HeldOffer, QueueState};
use super::state::Admission;

/// How many offers a consumer holds at most. An offer may carry 64 jobs, and a held job that does
/// not fit is kept from other workers.
const MAX_PREFETCH: u32 = 16;
/// A consumer holds one offer for every this many jobs that fit.
const JOBS_PER_OFFER: u32 = 4;
/// The capacity for the next job of a resumed queue counts as taken for `offer_hold` divided by
/// this.
const EXPECTED_DIVISOR: u32 = 5;
/// How many spare ids a claim carries, because some ids may be stale.
const SPARE_IDS: u32 = 8;

impl Admission {
    /// Returns what to do now.
    pub(crate) fn next_commands(&mut self, now: Instant) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.closed || self.draining {
            self.pause_all(&mut commands);
            return commands;
        }
        self.remove_other_queues(&mut commands);
        self.reserve(now, &mut commands);
        self.claim_what_fits(now, &mut commands);
        self.ack_exhausted_offers(&mut commands);
        self.pause_overdue_queues(now, &mut commands);
        self.clear_gone_backlogs(now);
        self.close_lost_consumers(&mut commands);
        self.resume_what_fits(now, &mut commands);
        self.count_silent_queues(now, &mut commands);
        commands
    }

    /// Claims jobs of held offers, by priority, then by schedule, then in the order of submission.
    fn claim_what_fits(&mut self, now: Instant, commands: &mut Vec<Command>) {
        let mut order = Vec::new();
        for (queue, state) in &self.queues {
            for held in state.held.iter().filter(|held| !held.claiming) {
                order.push((queue.priority, held.first, held.key, queue.clone()));
            }
        }
        order.sort();
        for (_, _, key, queue) in order {
            if self.yields(&queue, now) {
                continue;
            }
            let free = self.free_for(&queue);
            let Some(state) = self.queues.get_mut(&queue) else { continue };
            let Some(held) = state.held.iter_mut().find(|held| held.key == key) else { continue };
            held.ids.retain(|id| !self.running.contains(id));
            let candidates = held.ids.iter().filter(|id| !self.claiming.contains(id));
            let mut ids: Vec<JobId> = candidates.copied().collect();
            let max = free.fits(&state.need).min(ids.len() as u32);
            if max == 0 {
                continue;
            }
            ids.truncate((max + SPARE_IDS) as usize);
            held.claiming = true;
            held.hold_until = held.hold_until_if_claimed;
            self.claiming.extend(ids.iter().copied());
            self.in_use.give(&state.need, max);
            commands.push(Command::Claim(Claim { offer: key, queue, ids, max }));
        }
    }

    fn ack_exhausted_offers(&mut self, commands: &mut Vec<Command>) {
        for state in self.queues.values_mut() {
            state.held.retain(|held| {
                let exhausted = held.ids.is_empty() && !held.claiming;
                commands.extend(exhausted.then_some(Command::Ack(held.key)));
                !exhausted
            });
        }
    }

    /// Pauses queues with an offer that was held for too long, so that other workers get it.
    fn pause_overdue_queues(&mut self, now: Instant, commands: &mut Vec<Command>) {
        for (queue, state) in &mut self.queues {
            let overdue = |held: &HeldOffer| !held.claiming && held.hold_until <= now;
            if state.consuming && state.held.iter().any(overdue) {
                state.pause_for_capacity(now);
                commands.push(Command::Pause(queue.clone()));
            }
        }
    }

    /// Resumes paused queues: high priorities first, then those that have been paused for longest.
    /// The capacity for the next job of a queue with a backlog counts as taken briefly. Otherwise
    /// every paused queue would be resumed for the same free unit, and all but one paused again.
    fn resume_what_fits(&mut self, now: Instant, commands: &mut Vec<Command>) {
        if !self.connected {
            return;
        }
        let mut expected = CapacityMap::default();
        for state in self.queues.values_mut() {
            state.expected_until = state.expected_until.filter(|until| now < *until);
            if state.expected_until.is_some() {
                expected.give(&state.need, 1);
            }
        }
        let paused = self.queues.iter().filter(|(_, state)| !state.consuming);
        let mut paused: Vec<_> = paused.map(resume_order).collect();
        paused.sort();
        for (_, _, queue) in paused {
            let free = self.free_for(&queue).without(&expected);
            let Some(state) = self.queues.get_mut(&queue) else { continue };
            // A queue that was never paused is consumed even when nothing fits, so that the jobs in
            // it become known.
            if state.is_paused_for_capacity() && free.fits(&state.need) == 0 {
                continue;
            }
            if state.has_backlog {
                expected.give(&state.need, 1);
                commands.push(Command::Count(queue.clone()));
            }
            state.resume(now, self.offer_hold / EXPECTED_DIVISOR);
            let prefetch = prefetch(self.capacity.fits(&state.need), queue.priority);
            commands.push(Command::Resume(queue, prefetch));
        }
    }

    /// Closes consumers that deliver nothing while jobs wait; they are then started again. RabbitMQ
    /// 3.10 may forget a consumer without a word when its queue is deleted and declared again.
    fn close_lost_consumers(&mut self, commands: &mut Vec<Command>) {
        for (queue, state) in &mut self.queues {
            if state.consumer_lost && state.is_silent() {
                state.close();
                commands.push(Command::Pause(queue.clone()));
            }
        }
    }

    /// Counts the jobs of queues whose consumers deliver nothing, although capacity is free.
    fn count_silent_queues(&mut self, now: Instant, commands: &mut Vec<Command>) {
        let free = self.free();
        for (queue, state) in &mut self.queues {
            if state.falls_silent(now) && free.fits(&state.need) > 0 {
                commands.push(Command::Count(queue.clone()));
            }
        }
    }

    /// Removes queues that no longer exist, and those whose jobs do not fit since the capacity was
    /// reduced.
    fn remove_other_queues(&mut self, commands: &mut Vec<Command>) {
        let (capacity, known) = (&self.capacity, &self.known_queues);
        self.queues.retain(|queue, state| {
            let stays = known.contains(queue) && capacity.fits(&state.need) > 0;
            if !stays && state.consuming {
                commands.push(Command::Pause(queue.clone()));
            }
            stays
        });
        self.reserved_for =
            self.reserved_for.take().filter(|queue| self.queues.contains_key(queue));
    }

    fn pause_all(&mut self, commands: &mut Vec<Command>) {
        for (queue, state) in &mut self.queues {
            if state.consuming {
                state.close();
                commands.push(Command::Pause(queue.clone()));
            }
        }
    }
}

/// Returns how many offers a consumer may hold. A queue to which others yield holds one more, so
/// that its next job is at hand when capacity becomes free.
fn prefetch(fitting: u32, priority: Priority) -> u16 {
    let spare = u32::from(priority != Priority::Low);
    (fitting.div_ceil(JOBS_PER_OFFER) + spare).min(MAX_PREFETCH) as u16
}

/// The order in which paused queues are resumed.
fn resume_order(entry: (&QueueName, &QueueState)) -> (Priority, Option<Instant>, QueueName) {
    let (queue, state) = entry;
    (queue.priority, state.paused_since, queue.clone())
}
