//! Queues that the broker refuses. One that cannot be created, or is full because of a policy, must
//! not delay the others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::queue::QueueName;

/// The pause after the second rejection in a row. It doubles with each further rejection.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// What to do with rejected offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Offer the jobs again at once: if the queue was deleted, this creates it.
    Retry,
    /// Drop the offers, and publish nothing to the queue for this long.
    Pause(Duration),
}

/// The queues whose last offers were rejected.
#[derive(Debug, Default)]
pub(super) struct Rejections(BTreeMap<QueueName, Rejected>);

#[derive(Debug)]
struct Rejected {
    in_a_row: u32,
    paused_until: Instant,
}

impl Rejections {
    /// Records that a queue rejected an offer.
    pub(super) fn rejected(&mut self, queue: &QueueName, now: Instant) -> Decision {
        let first = || Rejected { in_a_row: 0, paused_until: now };
        let rejected = self.0.entry(queue.clone()).or_insert_with(first);
        rejected.in_a_row += 1;
        if rejected.in_a_row == 1 {
            return Decision::Retry;
        }
        let doubled = FIRST_PAUSE.saturating_mul(1 << (rejected.in_a_row - 2).min(10));
        let pause = doubled.min(MAX_PAUSE);
        rejected.paused_until = now + pause;
        Decision::Pause(pause)
    }

    /// Records that a queue accepted all of its offers.
    pub(super) fn accepted(&mut self, queue: &QueueName) {
        self.0.remove(queue);
    }

    /// Returns true if the queue rejected its last offer.
    pub(super) fn is_suspect(&self, queue: &QueueName) -> bool {
        self.0.contains_key(queue)
    }

    /// Returns true if the queue was paused and has accepted nothing since.
    pub(super) fn was_paused(&self, queue: &QueueName) -> bool {
        self.0.get(queue).is_some_and(|rejected| rejected.in_a_row > 1)
    }

    /// Returns true while nothing is to be published to the queue.
    pub(super) fn is_paused(&self, queue: &QueueName, now: Instant) -> bool {
        self.0.get(queue).is_some_and(|rejected| now < rejected.paused_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_queue_is_retried_at_once_and_then_after_growing_pauses() {
        let (queue, now) = ("scan=1.normal".parse().unwrap(), Instant::now());
        let mut rejections = Rejections::default();
        let decisions: Vec<Decision> = (0..10)
            .map(|before| {
                assert_eq!(rejections.is_suspect(&queue), before >= 1);
                assert_eq!(rejections.was_paused(&queue), before >= 2);
                rejections.rejected(&queue, now)
            })
            .collect();
        assert_eq!(decisions[0], Decision::Retry);
        let seconds = [1, 2, 4, 8, 16, 32, 60, 60, 60];
        let pauses = seconds.map(|seconds| Decision::Pause(Duration::from_secs(seconds)));
        assert_eq!(decisions[1..], pauses);
        assert!(rejections.is_paused(&queue, now + Duration::from_secs(59)));
        assert!(!rejections.is_paused(&queue, now + Duration::from_secs(60)));
        rejections.accepted(&queue);
        assert!(!rejections.is_paused(&queue, now) && !rejections.was_paused(&queue));
        assert_eq!(rejections.rejected(&queue, now), Decision::Retry);
    }
}
