//! Offers out: with confirms, `mandatory`, persistent, and never more unconfirmed than one batch.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};

use super::{Broker, BrokerError, Offer, limited};
use crate::queue::QueueName;

const PERSISTENT: u8 = 2;

/// A channel that publishes; belongs to one connection and dies with it.
pub struct Publisher {
    broker: Broker,
    channel: Channel,
}

impl Publisher {
    /// Takes a connection to publish on.
    pub async fn new(broker: Broker) -> Result<Publisher, BrokerError> {
        let channel = limited("open a channel", broker.connection.create_channel()).await?;
        let options = ConfirmSelectOptions::default();
        limited("ask for confirms", channel.confirm_select(options)).await?;
        Ok(Publisher { broker, channel })
    }

    /// The connection.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Publishes offers and waits until the broker has all of them. After an error nothing is known of any of
    /// them: publish them again on a new connection, an offer too many is harmless.
    pub async fn publish(&mut self, offers: &[(QueueName, Offer)]) -> Result<(), BrokerError> {
        for (queue, _) in offers {
            self.broker.declare(queue).await?;
        }
        let mut confirms = Vec::with_capacity(offers.len());
        for (queue, offer) in offers {
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
        for (queue, confirm) in confirms {
            match limited("have an offer confirmed", confirm).await? {
                Confirmation::Ack(None) => {}
                Confirmation::Ack(Some(_)) | Confirmation::Nack(_) | Confirmation::NotRequested => {
                    return Err(BrokerError::NotTaken(queue.to_string()));
                }
            }
        }
        Ok(())
    }
}
