//! Subscriptions: webhooks that receive events, and the messages that are sent to them.

mod delivery;
mod signing_secret;
mod spec;
mod webhook_url;

pub use delivery::EventDelivery;
pub use signing_secret::{InvalidSigningSecret, SigningSecret};
pub use spec::SubscriptionSpec;
pub use webhook_url::{InvalidWebhookUrl, WebhookUrl};

pub use crate::names::SubscriptionName;
