//! Hints: messages that say where to look now. Losing one costs a period, never a job.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;

use crate::connection::CALL_LIMIT;
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::WorkerId;
use domain::queue::QueueName;

static DECLARE_QUEUES: Script = Script::new("declare_queues", include_str!("declare_queues.lua"));

/// How long a connection may be silent before it is probed.
const SILENCE: Duration = Duration::from_secs(5);

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// There is a new queue.
    Queues,
    /// This worker is to send a heartbeat now.
    Heartbeat,
    /// A hint of a newer version; it calls for nothing.
    Other(String),
}

/// Receives hints, on its own connection.
pub struct Hints {
    subscription: redis::aio::PubSub,
    heard: Instant,
}

impl Store {
    /// Records that the broker has these queues, and tells the workers. Call it only when the
    /// queues are complete: RabbitMQ 3.10 closes the connection of a consumer that comes while a
    /// queue is being made.
    pub async fn queues_declared(&self, queues: &[QueueName]) -> Result<(), StoreError> {
        let answer = self.call(&DECLARE_QUEUES, |call| {
            for queue in queues {
                call.arg(queue.to_string());
            }
        });
        answer.await?.decode(|words| (words == ["declared"]).then_some(()))
    }

    /// Receives the hints of the namespace and those for one worker.
    pub async fn hints(&self, worker: &WorkerId) -> Result<Hints, StoreError> {
        let subscribing = async {
            let mut subscription = self.connection.primary().await?.get_async_pubsub().await?;
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
    /// The next hint; may be dropped and called again. `None` when the connection is lost: call
    /// [`Store::hints`] again.
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
                        "heartbeat" => Hint::Heartbeat,
                        _ => Hint::Other(word),
                    });
                }
                // A ping shows whether the connection is silent or lost. It may take several calls.
                Err(_) => {
                    let asked = self.subscription.ping::<redis::Value>();
                    tokio::time::timeout_at(silence + CALL_LIMIT, asked).await.ok()?.ok()?;
                    self.heard = Instant::now();
                }
            }
        }
    }
}
