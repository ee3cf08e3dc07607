//! The windows of queues in the model: they widen while one fairness group is alone in a queue and
//! its jobs are claimed soon after they were offered.

use domain::job::JobId;

use super::offers::OFFER_WINDOW;
use super::state::Model;
use super::waiting::Position;

const WIDEST_WINDOW: u64 = 1024;
const SOON_MS: i64 = 100;
const LATE_MS: i64 = 200;

impl Model {
    pub(super) fn window_of(&self, queue: &str) -> u64 {
        self.windows.get(queue).copied().unwrap_or(OFFER_WINDOW)
    }

    fn set_window(&mut self, queue: &str, size: u64) {
        self.windows.insert(queue.to_owned(), size);
        self.windows.retain(|_, size| *size != OFFER_WINDOW);
    }

    /// The window of a group without a key that may have more jobs behind those that are offered.
    pub(super) fn widened_window(&mut self, group: &str) -> u64 {
        let queue = group.split(':').next().unwrap();
        let size = self.window_of(queue);
        let Some(claimed) = self.claimed_now.get(queue) else { return size };
        let age = self.now - claimed;
        if age > LATE_MS && size > OFFER_WINDOW {
            self.set_window(queue, (size / 2).max(OFFER_WINDOW));
        } else if age < SOON_MS
            && size < WIDEST_WINDOW
            && self.ids_offered_in(queue).len() as u64 == self.offered_of(group)
        {
            self.set_window(queue, size * 2);
        }
        self.window_of(queue)
    }

    /// Another group has its first offer in a queue.
    pub(super) fn share_window(&mut self, queue: &str) {
        let offered = self.ids_offered_in(queue);
        if self.window_of(queue) == OFFER_WINDOW || offered.is_empty() {
            return;
        }
        self.set_window(queue, OFFER_WINDOW);
        for id in offered.into_iter().skip(OFFER_WINDOW as usize) {
            if self.jobs[&id].awaited_locks.is_empty() {
                self.job_mut(id).position = Position::Backlog;
                let group = self.jobs[&id].group_name();
                *self.offered.get_mut(&group).unwrap() -= 1;
            }
        }
    }

    /// The jobs that are offered in a queue, oldest offer first.
    fn ids_offered_in(&self, queue: &str) -> Vec<JobId> {
        let offered = self.jobs.iter().filter_map(|(id, job)| match job.position {
            Position::Offered(at) => (job.queue() == queue).then_some((at, job.number, *id)),
            Position::Due(_) | Position::Backlog | Position::Parked | Position::Nowhere => None,
        });
        let mut offered: Vec<_> = offered.collect();
        offered.sort();
        offered.into_iter().map(|(_, _, id)| id).collect()
    }
}
