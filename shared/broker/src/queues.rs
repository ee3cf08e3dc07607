//! Declaring, inspecting and deleting queues.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use domain::queue::QueueName;
use lapin::options::{BasicGetOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions};
use lapin::protocol::AMQPSoftError;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection};

use crate::config::QueueType;
use crate::connection::{Broker, close_channel, close_connection, open_channel};
use crate::error::{BrokerError, limited};

/// The number of returns after which a quorum queue drops a message. RabbitMQ 4 drops after 20 by
/// default, and a busy fleet returns an offer more often. The value -1 means "no limit" only to
/// RabbitMQ 4; RabbitMQ 3.10 accepts it and drops a message at its first return. So this is the
/// largest number.
const DELIVERY_LIMIT: i32 = i32::MAX;

/// Queues survive a restart of RabbitMQ. If one does not, the scheduler offers its jobs again.
const DECLARE: QueueDeclareOptions = QueueDeclareOptions {
    passive: false,
    // A transient queue that is not exclusive is refused by RabbitMQ 4.3.
    durable: true,
    // Every worker consumes from it.
    exclusive: false,
    // A queue stays when its last consumer leaves: jobs wait in it.
    auto_delete: false,
    // The answer says whether the queue exists.
    nowait: false,
};

/// Asks for a queue without creating it.
const INSPECT: QueueDeclareOptions = QueueDeclareOptions { passive: true, ..DECLARE };

/// Deletes a queue with its contents and its consumers.
const DELETE: QueueDeleteOptions =
    QueueDeleteOptions { if_unused: false, if_empty: false, nowait: false };

/// RabbitMQ waits this long for the leader of a quorum queue to count its messages. Then it answers
/// that there are none.
const COUNT_LIMIT: Duration = Duration::from_millis(250);

impl Broker {
    /// Returns true if no offer is ready in a queue; `None` if the queue does not exist. A count of
    /// 0 is confirmed by a read if the queue is `suspect` or was slow to count: RabbitMQ also
    /// answers 0 for a queue whose leader does not answer.
    pub async fn is_empty(
        &self,
        queue: &QueueName,
        suspect: bool,
    ) -> Result<Option<bool>, BrokerError> {
        let asked_at = Instant::now();
        let depth = self.depth(queue).await?;
        if depth == Some(0) && (suspect || asked_at.elapsed() >= COUNT_LIMIT) {
            let channel = self.channel().await?;
            let offered = has_offer(&channel, self.full_name(queue)).await;
            return offered.map(|offered| Some(!offered)).map_err(|error| self.count(error));
        }
        Ok(depth.map(|depth| depth == 0))
    }

