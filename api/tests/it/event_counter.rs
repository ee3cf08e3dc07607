//! Counts events as the scheduler does, and adds counts of the past.

use std::collections::BTreeMap;

use domain::event::EventId;
use domain::failure::FailureKind;
use domain::job::{Exception, JobId, Timestamp};
use domain::series::{Counts, SeriesName, Tally};
use store::{CountAnswer, EventCounts, FailureCount};

use crate::env::TestEnv;

impl TestEnv {
    /// Counts all events that are not counted yet.
    pub(crate) async fn count_events(&self) {
        let uncounted = self.store.uncounted_events(10_000).await.unwrap();
        let mut tally = Tally::default();
        uncounted.events.iter().for_each(|event| tally.add(event));
        let ids: Vec<JobId> = tally.failed.iter().map(|failed| failed.job).collect();
        let kinds = self.store.failure_kinds(&ids).await.unwrap();
        let mut failures: BTreeMap<FailureKind, Vec<FailureCount>> = BTreeMap::new();
        for (failed, kind) in tally.failed.iter().zip(kinds) {
            let failure = FailureCount { job: failed.job, at: failed.at };
            failures.entry(kind.unwrap()).or_default().push(failure);
        }
        let counts = EventCounts {
            cursor: uncounted.cursor,
            next: uncounted.last,
            minutes: &tally.minutes,
            failures: &failures,
        };
        assert_eq!(self.store.count_events(&counts).await.unwrap(), CountAnswer::Counted);
    }

    /// Adds an hour of starts, failures and waits before now, and the failures of one kind.
    pub(crate) async fn count_a_busy_hour(&self) {
        self.count_events().await;
        let now = self.store.now().await.unwrap();
        let name = SeriesName { action: "scan".parse().unwrap(), class: Default::default() };
        let mut minutes = BTreeMap::new();
        let mut failed = Vec::new();
        for minute in 1..=60_i64 {
            let at = now.ms() - minute * 60_000;
            let started = (40.0 + 25.0 * (minute as f64 / 7.0).sin()) as u64;
            let mut counts = Counts { started, failed: started % 7, ..Counts::default() };
            (0..started).for_each(|wait| counts.wait.record(20 + wait * wait));
            let failure = FailureCount { job: JobId::random(), at: Timestamp::from_ms(at) };
            failed.extend((0..counts.failed).map(|_| failure));
            minutes.insert((at - at.rem_euclid(60_000), name.clone()), counts);
        }
        let exception = Exception::new("ExitCode", "the command exited with code 7");
        let kind = FailureKind::of(&name.action, Some(&exception));
        let cursor = self.store.uncounted_events(1).await.unwrap().cursor;
        let next = EventId { ms: now.ms() as u64, sequence: u64::from(u32::MAX) };
        let failures = [(kind, failed)].into();
        let counts = EventCounts { cursor, next, minutes: &minutes, failures: &failures };
        assert_eq!(self.store.count_events(&counts).await.unwrap(), CountAnswer::Counted);
    }
}
