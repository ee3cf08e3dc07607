//! Subscriptions on the wire: what clients send to have one, and what they are shown of it. Its secret is shown once, in the
//! answer to the request for which it was made.

use std::collections::BTreeSet;

use domain::bounds;
use domain::event::{self, EventKind};
use domain::job::{ActionName, Backoff, GoDuration, JobId, Status, Timestamp};
use domain::subscription::{SigningSecret, SubscriptionName, SubscriptionSpec, WebhookUrl};
use serde::{Deserialize, Serialize};
use store::{self, EventId, SetSubscription};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Error;
use crate::v0::wire::body::Object;
use crate::v0::wire::schemas;

/// How often a message is tried again unless said: for two hours or so.
const RETRIES: u32 = 10;
const BASE: &str = "10s";
const LONGEST: &str = "1h";
const URL_CHARACTERS: usize = 2048;

/// A subscription to be made, or changed if its name is there. Only `name` and `url` are required. A field that is not listed
/// here is refused.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "name": "ops", "url": "https://ops.example.org/capstan", "events": ["job"],
    "filter": {"action": "scan", "status": ["error", "worker_dead"], "job": null},
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "retries": 10,
    "backoff": {"base": "10s", "max": "1h"}, "paused": false,
}))]
pub(in crate::v0) struct SubscriptionCreate {
    /// Its name, 1 to 64 characters of A-Z a-z 0-9 _ . -
    #[schema(value_type = schemas::SubscriptionName, required, nullable = false)]
    name: Option<SubscriptionName>,
    /// Where messages are sent, with POST; `http` or `https`, without a password.
    #[schema(value_type = schemas::Endpoint, required, nullable = false)]
    url: Option<String>,
    /// What it is told of, in the words of `GET /events`; everything when there are none.
    #[schema(value_type = Option<Vec<schemas::KindOfEvent>>)]
    events: Option<BTreeSet<EventKind>>,
    /// Which of those.
    #[schema(value_type = Option<EventFilter>)]
    filter: Option<Object<EventFilter>>,
    /// What messages are signed with: `whsec_` and the Base64 of 24 to 64 bytes. Unless given a new subscription gets one that
    /// is shown once, in the answer, and one that is there keeps its own. After a change both sign for a day.
    #[schema(value_type = Option<schemas::Secret>)]
    secret: Option<String>,
    /// How often a message is tried again; 10 unless given.
    #[schema(maximum = 100)]
    retries: Option<u32>,
    /// How long that waits; from 10s to 1h unless given.
    #[schema(value_type = Option<schemas::BackoffSubmission>)]
    backoff: Option<Object<Backoff>>,
    /// It is told of nothing; as it is unless given.
    paused: Option<bool>,
}

/// Which events a subscription is told of; what is not given filters nothing.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"action": "scan", "job": null, "status": ["error", "worker_dead"]}))]
pub(in crate::v0) struct EventFilter {
    /// Only changes of jobs of this action.
    #[schema(value_type = Option<schemas::Action>)]
    action: Option<ActionName>,
    /// Only changes of this job.
    #[schema(value_type = Option<String>, format = Uuid)]
    job: Option<JobId>,
    /// Only changes of jobs to one of these.
    #[serde(default)]
    #[schema(value_type = Option<Vec<schemas::Status>>)]
    status: Option<BTreeSet<Status>>,
}

/// A subscription, and how it goes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "193c061a-c52c-448a-884a-719adc253497", "name": "ops",
    "url": "https://ops.example.org/capstan", "events": ["job"],
    "filter": {"action": "scan", "job": null, "status": ["error", "worker_dead"]},
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "retries": 10,
    "backoff": {"base": "10s", "max": "1h"}, "paused": false,
    "waiting": 1, "delivered": 512, "failed": 7, "dropped": 0, "cuts": 1,
    "lastDelivered": {"event": "1763740800000-0", "at": "2025-11-21T16:00:00.123Z"},
    "lastFailure": {"event": "1763740700000-0", "at": "2025-11-21T15:58:20.5Z",
        "message": "the receiver answered 503 Service Unavailable"},
    "lastCut": {"after": "1763740600000-3", "before": "1763740600250-0"},
    "createdAt": "2025-11-01T09:00:00Z", "lastUpdated": "2025-11-01T09:00:00Z",
}))]
pub(in crate::v0) struct Subscription {
    /// Its identity: one that is deleted and made again has another.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// What it is called.
    #[schema(value_type = schemas::SubscriptionName)]
    name: SubscriptionName,
    /// Where messages are sent.
    #[schema(value_type = schemas::Endpoint)]
    url: WebhookUrl,
    /// What it is told of; everything when there are none.
    #[schema(value_type = Vec<schemas::KindOfEvent>)]
    events: BTreeSet<EventKind>,
    /// Which of those.
    filter: EventFilter,
    /// What messages are signed with. Only in the answer to the request for which it was made; it is never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Secret>, nullable = false)]
    secret: Option<String>,
    /// How often a message is tried again.
    retries: u32,
    /// How long that waits.
    #[schema(value_type = schemas::BackoffSubmission)]
    backoff: Backoff,
    /// It is told of nothing: somebody paused it, or its receiver answered 410.
    paused: bool,
    /// How many messages are on their way: to be tried, or to be tried again; at most 10,000.
    waiting: u64,
    /// How many messages the receiver has taken.
    delivered: u64,
    /// How many tries have failed.
    failed: u64,
    /// How many events it was not told of, because 10,000 messages were on their way already.
    dropped: u64,
    /// How often there were more events at once than are kept, so that it may have missed some.
    cuts: u64,
    /// The event that was delivered last; `null` when none was.
    last_delivered: Option<Delivered>,
    /// The try that failed last; `null` when none did.
    last_failure: Option<Failure>,
    /// Between which events it may have missed some at last; `null` when it never has.
    last_cut: Option<Cut>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    last_updated: Timestamp,
}

