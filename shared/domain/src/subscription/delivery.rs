//! A message for a subscription. Its id and its text follow from the event, so that two schedulers
//! that read the same event create the same job.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::spec::SubscriptionSpec;
use crate::capacity::Class;
use crate::event::Event;
use crate::job::{JobSpec, NewJob};
use crate::names::{ActionName, JobId, SubscriptionName};
use crate::time::Timestamp;

/// A message for one subscription: the parameters of the job that delivers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDelivery {
    /// The subscription.
    pub subscription: SubscriptionName,
    /// The id of the message, derived from the subscription and the event. All retries share it; it
    /// is also the id of the first job that delivers the message.
    pub message: JobId,
    /// The id of the event; for a test message, `test-` and a random UUID.
    pub event: String,
    /// The JSON body.
    pub body: Map<String, Value>,
}

const TEST: &str = "test";

impl EventDelivery {
    /// Returns the message about an event for the subscription with this name and id.
    #[must_use]
    pub fn of(subscription: (&SubscriptionName, Uuid), event: &Event) -> EventDelivery {
        let body = body(&event.type_name(), event.at(), event.data());
        EventDelivery::new(subscription, event.id.to_string(), body)
    }

    /// Returns a message without an event, with which a user tests a subscription.
    #[must_use]
    pub fn test(subscription: (&SubscriptionName, Uuid), at: Timestamp) -> EventDelivery {
        let mut data = Map::new();
        data.insert("subscription".to_owned(), json!(subscription.0.as_str()));
        let event = format!("{TEST}-{}", Uuid::new_v4());
        EventDelivery::new(subscription, event, body("subscription.test", at, data))
    }

    fn new(
        (name, id): (&SubscriptionName, Uuid),
        event: String,
        body: Map<String, Value>,
    ) -> EventDelivery {
        let message = message_id(id, &event);
        EventDelivery { subscription: name.clone(), message, event, body }
    }

    /// Returns true for a test message. It is sent even while the subscription is paused.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.event.starts_with(TEST)
    }

    /// Returns true if the message is for the subscription with this id, not for an earlier one of
    /// the same name.
    #[must_use]
    pub fn is_for(&self, subscription: Uuid) -> bool {
        self.message == message_id(subscription, &self.event)
    }

    /// Returns the job that delivers the message.
    #[must_use]
    pub fn job(&self, spec: &SubscriptionSpec) -> NewJob {
        let spec = JobSpec {
            parameters: json!(self).as_object().cloned(),
            retries: spec.retries,
            backoff: Some(spec.backoff.clone()),
            scheduled_by: Some(submitter(&self.subscription)),
            ..JobSpec::of(ActionName::deliver())
        };
        let class = Class::default();
        NewJob {
            id: self.message,
            class,
            scheduled_at: None,
            reserve_id: false,
            request_hash: None,
            spec,
        }
    }

    /// Returns true if the subscription created the job. The name of an access token has no
    /// space, so no client can submit a job with the same `scheduledBy`.
    #[must_use]
    pub fn created(&self, job: &JobSpec) -> bool {
        job.scheduled_by.as_deref() == Some(submitter(&self.subscription).as_str())
    }
}

/// The body of a message, in the form that Standard Webhooks recommends.
fn body(type_name: &str, at: Timestamp, data: Map<String, Value>) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("type".to_owned(), json!(type_name));
    body.insert("timestamp".to_owned(), json!(at));
    body.insert("data".to_owned(), Value::Object(data));
    body
}

fn message_id(subscription: Uuid, event: &str) -> JobId {
    JobId::derived(subscription, event)
}

fn submitter(name: &SubscriptionName) -> String {
    format!("subscription {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_one_id_and_belongs_to_one_subscription() {
        let name: SubscriptionName = "ops".parse().unwrap();
        let (id, other) = (Uuid::new_v4(), Uuid::new_v4());
        let fields = [("job", "j"), ("status", "done")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let event = Event { id: "1763740800123-7".parse().unwrap(), fields: fields.into() };
        let message = EventDelivery::of((&name, id), &event);
        assert_eq!(message, EventDelivery::of((&name, id), &event));
        assert_ne!(message.message, EventDelivery::of((&name, other), &event).message);
        assert!(message.is_for(id) && !message.is_for(other) && !message.is_test());
        let body = json!({"type": "job.done", "timestamp": "2025-11-21T16:00:00.123Z", "data":
            {"at": "2025-11-21T16:00:00.123Z", "jobID": "j", "kind": "job", "status": "done"}});
        assert_eq!(json!(message.body), body);
        let test = EventDelivery::test((&name, id), Timestamp::from_ms(0));
        assert!(test.is_for(id) && test.is_test());
    }

    #[test]
    fn only_a_subscription_can_create_its_jobs() {
        let name: SubscriptionName = "ops".parse().unwrap();
        let message = EventDelivery::test((&name, Uuid::new_v4()), Timestamp::from_ms(0));
        let spec = json!({"url": "http://a", "filter": {}, "retries": 3, "backoff": {}});
        let mut job = message.job(&serde_json::from_value(spec).unwrap()).spec;
        assert!(message.created(&job));
        for submitter in [None, Some("ops".to_owned()), Some("subscription".to_owned())] {
            job.scheduled_by = submitter;
            assert!(!message.created(&job), "{job:?}");
        }
    }
}
