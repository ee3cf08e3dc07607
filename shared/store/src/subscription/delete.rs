//! Deletes subscriptions.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::subscription::SubscriptionName;

static DELETE_SUBSCRIPTION: Script =
    Script::new("delete_subscription", include_str!("delete_subscription.lua"));

impl Store {
    /// Deletes a subscription; false when it does not exist.
    pub async fn delete_subscription(&self, name: &SubscriptionName) -> Result<bool, StoreError> {
        let answer = self.call(&DELETE_SUBSCRIPTION, |call| {
            call.arg(name.as_str());
        });
        answer.await?.decode(|words| match words {
            ["deleted"] => Some(true),
            ["gone"] => Some(false),
            _ => None,
        })
    }
}
