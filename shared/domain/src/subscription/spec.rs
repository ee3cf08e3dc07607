//! The definition of a subscription.

use serde::{Deserialize, Serialize};

use super::webhook_url::WebhookUrl;
use crate::event::EventFilter;
use crate::job::Backoff;

/// A subscription as a client defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionSpec {
    /// The URL that messages are sent to.
    pub url: WebhookUrl,
    /// The events that it receives.
    pub filter: EventFilter,
    /// The number of times that a message is retried.
    pub retries: u32,
    /// The delay before a retry.
    pub backoff: Backoff,
}
