//! The private Redis and RabbitMQ of a run, together.

use std::time::Duration;

use crate::process::first_to_end;
use crate::{Error, Process, RabbitMq, Redis, Run};

/// A private Redis and RabbitMQ.
#[derive(Debug)]
pub struct Servers {
    /// The private Redis.
    pub redis: Redis,
    /// The private RabbitMQ.
    pub rabbitmq: RabbitMq,
}

impl Servers {
    /// Describes both; they are not started yet. Fails if one is not installed.
    pub async fn new(run: &Run) -> Result<Servers, Error> {
        let missing = [Redis::missing_package(), RabbitMq::missing_package()];
        let packages: Vec<_> = missing.into_iter().flatten().collect();
        if !packages.is_empty() {
            return Err(Error::NotInstalled { packages });
        }
        Ok(Servers { redis: Redis::new(run)?, rabbitmq: RabbitMq::new(run).await? })
    }

    /// Starts both and waits until they are ready.
    pub async fn start(&mut self) -> Result<(), Error> {
        let (redis, rabbitmq) = (&mut self.redis.process, &mut self.rabbitmq.process);
        redis.spawn()?;
        rabbitmq.spawn()?;
        redis.ready().await?;
        rabbitmq.ready().await
    }

    /// Waits until one of them ends, and returns that as an error.
    pub async fn watch(&mut self) -> Error {
        match first_to_end(self.processes_mut()).await {
            Ok((index, status)) => {
                let process = self.processes().nth(index).map(Process::name).unwrap_or_default();
                Error::Ended { process: process.to_owned(), status }
            }
            Err(error) => error,
        }
    }

    /// Asks both to stop, and kills what has not ended within `grace`.
    pub async fn stop(&mut self, grace: Duration) -> Result<(), Error> {
        let (redis, rabbitmq) = (&mut self.redis.process, &mut self.rabbitmq.process);
        let stopped = tokio::join!(redis.stop(grace), rabbitmq.stop(grace));
        self.rabbitmq.epmd.kill();
        stopped.0.and(stopped.1).map(drop)
    }

    /// Their processes.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        [&self.redis.process, &self.rabbitmq.process, &self.rabbitmq.epmd].into_iter()
    }

    fn processes_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        let rabbitmq = &mut self.rabbitmq;
        [&mut self.redis.process, &mut rabbitmq.process, &mut rabbitmq.epmd].into_iter()
    }
}
