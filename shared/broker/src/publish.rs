//! Offers out: with confirms, `mandatory`, persistent, and never more unconfirmed than one batch.

use std::collections::BTreeMap;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::time::Instant;

use super::{Broker, BrokerError, CALL_LIMIT, Offer, limited};
use domain::queue::QueueName;

const PERSISTENT: u8 = 2;

/// A channel that publishes; belongs to one connection and dies with it.
pub struct Publisher {
    broker: Broker,
    channel: Channel,
}

impl Publisher {
    /// Takes a connection to publish on.
    pub async fn new(broker: Broker) -> Result<Publisher, BrokerError> {
        let channel = open(&broker).await?;
        Ok(Publisher { broker, channel })
    }

    /// The connection.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Publishes offers and waits until the broker has them. Returns the queues that did not take all of theirs,
    /// and why. After an error nothing is known of any of them: publish them again on a new connection, an offer
    /// too many is harmless.
    pub async fn publish(
        &mut self,
        offers: &[(QueueName, Offer)],
    ) -> Result<BTreeMap<QueueName, BrokerError>, BrokerError> {
        let queues = offers.iter().map(|(queue, _)| queue.clone()).collect();
        let mut failed = self.broker.declare(&queues).await;
        let mut confirms = Vec::with_capacity(offers.len());
        for (queue, offer) in offers.iter().filter(|(queue, _)| !failed.contains_key(queue)) {
            let (name, body) = (self.broker.full_name(queue), offer.encode());
            let sent = self.channel.basic_publish(
                "".into(),
                name.into(),
                BasicPublishOptions { mandatory: true, immediate: false },
                &body,
                BasicProperties::default()
                    .with_delivery_mode(PERSISTENT)
                    .with_content_type("application/json".into()),
            );
            confirms.push((queue, limited("publish", sent).await?));
        }
        // A queue that says nothing (its cluster has no leader for it) must not hold up the others.
        let (mut nacked, until) = (false, Instant::now() + CALL_LIMIT);
        for (queue, confirm) in confirms {
            let confirmation = match tokio::time::timeout_at(until, confirm).await {
                Ok(confirmation) => Some(confirmation?),
                Err(_) if self.broker.is_connected() => None,
                Err(_) => {
                    let tried = "have an offer confirmed";
                    return Err(BrokerError::Late { tried, limit: CALL_LIMIT });
                }
            };
            nacked |= matches!(confirmation, None | Some(Confirmation::Nack(_)));
            match confirmation {
                Some(Confirmation::Ack(None)) => {}
                None
                | Some(
                    Confirmation::Ack(Some(_)) | Confirmation::Nack(_) | Confirmation::NotRequested,
                ) => {
                    self.broker.declared(|declared| declared.remove(queue));
                    failed.insert(queue.clone(), BrokerError::NotTaken(queue.clone()));
                }
            }
        }
        if nacked {
            // A channel of RabbitMQ 3.10 that was once told that a quorum queue is full goes on saying so for ever.
            let _ = limited("close a channel", self.channel.close(200, "bye".into())).await;
            self.channel = open(&self.broker).await?;
        }
        Ok(failed)
    }
}

async fn open(broker: &Broker) -> Result<Channel, BrokerError> {
    let channel = limited("open a channel", broker.connection.create_channel()).await?;
    let options = ConfirmSelectOptions::default();
    limited("ask for confirms", channel.confirm_select(options)).await?;
    Ok(channel)
}
