//! The settings that services share. The environment is read here, and in the structs of the services that
//! take these in; each setting is a flag too. A wrong value names itself and stops the start.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::job::Span;

/// Where the store is. Shown without the URL, which may hold a password.
#[derive(Clone, Args)]
pub struct StoreConfig {
    /// Redis, as redis://[user:password@]host:port[/db]; rediss:// is with TLS
    #[arg(
        long,
        env = "CAPSTAN_REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true
    )]
    pub redis_url: String,

    /// A file with the password for Redis, which then need not stand in the URL
    #[arg(long, env = "CAPSTAN_REDIS_PASSWORD_FILE", value_name = "FILE", value_parser = path)]
    pub redis_password_file: Option<PathBuf>,

    /// A PEM file of the authorities that Redis' certificate is trusted from; the system's unless given
    #[arg(long, env = "CAPSTAN_REDIS_CA", value_name = "FILE", value_parser = path)]
    pub redis_ca: Option<PathBuf>,

    /// The prefix of every key and queue; fleets with different namespaces do not see each other
    #[arg(long, env = "CAPSTAN_NAMESPACE", default_value = "capstan", value_parser = namespace)]
    pub namespace: String,
}

/// Where the broker is. Shown without the URL, which may hold a password.
#[derive(Clone, Args)]
pub struct BrokerConfig {
    /// RabbitMQ, as amqp://user:password@host:port/vhost; amqps:// is with TLS
    #[arg(
        long,
        env = "CAPSTAN_AMQP_URL",
        default_value = "amqp://guest:guest@127.0.0.1:5672",
        hide_env_values = true
    )]
    pub amqp_url: String,

    /// A file with the password for RabbitMQ, which then need not stand in the URL
    #[arg(long, env = "CAPSTAN_AMQP_PASSWORD_FILE", value_name = "FILE", value_parser = path)]
    pub amqp_password_file: Option<PathBuf>,

    /// A PEM file of authorities that RabbitMQ's certificate is trusted from, besides the system's
    #[arg(long, env = "CAPSTAN_AMQP_CA", value_name = "FILE", value_parser = path)]
    pub amqp_ca: Option<PathBuf>,

    /// The type of the queues; nothing is lost either way
    #[arg(long, env = "CAPSTAN_QUEUE_TYPE", default_value = "quorum")]
    pub queue_type: QueueType,
}

/// A setting that cannot be used. Never shows a URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("{setting} cannot be used: {why}")]
pub struct BadSetting {
    setting: &'static str,
    why: String,
}

impl BadSetting {
    /// What is wrong with a setting.
    pub fn new(setting: &'static str, why: impl fmt::Display) -> BadSetting {
        BadSetting { setting, why: why.to_string() }
    }
}

impl StoreConfig {
    /// A store that needs no files.
    #[must_use]
    pub fn new(redis_url: impl Into<String>, namespace: impl Into<String>) -> StoreConfig {
        let (redis_url, namespace) = (redis_url.into(), namespace.into());
        StoreConfig { redis_url, redis_password_file: None, redis_ca: None, namespace }
    }

    /// The password that stands in the file.
    pub fn password(&self) -> Result<Option<String>, BadSetting> {
        read("CAPSTAN_REDIS_PASSWORD_FILE", self.redis_password_file.as_deref())
    }

    /// The certificates that stand in the file.
    pub fn authorities(&self) -> Result<Option<String>, BadSetting> {
        read("CAPSTAN_REDIS_CA", self.redis_ca.as_deref())
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl BrokerConfig {
    /// A broker that needs no files.
    #[must_use]
    pub fn new(amqp_url: impl Into<String>, queue_type: QueueType) -> BrokerConfig {
        let amqp_url = amqp_url.into();
        BrokerConfig { amqp_url, amqp_password_file: None, amqp_ca: None, queue_type }
    }

    /// The password that stands in the file.
    pub fn password(&self) -> Result<Option<String>, BadSetting> {
        read("CAPSTAN_AMQP_PASSWORD_FILE", self.amqp_password_file.as_deref())
    }

    /// The certificates that stand in the file.
    pub fn authorities(&self) -> Result<Option<String>, BadSetting> {
        read("CAPSTAN_AMQP_CA", self.amqp_ca.as_deref())
    }
}

impl fmt::Debug for BrokerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerConfig").field("queue_type", &self.queue_type).finish_non_exhaustive()
    }
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

/// Reads a file that a setting names, without the line break at its end. The empty path is none: that is what an unset
/// variable gives in Compose.
pub fn read(setting: &'static str, file: Option<&Path>) -> Result<Option<String>, BadSetting> {
    let Some(file) = file.filter(|file| !file.as_os_str().is_empty()) else { return Ok(None) };
    let bad = |error| BadSetting::new(setting, format_args!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(bad)?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// A path of a setting; it may be empty.
pub fn path(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(PathBuf::from(text))
}

/// Reads a duration of a setting in Go's syntax; it must not be none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span: Span = text.parse().map_err(|error: crate::job::SpanError| error.to_string())?;
    span.duration().ok_or_else(|| "it must be longer than nothing".to_owned())
}
