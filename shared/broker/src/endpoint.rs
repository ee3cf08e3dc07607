//! Where the broker is, whom to trust there, and how a connection is opened.

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};

use domain::settings::InvalidSetting;

use super::{BrokerConfig, BrokerError, CALL_LIMIT, limited};

/// Both sides tell each other so often that they live, so that a cut line is noticed in twice this time.
const HEARTBEAT_S: u16 = 10;

/// Where connections go.
pub(super) struct Endpoint {
    uri: AMQPUri,
    trusted: OwnedTLSConfig,
}

impl Endpoint {
    /// The place that the settings name. The reasons of the parser may repeat the URL, and are not passed on.
    pub(super) fn of(config: &BrokerConfig) -> Result<Endpoint, InvalidSetting> {
        let why = "it must be like amqp://user@host:port/vhost";
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

    /// Connects; `name` is what the broker shows of us.
    pub(super) async fn open(&self, name: &str) -> Result<Connection, BrokerError> {
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let runtime = lapin::runtime::default_runtime()?;
        let (uri, trusted) = (self.uri.clone(), self.trusted.clone());
        let connecting = Connection::connect_uri_with_config(uri, properties, trusted, runtime);
        limited("connect", connecting).await
    }
}
