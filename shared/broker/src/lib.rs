//! RabbitMQ carries offers: it decides who works next, and holds nothing that matters. The only module that
//! knows AMQP. No recovery happens here: any error ends the connection, and its owner starts over.

mod config;
mod consume;
mod endpoint;
#[doc(hidden)]
pub mod fuzzing;
mod offer;
mod publish;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lapin::Connection;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};

pub use config::{BrokerConfig, QueueType, UnknownQueueType};
pub use consume::{Consumer, Delivery, Receipt};
pub use offer::{InvalidOffer, MAX_OFFER_JOBS, Offer};
pub use publish::Publisher;

use endpoint::Endpoint;

use domain::queue::QueueName;
use domain::settings::InvalidSetting;

/// RabbitMQ is away, or refused.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// A setting of the broker cannot be used.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// RabbitMQ refused, or the connection is gone.
    #[error("rabbitmq: {0}")]
    Amqp(#[from] lapin::Error),
    /// No answer in time.
    #[error("rabbitmq did not answer within {}s while we tried to {}", limit.as_secs(), tried)]
    Late {
        /// What was tried.
        tried: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The broker gave back, or refused, what was published.
    #[error("rabbitmq did not take an offer for queue {0}")]
    NotTaken(QueueName),
}

/// Every call to the broker ends within this time.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// How often a message may be returned before a quorum queue drops it: never. RabbitMQ 4 drops it after 20 times
/// unless told otherwise; -1 means "no limit" to 4.x only, 3.10 takes it and drops a message at its first return.
const DELIVERY_LIMIT: i32 = i32::MAX;

/// One connection. Publishing and consuming each have their own: a blocked connection writes nothing, acks
/// included.
pub struct Broker {
    connection: Connection,
    endpoint: Endpoint,
    name: String,
    namespace: String,
    queue_type: QueueType,
    declared: Mutex<HashSet<QueueName>>,
}

impl BrokerError {
    /// True when the broker refused this one thing, and the connection goes on.
    #[must_use]
    pub fn is_soft(&self) -> bool {
        let BrokerError::Amqp(error) = self else { return false };
        let lapin::ErrorKind::ProtocolError(error) = error.kind() else { return false };
        matches!(error.kind(), AMQPErrorKind::Soft(_))
    }

    /// True when the broker has failed over something that it was asked for, and has ended the whole connection.
    #[must_use]
    pub fn is_of_the_broker(&self) -> bool {
        let error = match self {
            BrokerError::Amqp(error) => error,
            BrokerError::Late { .. } => return true,
            BrokerError::Setting(_) | BrokerError::NotTaken(_) => return false,
        };
        let lapin::ErrorKind::ProtocolError(error) = error.kind() else { return false };
        matches!(error.kind(), AMQPErrorKind::Hard(AMQPHardError::INTERNALERROR))
    }
}

impl Broker {
    /// Connects; `name` is what the broker shows of us.
    pub async fn connect(
        config: &BrokerConfig,
        namespace: &str,
        name: &str,
    ) -> Result<Broker, BrokerError> {
        let endpoint = Endpoint::of(config)?;
        let connection = endpoint.open(name).await?;
        let (name, namespace) = (name.to_owned(), namespace.to_owned());
        let queue_type = config.queue_type;
        let declared = Mutex::default();
        Ok(Broker { connection, endpoint, name, namespace, queue_type, declared })
    }

    /// False when the connection is gone.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connection.status().connected()
    }

    /// Closes the connection; what was not acked goes to other workers.
    pub async fn close(&self) {
        // When it cannot be closed it is gone already, which is what was wanted.
        let _ = limited("close", self.connection.close(200, "bye".into())).await;
    }

    /// How many offers a queue has ready; `None` when there is no such queue.
    pub async fn depth(&self, queue: &QueueName) -> Result<Option<u32>, BrokerError> {
        let channel = limited("open a channel", self.connection.create_channel()).await?;
        let options = QueueDeclareOptions::durable().passive();
        let name = self.full_name(queue);
        let asked = channel.queue_declare(name.into(), options, FieldTable::default());
        match limited("look at a queue", asked).await {
            Ok(found) => {
                let _ = channel.close(200, "bye".into()).await;
                Ok(Some(found.message_count()))
            }
            Err(BrokerError::Amqp(error)) if is(&error, &AMQPSoftError::NOTFOUND) => {
                self.declared(|declared| declared.remove(queue));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes a queue with what is in it. For benches and test houses.
    pub async fn delete(&self, queue: &QueueName) -> Result<(), BrokerError> {
        let channel = limited("open a channel", self.connection.create_channel()).await?;
        let name = self.full_name(queue);
        let deleted = channel.queue_delete(name.into(), QueueDeleteOptions::default());
        limited("delete a queue", deleted).await?;
        let _ = channel.close(200, "bye".into()).await;
        Ok(())
    }

    /// Deletes a queue that takes nothing and holds nothing: it is not full, it is broken, as RabbitMQ 3.10 leaves one
    /// that it was making, or deleting, when it was killed. What such a queue may have held is found by the reaper.
    pub async fn discard_broken(&self, queue: &QueueName) -> Result<bool, BrokerError> {
        let connection = self.endpoint.open(&format!("{} (mending)", self.name)).await?;
        let channel = limited("open a channel", connection.create_channel()).await?;
        let (name, options) = (self.full_name(queue), QueueDeclareOptions::durable().passive());
        let asked = channel.queue_declare(name.clone().into(), options, FieldTable::default());
        let holds = limited("look at a queue", asked).await.map(|found| found.message_count());
        let is_broken = match holds {
            Ok(count) => count == 0,
            Err(error) if error.is_soft() => false,
            Err(error) if error.is_of_the_broker() => true,
            Err(error) => return Err(error),
        };
        if is_broken {
            let connection = self.endpoint.open(&format!("{} (mending)", self.name)).await?;
            let channel = limited("open a channel", connection.create_channel()).await?;
            let deleted = channel.queue_delete(name.into(), QueueDeleteOptions::default());
            limited("delete a queue", deleted).await?;
            let _ = limited("close", connection.close(200, "bye".into())).await;
            self.declared(|declared| declared.remove(queue));
        }
        let _ = limited("close", connection.close(200, "bye".into())).await;
        Ok(is_broken)
    }

    /// Throws away what a queue has ready. For faults.
    pub async fn purge(&self, queue: &QueueName) -> Result<(), BrokerError> {
        let channel = limited("open a channel", self.connection.create_channel()).await?;
        let purged =
            channel.queue_purge(self.full_name(queue).into(), QueuePurgeOptions::default());
        limited("purge a queue", purged).await?;
        let _ = channel.close(200, "bye".into()).await;
        Ok(())
    }

    fn full_name(&self, queue: &QueueName) -> String {
        format!("{}.{queue}", self.namespace)
    }

    /// Makes sure that queues are there; returns those that cannot be made, and why. RabbitMQ ends the whole
    /// connection when it fails to make a queue, so they are made on one of their own: one queue that cannot be
    /// made must not hinder the others.
    pub async fn declare(&self, queues: &BTreeSet<QueueName>) -> BTreeMap<QueueName, BrokerError> {
        let mut failed = BTreeMap::new();
        let mut apart = None;
        for queue in queues {
            if self.is_declared(queue) {
                continue;
            }
            match self.declare_apart(queue, &mut apart).await {
                Ok(()) => self.declared(|declared| declared.extend([queue.clone()])),
                Err(error) => drop(failed.insert(queue.clone(), error)),
            }
        }
        if let Some(connection) = apart {
            let _ = limited("close", connection.close(200, "bye".into())).await;
        }
        failed
    }

    fn is_declared(&self, queue: &QueueName) -> bool {
        self.declared(|declared| declared.contains(queue))
    }

    /// What is known to be there on this connection. A queue that is deleted later is forgotten at its next use.
    fn declared<T>(&self, look: impl FnOnce(&mut HashSet<QueueName>) -> T) -> T {
        look(&mut self.declared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn declare_apart(
        &self,
        queue: &QueueName,
        apart: &mut Option<Connection>,
    ) -> Result<(), BrokerError> {
        let usable = apart.take().filter(|connection| connection.status().connected());
        let connection = match usable {
            Some(connection) => connection,
            None => self.endpoint.open(&format!("{} (declaring)", self.name)).await?,
        };
        self.declare_on(apart.insert(connection), queue).await
    }

    /// The arguments are the least that work from RabbitMQ 3.10 to 4.x; all else is left to policies.
    async fn declare_on(
        &self,
        connection: &Connection,
        queue: &QueueName,
    ) -> Result<(), BrokerError> {
        let name = self.full_name(queue);
        let mut refused = None;
        for (options, arguments) in self.declarations() {
            let channel = limited("open a channel", connection.create_channel()).await?;
            let declared = channel.queue_declare(name.clone().into(), options, arguments);
            match limited("declare a queue", declared).await {
                Ok(_) => {
                    let _ = channel.close(200, "bye".into()).await;
                    return Ok(());
                }
                Err(BrokerError::Amqp(error)) if is(&error, &AMQPSoftError::PRECONDITIONFAILED) => {
                    refused = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        refused.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The ways to declare a queue, best first; one that was made with other arguments is taken as it is.
    fn declarations(&self) -> [(QueueDeclareOptions, FieldTable); 2] {
        let mut arguments = FieldTable::default();
        if self.queue_type == QueueType::Quorum {
            let limit = AMQPValue::LongInt(DELIVERY_LIMIT);
            arguments.insert("x-delivery-limit".into(), limit);
        }
        let kind = self.queue_type.as_str();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
        let as_it_is = (QueueDeclareOptions::durable().passive(), FieldTable::default());
        [(QueueDeclareOptions::durable(), arguments), as_it_is]
    }
}

fn is(error: &lapin::Error, soft: &AMQPSoftError) -> bool {
    let lapin::ErrorKind::ProtocolError(error) = error.kind() else { return false };
    matches!(error.kind(), AMQPErrorKind::Soft(kind) if kind == soft)
}

async fn limited<T>(
    tried: &'static str,
    call: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, BrokerError> {
    match tokio::time::timeout(CALL_LIMIT, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(BrokerError::Late { tried, limit: CALL_LIMIT }),
    }
}
