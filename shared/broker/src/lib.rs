//! RabbitMQ, which carries offers of waiting jobs. Losing an offer or delivering it
//! twice is harmless, because the store decides which worker runs a job.
//!
//! The only crate that knows AMQP (`lapin`); imports `domain` only. Nothing here reconnects: after
//! any error the owner of a connection drops it and makes another.

mod config;
mod connection;
mod consume;
mod endpoint;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod offer;
mod publish;
mod queues;

pub use config::{BrokerConfig, QueueType, UnknownQueueType};
pub use connection::Broker;
pub use consume::{Consumer, Delivery, Receipt};
pub use error::{BrokerError, CALL_LIMIT};
pub use offer::{InvalidOffer, MAX_OFFER_JOBS, Offer};
pub use publish::Publisher;
