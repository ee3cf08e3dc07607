//! Sending offers, with publisher confirms. At most one batch is unconfirmed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::queue::QueueName;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use tokio::time::{Instant, timeout_at};

use crate::connection::{Broker, close_channel};
use crate::error::{BrokerError, limited};
use crate::offer::Offer;

/// The AMQP delivery mode of a message that RabbitMQ writes to disk.
const PERSISTENT: u8 = 2;

const PUBLISH: BasicPublishOptions = BasicPublishOptions {
    // An offer for a queue that does not exist is returned instead of dropped.
    mandatory: true,
    // RabbitMQ does not support it.
    immediate: false,
};

/// Publishes offers on one connection, and ends with it.
pub struct Publisher {
    broker: Broker,
    channel: Channel,
    is_usable: bool,
}

impl Publisher {
    /// Takes over a connection to publish on.
    pub async fn new(broker: Broker) -> Result<Publisher, BrokerError> {
        let channel = open(&broker).await?;
        Ok(Publisher { broker, channel, is_usable: true })
    }

    /// Returns false if offers must be published on a new connection.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.is_usable && self.broker.is_connected()
    }

    /// The connection.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Publishes offers and waits at most `limit` until RabbitMQ confirms them. Returns the queues
    /// that did not accept all of their offers, each with an error.
    ///
    /// After an error, the state of every offer is unknown. Publish all of them again on a new
    /// connection; a duplicate offer is harmless. One queue that confirms nothing can hold up the
    /// others: see [`Publisher::is_usable`].
    pub async fn publish(
        &mut self,
        offers: &[(QueueName, Offer)],
        limit: Duration,
    ) -> Result<BTreeMap<QueueName, BrokerError>, BrokerError> {
        let queues: BTreeSet<QueueName> = offers.iter().map(|(queue, _)| queue.clone()).collect();
        let mut failed = self.broker.declare(&queues).await;
        let mut confirms = Vec::with_capacity(offers.len());
        let mut is_late = false;
        for (queue, offer) in offers.iter().filter(|(queue, _)| !failed.contains_key(queue)) {
            let sent = if is_late { None } else { self.send(queue, offer).await? };
            is_late |= sent.is_none();
            confirms.push((queue, sent));
        }
        let mut is_refused = false;
        // One deadline for all, so that the delays of several queues without a leader do not add up.
        let deadline = Instant::now() + limit;
        for (queue, confirm) in confirms {
            let confirmation = match confirm {
                Some(confirm) => self.confirmation(confirm, deadline, limit).await?,
                None => None,
            };
            let error = match &confirmation {
                Some(Confirmation::Ack(None)) => continue,
                Some(_) => BrokerError::NotAccepted(queue.clone()),
                None => BrokerError::NotConfirmed { queue: queue.clone(), limit },
            };
            is_late |= confirmation.is_none();
            is_refused |= matches!(confirmation, Some(Confirmation::Nack(_)));
            self.broker.forget(queue);
            failed.insert(queue.clone(), error);
        }
        // RabbitMQ may have stopped reading from a connection on which it confirms nothing.
        self.is_usable = !is_late && (!is_refused || self.reopen().await);
        Ok(failed)
    }

    /// Opens a new channel: one of RabbitMQ 3.10 that has once refused an offer because a quorum
    /// queue was full refuses all later ones. Returns false if there is none.
    async fn reopen(&mut self) -> bool {
        close_channel(&self.channel).await;
        match open(&self.broker).await {
            Ok(channel) => {
                self.channel = channel;
                true
            }
            Err(error) => {
                tracing::debug!(%error, "cannot open a channel");
                false
            }
        }
    }

    /// Sends an offer. Returns `None` if RabbitMQ does not read it in time.
    async fn send(
        &self,
        queue: &QueueName,
        offer: &Offer,
    ) -> Result<Option<PublisherConfirm>, BrokerError> {
        // The default exchange, whose name is empty, routes by the name of the queue.
        let (exchange, routing_key) = ("".into(), self.broker.full_name(queue).into());
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into());
        let body = offer.encode();
        let sent = self.channel.basic_publish(exchange, routing_key, PUBLISH, &body, properties);
        match limited("publish an offer", sent).await {
            Ok(confirm) => Ok(Some(confirm)),
            Err(error) if error.is_timeout() && self.broker.is_connected() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits for a confirmation. Returns `None` at the deadline if the connection is still there.
    async fn confirmation(
        &self,
        confirm: PublisherConfirm,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Option<Confirmation>, BrokerError> {
        match timeout_at(deadline, confirm).await {
            Ok(confirmation) => Ok(Some(confirmation?)),
            Err(_) if self.broker.is_connected() => Ok(None),
            Err(_) => Err(BrokerError::Timeout { operation: "confirm an offer", limit }),
        }
    }
}

async fn open(broker: &Broker) -> Result<Channel, BrokerError> {
    let channel = broker.channel().await?;
    let options = ConfirmSelectOptions { nowait: false };
    limited("enable publisher confirms", channel.confirm_select(options)).await?;
    Ok(channel)
}
