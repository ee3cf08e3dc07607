//! Tells subscriptions of events: reads what has come, and makes a job for each message. Any number of these loops may run at
//! once: of two that read the same events the second finds them told.

use std::time::Duration;

use domain::job::ActionName;
use domain::subscription::Delivery;
use store::{Event, News, Notice, Notified, Store, StoreError, Subscription};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Meters, Service};

/// How long it sleeps when there was nothing to tell.
const PERIOD: Duration = Duration::from_millis(100);
/// How many events one step reads.
const MOST_EVENTS: u64 = 500;
/// How many messages one step makes, but for those of its last event: a script blocks Redis.
const MOST_MESSAGES: usize = 100;
/// How often messages are looked for that are on their way no more.
const FORGET_PERIOD: Duration = Duration::from_secs(1);
/// How often it is said that events are lost.
const WARN_PERIOD: Duration = Duration::from_secs(60);

/// One loop that tells subscriptions.
pub struct Notifier {
    store: Store,
    meters: Meters,
}

/// What one step has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notifications {
    /// Somebody has subscribed.
    pub subscribed: bool,
    /// How many jobs were made.
    pub made: u64,
    /// How many were not, because too many messages were on their way.
    pub dropped: u64,
    /// Events were not kept until they were read.
    pub cut: bool,
    /// There was something to read, and there may be more.
    pub more: bool,
    /// A subscription that cannot be read, if there is one.
    pub unreadable: Option<String>,
}

impl Notifier {
    /// A loop on this store.
    #[must_use]
    pub fn new(store: Store, meters: Meters) -> Notifier {
        Notifier { store, meters }
    }

    /// Tells of some events, the oldest that are not told.
    pub async fn once(&self) -> Result<Notifications, StoreError> {
        let Some(news) = self.store.news(MOST_EVENTS).await? else {
            return Ok(Notifications::default());
        };
        let unreadable = news.unreadable.clone();
        let nothing = Notifications { subscribed: true, unreadable, ..Notifications::default() };
        let Some(notice) = notice(&news) else { return Ok(nothing) };
        let read = Notifications { more: true, ..nothing };
        match self.store.notify(&notice).await? {
            Notified::Notified(made, dropped) => {
                let cut = notice.cut.is_some();
                self.meters.deliveries.inc_by(made);
                self.meters.dropped_deliveries.inc_by(dropped);
                self.meters.event_cuts.inc_by(u64::from(cut));
                Ok(Notifications { made, dropped, cut, ..read })
            }
            Notified::Moved => Ok(read),
        }
    }
}

/// What is to be told of the news; `None` when there are none.
fn notice(news: &News) -> Option<Notice<'_>> {
    let cut = news.kept.map(|kept| {
        let listening = news.subscriptions.iter().filter(|one| !one.paused && one.since < kept);
        (kept, listening.map(|one| &one.name).collect())
    });
    let (mut next, mut messages) = (news.kept, Vec::new());
    for change in &news.changes {
        next = Some(change.id);
        let listening = news.subscriptions.iter().filter(|one| hears(one, change));
        messages.extend(listening.map(|one| (one, Delivery::of((&one.name, one.id), change))));
        if messages.len() >= MOST_MESSAGES {
            break;
        }
    }
    Some(Notice { heard: news.heard, next: next?, cut, messages })
}

/// Nobody is told of the jobs that tell: each would make another one, for ever.
fn hears(subscription: &Subscription, change: &Event) -> bool {
    let tells = change.fields.get("action").is_some_and(|action| action == ActionName::DELIVER);
    !tells
        && !subscription.paused
        && change.id > subscription.since
        && subscription.spec.filter.matches(change)
}

/// Tells subscriptions until shutdown.
pub(crate) async fn run(service: Service, shutdown: CancellationToken) -> anyhow::Result<()> {
    let notifier = Notifier::new(service.store.clone(), service.meters.clone());
    let (mut failing, mut unreadable) = (false, None);
    let (mut warned, mut forgotten) = (None::<Instant>, Instant::now());
    loop {
        let step = async {
            let told = notifier.once().await?;
            if told.subscribed && forgotten.elapsed() > FORGET_PERIOD {
                notifier.store.forget_deliveries().await?;
                forgotten = Instant::now();
            }
            Ok::<_, StoreError>(told)
        };
        let wait = match step.await {
            Ok(told) => {
                service.health.progress("notifier");
                failing = false;
                if let Some(error) = told.unreadable.filter(|_| told.more)
                    && unreadable.as_ref() != Some(&error)
                {
                    tracing::error!(error, "notifier: a subscription cannot be read");
                    unreadable = Some(error);
                }
                if told.cut && warned.is_none_or(|warned| warned.elapsed() > WARN_PERIOD) {
                    tracing::warn!("notifier: events were not kept until subscriptions were told");
                    warned = Some(Instant::now());
                }
                if told.more { Duration::ZERO } else { PERIOD }
            }
            Err(error) => {
                service.health.trouble("notifier", &error);
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "notifier: cannot tell subscriptions");
                }
                Duration::from_millis(500)
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}
