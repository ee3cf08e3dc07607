//! Pauses and resumes subscriptions.

use super::read::Subscription;
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::subscription::SubscriptionName;

static PAUSE_SUBSCRIPTION: Script =
    Script::new("pause_subscription", include_str!("pause_subscription.lua"));

impl Store {
    /// Pauses or resumes a subscription; events that occur while it is paused are not delivered
    /// later. With
    /// `seen`, only while it is what was read. False when it does not exist.
    pub async fn pause_subscription(
        &self,
        name: &SubscriptionName,
        paused: bool,
        seen: Option<&Subscription>,
    ) -> Result<bool, StoreError> {
        let answer = self.call(&PAUSE_SUBSCRIPTION, |call| {
            call.arg(name.as_str()).arg(u8::from(paused));
            call.arg(seen.map(|seen| seen.id.to_string()).unwrap_or_default());
            call.arg(seen.map(|seen| seen.revision.to_string()).unwrap_or_default());
        });
        answer.await?.decode(|words| match words {
            ["set" | "unchanged" | "conflict"] => Some(true),
            ["gone"] => Some(false),
            _ => None,
        })
    }
}
