//! Subscriptions as the store keeps them.

use std::collections::HashMap;

use uuid::Uuid;

use crate::answer::hash_and_count;
use crate::error::StoreError;
use crate::json::read_json;
use crate::store::Store;
use domain::event::EventId;
use domain::job::Timestamp;
use domain::subscription::{SigningSecret, SubscriptionName, SubscriptionSpec};

/// A subscription as the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// Its identity: one that is deleted and created again is another one.
    pub id: Uuid,
    /// Its name.
    pub name: SubscriptionName,
    /// Its specification.
    pub spec: SubscriptionSpec,
    /// The secrets to sign with: the current one, and for a while the previous one.
    pub secrets: Vec<SigningSecret>,
    /// It receives nothing.
    pub paused: bool,
    /// It receives events after this one.
    pub since: EventId,
    /// Changes with every change of the subscription.
    pub revision: u64,
    /// How its deliveries went.
    pub record: SubscriptionRecord,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub last_updated: Timestamp,
}

/// How the deliveries of a subscription went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRecord {
    /// How many messages are not delivered yet.
    pub waiting: u64,
    /// How many messages the receiver has accepted.
    pub delivered: u64,
    /// How many attempts have failed.
    pub failed: u64,
    /// How many events got no message, because too many messages were not delivered yet.
    pub dropped: u64,
    /// How often events were trimmed before they were read.
    pub cuts: u64,
    /// The event that was delivered last, and when.
    pub last_delivered: Option<(String, Timestamp)>,
    /// The attempt that failed last.
    pub last_failure: Option<DeliveryFailure>,
    /// The events between which some were lost last.
    pub last_cut: Option<(EventId, EventId)>,
}

/// A failed attempt to deliver a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFailure {
    /// The event of the message.
    pub event: String,
    /// When it failed.
    pub at: Timestamp,
    /// Why.
    pub message: String,
}

impl Store {
    /// One subscription; `None` when it does not exist.
    pub async fn subscription(
        &self,
        name: &SubscriptionName,
    ) -> Result<Option<Subscription>, StoreError> {
        let found = self.subscriptions_by_name(std::slice::from_ref(name)).await?;
        found.into_iter().next().transpose()
    }

    /// All subscriptions by name. One that cannot be read is left out.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, StoreError> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(self.keys.subscriptions());
        let names: Vec<String> = command.query_async(&mut self.connection.clone()).await?;
        let names = names.into_iter().filter_map(|name| name.parse().ok());
        let mut names: Vec<SubscriptionName> = names.collect();
        names.sort();
        let found = self.subscriptions_by_name(&names).await?.into_iter();
        Ok(found.filter_map(|one| self.left_out.readable(one)).collect())
    }

    /// Those of these subscriptions that exist; for one that cannot be read, an error instead.
    pub(super) async fn subscriptions_by_name(
        &self,
        names: &[SubscriptionName],
    ) -> Result<Vec<Result<Subscription, StoreError>>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("TIME");
        for name in names {
            pipe.hgetall(self.keys.subscription(name)).scard(self.keys.deliveries(name));
        }
        pipe.ignore_errors();
        let values: Vec<redis::RedisResult<redis::Value>> =
            pipe.query_async(&mut self.connection.clone()).await?;
        let Some((time, values)) = values.split_first() else { return Ok(Vec::new()) };
        let time = time.as_ref().map_err(Clone::clone)?;
        let (seconds, micros): (i64, i64) =
            redis::from_redis_value_ref(time).map_err(redis::RedisError::from)?;
        let now = Timestamp::from_ms(seconds * 1000 + micros / 1000);
        let read = |(name, pair): (&SubscriptionName, &[redis::RedisResult<redis::Value>])| {
            let (fields, waiting) = match hash_and_count(pair) {
                Ok(read) => read,
                Err(error) => {
                    return Some(Err(StoreError::of_record(format!("subscription {name}"), error)));
                }
            };
            (!fields.is_empty()).then(|| record(name, &fields, waiting, now))
        };
        Ok(names.iter().zip(values.chunks(2)).filter_map(read).collect())
    }
}

fn record(
    name: &SubscriptionName,
    fields: &HashMap<String, String>,
    waiting: u64,
    now: Timestamp,
) -> Result<Subscription, StoreError> {
    let wrong = |why: String| StoreError::unreadable(format!("subscription {name}"), why);
    let text = |field: &str| fields.get(field).map(String::as_str).unwrap_or_default();
    let number = |field: &str| text(field).parse::<u64>().unwrap_or(0);
    let time = |field: &str| text(field).parse().ok().map(Timestamp::from_ms);
    let event = |field: &str| text(field).parse::<EventId>().ok();
    let secret = |field: &str| {
        let secret = text(field).parse::<SigningSecret>();
        secret.map_err(|error| wrong(error.to_string()))
    };
    let mut secrets = vec![secret("secret")?];
    if time("previousUntil").is_some_and(|until| now < until) {
        secrets.push(secret("previous")?);
    }
    let failure = |at| DeliveryFailure {
        event: text("failedEvent").to_owned(),
        at,
        message: text("failure").to_owned(),
    };
    let spec = read_json(&format!("subscription {name}"), text("spec"))?;
    Ok(Subscription {
        id: text("id").parse().map_err(|_| wrong(format!("id is {:?}", text("id"))))?,
        name: name.clone(),
        spec,
        secrets,
        paused: text("paused") == "1",
        since: event("since").unwrap_or_default(),
        revision: number("revision"),
        record: SubscriptionRecord {
            waiting,
            delivered: number("delivered"),
            failed: number("failed"),
            dropped: number("dropped"),
            cuts: number("cuts"),
            last_delivered: time("deliveredAt").map(|at| (text("deliveredEvent").to_owned(), at)),
            last_failure: time("failedAt").map(failure),
            last_cut: event("cutAfter").zip(event("cutBefore")),
        },
        created_at: time("createdAt").unwrap_or(now),
        last_updated: time("lastUpdated").unwrap_or(now),
    })
}
