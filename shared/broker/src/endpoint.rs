//! The address of RabbitMQ, the certificate authorities to trust, and how a connection is opened.

use domain::settings::InvalidSetting;
use lapin::tcp::OwnedTLSConfig;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};

use crate::config::BrokerConfig;
use crate::error::{BrokerError, CALL_LIMIT, limited};

/// The period of AMQP heartbeats. A broken connection is noticed within twice this time.
const HEARTBEAT_S: u16 = 10;

/// The address of RabbitMQ.
pub(super) struct Endpoint {
    uri: AMQPUri,
    trusted: OwnedTLSConfig,
}

impl Endpoint {
    /// Parses the settings. The errors of the parser are dropped, because they may repeat the URL
    /// with its password.
    pub(super) fn new(config: &BrokerConfig) -> Result<Endpoint, InvalidSetting> {
        let why = "it must have the form amqp://user@host:port/vhost";
        let parsed: Result<AMQPUri, _> = config.amqp_url.parse();
        let mut uri = parsed.map_err(|_| InvalidSetting::new("CAPSTAN_AMQP_URL", why))?;
        if let Some(password) = config.password.clone() {
            uri.authority.userinfo.password = password;
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
        uri.query.connection_timeout.get_or_insert(CALL_LIMIT.as_millis() as u64);
        Ok(Endpoint {
            uri,
            trusted: OwnedTLSConfig { identity: None, cert_chain: config.authorities.clone() },
        })
    }

    /// Opens a connection that RabbitMQ shows with this name.
    pub(super) async fn open(&self, name: &str) -> Result<Connection, BrokerError> {
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let runtime = lapin::runtime::default_runtime()?;
        let (uri, trusted) = (self.uri.clone(), self.trusted.clone());
        let connecting = Connection::connect_uri_with_config(uri, properties, trusted, runtime);
        limited("connect", connecting).await
    }
}
