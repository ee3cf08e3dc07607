//! The flags that give access to Redis and RabbitMQ themselves.

use std::fmt::Display;

use broker::{BrokerConfig, QueueType};
use clap::Args;
use client::ClientError;
use store::{Store, StoreConfig};

/// Optional addresses of the services below the fleet.
#[derive(Debug, Args)]
pub(crate) struct Services {
    /// Address of the fleet's Redis, to measure its memory and Redis itself
    #[arg(
        long,
        env = "CAPSTAN_REDIS_URL",
        hide_env_values = true,
        global = true,
        value_name = "URL"
    )]
    redis_url: Option<String>,

    /// Address of the fleet's RabbitMQ, to measure RabbitMQ itself
    #[arg(
        long,
        env = "CAPSTAN_AMQP_URL",
        hide_env_values = true,
        global = true,
        value_name = "URL"
    )]
    amqp_url: Option<String>,

    /// Type of the queue to measure RabbitMQ with: quorum or classic
    #[arg(
        long,
        env = "CAPSTAN_QUEUE_TYPE",
        hide_env_values = true,
        global = true,
        value_name = "TYPE",
        default_value = "quorum"
    )]
    queue_type: QueueType,
}

impl Services {
    /// Connects in the background: needs a runtime.
    pub(crate) fn store(&self) -> Result<Option<Store>, ClientError> {
        let url = self.redis_url.as_ref().filter(|url| !url.is_empty());
        let open = |url: &String| Store::new(&StoreConfig::new(url, "bench"));
        url.map(open).transpose().map_err(unavailable)
    }

    /// The same flags as environment variables, for another program that has them.
    pub(crate) fn environment(&self) -> Vec<(&'static str, &str)> {
        let optional =
            [("CAPSTAN_REDIS_URL", &self.redis_url), ("CAPSTAN_AMQP_URL", &self.amqp_url)];
        let mut variables = vec![("CAPSTAN_QUEUE_TYPE", self.queue_type.as_str())];
        variables
            .extend(optional.into_iter().filter_map(|(name, url)| Some((name, url.as_deref()?))));
        variables
    }

    /// The address of RabbitMQ.
    pub(crate) fn amqp_url(&self) -> Option<&str> {
        self.amqp_url.as_deref().filter(|url| !url.is_empty())
    }

    pub(crate) fn broker(&self) -> Option<BrokerConfig> {
        Some(BrokerConfig::new(self.amqp_url()?, self.queue_type))
    }
}

/// An error of Redis or RabbitMQ.
pub(crate) fn unavailable(error: impl Display) -> ClientError {
    ClientError::Unavailable(error.to_string())
}
