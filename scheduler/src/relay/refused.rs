//! Queues that the broker refuses: one that cannot be made, or is full by a policy, must not hold up the
//! others. Pure: it is told what happened and when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::queue::QueueName;

/// How long a queue is left alone after its second refusal in a row; it doubles with each.
const FIRST: Duration = Duration::from_secs(1);
/// The longest that a queue is left alone.
const LONGEST: Duration = Duration::from_secs(60);

/// What became of refused offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Offer them again at once: a queue that was deleted is made anew.
    Retry,
    /// Let go of them, the reaper finds their jobs; leave the queue alone for so long.
    LetGo(Duration),
}

/// The queues that have refused lately.
#[derive(Debug, Default)]
pub(super) struct Refused(BTreeMap<QueueName, Refusals>);

#[derive(Debug)]
struct Refusals {
    in_a_row: u32,
    alone_until: Instant,
}

impl Refused {
    /// The queue has refused an offer.
    pub(super) fn refused(&mut self, queue: &QueueName, now: Instant) -> Verdict {
        let fresh = || Refusals { in_a_row: 0, alone_until: now };
        let refusals = self.0.entry(queue.clone()).or_insert_with(fresh);
        refusals.in_a_row += 1;
        if refusals.in_a_row == 1 {
            return Verdict::Retry;
        }
        let alone = FIRST.saturating_mul(1 << (refusals.in_a_row - 2).min(10)).min(LONGEST);
        refusals.alone_until = now + alone;
        Verdict::LetGo(alone)
    }

    /// The queue has taken all that it was offered.
    pub(super) fn taken(&mut self, queue: &QueueName) {
        self.0.remove(queue);
    }

    /// True while the queue is to be left alone.
    pub(super) fn is_left_alone(&self, queue: &QueueName, now: Instant) -> bool {
        self.0.get(queue).is_some_and(|refusals| now < refusals.alone_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_tried_again_at_once_and_then_ever_more_seldom() {
        let (queue, now) = ("scan=1.normal".parse().unwrap(), Instant::now());
        let mut refused = Refused::default();
        let verdicts: Vec<Verdict> = (0..10).map(|_| refused.refused(&queue, now)).collect();
        assert_eq!(verdicts[0], Verdict::Retry);
        let seconds = [1, 2, 4, 8, 16, 32, 60, 60, 60];
        let alone = seconds.map(|seconds| Verdict::LetGo(Duration::from_secs(seconds)));
        assert_eq!(verdicts[1..], alone);
        assert!(refused.is_left_alone(&queue, now + Duration::from_secs(59)));
        assert!(!refused.is_left_alone(&queue, now + Duration::from_secs(60)));
        refused.taken(&queue);
        assert!(!refused.is_left_alone(&queue, now));
        assert_eq!(refused.refused(&queue, now), Verdict::Retry);
    }
}
