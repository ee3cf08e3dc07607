//! The address of Redis: one server, or the sentinels that know which server is the primary.

use std::sync::Arc;

use domain::settings::InvalidSetting;
use redis::{Client, IntoConnectionInfo, RedisResult};

use crate::client::client;
use crate::config::StoreConfig;
use crate::error::StoreError;
use crate::sentinels::Sentinels;

/// How the URL of one Redis server is written.
const URL_FORM: &str = "it must be like redis://HOST:PORT, or rediss://HOST:PORT with TLS";

/// Where the primary is. Cheap to clone.
#[derive(Clone)]
pub(super) enum Endpoint {
    /// At a fixed address.
    Server(Box<Client>),
    /// Where the sentinels say.
    Sentinels(Arc<Sentinels>),
}

impl Endpoint {
    /// Parses the settings.
    pub(super) fn new(config: &StoreConfig) -> Result<Endpoint, StoreError> {
        if let Some(sentinels) = Sentinels::new(config)? {
            return Ok(Endpoint::Sentinels(Arc::new(sentinels)));
        }
        // The URL may contain a password, so an error does not repeat it.
        let invalid = |_| InvalidSetting::new("CAPSTAN_REDIS_URL", URL_FORM);
        let mut info = config.redis_url.as_str().into_connection_info().map_err(invalid)?;
        if let Some(password) = &config.password {
            let known = info.redis_settings().clone().set_password(password);
            info = info.set_redis_settings(known);
        }
        Ok(Endpoint::Server(Box::new(client(info, config.authorities.as_deref())?)))
    }

    /// Finds the primary. Its address is looked up again with each connection.
    pub(super) async fn primary(&self) -> RedisResult<Client> {
        match self {
            Endpoint::Server(client) => Ok(Client::clone(client)),
            Endpoint::Sentinels(sentinels) => sentinels.primary().await,
        }
    }

    /// The number of the database.
    pub(super) fn database(&self) -> i64 {
        match self {
            Endpoint::Server(client) => client.get_connection_info().redis_settings().db(),
            Endpoint::Sentinels(sentinels) => sentinels.database(),
        }
    }
}
