//! The worker's connection to the broker and its consumers, one per queue. After an error
//! of the connection a new one is made; the broker redelivers what the old one held.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use broker::{Broker, BrokerError, Delivery};
use domain::queue::QueueName;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::consumer::{Forwarded, QueueConsumer, RETRY_PAUSE};
use super::queue_backoff::QueueBackoff;
use crate::engine::session::{Resources, Session};

/// How many deliveries may wait for the intake. A consumer waits when it is full; its prefetch
/// bounds it too.
const MAX_DELIVERIES: usize = 64;

/// What happened at the broker.
pub(super) enum BrokerEvent {
    /// Queues can be consumed.
    Connected,
    /// The connection and all its consumers are gone; the broker has taken back what they held.
    Disconnected,
    /// The broker ended one consumer.
    ConsumerEnded(QueueName),
    /// A message arrived.
    Delivered(QueueName, Delivery),
}

enum Finished {
    Connect(Result<Arc<Broker>, BrokerError>),
    Close,
    Consume(QueueName, u64, Result<(), BrokerError>),
}

struct Active {
    /// Distinguishes this consumer's deliveries from those of an earlier consumer of the same
    /// queue.
    generation: u64,
    stop: CancellationToken,
    starting: Arc<AtomicBool>,
}

/// The connection and its consumers.
pub(super) struct Consumers {
    resources: Arc<Resources>,
    connection_name: String,
    broker: Option<Arc<Broker>>,
    active: HashMap<QueueName, Active>,
    generation: u64,
    tasks: JoinSet<Finished>,
    sender: mpsc::Sender<Forwarded>,
    receiver: mpsc::Receiver<Forwarded>,
    last_error: Option<String>,
    backoff: QueueBackoff,
    start_lock: Arc<Mutex<()>>,
}

impl Consumers {
    /// Starts to connect.
    pub(super) fn connecting(session: &Session) -> Consumers {
        let (sender, receiver) = mpsc::channel(MAX_DELIVERIES);
        let mut consumers = Consumers {
            resources: Arc::clone(&session.resources),
            connection_name: format!("capstan-worker {}", session.id),
            broker: None,
            active: HashMap::new(),
            generation: 0,
            tasks: JoinSet::new(),
            sender,
            receiver,
            last_error: None,
            backoff: QueueBackoff::default(),
            start_lock: Arc::default(),
        };
        consumers.connect(Duration::ZERO);
        consumers
    }

    /// Returns why there is no connection, or `None` when there is one.
    pub(super) fn connection_error(&self) -> Option<String> {
        match &self.broker {
            Some(broker) if broker.is_connected() => None,
            _ => Some(self.last_error.clone().unwrap_or_else(|| "not connected yet".to_owned())),
        }
    }

    /// Returns the next event. Safe to cancel.
    pub(super) async fn next(&mut self) -> BrokerEvent {
        loop {
            tokio::select! {
                Some((queue, generation, delivery)) = self.receiver.recv() => {
                    if self.is_current(&queue, generation) {
                        self.backoff.succeeded(&queue);
                        return BrokerEvent::Delivered(queue, delivery);
                    }
                }
                Some(finished) = self.tasks.join_next() => {
                    let event = match finished {
                        Ok(Finished::Close) => None,
                        Ok(Finished::Connect(outcome)) => self.connected(outcome),
                        Ok(Finished::Consume(queue, generation, outcome)) => {
                            self.consumer_ended(queue, generation, outcome)
                        }
                        Err(error) => Some(self.disconnected(&error, false)),
                    };
                    if let Some(event) = event {
                        return event;
                    }
                }
                else => std::future::pending().await,
            }
        }
    }

