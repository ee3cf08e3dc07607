//! Subscriptions: set, read, paused and deleted; and events made into jobs that deliver them.

mod delete;
mod deliver;
mod forget;
mod pause;
mod pending;
mod read;
mod record_attempt;
mod set;

pub use deliver::{DeliveryAnswer, DeliveryPlan};
pub use pending::PendingEvents;
pub use read::{DeliveryFailure, Subscription, SubscriptionRecord};
pub use record_attempt::DeliveryAttempt;
pub use set::{SetSubscription, SubscriptionSet};
