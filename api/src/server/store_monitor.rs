//! Checks regularly whether the store accepts writes, for health and logs, and whether it has room for
//! new jobs, and counts its jobs. A replica of Redis answers reads, but no job can be submitted to it.

use std::time::Duration;

use service::health::Health;
use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::error::STORE_IS_FULL;
use crate::metrics::Metrics;
use crate::submit::StoreRoom;

const PERIOD: Duration = Duration::from_secs(1);
/// The service is not ready after the store has not accepted a write for this long.
const MAX_SILENCE: Duration = Duration::from_secs(5);
/// Jobs are counted at every fifth check.
const CHECKS_PER_COUNT: u32 = 5;

/// Checks the store until `shutdown`. Fails if its format is that of another build.
pub(super) async fn run(
    store: Store,
    (health, room): (Health, StoreRoom),
    metrics: Metrics,
    shutdown: CancellationToken,
) -> Result<(), StoreError> {
    health.expect("store", MAX_SILENCE);
    let checking = async {
        let (mut checks, mut was_available, mut left_out) = (0_u32, true, 0);
        loop {
            let answer = check(&store, &metrics, checks.is_multiple_of(CHECKS_PER_COUNT)).await;
            // Without permission for INFO, only Redis itself refuses submissions, at `maxmemory`.
            if let Ok(memory) = store.memory_use().await {
                room.note(&memory);
                let full = memory.is_nearly_full().then(|| STORE_IS_FULL.to_owned());
                health.warn("store", full.as_slice());
            }
            checks = checks.wrapping_add(1);
            let left_out_before = std::mem::replace(&mut left_out, store.left_out_records());
            metrics.left_out(left_out - left_out_before);
            report(&health, was_available, &answer);
            was_available = answer.is_ok();
            tokio::time::sleep(PERIOD).await;
        }
    };
    let ready = async { store.wait_until_ready(&shutdown).await.map(|_| ()) };
    let checking = async {
        shutdown.run_until_cancelled(checking).await;
        Ok(())
    };
    tokio::try_join!(ready, checking).map(|_| ())
}

async fn check(store: &Store, metrics: &Metrics, counts: bool) -> Result<(), StoreError> {
    store.check_writes().await?;
    if counts {
        metrics.jobs(&store.counts().await?);
    }
    Ok(())
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
