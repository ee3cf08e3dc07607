//! Hints: a push that says where to look. Losing one costs a period, never a job.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;

use super::{CALL_LIMIT, Store, StoreError};
use domain::job::WorkerId;
use domain::queue::QueueName;

/// After so long without a hint a subscription is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(5);

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// There is a new queue.
    Queues,
    /// There is something to hear for this worker: it shall beat now.
    Beat,
    /// A word of a newer version; it is no reason to do anything.
    Other(String),
}

/// A subscription to hints, on a connection of its own.
pub struct Hints {
    subscription: redis::aio::PubSub,
    heard: Instant,
}

impl Store {
    /// Tells the workers that these queues are there. Only after the broker has them whole: RabbitMQ 3.10 ends the
    /// connection of a consumer that comes while a queue is still being made.
    pub async fn queues_declared(&self, queues: &[QueueName]) -> Result<(), StoreError> {
        let names: Vec<String> = queues.iter().map(ToString::to_string).collect();
        let mut pipe = redis::pipe();
        pipe.sadd(self.keys.declared(), names).ignore();
        pipe.publish(self.keys.hints(), "queues").ignore();
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
    }

    /// Subscribes to the namespace's hints and to those for one worker.
    pub async fn hints(&self, worker: &WorkerId) -> Result<Hints, StoreError> {
        let subscribing = async {
            let mut subscription = self.client.get_async_pubsub().await?;
            let channels = [self.keys.hints(), self.keys.hints_of(worker)];
            subscription.subscribe(&channels[..]).await?;
            Ok(Hints { subscription, heard: Instant::now() })
        };
        let late = || std::io::Error::from(std::io::ErrorKind::TimedOut);
        match tokio::time::timeout(CALL_LIMIT, subscribing).await {
            Ok(subscribed) => subscribed,
            Err(_) => Err(redis::RedisError::from(late()).into()),
        }
    }
}

impl Hints {
    /// The next hint; may be dropped and called again. `None` when the connection is gone and one must subscribe again.
    pub async fn next(&mut self) -> Option<Hint> {
        loop {
            let silence = self.heard + SILENCE;
            let listening = async { self.subscription.on_message().next().await };
            match tokio::time::timeout_at(silence, listening).await {
                Ok(message) => {
                    let word: String = message?.get_payload().ok()?;
                    self.heard = Instant::now();
                    return Some(match word.as_str() {
                        "queues" => Hint::Queues,
                        "beat" => Hint::Beat,
                        _ => Hint::Other(word),
                    });
                }
                // Nobody said anything, or nobody is there: a question tells, which may take several calls.
                Err(_) => {
                    let asked = self.subscription.ping::<redis::Value>();
                    tokio::time::timeout_at(silence + CALL_LIMIT, asked).await.ok()?.ok()?;
                    self.heard = Instant::now();
                }
            }
        }
    }
}
