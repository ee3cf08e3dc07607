//! Subscriptions: set, read, paused, deleted, and how they go. Who is told of what is decided in `notify`.

use std::collections::HashMap;

use uuid::Uuid;

use super::answer::unknown;
use super::{EventId, Store, StoreError};
use domain::job::Timestamp;
use domain::subscription::{Delivery, SigningSecret, SubscriptionName, SubscriptionSpec};

/// How many subscriptions a namespace may have: each event is compared with all of them.
pub const MAX_SUBSCRIPTIONS: u32 = 100;
/// For so long the secret before is good for too, so that a receiver may change over.
const OVERLAP_MS: u64 = 24 * 3600 * 1000;
/// How much of why a try failed is kept.
const FAILURE_CHARACTERS: usize = 255;

/// A subscription as the store has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// Its identity: one that is deleted and made again is another one.
    pub id: Uuid,
    /// What it is called.
    pub name: SubscriptionName,
    /// What it is.
    pub spec: SubscriptionSpec,
    /// What to sign with: its secret, and for a while the one before.
    pub secrets: Vec<SigningSecret>,
    /// It hears of nothing.
    pub paused: bool,
    /// It hears of what comes after this.
    pub since: EventId,
    /// Changes with every change of what it is.
    pub revision: u64,
    /// How it goes.
    pub record: SubscriptionRecord,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub last_updated: Timestamp,
}

/// How a subscription goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRecord {
    /// How many messages are on their way: to be tried, or to be tried again.
    pub waiting: u64,
    /// How many messages the receiver has taken.
    pub delivered: u64,
    /// How many tries have failed.
    pub failed: u64,
    /// How many events it was not told of, because as many messages were on their way as may be.
    pub dropped: u64,
    /// How often events were not kept until they were read.
    pub cuts: u64,
    /// The event that was delivered last, and when.
    pub last_delivered: Option<(String, Timestamp)>,
    /// The try that failed last.
    pub last_failure: Option<DeliveryFailure>,
    /// Between which events some were lost at last.
    pub last_cut: Option<(EventId, EventId)>,
}

/// A try that has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFailure {
    /// The event that was to be told.
    pub event: String,
    /// When that was.
    pub at: Timestamp,
    /// Why.
    pub message: String,
}

/// What a subscription shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct SetSubscription {
    /// What it is called.
    pub name: SubscriptionName,
    /// What it is.
    pub spec: SubscriptionSpec,
    /// What to sign with; `None` leaves that as it is, or makes a secret for a new one.
    pub secret: Option<SigningSecret>,
    /// Whether it hears of nothing; `None` leaves that as it is.
    pub paused: Option<bool>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionSet {
    /// It is new; the secret that was made for it, if none was given. It is not told again.
    Created(Option<SigningSecret>),
    /// It is another now.
    Changed,
    /// It was so already.
    Same,
    /// The namespace has as many as it may have.
    TooMany,
}

/// How a try went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried<'a> {
    /// The receiver has taken it.
    Delivered,
    /// It has not, and why; it may be tried again.
    Failed(&'a str),
    /// It is wanted no more.
    Left,
}

