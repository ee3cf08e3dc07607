//! Identifiers and names that cannot hold an invalid value.

mod error;
mod ids;
mod name;

pub use error::NameError;
pub use ids::{FencingToken, JobId, WorkerId};
pub use name::{ActionName, CronName, SignalName, SubscriptionName};
