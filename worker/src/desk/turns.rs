//! Whose turn it is among queues that wait for the same room: the urgent one's, until a less urgent one has been passed
//! over for long enough; the small one's, until a large one has. Pure, as all of the desk.

use std::cmp::Reverse;
use std::time::Instant;

use domain::capacity::CapacityMap;
use domain::queue::QueueName;

use super::{Desk, Move};

/// How many jobs of other queues may start here while a queue waits for room. Then what frees is its, once.
pub(super) const PASSES: u32 = 16;

impl Desk {
    /// The queue whose need is being gathered.
    #[must_use]
    pub(crate) fn gathering(&self) -> Option<&QueueName> {
        self.gathering.as_ref()
    }

    /// So many jobs wait in this queue. When it is none, nothing is kept for it.
    pub(crate) fn counted(&mut self, queue: &QueueName, waiting: u64) {
        let line = self.lines.get_mut(queue).filter(|line| waiting == 0 && line.held.is_empty());
        if let Some(line) = line {
            line.emptied();
            self.had_its_turn(queue);
        }
    }

    /// One of its jobs got in, or none is waiting.
    pub(super) fn had_its_turn(&mut self, queue: &QueueName) {
        if let Some(line) = self.lines.get_mut(queue) {
            line.admitted();
        }
        if self.gathering() == Some(queue) {
            self.gathering = None;
        }
    }

    /// So many jobs started while others wait for some of the same room.
    pub(super) fn pass_over(&mut self, started: &QueueName, jobs: u32) {
        let need = started.class.need();
        for (queue, line) in &mut self.lines {
            if queue != started && line.waits() && line.need.shares_a_type_with(&need) {
                line.passed_over = line.passed_over.saturating_add(jobs);
            }
        }
    }

    /// What is free for one queue: all of it, less what is gathered for another.
    pub(super) fn free_for(&self, queue: &QueueName) -> CapacityMap {
        let gathered = self.gathering().filter(|gathering| *gathering != queue);
        match gathered.and_then(|gathering| self.lines.get(gathering)) {
            Some(line) => self.free().without(&line.need),
            None => self.free(),
        }
    }

    /// True when a more urgent queue that was paused could have this room, and its next job is a delivery away.
    pub(super) fn gives_way(&self, queue: &QueueName, now: Instant) -> bool {
        let Some(own) = self.lines.get(queue) else { return false };
        if !self.connected || self.gathering() == Some(queue) {
            return false;
        }
        self.lines.iter().any(|(other, line)| {
            let before = other.priority < queue.priority && line.need.shares_a_type_with(&own.need);
            let comes = || line.expects(now) || line.is_kept_out();
            before && comes() && self.free_for(other).fits(&line.need) > 0
        })
    }

    /// The queue that has been passed over most is next to have what frees.
    pub(super) fn begin_to_gather(&mut self, now: Instant, moves: &mut Vec<Move>) {
        if self.gathering.is_none() {
            let starved = self.lines.iter().filter(|(_, line)| line.passed_over >= PASSES);
            let most = starved.max_by_key(|(queue, line)| (line.passed_over, Reverse(*queue)));
            self.gathering = most.map(|(queue, _)| queue.clone());
            self.count_at = None;
        }
        // Another worker may have had its jobs meanwhile.
        if let Some(queue) = self.gathering.clone() {
            if self.count_at.is_some_and(|at| now < at) {
                return;
            }
            self.count_at = Some(now + self.hold);
            moves.push(Move::Count(queue));
        }
    }

    /// A queue that is consumed for a while without an offer does not starve.
    pub(super) fn forget_idle_hunger(&mut self, now: Instant) {
        let idle = self.lines.iter().filter(|(_, line)| line.is_fed(now, self.hold));
        for queue in idle.map(|(queue, _)| queue.clone()).collect::<Vec<_>>() {
            self.had_its_turn(&queue);
        }
    }
}
