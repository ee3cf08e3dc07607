//! Receiving offers. Each consumer has its own channel: closing the channel ends the consumer
//! and returns every unacknowledged offer in one step.

use domain::queue::QueueName;
use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Acker, Channel};

use crate::connection::{Broker, close_channel};
use crate::error::{BrokerError, limited};
use crate::offer::{InvalidOffer, Offer};

const CONSUME: BasicConsumeOptions = BasicConsumeOptions {
    // RabbitMQ ignores it, and a worker does not publish.
    no_local: false,
    // An offer is acknowledged after the claim; if the worker dies before, RabbitMQ offers it to
    // another.
    no_ack: false,
    // Many workers consume from a queue.
    exclusive: false,
    // The answer says that the queue exists and the consumer has started.
    nowait: false,
};

/// A consumer of one queue. It holds at most as many unacknowledged offers as its prefetch.
pub struct Consumer {
    stream: lapin::Consumer,
    channel: Channel,
}

/// A message from a queue.
#[derive(Debug)]
pub struct Delivery {
    /// The offer, or why the message does not contain one.
    pub offer: Result<Offer, InvalidOffer>,
    /// A worker has received the message before and returned it.
    pub redelivered: bool,
    /// Acknowledges the message.
    pub receipt: Receipt,
}

/// The right to acknowledge one message.
#[derive(Debug)]
pub struct Receipt(Acker);

impl Receipt {
    /// Acknowledges the message, which removes it from the queue. If the channel is gone, RabbitMQ
    /// delivers the message again, which is harmless.
    pub async fn ack(self) {
        // A channel carries messages of several offers, which are acknowledged in any order.
        let options = BasicAckOptions { multiple: false };
        if let Err(error) = limited("acknowledge an offer", self.0.ack(options)).await {
            tracing::debug!(%error, "cannot acknowledge an offer, rabbitmq will deliver it again");
        }
    }
}

impl Broker {
    /// Starts to consume from a queue. The queue must exist: RabbitMQ 3.10 closes the whole
    /// connection if another connection is just creating it.
    pub async fn consume(&self, queue: &QueueName, prefetch: u16) -> Result<Consumer, BrokerError> {
        if self.is_worn_out() {
            return Err(BrokerError::TooManyFailedChannels);
        }
        let channel = self.channel().await?;
        // The limit is per consumer; RabbitMQ 4.3 removed the global one.
        let qos = channel.basic_qos(prefetch, BasicQosOptions { global: false });
        limited("set the prefetch", qos).await.map_err(|error| self.count(error))?;
        let name = self.full_name(queue);
        // RabbitMQ chooses the tag.
        let consume = channel.basic_consume(name.into(), "".into(), CONSUME, FieldTable::default());
        let stream = limited("consume from a queue", consume).await;
        Ok(Consumer { stream: stream.map_err(|error| self.count(error))?, channel })
    }
}

impl Consumer {
    /// Waits for the next message. Returns `None` if RabbitMQ ended the consumer because the queue
    /// was deleted.
    pub async fn next(&mut self) -> Option<Result<Delivery, BrokerError>> {
        let delivery = match self.stream.next().await? {
            Ok(delivery) => delivery,
            Err(error) => return Some(Err(error.into())),
        };
        Some(Ok(Delivery {
            offer: Offer::decode(&delivery.data),
            redelivered: delivery.redelivered,
            receipt: Receipt(delivery.acker),
        }))
    }

    /// Ends the consumer and returns its unacknowledged offers to the queue.
    pub async fn close(self) {
        close_channel(&self.channel).await;
    }
}
