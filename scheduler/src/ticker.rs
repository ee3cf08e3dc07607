//! Moves jobs whose time has come to the outbox, ends those whose time is over, and settles what hangs on the ends of
//! others. Two tickers at once move each job once.

use std::time::Duration;

use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::{Meters, Service};

/// How long it sleeps at most: a job may be submitted meanwhile that is due earlier than all it knew of.
const PERIOD: Duration = Duration::from_millis(100);

/// One ticker.
pub struct Ticker {
    store: Store,
    meters: Meters,
}

impl Ticker {
    /// A ticker of this store.
    #[must_use]
    pub fn new(store: Store, meters: Meters) -> Ticker {
        Ticker { store, meters }
    }

    /// Moves all that is due, ends what has expired; returns how many, and how long nothing else will be.
    pub async fn once(&self) -> Result<(u64, Option<Duration>), StoreError> {
        let mut moved = 0;
        loop {
            let (settled, notes) = self.store.settle().await?;
            moved += settled;
            let due = self.store.due().await?;
            self.meters.due_jobs.inc_by(due.moved);
            moved += due.moved;
            let has_expired = due.expiring.is_some_and(|expiring| expiring.is_zero());
            if has_expired {
                let lapsed = self.store.lapse().await?;
                self.meters.lapsed_jobs.inc_by(lapsed);
                moved += lapsed;
            }
            let more = due.moved > 0 && due.next.is_some_and(|next| next.is_zero());
            if !more && !has_expired && notes == 0 {
                let next = [due.next, due.expiring].into_iter().flatten().min();
                return Ok((moved, next));
            }
        }
    }
}

/// Runs the ticker until shutdown.
pub(crate) async fn run(service: Service, shutdown: CancellationToken) -> anyhow::Result<()> {
    let ticker = Ticker::new(service.store.clone(), service.meters.clone());
    let mut failing = false;
    loop {
        let wait = match ticker.once().await {
            Ok((_, next)) => {
                failing = false;
                service.health.progress("ticker");
                next.unwrap_or(PERIOD).clamp(Duration::from_millis(1), PERIOD)
            }
            Err(error) => {
                service.health.trouble("ticker", &error);
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "ticker: cannot look for due jobs");
                }
                Duration::from_millis(500)
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}
