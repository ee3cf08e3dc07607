//! Subscriptions: who wants to be told of which changes, over HTTP, and the secret that each message is signed with. What a
//! message says is made here too, so that its id and its text are the same for whoever makes it. Pure.

mod endpoint;
mod secret;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub use endpoint::{BadEndpoint, Endpoint};
pub use secret::{BadSecret, Secret};

use crate::capacity::Class;
use crate::event::{self, Change, Wanted};
use crate::job::{ActionName, Backoff, JobId, NameError, NewJob, Spec, Timestamp};

/// The name of a subscription; the same characters as an action's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubscriptionName(String);

/// A subscription as somebody wants it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionSpec {
    /// Where messages are sent.
    pub url: Endpoint,
    /// Which changes they tell of.
    pub wanted: Wanted,
    /// How often a message is tried again.
    pub retries: u32,
    /// How long that waits.
    pub backoff: Backoff,
}

/// One message for one subscription: all that the job that delivers it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// The subscription.
    pub subscription: SubscriptionName,
    /// The message's id, which follows from the subscription's and the event's: the same in every try, and the id of the
    /// first job that delivers it.
    pub message: JobId,
    /// The event's place in the stream of changes; `test` and something that never comes again, of a test.
    pub event: String,
    /// What is sent.
    pub body: Map<String, Value>,
}

impl Delivery {
    /// The message that tells a subscription of a change; the subscription is its name and its id.
    #[must_use]
    pub fn of(subscription: (&SubscriptionName, Uuid), change: &Change) -> Delivery {
        let (kind, at) = (event::type_of(change), event::moment(change));
        Delivery::new(subscription, change.place.clone(), (&kind, at, event::data(change)))
    }

    /// A message that tells of nothing, to see whether it arrives.
    #[must_use]
    pub fn test(subscription: (&SubscriptionName, Uuid), at: Timestamp) -> Delivery {
        let data = json!({"subscription": subscription.0.as_str()});
        let data = data.as_object().cloned().unwrap_or_default();
        let event = format!("{TEST}-{}", Uuid::new_v4());
        Delivery::new(subscription, event, ("subscription.test", at, data))
    }

    fn new(
        (name, id): (&SubscriptionName, Uuid),
        event: String,
        (kind, at, data): (&str, Timestamp, Map<String, Value>),
    ) -> Delivery {
        // As Standard Webhooks recommends.
        let body = json!({"type": kind, "timestamp": at, "data": data});
        let message = message_id(id, &event);
        let body = body.as_object().cloned().unwrap_or_default();
        Delivery { subscription: name.clone(), message, event, body }
    }

    /// True when it was asked for by hand: it is sent also while its subscription is paused.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.event.starts_with(TEST)
    }

    /// True when it is for the subscription with this id, and not for an earlier one of the same name.
    #[must_use]
    pub fn is_for(&self, subscription: Uuid) -> bool {
        self.message == message_id(subscription, &self.event)
    }

    /// The job that delivers it.
    #[must_use]
    pub fn job(&self, spec: &SubscriptionSpec) -> NewJob {
        let spec = Spec {
            parameters: json!(self).as_object().cloned(),
            retries: spec.retries,
            backoff: Some(spec.backoff.clone()),
            scheduled_by: Some(author(&self.subscription)),
            ..Spec::of(ActionName::deliver())
        };
        let class = Class::default();
        NewJob { id: self.message, class, scheduled_at: None, once: false, spec }
    }

    /// True when the job was made by its subscription. No token can have such a name, so nobody else can have made it.
    #[must_use]
    pub fn made(&self, job: &Spec) -> bool {
        job.scheduled_by.as_deref() == Some(author(&self.subscription).as_str())
    }
}

const TEST: &str = "test";

fn message_id(subscription: Uuid, event: &str) -> JobId {
    JobId::derived(subscription, event)
}

fn author(name: &SubscriptionName) -> String {
    format!("subscription {name}")
}

impl SubscriptionName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SubscriptionName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        match ActionName::try_from(text) {
            Ok(name) => Ok(SubscriptionName(name.into())),
            Err(NameError::Action(text)) => Err(NameError::Subscription(text)),
            Err(other) => Err(other),
        }
    }
}

impl FromStr for SubscriptionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.to_owned().try_into()
    }
}

impl From<SubscriptionName> for String {
    fn from(name: SubscriptionName) -> String {
        name.0
    }
}

impl fmt::Display for SubscriptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_one_id_and_belongs_to_one_subscription() {
        let name: SubscriptionName = "ops".parse().unwrap();
        let (id, other) = (Uuid::new_v4(), Uuid::new_v4());
        let fields = [("job", "j"), ("status", "done")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let change = Change { place: "1763740800123-7".to_owned(), fields: fields.into() };
        let told = Delivery::of((&name, id), &change);
        assert_eq!(told, Delivery::of((&name, id), &change));
        assert_ne!(told.message, Delivery::of((&name, other), &change).message);
        assert_eq!((told.is_for(id), told.is_for(other), told.is_test()), (true, false, false));
        let body = json!({"type": "job.done", "timestamp": "2025-11-21T16:00:00.123Z", "data":
            {"at": "2025-11-21T16:00:00.123Z", "jobID": "j", "kind": "job", "status": "done"}});
        assert_eq!(json!(told.body), body);
        let test = Delivery::test((&name, id), Timestamp::from_ms(0));
        assert!(test.is_for(id) && test.is_test());

        let spec = json!({"url": "http://a", "wanted": {}, "retries": 3, "backoff": {}});
        let mut job = told.job(&serde_json::from_value(spec).unwrap()).spec;
        assert!(told.made(&job));
        for author in [None, Some("ops".to_owned()), Some("subscription".to_owned())] {
            job.scheduled_by = author;
            assert!(!told.made(&job), "{job:?}");
        }
    }
}
