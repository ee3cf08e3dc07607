//! Creates the jobs that deliver messages to subscriptions.

use serde::Serialize;
use uuid::Uuid;

use super::read::Subscription;
use crate::bounds::MAX_DELIVERIES;
use crate::error::StoreError;
use crate::job::NewRecord;
use crate::script::Script;
use crate::store::Store;
use domain::event::EventId;
use domain::subscription::{EventDelivery, SubscriptionName};

static CREATE_DELIVERIES: Script =
    Script::new("create_deliveries", include_str!("create_deliveries.lua"));

/// The messages to deliver.
#[derive(Debug)]
pub struct DeliveryPlan<'a> {
    /// The cursor as it was read.
    pub cursor: EventId,
    /// The new cursor: the last of the events that this plan covers.
    pub next: EventId,
    /// When events were trimmed before they were read: the first that is still kept, and the
    /// subscriptions that may have missed some.
    pub cut: Option<(EventId, Vec<&'a SubscriptionName>)>,
    /// The messages, and the subscription of each.
    pub messages: Vec<(&'a Subscription, EventDelivery)>,
}

/// What became of a delivery plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryAnswer {
    /// How many jobs were created, and how many were not because too many messages are not
    /// delivered yet.
    Created(u64, u64),
    /// Another scheduler has done it.
    Conflict,
}

/// A message as the script takes it.
#[derive(Debug, Serialize)]
struct Message<'a> {
    name: &'a str,
    id: Uuid,
    job: NewRecord,
}

impl Store {
    /// Creates a job for each message, and moves the cursor.
    pub async fn create_deliveries(
        &self,
        plan: &DeliveryPlan<'_>,
    ) -> Result<DeliveryAnswer, StoreError> {
        let answer = self.call(&CREATE_DELIVERIES, |call| {
            call.arg(MAX_DELIVERIES).arg(plan.cursor.to_string());
            call.arg(plan.next.to_string());
            let cut = plan.cut.as_ref();
            call.arg(cut.map(|(kept, _)| kept.to_string()).unwrap_or_default());
            let missed = cut.iter().flat_map(|(_, names)| names).map(|name| name.as_str());
            let missed: Vec<&str> = missed.collect();
            call.arg(missed.len()).arg(&missed[..]);
            for (subscription, delivery) in &plan.messages {
                let job = NewRecord::of(&delivery.job(&subscription.spec));
                let (name, id) = (subscription.name.as_str(), subscription.id);
                let message = Message { name, id, job };
                call.arg(serde_json::to_string(&message).unwrap_or_default());
            }
        });
        answer.await?.decode(|words| match words {
            ["created", created, dropped] => {
                Some(DeliveryAnswer::Created(created.parse().ok()?, dropped.parse().ok()?))
            }
            ["conflict"] => Some(DeliveryAnswer::Conflict),
            _ => None,
        })
    }
}
