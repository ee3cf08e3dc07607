//! The heart: renews the lease, five times in its length, and hears which jobs to stop. It stops last.

use std::sync::Arc;
use std::time::Duration;

use domain::capacity::CapacityMap;
use store::{Beat, Pulse, Steer, StoreError, Verdict};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::board::Stop;
use crate::{Life, Orders, Service};

/// One life's heart.
pub(crate) struct Heart {
    service: Arc<Service>,
    life: Life,
    free: watch::Sender<CapacityMap>,
}

impl Heart {
    pub(crate) fn new(service: Arc<Service>, life: Life) -> Heart {
        let (free, _) = watch::channel(life.orders.borrow().total.clone());
        Heart { service, life, free }
    }

    /// Where the intake says what is free.
    pub(crate) fn free(&self) -> watch::Sender<CapacityMap> {
        self.free.clone()
    }

    /// Beats until the first beat is recorded: without a lease nothing can be claimed. False when shutdown
    /// came first.
    pub(crate) async fn first_beat(&mut self, shutdown: &CancellationToken) -> bool {
        let inherited = self.life.orders.borrow().clone();
        loop {
            match self.register(&inherited).await {
                Ok(()) => return true,
                Err(error) => tracing::warn!(%error, "heart: cannot register the worker"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return false,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    async fn register(&self, inherited: &Orders) -> Result<(), StoreError> {
        self.service.store.announce(&self.service.actions.defaults()).await?;
        self.beat().await?;
        // What an operator wanted of an earlier life of this process holds for this one too.
        if inherited.total != self.service.total {
            let wanted = Steer::Capacity(inherited.total.clone());
            self.service.store.steer(&self.life.id, &wanted).await?;
        }
        if inherited.drain {
            self.service.store.steer(&self.life.id, &Steer::Drain).await?;
        }
        self.life.orders.send_replace(inherited.clone());
        Ok(())
    }

    /// Beats until `stop`, or until the store says that the lease is over. A life that ends for another reason beats on
    /// while it stops what it runs, so that nothing of it begins elsewhere before that.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.service.config.lease / 5);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failing = false;
        let mut lease_ends = tokio::time::Instant::now() + self.service.config.lease;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(lease_ends) => {
                    // Nobody has told us, and nobody may be able to: what must not outlive the lease ends now.
                    self.life.board.stop_strict();
                    lease_ends += self.service.config.lease;
                    continue;
                }
                _ = ticks.tick() => {}
                () = self.life.beat_now.notified() => ticks.reset(),
            }
            let asked = tokio::time::Instant::now();
            let answered = tokio::select! {
                answered = self.beat() => answered,
                () = tokio::time::sleep_until(lease_ends) => continue,
            };
            match answered {
                Ok(true) => {
                    failing = false;
                    lease_ends = asked + self.service.config.lease;
                }
                Ok(false) => return,
                Err(error) => {
                    self.service.health.trouble("heart", &error);
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%error, "heart: cannot renew the lease");
                    }
                }
            }
        }
    }

    /// False when this life is over.
    async fn beat(&self) -> Result<bool, StoreError> {
        let config = &self.service.config;
        let beat = Beat {
            worker: self.life.id.clone(),
            lease: config.lease,
            name: config.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capacity_map: self.life.orders.borrow().total.clone(),
            free: self.free.borrow().clone(),
            actions: self.service.actions.names(),
            running: self.life.board.running(),
        };
        match self.service.store.beat(&beat).await? {
            Pulse::Alive(orders) => {
                let total = orders.wanted.map(CapacityMap::with_default);
                let total = total.unwrap_or_else(|| self.service.total.clone());
                let wanted = Orders { total, drain: orders.drain };
                self.life.orders.send_if_modified(|told| {
                    let news = *told != wanted;
                    *told = wanted;
                    // The store shows what this worker offers: it hears of the change at once.
                    if news {
                        self.life.beat_now.notify_one();
                    }
                    news
                });
                for (id, verdict) in orders.verdicts {
                    match verdict {
                        Verdict::Cancel => self.life.board.stop(id, Stop::Cancel),
                        Verdict::Lost => self.life.board.stop(id, Stop::Lost),
                    }
                }
                self.service.health.progress("heart");
            }
            Pulse::Dead => {
                self.life.lost.cancel();
                return Ok(false);
            }
        }
        Ok(true)
    }
}
