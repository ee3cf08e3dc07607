//! How HTTP connections are made: to the given address only, without a proxy from the environment
//! and without following redirects, which would send the token elsewhere.

use std::time::Duration;

use reqwest::{Client, ClientBuilder};

use crate::error::ClientError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns a client that sends no token.
pub fn http_client() -> Result<Client, ClientError> {
    build(builder())
}

pub(crate) fn builder() -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
}

pub(crate) fn build(builder: ClientBuilder) -> Result<Client, ClientError> {
    builder.build().map_err(|error| {
        let causes = anyhow::Error::from(error);
        ClientError::InvalidSetting(format!("cannot set up the HTTP client: {causes:#}"))
    })
}
