//! The heart: renews the lease, five times in its length, and hears which jobs to stop. It stops last.

use std::sync::Arc;
use std::time::Duration;

use shared::capacity::CapacityMap;
use shared::store::{Beat, Pulse, StoreError, Verdict};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::board::Stop;
use crate::{Life, Service};

/// One life's heart.
pub(crate) struct Heart {
    service: Arc<Service>,
    life: Life,
    free: watch::Sender<CapacityMap>,
}

impl Heart {
    pub(crate) fn new(service: Arc<Service>, life: Life) -> Heart {
        let (free, _) = watch::channel(service.total.clone());
        Heart { service, life, free }
    }

    /// Where the intake says what is free.
    pub(crate) fn free(&self) -> watch::Sender<CapacityMap> {
        self.free.clone()
    }

    /// Beats until the first beat is recorded: without a lease nothing can be claimed. False when shutdown
    /// came first.
    pub(crate) async fn first_beat(&mut self, shutdown: &CancellationToken) -> bool {
        loop {
            match self.register().await {
                Ok(()) => return true,
                Err(error) => tracing::warn!(%error, "heart: cannot register the worker"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return false,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    async fn register(&self) -> Result<(), StoreError> {
        self.service.store.announce(&self.service.actions.defaults()).await?;
        self.beat().await
    }

    /// Beats until `stop`, or until the lease is lost.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.service.config.lease / 5);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.life.lost.cancelled() => return,
                _ = ticks.tick() => {}
            }
            match self.beat().await {
                Ok(()) => failing = false,
                Err(error) => {
                    self.service.health.trouble("heart", &error);
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%error, "heart: cannot renew the lease");
                    }
                }
            }
        }
    }

    async fn beat(&self) -> Result<(), StoreError> {
        let config = &self.service.config;
        let beat = Beat {
            worker: self.life.id.clone(),
            lease: config.lease,
            name: config.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capacity_map: self.service.total.clone(),
            free: self.free.borrow().clone(),
            actions: self.service.actions.names(),
            running: self.life.board.running(),
        };
        match self.service.store.beat(&beat).await? {
            Pulse::Alive(_, verdicts) => {
                for (id, verdict) in verdicts {
                    match verdict {
                        Verdict::Cancel => self.life.board.stop(id, Stop::Cancel),
                        Verdict::Lost => self.life.board.stop(id, Stop::Lost),
                    }
                }
                self.service.health.progress("heart");
            }
            Pulse::Dead => self.life.lost.cancel(),
        }
        Ok(())
    }
}