impl Store {
    /// Makes a subscription or changes one. A new one hears of what comes from now on.
    pub async fn set_subscription(
        &self,
        wanted: &SetSubscription,
    ) -> Result<SubscriptionSet, StoreError> {
        let fresh = SigningSecret::random().map_err(StoreError::Random)?;
        let answer = self.call(&self.scripts.set_subscription, |call| {
            call.arg(MAX_SUBSCRIPTIONS).arg(wanted.name.as_str()).arg(Uuid::new_v4().to_string());
            call.arg(serde_json::to_string(&wanted.spec).unwrap_or_default());
            call.arg(wanted.secret.as_ref().map(SigningSecret::reveal).unwrap_or_default());
            call.arg(fresh.reveal());
            call.arg(wanted.paused.map_or("", |paused| if paused { "1" } else { "0" }));
            call.arg(OVERLAP_MS);
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["created"] => Ok(SubscriptionSet::Created(wanted.secret.is_none().then_some(fresh))),
            ["changed"] => Ok(SubscriptionSet::Changed),
            ["same"] => Ok(SubscriptionSet::Same),
            ["too_many_subscriptions"] => Ok(SubscriptionSet::TooMany),
            _ => Err(unknown("set_subscription", &words)),
        }
    }

    /// Pauses a subscription or lets it hear again; what comes meanwhile is not told later. With `seen` only while it
    /// is what was seen. False when there is none.
    pub async fn pause_subscription(
        &self,
        name: &SubscriptionName,
        paused: bool,
        seen: Option<&Subscription>,
    ) -> Result<bool, StoreError> {
        let answer = self.call(&self.scripts.pause_subscription, |call| {
            call.arg(name.as_str()).arg(u8::from(paused));
            call.arg(seen.map(|seen| seen.id.to_string()).unwrap_or_default());
            call.arg(seen.map(|seen| seen.revision.to_string()).unwrap_or_default());
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["set" | "same" | "moved"] => Ok(true),
            ["gone"] => Ok(false),
            _ => Err(unknown("pause_subscription", &words)),
        }
    }

    /// Deletes a subscription; false when there is none.
    pub async fn delete_subscription(&self, name: &SubscriptionName) -> Result<bool, StoreError> {
        let answer = self.call(&self.scripts.delete_subscription, |call| {
            call.arg(name.as_str());
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["deleted"] => Ok(true),
            ["gone"] => Ok(false),
            _ => Err(unknown("delete_subscription", &words)),
        }
    }

    /// One subscription; `None` when there is none.
    pub async fn subscription(
        &self,
        name: &SubscriptionName,
    ) -> Result<Option<Subscription>, StoreError> {
        let found = self.subscriptions_by_name(std::slice::from_ref(name)).await?;
        found.into_iter().next().transpose()
    }

    /// All subscriptions by name.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, StoreError> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(self.keys.all("subscriptions"));
        let names: Vec<String> = command.query_async(&mut self.connection.clone()).await?;
        let names = names.into_iter().filter_map(|name| name.parse().ok());
        let mut names: Vec<SubscriptionName> = names.collect();
        names.sort();
        self.subscriptions_by_name(&names).await?.into_iter().collect()
    }

    /// Notes how one try to deliver a message went.
    pub async fn note_try(
        &self,
        subscription: &Subscription,
        message: &Delivery,
        tried: Tried<'_>,
    ) -> Result<(), StoreError> {
        let answer = self.call(&self.scripts.note_try, |call| {
            let (word, why) = match tried {
                Tried::Delivered => ("delivered", ""),
                Tried::Failed(why) => ("failed", why),
                Tried::Left => ("left", ""),
            };
            call.arg(subscription.name.as_str()).arg(subscription.id.to_string());
            call.arg(message.message.to_string()).arg(word).arg(&message.event);
            call.arg(why.chars().take(FAILURE_CHARACTERS).collect::<String>());
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["noted" | "gone"] => Ok(()),
            _ => Err(unknown("note_try", &words)),
        }
    }

    /// Those of these that are there; one that cannot be read is an error of its own.
    pub(super) async fn subscriptions_by_name(
        &self,
        names: &[SubscriptionName],
    ) -> Result<Vec<Result<Subscription, StoreError>>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("TIME");
        for name in names {
            pipe.hgetall(self.keys.subscription(name)).scard(self.keys.deliveries(name));
        }
        let values: Vec<redis::Value> = pipe.query_async(&mut self.connection.clone()).await?;
        let read = |value| redis::from_redis_value_ref(value).map_err(redis::RedisError::from);
        let Some((time, values)) = values.split_first() else { return Ok(Vec::new()) };
        let (seconds, micros): (i64, i64) =
            redis::from_redis_value_ref(time).map_err(redis::RedisError::from)?;
        let now = Timestamp::from_ms(seconds * 1000 + micros / 1000);
        let mut found = Vec::with_capacity(names.len());
        for (name, pair) in names.iter().zip(values.chunks(2)) {
            let fields: HashMap<String, String> =
                redis::from_redis_value_ref(&pair[0]).map_err(redis::RedisError::from)?;
            if !fields.is_empty() {
                found.push(record(name, &fields, read(&pair[1])?, now));
            }
        }
        Ok(found)
    }
}

fn record(
    name: &SubscriptionName,
    fields: &HashMap<String, String>,
    waiting: u64,
    now: Timestamp,
) -> Result<Subscription, StoreError> {
    let wrong = |why: String| StoreError::Record { key: format!("subscription {name}"), why };
    let text = |field: &str| fields.get(field).map(String::as_str).unwrap_or_default();
    let number = |field: &str| text(field).parse::<u64>().unwrap_or(0);
    let time = |field: &str| text(field).parse().ok().map(Timestamp::from_ms);
    let place = |field: &str| text(field).parse::<EventId>().ok();
    let secret = |field: &str| text(field).parse::<SigningSecret>().map_err(|why| wrong(why.to_string()));
    let mut secrets = vec![secret("secret")?];
    if time("previousUntil").is_some_and(|until| now < until) {
        secrets.push(secret("previous")?);
    }
    let failure = |at| DeliveryFailure {
        event: text("failedEvent").to_owned(),
        at,
        message: text("failure").to_owned(),
    };
    let spec = serde_json::from_str(text("spec")).map_err(|error| wrong(error.to_string()))?;
    Ok(Subscription {
        id: text("id").parse().map_err(|_| wrong(format!("id is {:?}", text("id"))))?,
        name: name.clone(),
        spec,
        secrets,
        paused: text("paused") == "1",
        since: place("since").unwrap_or_default(),
        revision: number("revision"),
        record: SubscriptionRecord {
            waiting,
            delivered: number("delivered"),
            failed: number("failed"),
            dropped: number("dropped"),
            cuts: number("cuts"),
            last_delivered: time("deliveredAt").map(|at| (text("deliveredEvent").to_owned(), at)),
            last_failure: time("failedAt").map(failure),
            last_cut: place("cutAfter").zip(place("cutBefore")),
        },
        created_at: time("createdAt").unwrap_or(now),
        last_updated: time("lastUpdated").unwrap_or(now),
    })
}
