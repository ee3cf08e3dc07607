//! The settings that services share. The environment is read here, and in the structs of the services that
//! take these in; each setting is a flag too. A wrong value names itself and stops the start.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::job::Span;

/// Where the store is.
#[derive(Debug, Clone, Args)]
pub struct StoreConfig {
    /// Redis, as redis://[user:password@]host:port[/db]
    #[arg(
        long,
        env = "CAPSTAN_REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true
    )]
    pub redis_url: String,

    /// The prefix of every key and queue; fleets with different namespaces do not see each other
    #[arg(long, env = "CAPSTAN_NAMESPACE", default_value = "capstan", value_parser = namespace)]
    pub namespace: String,
}

/// Where the broker is.
#[derive(Debug, Clone, Args)]
pub struct BrokerConfig {
    /// RabbitMQ, as amqp://user:password@host:port/vhost
    #[arg(
        long,
        env = "CAPSTAN_AMQP_URL",
        default_value = "amqp://guest:guest@127.0.0.1:5672",
        hide_env_values = true
    )]
    pub amqp_url: String,

    /// The type of the queues; nothing is lost either way
    #[arg(long, env = "CAPSTAN_QUEUE_TYPE", default_value = "quorum")]
    pub queue_type: QueueType,
}

/// The type of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QueueType {
    /// Replicated on a cluster.
    Quorum,
    /// On one node.
    Classic,
}

/// What a service tells of itself.
#[derive(Debug, Clone, Args)]
pub struct TelemetryConfig {
    /// Where /livez, /readyz and /metrics are answered, like 127.0.0.1:9090; nowhere unless given
    #[arg(long, env = "CAPSTAN_ADMIN_LISTEN", value_parser = optional_address)]
    pub admin_listen: Option<OptionalAddress>,

    /// What is logged: a level, or a filter like info,worker=debug
    #[arg(long, env = "CAPSTAN_LOG", default_value = "info")]
    pub log: String,
}

/// An address, or nowhere: the empty text is nowhere, because that is what an unset variable gives in Compose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionalAddress(pub Option<SocketAddr>);

impl TelemetryConfig {
    /// The address of the admin listener.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_listen.and_then(|address| address.0)
    }
}

fn optional_address(text: &str) -> Result<OptionalAddress, String> {
    if text.is_empty() {
        return Ok(OptionalAddress(None));
    }
    let address =
        text.parse().map_err(|_| "it must be an IP address and port, like 127.0.0.1:9090")?;
    Ok(OptionalAddress(Some(address)))
}

fn namespace(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if text.is_empty() || text.len() > 32 || !text.chars().all(plain) {
        return Err("it must be 1 to 32 characters of A-Z a-z 0-9 _ . -".to_owned());
    }
    Ok(text.to_owned())
}

/// Reads a duration of a setting in Go's syntax; it must not be none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span: Span = text.parse().map_err(|error: crate::job::SpanError| error.to_string())?;
    span.duration().ok_or_else(|| "it must be longer than nothing".to_owned())
}
