//! The worker's connection to the broker and its consumers, one per queue. Any error ends all of it, and it
//! connects again; what was held comes again by itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use broker::{Broker, BrokerError, Consumer, Delivery};
use domain::job::WorkerId;
use domain::queue::QueueName;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::suspects::Suspects;
use crate::Service;

/// Deliveries between the consumers and the intake; a consumer waits when it is full, its prefetch bounds it too.
const DELIVERIES: usize = 64;
/// Between two tries to connect, or to consume a queue.
const AGAIN: Duration = Duration::from_millis(500);

/// What the intake is told.
pub(super) enum Happened {
    /// Queues can be consumed.
    Connected,
    /// The connection is gone with all its consumers; what they held has been returned.
    Disconnected,
    /// The broker ended one consumer.
    Dropped(QueueName),
    /// A message has come.
    Delivered(QueueName, Delivery),
}

enum Task {
    Connected(Result<Arc<Broker>, BrokerError>),
    Closed,
    Consumed(QueueName, u64, Result<(), BrokerError>),
}

struct Consuming {
    /// Tells this consumer's deliveries from those of an earlier one of the same queue.
    generation: u64,
    stop: CancellationToken,
    /// The broker has been asked, and has not answered yet.
    starting: Arc<AtomicBool>,
}

/// The connection, however it is.
pub(super) struct Link {
    service: Arc<Service>,
    name: String,
    broker: Option<Arc<Broker>>,
    consumers: HashMap<QueueName, Consuming>,
    generation: u64,
    tasks: JoinSet<Task>,
    sender: mpsc::Sender<(QueueName, u64, Delivery)>,
    receiver: mpsc::Receiver<(QueueName, u64, Delivery)>,
    trouble: Option<String>,
    suspects: Suspects,
    turn: Arc<Mutex<()>>,
}

impl Link {
    /// Begins to connect.
    pub(super) fn new(service: Arc<Service>, worker: &WorkerId) -> Link {
        let (sender, receiver) = mpsc::channel(DELIVERIES);
        let mut link = Link {
            service,
            name: format!("capstan-worker {worker}"),
            broker: None,
            consumers: HashMap::new(),
            generation: 0,
            tasks: JoinSet::new(),
            sender,
            receiver,
            trouble: None,
            suspects: Suspects::default(),
            turn: Arc::default(),
        };
        link.connect(Duration::ZERO);
        link
    }

    /// What is wrong, if anything is.
    pub(super) fn trouble(&self) -> Option<String> {
        match &self.broker {
            Some(broker) if broker.is_connected() => None,
            _ => Some(self.trouble.clone().unwrap_or_else(|| "not connected yet".to_owned())),
        }
    }

