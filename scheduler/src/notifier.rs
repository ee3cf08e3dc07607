//! Creates a job for each event that a subscription receives.

use std::time::Duration;

use domain::event::Event;
use domain::job::ActionName;
use domain::subscription::EventDelivery;
use store::{DeliveryAnswer, DeliveryPlan, PendingEvents, Store, StoreError, Subscription};
use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::runner::{Pass, Task};

/// The most events that one step reads.
const MAX_EVENTS: u64 = 500;
/// The number of deliveries after which a step reads no further event, because a script blocks
/// Redis.
const MAX_DELIVERIES: usize = 100;
/// The time between two searches for deliveries that have ended.
const FORGET_PERIOD: Duration = Duration::from_secs(1);
/// The shortest time between two warnings about lost events.
const WARN_PERIOD: Duration = Duration::from_secs(60);

/// Creates deliveries. Several of them share the work; if two read the same events, the store
/// accepts the first.
pub struct Notifier {
    store: Store,
    metrics: Metrics,
    last_forget: Instant,
    last_warning: Option<Instant>,
}

/// What one step has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notifications {
    /// There are subscriptions.
    pub subscribed: bool,
    /// The number of jobs that were created.
    pub created: u64,
    /// The number of deliveries that were dropped because too many were pending.
    pub dropped: u64,
    /// Events were trimmed from the stream before they were read.
    pub cut: bool,
    /// Events were read, and there may be more.
    pub more: bool,
    /// The errors of subscriptions that cannot be read.
    pub unreadable: Vec<String>,
}

impl Notifier {
    /// Returns a notifier for a store.
    #[must_use]
    pub fn new(store: Store, metrics: Metrics) -> Notifier {
        Notifier { store, metrics, last_forget: Instant::now(), last_warning: None }
    }

    /// Creates the deliveries of the oldest events that have none yet.
    pub async fn once(&self) -> Result<Notifications, StoreError> {
        let Some(pending) = self.store.pending_events(MAX_EVENTS).await? else {
            return Ok(Notifications::default());
        };
        let unreadable = pending.unreadable.clone();
        let idle = Notifications { subscribed: true, unreadable, ..Notifications::default() };
        let Some(plan) = plan(&pending) else { return Ok(idle) };
        let read = Notifications { more: true, ..idle };
        match self.store.create_deliveries(&plan).await? {
            DeliveryAnswer::Created(created, dropped) => {
                let cut = plan.cut.is_some();
                self.metrics.deliveries.inc_by(created);
                self.metrics.dropped_deliveries.inc_by(dropped);
                self.metrics.event_cuts.inc_by(u64::from(cut));
                Ok(Notifications { created, dropped, cut, ..read })
            }
            DeliveryAnswer::Conflict => Ok(read),
        }
    }

    async fn forget_ended_deliveries(&mut self) -> Result<(), StoreError> {
        if self.last_forget.elapsed() > FORGET_PERIOD {
            self.store.forget_deliveries().await?;
            self.last_forget = Instant::now();
        }
        Ok(())
    }

    fn warn_of_lost_events(&mut self) {
        if self.last_warning.is_none_or(|last| last.elapsed() > WARN_PERIOD) {
            tracing::warn!("events were trimmed before subscriptions received them");
            self.last_warning = Some(Instant::now());
        }
    }
}

impl Task for Notifier {
    const NAME: &'static str = "notifier";
    const PERIOD: Duration = Duration::from_millis(100);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let done = self.once().await?;
        if done.subscribed {
            self.forget_ended_deliveries().await?;
        }
        if done.cut {
            self.warn_of_lost_events();
        }
        let next = done.more.then_some(Duration::ZERO);
        Ok(Pass { next, unreadable: done.unreadable })
    }
}

/// Decides which subscription receives which event. Returns `None` if there are no events.
fn plan(pending: &PendingEvents) -> Option<DeliveryPlan<'_>> {
    let cut = pending.kept.map(|kept| {
        let affected = pending.subscriptions.iter().filter(|one| !one.paused && one.since < kept);
        (kept, affected.map(|one| &one.name).collect())
    });
    let (mut next, mut messages) = (pending.kept, Vec::new());
    for event in &pending.events {
        next = Some(event.id);
        let receivers = pending.subscriptions.iter().filter(|one| receives(one, event));
        messages.extend(receivers.map(|one| (one, EventDelivery::of((&one.name, one.id), event))));
        if messages.len() >= MAX_DELIVERIES {
            break;
        }
    }
    Some(DeliveryPlan { cursor: pending.cursor, next: next?, cut, messages })
}

/// Delivery jobs do not generate events for subscriptions; otherwise each would cause another.
fn receives(subscription: &Subscription, event: &Event) -> bool {
    let is_delivery = event.fields.get("action").is_some_and(|name| name == ActionName::DELIVER);
    !is_delivery
        && !subscription.paused
        && event.id > subscription.since
        && subscription.spec.filter.matches(event)
}
