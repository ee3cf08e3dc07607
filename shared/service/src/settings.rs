//! The settings that several services share: command-line flags that are also environment
//! variables. Only these structs, and those of the services that contain them, read the
//! environment. An invalid setting aborts startup; the error names it.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use broker::{BrokerConfig, QueueType};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use domain::settings::InvalidSetting;
use store::StoreConfig;

/// The settings of the store.
#[derive(Clone, Args)]
pub struct StoreSettings {
    /// Redis URL: redis://[user:password@]host:port[/db]; rediss:// uses TLS; with Sentinel:
    /// redis+sentinel://[user:password@]host,host,host/NAME[/db]
    #[arg(
        long,
        env = "CAPSTAN_REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true
    )]
    pub redis_url: String,

    /// File with the Redis password, instead of the URL
    #[arg(long, env = "CAPSTAN_REDIS_PASSWORD_FILE", value_name = "FILE", value_parser = parse_path)]
    pub redis_password_file: Option<PathBuf>,

    /// File with the password of the sentinels, if they have one
    #[arg(
        long,
        env = "CAPSTAN_REDIS_SENTINEL_PASSWORD_FILE",
        value_name = "FILE",
        value_parser = parse_path
    )]
    pub redis_sentinel_password_file: Option<PathBuf>,

    /// Number of replicas that must have a new job before it is accepted
    #[arg(
        long,
        env = "CAPSTAN_REDIS_WAIT",
        value_name = "REPLICAS",
        default_value_t = 0,
        value_parser = clap::value_parser!(u8).range(0..=8)
    )]
    pub redis_wait: u8,

    /// PEM file of the certificate authorities to trust for Redis [default: those of the system]
    #[arg(long, env = "CAPSTAN_REDIS_CA", value_name = "FILE", value_parser = parse_path)]
    pub redis_ca: Option<PathBuf>,

    /// Namespace: the prefix of every key and queue; fleets with different namespaces are
    /// independent
    #[arg(long, env = "CAPSTAN_NAMESPACE", default_value = "capstan", value_parser = namespace)]
    pub namespace: String,
}

/// The settings of the broker.
#[derive(Clone, Args)]
pub struct BrokerSettings {
    /// RabbitMQ URL: amqp://user:password@host:port/vhost; amqps:// uses TLS; several hosts,
    /// separated by commas, are the nodes of a cluster
    #[arg(
        long,
        env = "CAPSTAN_AMQP_URL",
        default_value = "amqp://guest:guest@127.0.0.1:5672",
        hide_env_values = true
    )]
    pub amqp_url: String,

    /// File with the RabbitMQ password, instead of the URL
    #[arg(long, env = "CAPSTAN_AMQP_PASSWORD_FILE", value_name = "FILE", value_parser = parse_path)]
    pub amqp_password_file: Option<PathBuf>,

    /// PEM file of certificate authorities to trust for RabbitMQ, in addition to those of the
    /// system
    #[arg(long, env = "CAPSTAN_AMQP_CA", value_name = "FILE", value_parser = parse_path)]
    pub amqp_ca: Option<PathBuf>,

    /// Type of new queues; no job is lost with either
    #[arg(
        long,
        env = "CAPSTAN_QUEUE_TYPE",
        default_value = "quorum",
        value_parser = queue_type()
    )]
    pub queue_type: QueueType,
}

impl StoreSettings {
    /// Returns settings without a password file and a CA file.
    #[must_use]
    pub fn new(redis_url: impl Into<String>, namespace: impl Into<String>) -> StoreSettings {
        let (redis_url, namespace) = (redis_url.into(), namespace.into());
        StoreSettings {
            redis_url,
            redis_password_file: None,
            redis_sentinel_password_file: None,
            redis_wait: 0,
            redis_ca: None,
            namespace,
        }
    }

