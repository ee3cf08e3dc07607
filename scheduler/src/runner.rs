//! Repeats a task until shutdown: staggers the start, waits between passes, backs off after
//! failures, and reports health. It logs the first failure in a row and the recovery, not every
//! failure in between.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use service::health::Health;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::metrics::Metrics;

/// The longest time without a successful pass before a task counts as unhealthy.
const MAX_SILENCE: Duration = Duration::from_secs(15);
/// The longest wait before the first pass.
const MAX_STAGGER: Duration = Duration::from_millis(200);
/// The longest wait after the first failure. It doubles with each further failure.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
/// The longest wait after any failure. Short, so that work resumes soon after an outage.
const MAX_BACKOFF: Duration = Duration::from_millis(500);

/// Work that is repeated. A pass looks at the state and acts on it; it may run at any time, and
/// while other schedulers run the same task.
pub(crate) trait Task: Send {
    /// The name of the task in health checks and logs.
    const NAME: &'static str;
    /// The time between two passes, unless a pass sets another.
    const PERIOD: Duration;

    /// Does the work that is due now. A shutdown does not interrupt a pass.
    fn pass(&mut self) -> impl Future<Output = anyhow::Result<Pass>> + Send;

    /// Releases what the task holds, after the last pass.
    fn close(self) -> impl Future<Output = ()> + Send
    where
        Self: Sized,
    {
        async {}
    }
}

/// The result of a successful pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Pass {
    /// The time until more work is due, if that is known to be earlier than the end of the period.
    pub(crate) next: Option<Duration>,
    /// Why parts of the work were left out: records that cannot be read. The rest is done.
    pub(crate) unreadable: Vec<String>,
}

impl Pass {
    /// A pass after which another is due at once.
    pub(crate) fn again() -> Pass {
        Pass { next: Some(Duration::ZERO), ..Pass::default() }
    }
}

/// Makes the service unready until the task has completed a pass.
pub(crate) fn expect_health<T: Task>(health: &Health) {
    health.expect(T::NAME, MAX_SILENCE);
}

/// Repeats a task until shutdown.
pub(crate) async fn repeat<T: Task>(
    mut task: T,
    health: &Health,
    metrics: &Metrics,
    shutdown: &CancellationToken,
) {
    // Tasks that start together, in this scheduler or in several, then run at different times.
    let mut wait = jittered(T::PERIOD.min(MAX_STAGGER));
    let mut monitor = Monitor::new(T::NAME, health, metrics.unreadable_records(T::NAME));
    while shutdown.run_until_cancelled(pause(wait)).await.is_some() {
        wait = match task.pass().await {
            Ok(pass) => {
                monitor.succeeded(pass.unreadable);
                pass.next.unwrap_or(T::PERIOD).min(T::PERIOD)
            }
            Err(error) => jittered(monitor.failed(&error)),
        };
    }
    task.close().await;
}

/// Unlike `sleep`, does not round a wait of zero up to the timer's next millisecond.
async fn pause(wait: Duration) {
    if !wait.is_zero() {
        sleep(wait).await;
    }
}

/// Follows the outcomes of passes.
struct Monitor<'a> {
    name: &'static str,
    health: &'a Health,
    failures: u32,
    unreadable: Vec<String>,
    unreadable_count: Gauge,
}

impl Monitor<'_> {
    fn new<'a>(name: &'static str, health: &'a Health, unreadable_count: Gauge) -> Monitor<'a> {
        Monitor { name, health, failures: 0, unreadable: Vec::new(), unreadable_count }
    }

    fn succeeded(&mut self, mut unreadable: Vec<String>) {
        unreadable.sort();
        self.health.progress(self.name);
        self.health.warn(self.name, &unreadable);
        self.unreadable_count.set(unreadable.len() as i64);
        if self.failures > 0 {
            tracing::info!(task = self.name, failures = self.failures, "task recovered");
            self.failures = 0;
        }
        for error in unreadable.iter().filter(|error| !self.unreadable.contains(error)) {
            tracing::error!(task = self.name, error, "task left out a record");
        }
        self.unreadable = unreadable;
    }

    /// Returns the longest wait before the next pass.
    fn failed(&mut self, error: &anyhow::Error) -> Duration {
        self.health.failure(self.name, &error);
        if self.failures == 0 {
            tracing::warn!(task = self.name, %error, "task failed, retrying until it succeeds");
        }
        let backoff = FIRST_BACKOFF * 2_u32.pow(self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        backoff.min(MAX_BACKOFF)
    }
}

/// Returns a random part of a duration, between half and all of it.
fn jittered(max: Duration) -> Duration {
    // The low half of a random UUID has 62 random bits.
    let random = Uuid::new_v4().as_u64_pair().1 & 0xffff_ffff;
    max / 2 + max.mul_f64(random as f64 / f64::from(u32::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_after_failures_doubles_up_to_a_limit_until_a_success_resets_it() {
        let health = Health::default();
        health.expect("test", MAX_SILENCE);
        let mut monitor = Monitor::new("test", &health, Gauge::default());
        let fail = |monitor: &mut Monitor<'_>| monitor.failed(&anyhow::anyhow!("down")).as_millis();
        assert_eq!([(); 5].map(|()| fail(&mut monitor)), [100, 200, 400, 500, 500]);
        assert_eq!(health.problems()["test"].as_deref(), Some("down"));
        monitor.succeeded(Vec::new());
        assert_eq!(health.problems()["test"], None);
        assert_eq!(fail(&mut monitor), 100);
    }

    #[test]
    fn jitter_keeps_between_half_and_all_of_a_wait() {
        let max = Duration::from_millis(100);
        for _ in 0..1000 {
            let wait = jittered(max);
            assert!(wait >= max / 2 && wait <= max, "{wait:?}");
        }
        assert_eq!(jittered(Duration::ZERO), Duration::ZERO);
    }

    struct Counter(u32, CancellationToken);

    impl Task for Counter {
        const NAME: &'static str = "counter";
        const PERIOD: Duration = Duration::from_millis(1);

        async fn pass(&mut self) -> anyhow::Result<Pass> {
            self.0 += 1;
            match self.0 {
                1 => anyhow::bail!("the first pass fails"),
                2 => Ok(Pass::again()),
                3 => Ok(Pass::default()),
                _ => {
                    self.1.cancel();
                    Ok(Pass::again())
                }
            }
        }

        async fn close(self) {
            assert_eq!(self.0, 4, "no pass starts after shutdown");
        }
    }

    #[tokio::test]
    async fn a_task_is_repeated_after_success_and_failure_until_shutdown() {
        let (health, shutdown) = (Health::default(), CancellationToken::new());
        expect_health::<Counter>(&health);
        repeat(Counter(0, shutdown.clone()), &health, &Metrics::default(), &shutdown).await;
        assert_eq!(health.problems()["counter"], None);
    }
}