/// A message that was taken.
#[derive(Debug, Serialize, ToSchema)]
struct Delivered {
    /// The id of its event, which begins with its time in milliseconds.
    event: String,
    /// When it was taken.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// A try that has failed.
#[derive(Debug, Serialize, ToSchema)]
struct Failure {
    /// The id of its event.
    event: String,
    /// When it failed.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Why.
    message: String,
}

/// Events that were not kept until they were read.
#[derive(Debug, Serialize, ToSchema)]
struct Cut {
    /// The last event before them.
    after: String,
    /// The first event after them.
    before: String,
}

/// All subscriptions, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Subscriptions {
    pub(in crate::v0) subscriptions: Vec<Subscription>,
}

impl SubscriptionCreate {
    /// Validates every field.
    pub(in crate::v0) fn validate(self) -> Result<SetSubscription, Error> {
        let name = self.name.ok_or_else(|| Error::invalid("name", "it is required"))?;
        let url = self.url.ok_or_else(|| Error::invalid("url", "it is required"))?;
        if url.chars().count() > URL_CHARACTERS {
            let why = format!("it is longer than {URL_CHARACTERS} characters");
            return Err(Error::invalid("url", why));
        }
        let url = url.parse::<WebhookUrl>().map_err(|why| Error::invalid("url", why))?;
        let retries = bounds::retries(self.retries);
        let retries = retries.map_err(|why| Error::invalid("retries", why))?.unwrap_or(RETRIES);
        let secret = self.secret.as_deref().map(str::parse::<SigningSecret>).transpose();
        let secret = secret.map_err(|why| Error::invalid("secret", why))?;
        let backoff = backoff(self.backoff.map(|backoff| backoff.0))?;
        let filter = self.filter.map(|filter| filter.0);
        let wanted = event::EventFilter {
            kinds: self.events.unwrap_or_default(),
            action: filter.as_ref().and_then(|filter| filter.action.clone()),
            job: filter.as_ref().and_then(|filter| filter.job),
            statuses: filter.and_then(|filter| filter.status).unwrap_or_default(),
        };
        let spec = SubscriptionSpec { url, filter: wanted, retries, backoff };
        Ok(SetSubscription { name, spec, secret, paused: self.paused })
    }
}

/// A back-off that does not begin beyond its longest.
fn backoff(given: Option<Backoff>) -> Result<Backoff, Error> {
    let (base, max) = given.map(|given| (given.base, given.max)).unwrap_or_default();
    let max = if max.is_none() { LONGEST.parse().unwrap_or_default() } else { max };
    let first: GoDuration = BASE.parse().unwrap_or_default();
    let first = if first.duration() > max.duration() { max.clone() } else { first };
    let backoff = Backoff { base: if base.is_none() { first } else { base }, max };
    if backoff.base.duration() > backoff.max.duration() {
        let why = format!("it must not be longer than max, which is {LONGEST} unless given");
        return Err(Error::invalid("backoff.base", why));
    }
    Ok(backoff)
}

impl Subscription {
    /// A subscription with the secret that was just made for it.
    pub(in crate::v0) fn with_secret(
        one: store::Subscription,
        made: Option<&SigningSecret>,
    ) -> Subscription {
        let secret = made.map(SigningSecret::reveal);
        Subscription { secret, ..one.into() }
    }
}

impl From<store::Subscription> for Subscription {
    fn from(one: store::Subscription) -> Subscription {
        let SubscriptionSpec { url, filter: wanted, retries, backoff } = one.spec;
        let record = one.record;
        let failure =
            |store::DeliveryFailure { event, at, message }| Failure { event, at, message };
        let cut = |(after, before): (EventId, EventId)| Cut {
            after: after.to_string(),
            before: before.to_string(),
        };
        Subscription {
            id: one.id,
            name: one.name,
            url,
            events: wanted.kinds,
            filter: EventFilter {
                action: wanted.action,
                job: wanted.job,
                status: Some(wanted.statuses),
            },
            secret: None,
            retries,
            backoff,
            paused: one.paused,
            waiting: record.waiting,
            delivered: record.delivered,
            failed: record.failed,
            dropped: record.dropped,
            cuts: record.cuts,
            last_delivered: record.last_delivered.map(|(event, at)| Delivered { event, at }),
            last_failure: record.last_failure.map(failure),
            last_cut: record.last_cut.map(cut),
            created_at: one.created_at,
            last_updated: one.last_updated,
        }
    }
}
