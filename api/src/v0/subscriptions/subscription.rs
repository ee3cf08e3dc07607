//! The JSON of subscriptions: the body that sets one, and the object that is returned. A generated
//! secret is returned once, by the request that generated it.

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

/// The default number of retries of a message: with the default back-off, about two hours.
const DEFAULT_RETRIES: u32 = 10;
const DEFAULT_BASE: &str = "10s";
const DEFAULT_MAX: &str = "1h";
const URL_CHARACTERS: usize = 2048;

/// A subscription to create or replace. Only `name` and `url` are required. Unknown fields are
/// refused.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "name": "ops", "url": "https://ops.example.org/capstan", "events": ["job"],
    "filter": {"action": "scan", "status": ["error", "worker_dead"], "job": null},
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "retries": 10,
    "backoff": {"base": "10s", "max": "1h"}, "paused": false,
}))]
pub(in crate::v0) struct SubscriptionCreate {
    /// The name of the subscription: 1 to 64 characters of A-Z a-z 0-9 _ . -
    #[schema(value_type = schemas::SubscriptionName, required, nullable = false)]
    name: Option<SubscriptionName>,
    /// The URL that messages are sent to with POST: `http` or `https`, without a password.
    #[schema(value_type = schemas::Endpoint, required, nullable = false)]
    url: Option<String>,
    /// The kinds of events to deliver. If empty or absent, events of all kinds are delivered.
    #[schema(value_type = Option<Vec<schemas::EventKind>>)]
    events: Option<BTreeSet<EventKind>>,
    /// Conditions that an event must meet.
    #[schema(value_type = Option<EventFilter>)]
    filter: Option<Object<EventFilter>>,
    /// The key that messages are signed with: `whsec_` and the Base64 encoding of 24 to 64 bytes.
    /// If absent, an existing subscription keeps its key, and for a new one a key is generated and
    /// returned once. After a change, messages are signed with both keys for a day.
    #[schema(value_type = Option<schemas::Secret>)]
    secret: Option<String>,
    /// The number of retries of a message. Defaults to 10.
    #[schema(maximum = 100)]
    retries: Option<u32>,
    /// The delay before retries. Defaults to `10s`, doubled up to `1h`.
    #[schema(value_type = Option<schemas::BackoffSubmission>)]
    backoff: Option<Object<Backoff>>,
    /// Whether the subscription is paused. If absent, an existing subscription keeps its state.
    paused: Option<bool>,
}

/// Conditions that an event must meet. Fields that are absent or `null` match every event.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"action": "scan", "job": null, "status": ["error", "worker_dead"]}))]
pub(in crate::v0) struct EventFilter {
    /// Only events of jobs of this action.
    #[schema(value_type = Option<schemas::Action>)]
    action: Option<ActionName>,
    /// Only events of this job.
    #[schema(value_type = Option<String>, format = Uuid)]
    job: Option<JobId>,
    /// Only events of jobs that change to one of these statuses.
    #[serde(default)]
    #[schema(value_type = Option<Vec<schemas::Status>>)]
    status: Option<BTreeSet<Status>>,
}

/// A subscription with its delivery counts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "193c061a-c52c-448a-884a-719adc253497", "name": "ops",
    "url": "https://ops.example.org/capstan", "events": ["job"],
    "filter": {"action": "scan", "job": null, "status": ["error", "worker_dead"]},
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "retries": 10,
    "backoff": {"base": "10s", "max": "1h"}, "paused": false,
    "waiting": 1, "delivered": 512, "failed": 7, "dropped": 0, "gaps": 1,
    "lastDelivered": {"event": "1763740800000-0", "at": "2025-11-21T16:00:00.123Z"},
    "lastFailure": {"event": "1763740700000-0", "at": "2025-11-21T15:58:20.5Z",
        "message": "the receiver answered 503 Service Unavailable"},
    "lastGap": {"after": "1763740600000-3", "before": "1763740600250-0"},
    "createdAt": "2025-11-01T09:00:00Z", "lastUpdated": "2025-11-01T09:00:00Z",
}))]
pub(in crate::v0) struct Subscription {
    /// The id of the subscription. It changes if the subscription is deleted and created again.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// The name of the subscription.
    #[schema(value_type = schemas::SubscriptionName)]
    name: SubscriptionName,
    /// The URL that messages are sent to.
    #[schema(value_type = schemas::Endpoint)]
    url: WebhookUrl,
    /// The kinds of events that are delivered. If empty, events of all kinds are.
    #[schema(value_type = Vec<schemas::EventKind>)]
    events: BTreeSet<EventKind>,
    /// Conditions that an event must meet.
    filter: EventFilter,
    /// The key that messages are signed with. Present only in the response to the request for which
    /// it was generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Secret>, nullable = false)]
    secret: Option<String>,
    /// The number of retries of a message.
    retries: u32,
    /// The delay before retries.
    #[schema(value_type = schemas::BackoffSubmission)]
    backoff: Backoff,
    /// Whether the subscription is paused, by a request or because its receiver answered 410.
    paused: bool,
    /// The number of pending messages, including those to retry. At most 10,000.
    waiting: u64,
    /// The number of messages that the receiver has accepted.
    delivered: u64,
    /// The number of failed delivery attempts.
    failed: u64,
    /// The number of events that were not delivered because 10,000 messages were pending.
    dropped: u64,
    /// The number of times that events may have been missed, because they were no longer kept when
    /// they were to be read.
    gaps: u64,
    /// The latest delivery. `null` if there was none.
    last_delivered: Option<Delivered>,
    /// The latest failed delivery attempt. `null` if there was none.
    last_failure: Option<Failure>,
    /// The latest range of events that may have been missed. `null` if there was none.
    last_gap: Option<Gap>,
    /// The time at which the subscription was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The time at which the subscription was last changed.
    #[schema(value_type = String, format = DateTime)]
    last_updated: Timestamp,
}

