//! Groups jobs of the outbox into offers.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use broker::{MAX_OFFER_JOBS, Offer};
use domain::queue::QueueName;
use store::{OutboxEntry, ReadyJob};

/// The number of offers into which the jobs of one queue are divided, so that few jobs spread over
/// many workers and many jobs travel together.
const OFFERS_PER_QUEUE: usize = 32;
/// The number of offers per live worker that is enough for a queue that gets many jobs.
const OFFERS_PER_WORKER: usize = 4;
/// The most offers of a queue per second, as far as larger offers can achieve it.
const OFFERS_PER_SECOND: usize = 500;
/// The time over which the jobs of a queue are counted.
const COUNT_OVER: Duration = Duration::from_secs(1);

/// The number of jobs that each queue recently received, which determines the size of its offers.
pub(super) struct JobCounts {
    began: Instant,
    current: HashMap<QueueName, usize>,
    previous: HashMap<QueueName, usize>,
    /// The number of live workers.
    live_workers: usize,
}

impl JobCounts {
    pub(super) fn new(now: Instant) -> JobCounts {
        JobCounts {
            began: now,
            current: HashMap::new(),
            previous: HashMap::new(),
            live_workers: usize::MAX,
        }
    }

    /// Returns true if the current period is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.began) >= COUNT_OVER
    }

    /// Begins the next period.
    pub(super) fn begin(&mut self, now: Instant, live_workers: usize) {
        let is_old = now.duration_since(self.began) >= 2 * COUNT_OVER;
        let ended = std::mem::take(&mut self.current);
        self.previous = if is_old { HashMap::new() } else { ended };
        (self.began, self.live_workers) = (now, live_workers);
    }

    /// Counts more jobs of a queue. Returns how many of them an offer may contain.
    fn add(&mut self, queue: &QueueName, jobs: usize) -> usize {
        let current = self.current.entry(queue.clone()).or_default();
        *current += jobs;
        let per_second = self.previous.get(queue).copied().unwrap_or_default().max(*current);
        let by_rate = per_second.div_ceil(OFFERS_PER_SECOND);
        let by_workers = jobs.div_ceil(self.live_workers.saturating_mul(OFFERS_PER_WORKER).max(1));
        let at_least = jobs.div_ceil(OFFERS_PER_QUEUE);
        by_rate.min(by_workers).max(at_least).clamp(1, MAX_OFFER_JOBS)
    }
}

/// Groups jobs by queue into offers, in the order of the outbox.
pub(super) fn group_by_queue(
    entries: &[OutboxEntry],
    counts: &mut JobCounts,
) -> Vec<(QueueName, Offer)> {
    let mut queues: BTreeMap<&QueueName, Vec<&ReadyJob>> = BTreeMap::new();
    for job in entries.iter().flat_map(|entry| &entry.jobs) {
        queues.entry(&job.queue).or_default().push(job);
    }
    let mut offers = Vec::new();
    for (queue, jobs) in queues {
        for chunk in jobs.chunks(counts.add(queue, jobs.len())) {
            let first = chunk.iter().map(|job| (job.scheduled_at, job.number)).min();
            let ids = chunk.iter().map(|job| job.id).collect();
            offers.extend(first.map(|(at, number)| (queue.clone(), Offer::new(at, number, ids))));
        }
    }
    offers
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::job::{JobId, Timestamp};

    fn entries(class: &str, count: usize) -> Vec<OutboxEntry> {
        let job = |index: usize| ReadyJob {
            id: JobId::random(),
            number: index as u64 + 1,
            queue: format!("{class}.normal").parse().unwrap(),
            scheduled_at: Timestamp::from_ms(1_000 + index as i64),
        };
        let jobs: Vec<ReadyJob> = (0..count).map(job).collect();
        // Entries of one job, and of several.
        let (single, packed) = jobs.split_at(count / 3);
        let entries = single.chunks(1).chain(packed.chunks(64)).enumerate();
        let entry = |(index, jobs): (usize, &[ReadyJob])| OutboxEntry {
            id: format!("{index}-0"),
            jobs: jobs.to_vec(),
        };
        entries.map(entry).collect()
    }

    fn no_counts() -> JobCounts {
        JobCounts::new(Instant::now())
    }

    /// How many offers the next jobs make, and the size of the largest.
    fn divide(counts: &mut JobCounts, jobs: usize) -> (usize, usize) {
        let made = group_by_queue(&entries("scan=1", jobs), counts);
        (made.len(), made.iter().map(|(_, offer)| offer.jobs.len()).max().unwrap_or_default())
    }

    #[test]
    fn few_jobs_spread_over_many_offers_and_many_jobs_share_offers() {
        for (jobs, offers, largest) in [(1, 1, 1), (32, 32, 1), (33, 17, 2), (2048, 32, 64)] {
            assert_eq!(divide(&mut no_counts(), jobs), (offers, largest), "{jobs} jobs");
        }
    }

    #[test]
    fn a_queue_that_gets_many_jobs_has_larger_offers() {
        let began = Instant::now();
        let mut counts = JobCounts::new(began);
        counts.begin(began, 2);
        assert_eq!(divide(&mut counts, 48), (48 / 2, 2), "48 jobs in this second");
        divide(&mut counts, 3_000);
        assert_eq!(divide(&mut counts, 48), (8, 6), "four for each of two workers");
        counts.begin(began + COUNT_OVER, 2);
        assert_eq!(divide(&mut counts, 48), (8, 6), "in the next second");
        counts.begin(began + 2 * COUNT_OVER, 2);
        assert_eq!(divide(&mut counts, 48), (48 / 2, 2), "when there were few for a second");
    }

    #[test]
    fn many_workers_get_small_offers_whatever_the_rate() {
        let mut counts = no_counts();
        counts.begin(Instant::now(), 100);
        divide(&mut counts, 10_000);
        assert_eq!(divide(&mut counts, 30), (30, 1));
    }

    #[test]
    fn an_old_count_does_not_matter() {
        let began = Instant::now();
        let mut counts = JobCounts::new(began);
        divide(&mut counts, 10_000);
        assert!(!counts.is_over(began) && counts.is_over(began + COUNT_OVER));
        counts.begin(began + 60 * COUNT_OVER, 1);
        assert_eq!(divide(&mut counts, 30), (30, 1));
    }

    #[test]
    fn offers_keep_the_order_and_contain_jobs_of_one_queue() {
        let mut all = entries("scan=1", 100);
        all.extend(entries("cpu=2", 70));
        all.push(OutboxEntry { id: "x".into(), jobs: Vec::new() });
        let made = group_by_queue(&all, &mut no_counts());
        for class in ["cpu=2", "scan=1"] {
            let of_class = made.iter().filter(|(queue, _)| queue.class.as_str() == class);
            let ids: Vec<JobId> = of_class.flat_map(|(_, offer)| offer.jobs.clone()).collect();
            let jobs = all.iter().flat_map(|entry| &entry.jobs);
            let expected: Vec<JobId> =
                jobs.filter(|job| job.queue.class.as_str() == class).map(|job| job.id).collect();
            assert_eq!(ids, expected);
        }
        assert!(group_by_queue(&[], &mut no_counts()).is_empty());
    }
}