    /// Reads the files that the settings name.
    pub fn load(&self) -> Result<StoreConfig, InvalidSetting> {
        Ok(StoreConfig {
            redis_url: self.redis_url.clone(),
            password: read_file(
                "CAPSTAN_REDIS_PASSWORD_FILE",
                self.redis_password_file.as_deref(),
            )?,
            sentinel_password: read_file(
                "CAPSTAN_REDIS_SENTINEL_PASSWORD_FILE",
                self.redis_sentinel_password_file.as_deref(),
            )?,
            replicas: self.redis_wait,
            authorities: read_file("CAPSTAN_REDIS_CA", self.redis_ca.as_deref())?,
            namespace: self.namespace.clone(),
        })
    }
}

impl BrokerSettings {
    /// Reads the files that the settings name.
    pub fn load(&self) -> Result<BrokerConfig, InvalidSetting> {
        Ok(BrokerConfig {
            amqp_url: self.amqp_url.clone(),
            password: read_file("CAPSTAN_AMQP_PASSWORD_FILE", self.amqp_password_file.as_deref())?,
            authorities: read_file("CAPSTAN_AMQP_CA", self.amqp_ca.as_deref())?,
            queue_type: self.queue_type,
        })
    }
}

impl fmt::Debug for StoreSettings {
    /// Leaves out the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSettings").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl fmt::Debug for BrokerSettings {
    /// Leaves out the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("BrokerSettings");
        shown.field("queue_type", &self.queue_type).finish_non_exhaustive()
    }
}

fn queue_type() -> impl TypedValueParser<Value = QueueType> {
    PossibleValuesParser::new(QueueType::ALL.map(QueueType::as_str))
        .try_map(|text| text.parse::<QueueType>())
}

/// The settings of logs, health and metrics.
#[derive(Debug, Clone, Args)]
pub struct TelemetrySettings {
    /// Address of /livez, /readyz and /metrics, such as 127.0.0.1:9090 [default: none]
    #[arg(long, env = "CAPSTAN_ADMIN_LISTEN", value_parser = optional_address)]
    pub admin_listen: Option<OptionalAddress>,

    /// Log filter: a level, or levels by module such as info,worker=debug
    #[arg(long, env = "CAPSTAN_LOG", default_value = "info")]
    pub log: String,
}

/// An address, or none. The empty text is none: Docker Compose passes it for a variable that is not
/// set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionalAddress(pub Option<SocketAddr>);

impl TelemetrySettings {
    /// The address of the admin listener, if there is one.
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

/// Reads the file of a setting and removes the line break at its end. Returns `None` for the empty
/// path, which Docker Compose passes for a variable that is not set.
pub fn read_file(
    setting: &'static str,
    file: Option<&Path>,
) -> Result<Option<String>, InvalidSetting> {
    let Some(file) = file.filter(|file| !file.as_os_str().is_empty()) else { return Ok(None) };
    let invalid = |error| InvalidSetting::new(setting, format_args!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(invalid)?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Parses a path, which may be empty: the parser of clap refuses that.
pub fn parse_path(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(PathBuf::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_file_is_reported_with_its_setting() {
        let settings = BrokerSettings {
            amqp_url: "amqp://127.0.0.1".to_owned(),
            amqp_password_file: None,
            amqp_ca: Some("/nowhere".into()),
            queue_type: QueueType::Quorum,
        };
        let error = settings.load().unwrap_err().to_string();
        assert!(error.starts_with("invalid CAPSTAN_AMQP_CA: /nowhere: "), "{error}");
    }

    #[test]
    fn the_line_break_after_a_password_is_ignored_and_an_empty_path_is_none() {
        let file = std::env::temp_dir().join(format!("capstan-password-{}", std::process::id()));
        std::fs::write(&file, "secret\r\n").unwrap();
        assert_eq!(read_file("X", Some(&file)).unwrap().as_deref(), Some("secret"));
        assert_eq!(read_file("X", Some(Path::new(""))).unwrap(), None);
        std::fs::remove_file(&file).unwrap();
    }
}
