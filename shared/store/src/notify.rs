//! Telling subscriptions of events: what is to be told next, and the jobs that do it. Which subscription wants which event is
//! decided in between, outside of the store.

use redis::ScriptInvocation;

use super::answer::{read, unknown};
use super::start::{MAX_QUEUES, further};
use super::{Event, EventId, Store, StoreError, Subscription};
use domain::capacity::Class;
use domain::job::NewJob;
use domain::subscription::{Delivery, SubscriptionName};

/// How many messages of a subscription may be on their way: a receiver that is away must not fill the store.
pub const MAX_DELIVERIES: u32 = 10_000;
/// How many messages one look takes for a reason to forget them.
const LOOKED_AT: u32 = 200;

/// What subscriptions have not been told of yet.
#[derive(Debug)]
pub struct News {
    /// The place up to which events were read.
    pub heard: EventId,
    /// The subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// The first that cannot be read: another version's, perhaps. It must not keep the others.
    pub unreadable: Option<String>,
    /// What came after that place, oldest first.
    pub changes: Vec<Event>,
    /// Where what is still kept begins, when some of what came after that place is not; a place behind all events when
    /// nothing is.
    pub kept: Option<EventId>,
}

/// What is to be told.
#[derive(Debug)]
pub struct Notice<'a> {
    /// The place up to which events were read, as it was seen.
    pub heard: EventId,
    /// The place up to which they are read now.
    pub next: EventId,
    /// Where what is kept begins, and who may have missed something before.
    pub cut: Option<(EventId, Vec<&'a SubscriptionName>)>,
    /// The messages, and the subscription of each.
    pub messages: Vec<(&'a Subscription, Delivery)>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notified {
    /// So many jobs were made; and so many were not, because too many messages are on their way.
    Notified(u64, u64),
    /// Somebody else has told it.
    Moved,
}

impl Store {
    /// What is to be told, at most `count` events of it; `None` when nobody has subscribed.
    pub async fn news(&self, count: u64) -> Result<Option<News>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.smembers(self.keys.all("subscriptions")).get(self.keys.all("subscriptions:heard"));
        let (names, heard): (Vec<String>, Option<String>) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let Some(heard) = heard.and_then(|heard| heard.parse::<EventId>().ok()) else {
            return Ok(None);
        };
        let missed = self.missed(heard, count).await?;
        let kept = match missed.changes.first() {
            _ if !missed.lost => None,
            Some(first) => Some(first.id),
            None => Some(self.last_event().await?),
        };
        let mut news = News {
            heard,
            subscriptions: Vec::new(),
            unreadable: None,
            changes: missed.changes,
            kept,
        };
        if news.changes.is_empty() && news.kept.is_none() {
            return Ok(Some(news));
        }
        let names: Vec<SubscriptionName> =
            names.iter().filter_map(|name| name.parse().ok()).collect();
        for one in self.subscriptions_by_name(&names).await? {
            match one {
                Ok(subscription) => news.subscriptions.push(subscription),
                Err(error) => news.unreadable = news.unreadable.or(Some(error.to_string())),
            }
        }
        Ok(Some(news))
    }

    /// Makes a job of each message, and moves the place up to which events are read.
    pub async fn notify(&self, notice: &Notice<'_>) -> Result<Notified, StoreError> {
        let answer = self.call(&self.scripts.notify, |call| {
            call.arg(MAX_QUEUES).arg(MAX_DELIVERIES).arg(notice.heard.to_string());
            call.arg(notice.next.to_string()).arg(Class::default().as_str());
            let cut = notice.cut.as_ref();
            call.arg(cut.map(|(kept, _)| kept.to_string()).unwrap_or_default());
            let missed = cut.iter().flat_map(|(_, names)| names).map(|name| name.as_str());
            let missed: Vec<&str> = missed.collect();
            call.arg(missed.len()).arg(&missed[..]);
            for (subscription, message) in &notice.messages {
                write(call, subscription, message);
            }
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["notified", made, dropped] => {
                Ok(Notified::Notified(read("notify", made)?, read("notify", dropped)?))
            }
            ["moved"] => Ok(Notified::Moved),
            ["too_many_queues", queue] => Err(StoreError::TooManyQueues(queue.to_owned())),
            _ => Err(unknown("notify", &words)),
        }
    }

    /// Forgets messages that are on their way no more; returns how many. It looks at some of them.
    pub async fn forget_deliveries(&self) -> Result<u64, StoreError> {
        let answer = self.call(&self.scripts.forget_deliveries, |call| {
            call.arg(LOOKED_AT);
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["forgotten", count] => read("forget_deliveries", count),
            _ => Err(unknown("forget_deliveries", &words)),
        }
    }
}

fn write(call: &mut ScriptInvocation<'_>, subscription: &Subscription, message: &Delivery) {
    let NewJob { id, spec, .. } = message.job(&subscription.spec);
    call.arg(subscription.name.as_str()).arg(subscription.id.to_string()).arg(id.to_string());
    call.arg(serde_json::to_string(&spec).unwrap_or_default()).arg(spec.retries);
    let further = further(&spec);
    call.arg(2 * further.len()).arg(&further[..]);
}
