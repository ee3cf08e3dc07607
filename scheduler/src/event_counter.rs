//! Counts what events say: time series of starts and ends, and groups of failures.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::failure::FailureKind;
use domain::job::JobId;
use domain::series::Tally;
use store::{CountAnswer, EventCounts, FailureCount, Store, StoreError, UncountedEvents};
use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::runner::{Pass, Task};

/// The most events that one step reads.
const MAX_EVENTS: u64 = 2_000;
/// The numbers of minutes of series and of failures after which a step counts no further event,
/// because a script blocks Redis.
const MAX_MINUTES: usize = 50;
const MAX_FAILURES: usize = 100;
/// The shortest time between two warnings.
const WARN_PERIOD: Duration = Duration::from_secs(60);

/// Counts events. Several of them share the work; if two read the same events, the store accepts
/// the first.
pub struct EventCounter {
    store: Store,
    metrics: Metrics,
    last_warning: Option<Instant>,
}

/// What one step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// The number of events that were read and counted by this scheduler.
    pub events: usize,
    /// Events were trimmed from the stream before they were read.
    pub lost: bool,
    /// Events were read, and there may be more.
    pub more: bool,
}

impl EventCounter {
    /// Returns a counter for a store.
    #[must_use]
    pub fn new(store: Store, metrics: Metrics) -> EventCounter {
        EventCounter { store, metrics, last_warning: None }
    }

    /// Counts the oldest events that are not counted yet.
    pub async fn once(&self) -> Result<Counted, StoreError> {
        let uncounted = self.store.uncounted_events(MAX_EVENTS).await?;
        self.count(&uncounted).await
    }

    /// Counts these events, or the first of them.
    pub async fn count(&self, uncounted: &UncountedEvents) -> Result<Counted, StoreError> {
        if uncounted.events.is_empty() && !uncounted.lost {
            return Ok(Counted::default());
        }
        let (tally, taken) = tally(uncounted);
        let failures = self.failures(&tally).await?;
        let last = taken.checked_sub(1).and_then(|last| uncounted.events.get(last));
        let counts = EventCounts {
            cursor: uncounted.cursor,
            next: last.map_or(uncounted.last, |event| event.id),
            minutes: &tally.minutes,
            failures: &failures,
        };
        match self.store.count_events(&counts).await? {
            CountAnswer::Counted => {
                self.metrics.counted_events.inc_by(taken as u64);
                self.metrics.uncounted_cuts.inc_by(u64::from(uncounted.lost));
                Ok(Counted { events: taken, lost: uncounted.lost, more: taken > 0 })
            }
            CountAnswer::Conflict => Ok(Counted { more: true, ..Counted::default() }),
        }
    }

    /// The failures of each kind.
    async fn failures(
        &self,
        tally: &Tally,
    ) -> Result<BTreeMap<FailureKind, Vec<FailureCount>>, StoreError> {
        let mut kinds: BTreeMap<FailureKind, Vec<FailureCount>> = BTreeMap::new();
        if tally.failed.is_empty() {
            return Ok(kinds);
        }
        let ids: Vec<JobId> = tally.failed.iter().map(|failed| failed.job).collect();
        let read = self.store.failure_kinds(&ids).await?;
        for (failed, kind) in tally.failed.iter().zip(read) {
            let kind = kind.unwrap_or_else(|| FailureKind::of(&failed.action, None));
            let failure = FailureCount { job: failed.job, at: failed.at };
            kinds.entry(kind).or_default().push(failure);
        }
        Ok(kinds)
    }

    fn warn(&mut self, message: &str) {
        if self.last_warning.is_none_or(|last| last.elapsed() > WARN_PERIOD) {
            tracing::warn!("{message}");
            self.last_warning = Some(Instant::now());
        }
    }
}

impl Task for EventCounter {
    const NAME: &'static str = "series";
    const PERIOD: Duration = Duration::from_millis(200);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let done = match self.once().await {
            // The series are not worth a scheduler that counts as unhealthy.
            Err(error) if error.is_full() => {
                self.warn("events are not counted while redis is full");
                Counted::default()
            }
            done => done?,
        };
        if done.lost {
            self.warn("events were trimmed before they were counted, so series have gaps");
        }
        Ok(Pass { next: done.more.then_some(Duration::ZERO), ..Pass::default() })
    }
}

/// Adds up the first of these events, as many as one step may count. Returns how many.
fn tally(uncounted: &UncountedEvents) -> (Tally, usize) {
    let mut tally = Tally::default();
    for (index, event) in uncounted.events.iter().enumerate() {
        tally.add(event);
        let is_full = tally.minutes.len() >= MAX_MINUTES || tally.failed.len() >= MAX_FAILURES;
        if is_full {
            return (tally, index + 1);
        }
    }
    (tally, uncounted.events.len())
}