    /// The next thing that happens. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Happened {
        loop {
            tokio::select! {
                Some((queue, generation, delivery)) = self.receiver.recv() => {
                    if self.is_current(&queue, generation) {
                        self.suspects.cleared(&queue);
                        return Happened::Delivered(queue, delivery);
                    }
                }
                Some(ended) = self.tasks.join_next() => {
                    let happened = match ended {
                        Ok(Task::Closed) => None,
                        Ok(Task::Connected(outcome)) => self.connected(outcome),
                        Ok(Task::Consumed(queue, generation, outcome)) => {
                            self.consumed(queue, generation, outcome)
                        }
                        Err(error) => Some(self.disconnected(&error, false)),
                    };
                    if let Some(happened) = happened {
                        return happened;
                    }
                }
                else => std::future::pending().await,
            }
        }
    }

    /// Begins to consume a queue.
    pub(super) fn resume(&mut self, queue: QueueName, prefetch: u16) {
        let Some(broker) = self.broker.clone() else { return };
        self.generation += 1;
        let (generation, stop) = (self.generation, CancellationToken::new());
        let starting = Arc::<AtomicBool>::default();
        let consuming = Consuming { generation, stop: stop.clone(), starting: starting.clone() };
        self.consumers.insert(queue.clone(), consuming);
        let sender = self.sender.clone();
        let now = Instant::now();
        let alone = self.suspects.alone(&queue, now);
        let turn = self.suspects.is_careful(now).then(|| Arc::clone(&self.turn));
        self.tasks.spawn(async move {
            let deliver = |delivery| sender.send((queue.clone(), generation, delivery));
            let waiting = async {
                tokio::time::sleep(alone).await;
                match &turn {
                    Some(turn) => Some(turn.lock().await),
                    None => None,
                }
            };
            // What has been asked of the broker is not cut short: somebody must read what it then sends.
            let begin = async {
                let Some(_turn) = stop.run_until_cancelled(waiting).await else { return Ok(None) };
                starting.store(true, Ordering::Relaxed);
                let consumer = broker.consume(&queue, prefetch).await?;
                starting.store(false, Ordering::Relaxed);
                Ok(Some(consumer))
            };
            let outcome = match consume(begin, stop.clone(), deliver).await {
                Err(error) if error.is_soft() => {
                    // This one queue: most often it is not there, and whoever publishes makes it anew.
                    tracing::debug!(%queue, %error, "intake: a queue cannot be consumed now");
                    let _ = stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await;
                    Ok(())
                }
                outcome => outcome,
            };
            Task::Consumed(queue, generation, outcome)
        });
    }

    /// Closes a queue's consumer.
    pub(super) fn pause(&mut self, queue: &QueueName) {
        if let Some(consuming) = self.consumers.remove(queue) {
            consuming.stop.cancel();
        }
    }

    /// Closes everything, and returns when all that was held has been returned.
    pub(super) async fn close(&mut self) {
        for (_, consuming) in self.consumers.drain() {
            consuming.stop.cancel();
        }
        self.receiver.close();
        if let Some(broker) = self.broker.take() {
            while self.tasks.join_next().await.is_some() {}
            broker.close().await;
        }
        self.tasks.shutdown().await;
    }

    fn connect(&mut self, after: Duration) {
        let (service, name) = (Arc::clone(&self.service), self.name.clone());
        self.tasks.spawn(async move {
            tokio::time::sleep(after).await;
            let config = &service.config;
            let namespace = &config.store.namespace;
            let connecting = async {
                let broker = Broker::connect(&config.broker.load()?, namespace, &name).await?;
                Ok(Arc::new(broker))
            };
            Task::Connected(connecting.await)
        });
    }

    fn connected(&mut self, outcome: Result<Arc<Broker>, BrokerError>) -> Option<Happened> {
        match outcome {
            Ok(broker) => {
                tracing::info!("intake: connected to rabbitmq");
                self.trouble = None;
                self.broker = Some(broker);
                Some(Happened::Connected)
            }
            Err(error) => {
                if self.trouble.is_none() {
                    tracing::warn!(%error, "intake: waiting for rabbitmq");
                }
                self.trouble = Some(error.to_string());
                self.connect(AGAIN);
                None
            }
        }
    }

    fn consumed(
        &mut self,
        queue: QueueName,
        generation: u64,
        outcome: Result<(), BrokerError>,
    ) -> Option<Happened> {
        if !self.is_current(&queue, generation) {
            return None;
        }
        match outcome {
            Ok(()) => {
                self.consumers.remove(&queue);
                Some(Happened::Dropped(queue))
            }
            Err(error) => Some(self.disconnected(&error, error.is_of_the_broker())),
        }
    }

    /// Finds out over which queue the broker has failed: the only one that was just begun.
    fn suspect(&mut self) {
        let begun = |of: &(&QueueName, &Consuming)| of.1.starting.load(Ordering::Relaxed);
        let begun: Vec<&QueueName> = self.consumers.iter().filter(begun).map(|of| of.0).collect();
        if let Some(alone) = self.suspects.failed(&begun, Instant::now()) {
            let (queue, seconds) = (begun[0], alone.as_secs());
            tracing::error!(%queue, seconds, "intake: rabbitmq fails over a queue, it is left alone");
        }
    }

    fn disconnected(&mut self, error: &dyn std::fmt::Display, of_the_broker: bool) -> Happened {
        if of_the_broker {
            self.suspect();
        }
        tracing::warn!(%error, "intake: the connection to rabbitmq is lost, starting over");
        self.trouble = Some(error.to_string());
        for (_, consuming) in self.consumers.drain() {
            consuming.stop.cancel();
        }
        if let Some(broker) = self.broker.take() {
            self.tasks.spawn(async move {
                broker.close().await;
                Task::Closed
            });
        }
        self.connect(AGAIN);
        Happened::Disconnected
    }

    fn is_current(&self, queue: &QueueName, generation: u64) -> bool {
        self.consumers.get(queue).is_some_and(|consuming| consuming.generation == generation)
    }
}

/// Consumes a queue until told to stop, then returns what was not acked. `Ok` before that means that the broker
/// has ended the consumer.
async fn consume<Delivering, Error>(
    begin: impl Future<Output = Result<Option<Consumer>, BrokerError>>,
    stop: CancellationToken,
    mut deliver: impl FnMut(Delivery) -> Delivering,
) -> Result<(), BrokerError>
where
    Delivering: Future<Output = Result<(), Error>>,
{
    let Some(mut consumer) = begin.await? else { return Ok(()) };
    loop {
        let delivery = tokio::select! {
            () = stop.cancelled() => break,
            delivery = consumer.next() => delivery,
        };
        let Some(delivery) = delivery else { return Ok(()) };
        let delivery = delivery?;
        tokio::select! {
            () = stop.cancelled() => break,
            delivered = deliver(delivery) => if delivered.is_err() { break },
        }
    }
    consumer.close().await;
    Ok(())
}
