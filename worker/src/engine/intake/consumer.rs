//! One consumer of one queue: forwards deliveries until it is stopped, then returns what it holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use broker::{Broker, BrokerError, Delivery};
use domain::queue::QueueName;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

/// The pause before a queue that cannot be consumed is tried again.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A delivery, with its queue and the generation of the consumer that received it.
pub(super) type Forwarded = (QueueName, u64, Delivery);

/// A consumer before it starts.
pub(super) struct QueueConsumer {
    pub(super) queue: QueueName,
    pub(super) generation: u64,
    pub(super) prefetch: u16,
    pub(super) stop: CancellationToken,
    /// True between the request to the broker and its answer.
    pub(super) starting: Arc<AtomicBool>,
    /// How long to wait before the start.
    pub(super) delay: Duration,
    /// Held during the start when consumers must start one at a time.
    pub(super) start_lock: Option<Arc<Mutex<()>>>,
    pub(super) deliveries: mpsc::Sender<Forwarded>,
}

impl QueueConsumer {
    /// Consumes the queue until stopped. `Ok` before that means that the broker ended the consumer,
    /// or that the queue cannot be consumed now.
    pub(super) async fn run(&self, broker: &Broker) -> Result<(), BrokerError> {
        match self.consume(broker).await {
            Err(error) if error.is_channel_error() => {
                // Usually the queue does not exist; a publisher declares it again.
                let queue = &self.queue;
                tracing::debug!(%queue, %error, "queue cannot be consumed now");
            }
            Ok(()) => {}
            Err(error) => return Err(error),
        }
        // A queue that is being deleted is consumed again only after it is gone: RabbitMQ 3.10 may
        // close the whole connection otherwise.
        let _ = self.stop.run_until_cancelled(tokio::time::sleep(RETRY_PAUSE)).await;
        Ok(())
    }

    async fn consume(&self, broker: &Broker) -> Result<(), BrokerError> {
        let allowed = self.stop.run_until_cancelled(self.wait_to_start()).await;
        let Some(start_guard) = allowed else { return Ok(()) };
        // A started request is not cancelled: its answer and the deliveries after it must be read.
        self.starting.store(true, Ordering::Relaxed);
        let mut consumer = broker.consume(&self.queue, self.prefetch).await?;
        self.starting.store(false, Ordering::Relaxed);
        drop(start_guard);
        loop {
            let delivery = tokio::select! {
                () = self.stop.cancelled() => break,
                delivery = consumer.next() => delivery,
            };
            let Some(delivery) = delivery else { return Ok(()) };
            let forwarded = (self.queue.clone(), self.generation, delivery?);
            tokio::select! {
                () = self.stop.cancelled() => break,
                sent = self.deliveries.send(forwarded) => if sent.is_err() { break },
            }
        }
        consumer.close().await;
        Ok(())
    }

    async fn wait_to_start(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        tokio::time::sleep(self.delay).await;
        match &self.start_lock {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }
}