    /// Starts to consume a queue.
    pub(super) fn start(&mut self, queue: QueueName, prefetch: u16) {
        let Some(broker) = self.broker.clone() else { return };
        self.generation += 1;
        let now = Instant::now();
        let consumer = QueueConsumer {
            generation: self.generation,
            prefetch,
            stop: CancellationToken::new(),
            starting: Arc::default(),
            delay: self.backoff.delay(&queue, now),
            start_lock: self.backoff.is_sequential(now).then(|| Arc::clone(&self.start_lock)),
            deliveries: self.sender.clone(),
            queue: queue.clone(),
        };
        let active = Active {
            generation: consumer.generation,
            stop: consumer.stop.clone(),
            starting: Arc::clone(&consumer.starting),
        };
        self.active.insert(queue, active);
        self.tasks.spawn(async move {
            let outcome = consumer.run(&broker).await;
            Finished::Consume(consumer.queue, consumer.generation, outcome)
        });
    }

    /// Closes a queue's consumer.
    pub(super) fn stop(&mut self, queue: &QueueName) {
        if let Some(active) = self.active.remove(queue) {
            active.stop.cancel();
        }
    }

    /// Closes everything, and returns when the broker has taken back all that was held.
    pub(super) async fn close(&mut self) {
        self.stop_all();
        self.receiver.close();
        if let Some(broker) = self.broker.take() {
            while self.tasks.join_next().await.is_some() {}
            broker.close().await;
        }
        self.tasks.shutdown().await;
    }

    fn stop_all(&mut self) {
        for (_, active) in self.active.drain() {
            active.stop.cancel();
        }
    }

    fn connect(&mut self, delay: Duration) {
        let (resources, name) = (Arc::clone(&self.resources), self.connection_name.clone());
        self.tasks.spawn(async move {
            tokio::time::sleep(delay).await;
            let config = &resources.config;
            let connecting = async {
                let settings = config.broker.load()?;
                Broker::connect(&settings, &config.store.namespace, &name).await
            };
            Finished::Connect(connecting.await.map(Arc::new))
        });
    }

    fn connected(&mut self, outcome: Result<Arc<Broker>, BrokerError>) -> Option<BrokerEvent> {
        match outcome {
            Ok(broker) => {
                tracing::info!("connected to rabbitmq");
                self.last_error = None;
                self.broker = Some(broker);
                Some(BrokerEvent::Connected)
            }
            Err(error) => {
                if self.last_error.is_none() {
                    tracing::warn!(%error, "cannot connect to rabbitmq, retrying");
                }
                self.last_error = Some(error.to_string());
                self.connect(RETRY_PAUSE);
                None
            }
        }
    }

    fn consumer_ended(
        &mut self,
        queue: QueueName,
        generation: u64,
        outcome: Result<(), BrokerError>,
    ) -> Option<BrokerEvent> {
        if !self.is_current(&queue, generation) {
            return None;
        }
        match outcome {
            Ok(()) => {
                self.active.remove(&queue);
                Some(BrokerEvent::ConsumerEnded(queue))
            }
            Err(error) => {
                let broker_failed = error.is_internal() || error.is_timeout();
                Some(self.disconnected(&error, broker_failed))
            }
        }
    }

    /// Closes the connection and makes a new one. When the broker itself failed, the queue whose
    /// consumer was being started is backed off.
    fn disconnected(&mut self, error: &dyn std::fmt::Display, broker_failed: bool) -> BrokerEvent {
        if broker_failed {
            self.back_off();
        }
        tracing::warn!(%error, "connection to rabbitmq lost, reconnecting");
        self.last_error = Some(error.to_string());
        self.stop_all();
        if let Some(broker) = self.broker.take() {
            self.tasks.spawn(async move {
                broker.close().await;
                Finished::Close
            });
        }
        self.connect(RETRY_PAUSE);
        BrokerEvent::Disconnected
    }

    fn back_off(&mut self) {
        let starting = |entry: &(&QueueName, &Active)| entry.1.starting.load(Ordering::Relaxed);
        let starting = self.active.iter().filter(starting).map(|(queue, _)| queue);
        let starting: Vec<&QueueName> = starting.collect();
        if let Some(delay) = self.backoff.failed(&starting, Instant::now()) {
            let (queue, delay_s) = (starting[0], delay.as_secs());
            tracing::error!(
                %queue, delay_s,
                "rabbitmq failed while consuming this queue, backing off"
            );
        }
    }

    fn is_current(&self, queue: &QueueName, generation: u64) -> bool {
        self.active.get(queue).is_some_and(|active| active.generation == generation)
    }
}
