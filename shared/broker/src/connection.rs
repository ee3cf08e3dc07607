//! One connection to RabbitMQ.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use domain::queue::QueueName;
use lapin::{Channel, Connection};

use crate::config::{BrokerConfig, QueueType};
use crate::endpoint::Endpoint;
use crate::error::{BrokerError, limited};

/// The reply code of AMQP for a normal close.
const REPLY_SUCCESS: u16 = 200;

/// How many channels of a connection may fail before it is given up. lapin 4.12 fails a new channel
/// with the error of an earlier one that had the same id, and the 2,047 ids are used in turn.
const MAX_FAILED_CHANNELS: u32 = 1_000;

/// One connection to RabbitMQ. Publishing and consuming use separate connections: RabbitMQ blocks a
/// connection that publishes too fast, and a blocked connection cannot send acknowledgements
/// either.
pub struct Broker {
    connection: Connection,
    endpoint: Endpoint,
    name: String,
    namespace: String,
    pub(crate) queue_type: QueueType,
    declared: Mutex<HashSet<QueueName>>,
    failed_channels: AtomicU32,
}

impl Broker {
    /// Connects. RabbitMQ shows `name` in its list of connections.
    pub async fn connect(
        config: &BrokerConfig,
        namespace: &str,
        name: &str,
    ) -> Result<Broker, BrokerError> {
        let endpoint = Endpoint::new(config)?;
        let connection = endpoint.open(name).await?;
        Ok(Broker {
            connection,
            endpoint,
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            queue_type: config.queue_type,
            declared: Mutex::default(),
            failed_channels: AtomicU32::new(0),
        })
    }

    /// Returns false if the connection is gone, or if too many of its channels have failed. Make a
    /// new one then.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.is_worn_out() && self.connection.status().connected()
    }

    /// Returns true if RabbitMQ accepts no offers on any connection, because its memory or its disk
    /// is nearly used up.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Returns true if too many channels have failed.
    pub(crate) fn is_worn_out(&self) -> bool {
        self.failed_channels.load(Ordering::Relaxed) >= MAX_FAILED_CHANNELS
    }

    /// Counts the error if it has closed a channel.
    pub(crate) fn count(&self, error: BrokerError) -> BrokerError {
        if error.is_channel_error() {
            self.failed_channels.fetch_add(1, Ordering::Relaxed);
        }
        error
    }

    /// Closes the connection. RabbitMQ returns unacknowledged offers to their queues.
    pub async fn close(&self) {
        close_connection(&self.connection).await;
    }

    /// Opens a channel.
    pub(crate) async fn channel(&self) -> Result<Channel, BrokerError> {
        open_channel(&self.connection).await
    }

    /// Opens another connection, for a call that may cost it: RabbitMQ closes the whole connection
    /// after an internal error.
    pub(crate) async fn separate_connection(
        &self,
        purpose: &str,
    ) -> Result<Connection, BrokerError> {
        self.endpoint.open(&format!("{} ({purpose})", self.name)).await
    }

    /// The name of a queue in RabbitMQ.
    pub(crate) fn full_name(&self, queue: &QueueName) -> String {
        format!("{}.{queue}", self.namespace)
    }

    pub(crate) fn is_declared(&self, queue: &QueueName) -> bool {
        self.lock_declared().contains(queue)
    }

    /// Remembers that a queue exists, so that it is declared once per connection.
    pub(crate) fn remember(&self, queue: &QueueName) {
        self.lock_declared().insert(queue.clone());
    }

    /// Forgets a queue that may no longer exist, so that it is declared again.
    pub(crate) fn forget(&self, queue: &QueueName) {
        self.lock_declared().remove(queue);
    }

    fn lock_declared(&self) -> std::sync::MutexGuard<'_, HashSet<QueueName>> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a channel on a connection.
pub(crate) async fn open_channel(connection: &Connection) -> Result<Channel, BrokerError> {
    limited("open a channel", connection.create_channel()).await
}

/// Closes a channel. An error means that it is closed already.
pub(crate) async fn close_channel(channel: &Channel) {
    let closed = channel.close(REPLY_SUCCESS, "done".into());
    let _ = limited("close a channel", closed).await;
}

/// Closes a connection. An error means that it is closed already.
pub(crate) async fn close_connection(connection: &Connection) {
    let closed = connection.close(REPLY_SUCCESS, "done".into());
    let _ = limited("close a connection", closed).await;
}
