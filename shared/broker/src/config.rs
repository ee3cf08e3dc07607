//! The settings of the broker: its address, its credentials, and the type of queues to declare.

use std::fmt;
use std::str::FromStr;

/// The RabbitMQ server. `Debug` leaves out the URL and the password.
#[derive(Clone)]
pub struct BrokerConfig {
    /// `amqp://user:password@host:port/vhost`; `amqps://` uses TLS. Several hosts, separated by
    /// commas, are the nodes of a cluster: each connection goes to one that answers.
    pub amqp_url: String,
    /// Replaces the password of the URL.
    pub password: Option<String>,
    /// Certificate authorities to trust besides the system's, as PEM.
    pub authorities: Option<String>,
    /// The type of the queues that are declared.
    pub queue_type: QueueType,
}

impl BrokerConfig {
    /// A broker that needs neither a password nor authorities beside its URL.
    #[must_use]
    pub fn new(amqp_url: impl Into<String>, queue_type: QueueType) -> BrokerConfig {
        let amqp_url = amqp_url.into();
        BrokerConfig { amqp_url, password: None, authorities: None, queue_type }
    }
}

impl fmt::Debug for BrokerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerConfig").field("queue_type", &self.queue_type).finish_non_exhaustive()
    }
}

/// The type of a queue, as RabbitMQ names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueType {
    /// Replicated over a cluster.
    Quorum,
    /// On one node.
    Classic,
}

impl QueueType {
    /// Every type, the default first.
    pub const ALL: [QueueType; 2] = [QueueType::Quorum, QueueType::Classic];

    /// The name that RabbitMQ uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            QueueType::Quorum => "quorum",
            QueueType::Classic => "classic",
        }
    }
}

/// The text is not the name of a queue type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue type must be quorum or classic")]
pub struct UnknownQueueType;

impl FromStr for QueueType {
    type Err = UnknownQueueType;

    fn from_str(text: &str) -> Result<QueueType, UnknownQueueType> {
        QueueType::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownQueueType)
    }
}
