//! Records how attempts to deliver messages went.

use super::read::Subscription;
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::subscription::EventDelivery;

static RECORD_ATTEMPT: Script = Script::new("record_attempt", include_str!("record_attempt.lua"));

/// How much of the reason of a failure is kept.
const REASON_CHARACTERS: usize = 255;

/// How an attempt to deliver a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryAttempt<'a> {
    /// The receiver has accepted it.
    Delivered,
    /// It failed, and why; it may be tried again.
    Failed(&'a str),
    /// The message is not wanted any more.
    Dropped,
}

impl Store {
    /// Records how one attempt to deliver a message went.
    pub async fn record_attempt(
        &self,
        subscription: &Subscription,
        message: &EventDelivery,
        attempt: DeliveryAttempt<'_>,
    ) -> Result<(), StoreError> {
        let answer = self.call(&RECORD_ATTEMPT, |call| {
            let (outcome, reason) = match attempt {
                DeliveryAttempt::Delivered => ("delivered", ""),
                DeliveryAttempt::Failed(reason) => ("failed", reason),
                DeliveryAttempt::Dropped => ("dropped", ""),
            };
            call.arg(subscription.name.as_str()).arg(subscription.id.to_string());
            call.arg(message.message.to_string()).arg(outcome).arg(&message.event);
            call.arg(reason.chars().take(REASON_CHARACTERS).collect::<String>());
        });
        answer.await?.decode(|words| match words {
            ["recorded" | "gone"] => Some(()),
            _ => None,
        })
    }
}
