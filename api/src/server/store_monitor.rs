//! Checks regularly whether the store answers, for health and logs, and counts its jobs.

use std::time::Duration;

use service::health::Health;
use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

const PERIOD: Duration = Duration::from_secs(1);
/// The service is not ready after the store has not answered for this long.
const MAX_SILENCE: Duration = Duration::from_secs(5);
/// Jobs are counted at every fifth check.
const CHECKS_PER_COUNT: u32 = 5;

/// Checks the store until `shutdown`.
pub(super) async fn run(
    store: Store,
    health: Health,
    metrics: Metrics,
    shutdown: CancellationToken,
) {
    health.expect("store", MAX_SILENCE);
    let checking = async {
        let (mut checks, mut was_available, mut left_out) = (0_u32, true, 0);
        loop {
            let answer = if checks.is_multiple_of(CHECKS_PER_COUNT) {
                store.counts().await.map(|counts| metrics.jobs(&counts))
            } else {
                store.ping().await
            };
            checks = checks.wrapping_add(1);
            let left_out_before = std::mem::replace(&mut left_out, store.left_out_records());
            metrics.left_out(left_out - left_out_before);
            report(&health, was_available, &answer);
            was_available = answer.is_ok();
            tokio::time::sleep(PERIOD).await;
        }
    };
    tokio::join!(store.wait_until_ready(&shutdown), shutdown.run_until_cancelled(checking));
}

/// Updates the health, and logs when the store becomes available or unavailable.
fn report(health: &Health, was_available: bool, answer: &Result<(), StoreError>) {
    match answer {
        Ok(()) => {
            health.progress("store");
            if !was_available {
                tracing::info!("the store answers again");
            }
        }
        Err(error) => {
            health.failure("store", error);
            if was_available {
                tracing::warn!(%error, "the store does not answer");
            }
        }
    }
}