    /// Returns the number of offers that are ready in a queue; `None` if the queue does not exist.
    /// RabbitMQ also answers 0 for a queue that is broken or too busy to count.
    pub async fn depth(&self, queue: &QueueName) -> Result<Option<u32>, BrokerError> {
        let channel = self.channel().await?;
        let name = self.full_name(queue);
        let found = channel.queue_declare(name.into(), INSPECT, FieldTable::default());
        match limited("inspect a queue", found).await.map_err(|error| self.count(error)) {
            Ok(found) => {
                close_channel(&channel).await;
                Ok(Some(found.message_count()))
            }
            Err(error) if error.is(&AMQPSoftError::NOTFOUND) => {
                self.forget(queue);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Ensures that queues exist. Returns those that cannot be created, each with an error.
    ///
    /// RabbitMQ closes the whole connection if it fails internally while it creates a queue. Queues
    /// are therefore created on a separate connection, so that one of them cannot affect the
    /// others.
    pub async fn declare(&self, queues: &BTreeSet<QueueName>) -> BTreeMap<QueueName, BrokerError> {
        let mut failed = BTreeMap::new();
        let mut separate = None;
        for queue in queues.iter().filter(|queue| !self.is_declared(queue)) {
            match self.declare_separately(queue, &mut separate).await {
                Ok(()) => self.remember(queue),
                Err(error) => drop(failed.insert(queue.clone(), error)),
            }
        }
        if let Some(connection) = separate {
            close_connection(&connection).await;
        }
        failed
    }

    async fn declare_separately(
        &self,
        queue: &QueueName,
        separate: &mut Option<Connection>,
    ) -> Result<(), BrokerError> {
        let usable = separate.take().filter(|connection| connection.status().connected());
        let connection = match usable {
            Some(connection) => connection,
            None => self.separate_connection("declaring").await?,
        };
        match self.declare_on(separate.insert(connection), queue, self.queue_type).await {
            Err(error) if error.is_cluster_not_formed() => {
                // RabbitMQ 3.10 keeps the process of a quorum queue that was deleted while it was
                // being created, and never again creates one of that name. The error has closed
                // the connection.
                tracing::warn!(%queue, %error, "creating it as a classic queue");
                let connection = self.separate_connection("declaring").await?;
                self.declare_on(separate.insert(connection), queue, QueueType::Classic).await
            }
            outcome => outcome,
        }
    }

    /// Declares a queue, or accepts an existing one that was declared with other arguments: an
    /// operator may have changed its type.
    async fn declare_on(
        &self,
        connection: &Connection,
        queue: &QueueName,
        queue_type: QueueType,
    ) -> Result<(), BrokerError> {
        let (name, channel) = (self.full_name(queue), open_channel(connection).await?);
        let declared = channel.queue_declare(name.clone().into(), DECLARE, arguments(queue_type));
        match limited("declare a queue", declared).await {
            Ok(_) => {
                close_channel(&channel).await;
                return Ok(());
            }
            Err(error) if error.is(&AMQPSoftError::PRECONDITIONFAILED) => {}
            Err(error) => return Err(error),
        }
        // The refusal has closed the channel.
        let channel = open_channel(connection).await?;
        let found = channel.queue_declare(name.into(), INSPECT, FieldTable::default());
        limited("inspect a queue", found).await?;
        close_channel(&channel).await;
        Ok(())
    }

    /// Deletes a queue that RabbitMQ itself cannot read from. RabbitMQ 3.10 leaves one behind if it
    /// is killed while it creates or deletes the queue. If it held offers, the scheduler makes them
    /// again. Returns true if the queue was deleted.
    ///
    /// A queue that does not answer in time is not broken: RabbitMQ may only be overloaded. Nor is
    /// one that seems empty, because RabbitMQ says so of any queue that is too busy to count.
    pub async fn delete_if_broken(&self, queue: &QueueName) -> Result<bool, BrokerError> {
        let connection = self.separate_connection("repairing").await?;
        // After an error, dropping the connection closes it without waiting for RabbitMQ.
        let is_broken = is_broken(&connection, self.full_name(queue)).await?;
        close_connection(&connection).await;
        if !is_broken {
            return Ok(false);
        }
        // Reading from a broken queue has closed the connection.
        let connection = self.separate_connection("repairing").await?;
        let deleted = delete_on(&connection, self.full_name(queue)).await;
        close_connection(&connection).await;
        deleted?;
        self.forget(queue);
        Ok(true)
    }

    /// Deletes a queue with its contents. A queue that does not exist counts as deleted.
    pub async fn delete(&self, queue: &QueueName) -> Result<(), BrokerError> {
        let channel = self.channel().await?;
        let deleted = channel.queue_delete(self.full_name(queue).into(), DELETE);
        limited("delete a queue", deleted).await?;
        close_channel(&channel).await;
        Ok(())
    }

    /// Drops the offers that are ready in a queue. For fault injection.
    pub async fn purge(&self, queue: &QueueName) -> Result<(), BrokerError> {
        let channel = self.channel().await?;
        let options = QueuePurgeOptions { nowait: false };
        let purged = channel.queue_purge(self.full_name(queue).into(), options);
        limited("purge a queue", purged).await?;
        close_channel(&channel).await;
        Ok(())
    }
}

/// The arguments that work with RabbitMQ 3.10 to 4.x. Everything else is left to policies, which
/// operators can change later.
fn arguments(queue_type: QueueType) -> FieldTable {
    let mut arguments = FieldTable::default();
    if queue_type == QueueType::Quorum {
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    }
    let queue_type = queue_type.as_str();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(queue_type.into()));
    arguments
}

/// Returns true if RabbitMQ fails internally when it reads from a queue.
async fn is_broken(connection: &Connection, name: String) -> Result<bool, BrokerError> {
    let channel = open_channel(connection).await?;
    match has_offer(&channel, name).await {
        Ok(_) => Ok(false),
        Err(error) if error.is_internal() => Ok(true),
        Err(error) if error.is_channel_error() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns true if an offer is ready in a queue. The queue itself answers, unlike when its offers
/// are counted. Closes the channel, which puts the offer back in its place.
async fn has_offer(channel: &Channel, name: String) -> Result<bool, BrokerError> {
    let got = channel.basic_get(name.into(), BasicGetOptions { no_ack: false });
    let offer = limited("read from a queue", got).await?;
    close_channel(channel).await;
    Ok(offer.is_some())
}

async fn delete_on(connection: &Connection, name: String) -> Result<(), BrokerError> {
    let channel = open_channel(connection).await?;
    limited("delete a queue", channel.queue_delete(name.into(), DELETE)).await?;
    Ok(())
}
