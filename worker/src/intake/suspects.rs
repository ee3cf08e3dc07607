//! Queues over which the broker has failed, and ended our whole connection: each is left alone, ever longer, or it
//! would end the others' consumers again and again. Pure: it is told what happened and when.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::queue::QueueName;

/// How long a queue is left alone at first; it doubles with each failure in a row.
const FIRST: Duration = Duration::from_secs(1);
/// The longest that a queue is left alone.
const LONGEST: Duration = Duration::from_secs(60);
/// So long after a failure queues are begun one at a time, so that the next failure tells which it is.
const CAREFUL: Duration = Duration::from_secs(120);

/// The queues under suspicion.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    queues: HashMap<QueueName, Suspect>,
    careful_until: Option<Instant>,
}

#[derive(Debug)]
struct Suspect {
    in_a_row: u32,
    alone_until: Instant,
}

impl Suspects {
    /// The broker has failed while these queues were being begun. When it is one, it is known which: returned is how
    /// long it is left alone.
    pub(super) fn failed(&mut self, begun: &[&QueueName], now: Instant) -> Option<Duration> {
        self.careful_until = Some(now + CAREFUL);
        let [queue] = begun else { return None };
        let fresh = || Suspect { in_a_row: 0, alone_until: now };
        let suspect = self.queues.entry((*queue).clone()).or_insert_with(fresh);
        let alone = FIRST.saturating_mul(1 << suspect.in_a_row.min(10)).min(LONGEST);
        suspect.in_a_row += 1;
        suspect.alone_until = now + alone;
        Some(alone)
    }

    /// The queue works: something came from it.
    pub(super) fn cleared(&mut self, queue: &QueueName) {
        self.queues.remove(queue);
    }

    /// How long the queue is to be left alone from now on.
    pub(super) fn alone(&self, queue: &QueueName, now: Instant) -> Duration {
        let until = self.queues.get(queue).map(|suspect| suspect.alone_until);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// True while queues are to be begun one at a time.
    pub(super) fn is_careful(&self, now: Instant) -> bool {
        self.careful_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_queue_that_was_being_begun_is_left_alone_ever_longer() {
        let (queue, other): (QueueName, QueueName) =
            ("a=1.normal".parse().unwrap(), "b=1.normal".parse().unwrap());
        let (mut suspects, now) = (Suspects::default(), Instant::now());
        assert!(!suspects.is_careful(now));
        assert_eq!(suspects.failed(&[&queue, &other], now), None, "it may be either");
        assert!(suspects.is_careful(now));
        let alone: Vec<u64> = (0..8)
            .filter_map(|_| suspects.failed(&[&queue], now))
            .map(|alone| alone.as_secs())
            .collect();
        assert_eq!(alone, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(suspects.alone(&queue, now), LONGEST);
        assert_eq!(suspects.alone(&other, now), Duration::ZERO);
        suspects.cleared(&queue);
        assert_eq!(suspects.alone(&queue, now), Duration::ZERO);
        assert!(!suspects.is_careful(now + CAREFUL));
    }
}
