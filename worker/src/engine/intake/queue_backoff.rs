//! Back-off for queues whose consumers make the broker fail. Such a failure ends the whole
//! connection with all its consumers, so the queue that caused it is consumed again only after a
//! growing delay. No I/O and no clock: callers pass what happened and when.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::queue::QueueName;

/// The first delay; it doubles with each failure in a row.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(60);
/// For this long after a failure queues are consumed one at a time, so that the next failure
/// identifies its queue.
const SEQUENTIAL_FOR: Duration = Duration::from_secs(120);

/// The queues with recent failures.
#[derive(Debug, Default)]
pub(super) struct QueueBackoff {
    queues: HashMap<QueueName, Failures>,
    sequential_until: Option<Instant>,
}

#[derive(Debug)]
struct Failures {
    in_a_row: u32,
    retry_at: Instant,
}

impl QueueBackoff {
    /// Notes that the broker failed while consumers of these queues were being started. Returns the
    /// delay of the queue when it is the only one, because then it is the cause.
    pub(super) fn failed(&mut self, starting: &[&QueueName], now: Instant) -> Option<Duration> {
        self.sequential_until = Some(now + SEQUENTIAL_FOR);
        let [queue] = starting else { return None };
        let none = || Failures { in_a_row: 0, retry_at: now };
        let failures = self.queues.entry((*queue).clone()).or_insert_with(none);
        let delay = FIRST_DELAY.saturating_mul(1 << failures.in_a_row.min(10)).min(MAX_DELAY);
        failures.in_a_row += 1;
        failures.retry_at = now + delay;
        Some(delay)
    }

    /// Notes that a message arrived from the queue, which ends its back-off.
    pub(super) fn succeeded(&mut self, queue: &QueueName) {
        self.queues.remove(queue);
    }

    /// Returns how long to wait before the queue is consumed again.
    pub(super) fn delay(&self, queue: &QueueName, now: Instant) -> Duration {
        let retry_at = self.queues.get(queue).map(|failures| failures.retry_at);
        retry_at.map_or(Duration::ZERO, |retry_at| retry_at.saturating_duration_since(now))
    }

    /// Returns true while consumers must be started one at a time.
    pub(super) fn is_sequential(&self, now: Instant) -> bool {
        self.sequential_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_for_the_only_queue_that_was_being_started() {
        let (queue, other): (QueueName, QueueName) =
            ("a=1.normal".parse().unwrap(), "b=1.normal".parse().unwrap());
        let (mut backoff, now) = (QueueBackoff::default(), Instant::now());
        assert!(!backoff.is_sequential(now));
        assert_eq!(backoff.failed(&[&queue, &other], now), None, "the cause may be either");
        assert!(backoff.is_sequential(now));
        let delays: Vec<u64> = (0..8)
            .filter_map(|_| backoff.failed(&[&queue], now))
            .map(|delay| delay.as_secs())
            .collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.delay(&queue, now), MAX_DELAY);
        assert_eq!(backoff.delay(&other, now), Duration::ZERO);
        backoff.succeeded(&queue);
        assert_eq!(backoff.delay(&queue, now), Duration::ZERO);
        assert!(!backoff.is_sequential(now + SEQUENTIAL_FOR));
    }
}
