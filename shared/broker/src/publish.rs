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
}

impl Publisher {
    /// Takes over a connection to publish on.
    pub async fn new(broker: Broker) -> Result<Publisher, BrokerError> {
        let channel = open(&broker).await?;
        Ok(Publisher { broker, channel })
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
    /// connection; a duplicate offer is harmless.
    pub async fn publish(
        &mut self,
        offers: &[(QueueName, Offer)],
        limit: Duration,
    ) -> Result<BTreeMap<QueueName, BrokerError>, BrokerError> {
        let queues: BTreeSet<QueueName> = offers.iter().map(|(queue, _)| queue.clone()).collect();
        let mut failed = self.broker.declare(&queues).await;
        let mut confirms = Vec::with_capacity(offers.len());
        for (queue, offer) in offers.iter().filter(|(queue, _)| !failed.contains_key(queue)) {
            confirms.push((queue, self.send(queue, offer).await?));
        }
        let mut reopen = false;
        // One deadline for all, so that the delays of several queues without a leader do not add up.
        let deadline = Instant::now() + limit;
        for (queue, confirm) in confirms {
            let confirmation = self.confirmation(confirm, deadline, limit).await?;
            let error = match &confirmation {
                Some(Confirmation::Ack(None)) => continue,
                Some(_) => BrokerError::NotAccepted(queue.clone()),
                None => BrokerError::NotConfirmed { queue: queue.clone(), limit },
            };
            reopen |= matches!(confirmation, None | Some(Confirmation::Nack(_)));
            self.broker.forget(queue);
            failed.insert(queue.clone(), error);
        }
        if reopen {
            // A channel of RabbitMQ 3.10 that has once refused an offer because a quorum queue was
            // full refuses all later ones.
            close_channel(&self.channel).await;
            self.channel = open(&self.broker).await?;
        }
        Ok(failed)
    }

    async fn send(
        &self,
        queue: &QueueName,
        offer: &Offer,
    ) -> Result<PublisherConfirm, BrokerError> {
        // The default exchange, whose name is empty, routes by the name of the queue.
        let (exchange, routing_key) = ("".into(), self.broker.full_name(queue).into());
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into());
        let body = offer.encode();
        let sent = self.channel.basic_publish(exchange, routing_key, PUBLISH, &body, properties);
        limited("publish an offer", sent).await
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