/// A message that the receiver has accepted.
#[derive(Debug, Serialize, ToSchema)]
struct Delivered {
    /// The id of the event. It begins with the time of the event in milliseconds.
    event: String,
    /// The time at which the message was accepted.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// A failed delivery attempt.
#[derive(Debug, Serialize, ToSchema)]
struct Failure {
    /// The id of the event.
    event: String,
    /// The time of the attempt.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The error message.
    message: String,
}

/// A range of events that were no longer kept when they were to be read.
#[derive(Debug, Serialize, ToSchema)]
struct Gap {
    /// The id of the last event before the range.
    after: String,
    /// The id of the first event after the range.
    before: String,
}

/// A list of subscriptions, ordered by name.
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
        let retries =
            retries.map_err(|why| Error::invalid("retries", why))?.unwrap_or(DEFAULT_RETRIES);
        let secret = self.secret.as_deref().map(str::parse::<SigningSecret>).transpose();
        let secret = secret.map_err(|why| Error::invalid("secret", why))?;
        let backoff = backoff(self.backoff.map(|backoff| backoff.0))?;
        let filter = self.filter.map(|filter| filter.0);
        let event_filter = event::EventFilter {
            kinds: self.events.unwrap_or_default(),
            action: filter.as_ref().and_then(|filter| filter.action.clone()),
            job: filter.as_ref().and_then(|filter| filter.job),
            statuses: filter.and_then(|filter| filter.status).unwrap_or_default(),
        };
        let spec = SubscriptionSpec { url, filter: event_filter, retries, backoff };
        Ok(SetSubscription { name, spec, secret, paused: self.paused })
    }
}

/// Fills in the defaults of a back-off; its base must not exceed its maximum.
fn backoff(given: Option<Backoff>) -> Result<Backoff, Error> {
    let (base, max) = given.map(|given| (given.base, given.max)).unwrap_or_default();
    let max = if max.is_none() { DEFAULT_MAX.parse().unwrap_or_default() } else { max };
    let default: GoDuration = DEFAULT_BASE.parse().unwrap_or_default();
    let default = if default.duration() > max.duration() { max.clone() } else { default };
    let backoff = Backoff { base: if base.is_none() { default } else { base }, max };
    if backoff.base.duration() > backoff.max.duration() {
        let why = format!("it must not be longer than max, which is {DEFAULT_MAX} by default");
        return Err(Error::invalid("backoff.base", why));
    }
    Ok(backoff)
}

impl Subscription {
    /// Returns a subscription with the secret that was generated for it by this request.
    pub(in crate::v0) fn with_secret(
        subscription: store::Subscription,
        generated: Option<&SigningSecret>,
    ) -> Subscription {
        let secret = generated.map(SigningSecret::reveal);
        Subscription { secret, ..subscription.into() }
    }
}

impl From<store::Subscription> for Subscription {
    fn from(one: store::Subscription) -> Subscription {
        let SubscriptionSpec { url, filter, retries, backoff } = one.spec;
        let record = one.record;
        let failure =
            |store::DeliveryFailure { event, at, message }| Failure { event, at, message };
        let gap = |(after, before): (EventId, EventId)| Gap {
            after: after.to_string(),
            before: before.to_string(),
        };
        Subscription {
            id: one.id,
            name: one.name,
            url,
            events: filter.kinds,
            filter: EventFilter {
                action: filter.action,
                job: filter.job,
                status: Some(filter.statuses),
            },
            secret: None,
            retries,
            backoff,
            paused: one.paused,
            waiting: record.waiting,
            delivered: record.delivered,
            failed: record.failed,
            dropped: record.dropped,
            gaps: record.cuts,
            last_delivered: record.last_delivered.map(|(event, at)| Delivered { event, at }),
            last_failure: record.last_failure.map(failure),
            last_gap: record.last_cut.map(gap),
            created_at: one.created_at,
            last_updated: one.last_updated,
        }
    }
}
