//! Which of the queues that wait for the same capacity goes next. A higher priority goes first,
//! and small jobs go before a large one that does not fit, until the waiting queue was overtaken
//! [`MAX_OVERTAKEN`] times. Then capacity that becomes free is reserved for its next job.

use std::cmp::Reverse;
use std::time::Instant;

use domain::capacity::CapacityMap;
use domain::queue::QueueName;

use super::command::Command;
use super::state::Admission;

/// How many jobs of other queues may start on this worker while a job of a queue waits.
pub(super) const MAX_OVERTAKEN: u32 = 16;

impl Admission {
    /// Notes how many jobs wait in a queue. If there are none, nothing is reserved for it. If some
    /// do and its consumer is silent, the consumer is lost.
    pub(crate) fn counted(&mut self, queue: &QueueName, waiting: u64) {
        let Some(state) = self.queues.get_mut(queue) else { return };
        if waiting > 0 {
            state.consumer_lost = state.is_silent();
        } else if state.held.is_empty() {
            state.clear_backlog();
            self.served(queue);
        }
    }

    /// Notes that a job of the queue started, or that none waits.
    pub(super) fn served(&mut self, queue: &QueueName) {
        if let Some(state) = self.queues.get_mut(queue) {
            state.job_started();
        }
        if self.reserved_for.as_ref() == Some(queue) {
            self.reserved_for = None;
        }
    }

    /// Notes that jobs of `started` overtook those queues that wait for the same type of capacity.
    pub(super) fn overtake(&mut self, started: &QueueName, jobs: u32) {
        let need = started.class.need();
        for (queue, state) in &mut self.queues {
            let competes = queue != started && state.need.shares_a_type_with(&need);
            if competes && state.has_waiting_job() {
                state.overtaken = state.overtaken.saturating_add(jobs);
            }
        }
    }

    /// Returns the free capacity, without what is reserved for another queue.
    pub(super) fn free_for(&self, queue: &QueueName) -> CapacityMap {
        let other = self.reserved_for.as_ref().filter(|reserved| *reserved != queue);
        match other.and_then(|other| self.queues.get(other)) {
            Some(state) => self.free().without(&state.need),
            None => self.free(),
        }
    }

    /// Returns true when a queue of higher priority could use the same capacity, and its next job
    /// is about to be delivered.
    pub(super) fn yields(&self, queue: &QueueName, now: Instant) -> bool {
        let Some(own) = self.queues.get(queue) else { return false };
        if !self.connected || self.reserved_for.as_ref() == Some(queue) {
            return false;
        }
        self.queues.iter().any(|(other, state)| {
            other.priority < queue.priority
                && state.need.shares_a_type_with(&own.need)
                && (state.expects_delivery(now) || state.is_paused_for_capacity())
                && self.free_for(other).fits(&state.need) > 0
        })
    }

    /// Reserves capacity for the queue that was overtaken most, if it was often enough. Counts
    /// its jobs repeatedly, because another worker may have started them.
    pub(super) fn reserve(&mut self, now: Instant, commands: &mut Vec<Command>) {
        if self.reserved_for.is_none() {
            let starving = self.queues.iter().filter(|(_, state)| state.overtaken >= MAX_OVERTAKEN);
            let most = starving.max_by_key(|(queue, state)| (state.overtaken, Reverse(*queue)));
            self.reserved_for = most.map(|(queue, _)| queue.clone());
            self.count_at = None;
        }
        if let Some(queue) = &self.reserved_for {
            if self.count_at.is_some_and(|at| now < at) {
                return;
            }
            commands.push(Command::Count(queue.clone()));
            self.count_at = Some(now + self.offer_hold);
        }
    }

    /// Clears the backlog of queues whose jobs do not arrive: they started elsewhere.
    pub(super) fn clear_gone_backlogs(&mut self, now: Instant) {
        let gone =
            self.queues.iter().filter(|(_, state)| state.backlog_is_gone(now, self.offer_hold));
        for queue in gone.map(|(queue, _)| queue.clone()).collect::<Vec<_>>() {
            self.served(&queue);
        }
    }
}
