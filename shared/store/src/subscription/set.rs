//! Creates and changes subscriptions.

use uuid::Uuid;

use crate::bounds::MAX_SUBSCRIPTIONS;
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::subscription::{SigningSecret, SubscriptionName, SubscriptionSpec};

static SET_SUBSCRIPTION: Script =
    Script::new("set_subscription", include_str!("set_subscription.lua"));

/// How long the previous secret stays in use, so that a receiver can change over.
const OVERLAP_MS: u64 = 24 * 3600 * 1000;

/// A subscription to set.
#[derive(Debug, Clone, PartialEq)]
pub struct SetSubscription {
    /// Its name.
    pub name: SubscriptionName,
    /// Its specification.
    pub spec: SubscriptionSpec,
    /// The secret to sign with; `None` leaves it, or generates one for a new subscription.
    pub secret: Option<SigningSecret>,
    /// Whether it is paused; `None` keeps the current state.
    pub paused: Option<bool>,
}

/// What became of a subscription that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionSet {
    /// It is new. Holds the secret that was generated, if none was given; it is not shown again.
    Created(Option<SigningSecret>),
    /// It is changed.
    Changed,
    /// It was the same already.
    Unchanged,
    /// The namespace has as many subscriptions as it may have.
    TooMany,
}

impl Store {
    /// Creates or changes a subscription. A new one receives the events from now on.
    pub async fn set_subscription(
        &self,
        wanted: &SetSubscription,
    ) -> Result<SubscriptionSet, StoreError> {
        let fresh = SigningSecret::random().map_err(StoreError::Random)?;
        let answer = self.call(&SET_SUBSCRIPTION, |call| {
            call.arg(MAX_SUBSCRIPTIONS).arg(wanted.name.as_str()).arg(Uuid::new_v4().to_string());
            call.arg(serde_json::to_string(&wanted.spec).unwrap_or_default());
            call.arg(wanted.secret.as_ref().map(SigningSecret::reveal).unwrap_or_default());
            call.arg(fresh.reveal());
            call.arg(wanted.paused.map_or("", |paused| if paused { "1" } else { "0" }));
            call.arg(OVERLAP_MS);
        });
        answer.await?.decode(|words| match words {
            ["created"] => Some(SubscriptionSet::Created(wanted.secret.is_none().then_some(fresh))),
            ["changed"] => Some(SubscriptionSet::Changed),
            ["unchanged"] => Some(SubscriptionSet::Unchanged),
            ["too_many_subscriptions"] => Some(SubscriptionSet::TooMany),
            _ => None,
        })
    }
}
