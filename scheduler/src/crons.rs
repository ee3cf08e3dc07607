//! Fires crons. Any number of these loops may run at once: each takes a part of what is due, and of two that take the
//! same cron the second finds it fired.

use std::time::Duration;

use domain::cron::due;
use store::{Fired, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::{Meters, Service};

/// How long it sleeps at most: a cron may be set meanwhile that is due earlier than all it knew of.
const PERIOD: Duration = Duration::from_millis(100);
/// How many crons one step fires: a script blocks Redis.
const MOST_PER_STEP: usize = 50;

/// One loop that fires crons.
pub struct Crons {
    store: Store,
    meters: Meters,
}

/// What one look has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Firings {
    /// How many jobs were made.
    pub made: u64,
    /// How many ticks were left out.
    pub skipped: u64,
    /// How long nothing else will be due, as far as is known.
    pub next: Option<Duration>,
    /// A cron that is due and cannot be read, if there is one.
    pub unreadable: Option<String>,
}

impl Crons {
    /// A loop on this store.
    #[must_use]
    pub fn new(store: Store, meters: Meters) -> Crons {
        Crons { store, meters }
    }

    /// Fires all that is due.
    pub async fn once(&self) -> Result<Firings, StoreError> {
        let mut firings = Firings::default();
        loop {
            let seen = self.store.due_crons(MOST_PER_STEP).await?;
            firings.next = seen.next;
            firings.unreadable = seen.unreadable;
            if seen.crons.is_empty() {
                return Ok(firings);
            }
            let decided: Vec<_> = seen
                .crons
                .into_iter()
                .map(|cron| {
                    let first = cron.next_run;
                    let due =
                        first.map(|first| due(&cron.spec, first, seen.now)).unwrap_or_default();
                    (cron, due)
                })
                .collect();
            for outcome in self.store.fire(&decided).await? {
                if let Fired::Fired(made, _, skipped) = outcome {
                    firings.made += made;
                    firings.skipped += skipped;
                    self.meters.cron_jobs.inc_by(made);
                    self.meters.skipped_ticks.inc_by(skipped);
                }
            }
        }
    }
}

/// Fires crons until shutdown.
pub(crate) async fn run(service: Service, shutdown: CancellationToken) -> anyhow::Result<()> {
    let crons = Crons::new(service.store.clone(), service.meters.clone());
    let mut failing = false;
    loop {
        let wait = match crons.once().await {
            Ok(Firings { unreadable: Some(error), .. }) => {
                service.health.progress("crons");
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(error, "crons: one that is due cannot be read");
                }
                PERIOD
            }
            Ok(firings) => {
                failing = false;
                service.health.progress("crons");
                firings.next.unwrap_or(PERIOD).clamp(Duration::from_millis(1), PERIOD)
            }
            Err(error) => {
                service.health.trouble("crons", &error);
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "crons: cannot fire what is due");
                }
                Duration::from_millis(100)
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}
