//! A queue without a fleet: Capstan's publisher and consumer, in a separate namespace. It is
//! deleted at the end.

use std::time::Duration;

use anyhow::anyhow;
use broker::{Broker, BrokerConfig, Consumer, Delivery, Offer, Publisher};
use client::ClientError;
use client::command::CommandError;
use domain::capacity::Class;
use domain::job::{JobId, Priority, Timestamp, WorkerId};
use domain::queue::QueueName;
use futures_util::future::LocalBoxFuture;

use crate::services::unavailable;

const PREFETCH: u16 = 1000;
const CLASS: &str = "benchraw=1";
const CONNECTION: &str = "capstan bench";
/// RabbitMQ delivers sooner, even on a busy machine.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The queue.
pub(crate) struct BareQueue {
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
}

/// Its end that is consumed.
pub(crate) struct Incoming {
    broker: Broker,
    queue: QueueName,
}

/// Its end that is published to.
pub(crate) struct Outgoing {
    publisher: Publisher,
    queue: QueueName,
}

impl BareQueue {
    /// Connects and declares the queue.
    pub(crate) async fn open(config: &BrokerConfig) -> Result<BareQueue, CommandError> {
        let namespace = format!("bench-{}", WorkerId::random());
        let class = Class::try_from(CLASS.to_owned()).map_err(anyhow::Error::from)?;
        let queue = QueueName::shared(class, Priority::Normal);
        let connect = || Broker::connect(config, &namespace, CONNECTION);
        let broker = connect().await.map_err(unavailable)?;
        let publisher = connect().await.map_err(unavailable)?;
        let publisher = Publisher::new(publisher).await.map_err(unavailable)?;
        let failed = broker.declare(&[queue.clone()].into()).await;
        failed.into_values().next().map_or(Ok(()), Err).map_err(unavailable)?;
        let incoming = Incoming { broker, queue: queue.clone() };
        Ok(BareQueue { incoming, outgoing: Outgoing { publisher, queue } })
    }

    /// Deletes the queue and closes the connections.
    pub(crate) async fn delete(self) -> Result<(), ClientError> {
        let Incoming { broker, queue } = self.incoming;
        let deleted = broker.delete(&queue).await;
        self.outgoing.publisher.broker().close().await;
        broker.close().await;
        deleted.map_err(unavailable)
    }
}

impl Incoming {
    /// Starts to consume.
    pub(crate) async fn consume(&self) -> Result<Consumer, ClientError> {
        self.broker.consume(&self.queue, PREFETCH).await.map_err(unavailable)
    }
}

impl Outgoing {
    /// Publishes an offer for each list of ids and waits until all are confirmed.
    pub(crate) async fn publish(&mut self, offers: &[Vec<JobId>]) -> Result<(), ClientError> {
        let at = Timestamp::from_ms(chrono::Utc::now().timestamp_millis());
        let offer = |ids: &Vec<JobId>| (self.queue.clone(), Offer::new(at, 1, ids.clone()));
        let offers: Vec<(QueueName, Offer)> = offers.iter().map(offer).collect();
        let failed =
            self.publisher.publish(&offers, broker::CALL_LIMIT).await.map_err(unavailable)?;
        failed.into_values().next().map_or(Ok(()), Err).map_err(unavailable)
    }
}

/// Waits for the next message. It is an error if none comes for a while.
pub(crate) async fn next(consumer: &mut Consumer) -> Result<Delivery, ClientError> {
    match tokio::time::timeout(STALL_TIMEOUT, consumer.next()).await {
        Ok(Some(delivery)) => delivery.map_err(unavailable),
        Ok(None) => Err(unavailable("RabbitMQ ended the consumer of the bench")),
        Err(_) => {
            let limit = STALL_TIMEOUT.as_secs();
            Err(ClientError::TimedOut(format!("RabbitMQ delivered no message for {limit} s")))
        }
    }
}

/// Lets Ctrl-C end a measurement, so that what it has created is still deleted.
pub(crate) async fn interruptible<T>(
    measurement: LocalBoxFuture<'_, Result<T, CommandError>>,
) -> Result<T, CommandError> {
    tokio::select! {
        measured = measurement => measured,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted").into()),
    }
}
