//! Groups jobs of the outbox into offers.

use std::collections::BTreeMap;

use broker::{MAX_OFFER_JOBS, Offer};
use domain::queue::QueueName;
use store::{OutboxEntry, ReadyJob};

/// The number of offers into which the jobs of one queue are divided, so that few jobs spread over
/// many workers and many jobs travel together.
const OFFERS_PER_QUEUE: usize = 32;

/// Groups jobs by queue into offers, in the order of the outbox.
pub(super) fn group_by_queue(entries: &[OutboxEntry]) -> Vec<(QueueName, Offer)> {
    let mut queues: BTreeMap<&QueueName, Vec<&ReadyJob>> = BTreeMap::new();
    for job in entries.iter().flat_map(|entry| &entry.jobs) {
        queues.entry(&job.queue).or_default().push(job);
    }
    let mut offers = Vec::new();
    for (queue, jobs) in queues {
        let size = jobs.len().div_ceil(OFFERS_PER_QUEUE).clamp(1, MAX_OFFER_JOBS);
        for chunk in jobs.chunks(size) {
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

    #[test]
    fn few_jobs_spread_over_many_offers_and_many_jobs_share_offers() {
        for (jobs, offers, largest) in [(1, 1, 1), (32, 32, 1), (33, 17, 2), (2048, 32, 64)] {
            let made = group_by_queue(&entries("scan=1", jobs));
            assert_eq!(made.len(), offers, "{jobs} jobs");
            assert_eq!(made.iter().map(|(_, offer)| offer.jobs.len()).max(), Some(largest));
        }
    }

    #[test]
    fn offers_keep_the_order_and_contain_jobs_of_one_queue() {
        let mut all = entries("scan=1", 100);
        all.extend(entries("cpu=2", 70));
        all.push(OutboxEntry { id: "x".into(), jobs: Vec::new() });
        let made = group_by_queue(&all);
        for class in ["cpu=2", "scan=1"] {
            let of_class = made.iter().filter(|(queue, _)| queue.class.as_str() == class);
            let ids: Vec<JobId> = of_class.flat_map(|(_, offer)| offer.jobs.clone()).collect();
            let jobs = all.iter().flat_map(|entry| &entry.jobs);
            let expected: Vec<JobId> =
                jobs.filter(|job| job.queue.class.as_str() == class).map(|job| job.id).collect();
            assert_eq!(ids, expected);
        }
        assert!(group_by_queue(&[]).is_empty());
    }
}
