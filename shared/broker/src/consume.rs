//! Offers in. A consumer has a channel of its own: closing it ends the consumer and returns every offer that
//! is not acked, in one step that cannot be half done.

use futures_util::StreamExt;
use lapin::Acker;
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;

use super::{InvalidOffer, Broker, BrokerError, Offer, limited};
use domain::queue::QueueName;

/// A consumer of one queue. Holds at most its prefetch of offers that are not acked.
pub struct Consumer {
    stream: lapin::Consumer,
    channel: Channel,
}

/// A message that has come.
#[derive(Debug)]
pub struct Delivery {
    /// What it offers, or why it is no offer.
    pub offer: Result<Offer, InvalidOffer>,
    /// Some worker has had it before and returned it.
    pub redelivered: bool,
    /// To ack it with.
    pub receipt: Receipt,
}

/// The right to ack one delivery.
#[derive(Debug)]
pub struct Receipt(Acker);

impl Receipt {
    /// Tells the broker that the offer is used up. When the channel is gone the offer comes again, which is
    /// harmless.
    pub async fn ack(self) {
        if let Err(error) = limited("ack an offer", self.0.ack(BasicAckOptions::default())).await {
            tracing::debug!(%error, "an offer could not be acked, it will come again");
        }
    }
}

impl Broker {
    /// Begins to consume a queue, which must be there: to consume one that somebody else is still making ends the
    /// whole connection in RabbitMQ 3.10.
    pub async fn consume(&self, queue: &QueueName, prefetch: u16) -> Result<Consumer, BrokerError> {
        let channel = limited("open a channel", self.connection.create_channel()).await?;
        let qos = channel.basic_qos(prefetch, BasicQosOptions { global: false });
        limited("set the prefetch", qos).await?;
        let (name, options) = (self.full_name(queue), BasicConsumeOptions::default());
        let consume = channel.basic_consume(name.into(), "".into(), options, FieldTable::default());
        Ok(Consumer { stream: limited("consume", consume).await?, channel })
    }
}

impl Consumer {
    /// The next message; `None` when the broker has ended the consumer (its queue was deleted).
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

    /// Ends the consumer and returns what is not acked.
    pub async fn close(self) {
        // A channel that cannot be closed is gone already, and with it the consumer.
        let _ = limited("close a consumer", self.channel.close(200, "bye".into())).await;
    }
}
