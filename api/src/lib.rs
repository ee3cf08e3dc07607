//! The HTTP face of Capstan. It records what clients ask for and shows what the store holds; it
//! decides nothing about a job's life and never speaks AMQP.

// The example of a job has more fields than `json!` counts to by itself.
#![recursion_limit = "256"]

mod app;
mod audit;
mod auth;
mod cancelling;
mod error;
mod events;
#[doc(hidden)]
pub mod fuzzing;
mod metrics;
mod page;
mod server;
mod submit;
mod surface;
mod tls;
mod v0;
mod v1;
mod waiting;

use std::net::SocketAddr;

use clap::Args;
use shared::config::{BadSetting, StoreConfig, TelemetryConfig};
use shared::store::StoreError;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use auth::Networks;
pub use server::{Exposure, Origins};

/// The settings of the API.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where the API is served
    #[arg(long, env = "CAPSTAN_LISTEN", default_value = "127.0.0.1:8080", value_parser = address)]
    pub listen: SocketAddr,

    /// Who may come near, and how
    #[command(flatten)]
    pub exposure: Exposure,

    /// How many clients may follow events at once
    #[arg(long, env = "CAPSTAN_EVENT_STREAMS", default_value_t = 256)]
    pub event_streams: u16,

    /// Where the store is
    #[command(flatten)]
    pub store: StoreConfig,

    /// What the service tells of itself
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
}

/// Why the API could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Anybody could do anything: the address is not a loopback one.
    #[error(
        "CAPSTAN_LISTEN={0} can be reached from other machines, and there are no tokens: make one \
         with `capstan token new --role admin --name NAME --file FILE` and say --tokens FILE \
         (CAPSTAN_TOKENS), or listen on a loopback address like 127.0.0.1:8080, or say --open \
         (CAPSTAN_OPEN=true) if whoever reaches it may do everything"
    )]
    Open(SocketAddr),
    /// Tokens are asked for, and not.
    #[error("CAPSTAN_TOKENS and CAPSTAN_OPEN exclude each other: say one of them")]
    OpenWithTokens,
    /// A setting cannot be used.
    #[error(transparent)]
    Setting(#[from] BadSetting),
    /// The address cannot be had.
    #[error("cannot listen on CAPSTAN_LISTEN={0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The store's settings are wrong.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The admin listener failed.
    #[error(transparent)]
    Admin(std::io::Error),
    /// Serving failed.
    #[error("cannot serve: {0}")]
    Serve(#[source] std::io::Error),
    /// The OpenAPI document cannot be written.
    #[error("cannot write the OpenAPI document: {0}")]
    Docs(#[source] serde_json::Error),
    /// A task beside serving panicked.
    #[error("a task of the API failed: {0}")]
    Task(#[source] tokio::task::JoinError),
}

/// Serves the API until `shutdown`. It starts, and answers 503, while the store is away.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), RunError> {
    refuse_open_address(config.listen, &config)?;
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.map_err(|error| RunError::Listen(config.listen, error))?;
    run_on(listener, config, shutdown).await
}

/// Serves the API on a listener that is there already, until `shutdown`; `config.listen` is not
/// looked at.
pub async fn run_on(
    listener: TcpListener,
    config: Config,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let listen = config.listen;
    let address = listener.local_addr().map_err(|error| RunError::Listen(listen, error))?;
    refuse_open_address(address, &config)?;
    let ended = server::serve(listener, config, shutdown).await;
    tracing::info!(%address, "the api has ended");
    ended
}

fn refuse_open_address(address: SocketAddr, config: &Config) -> Result<(), RunError> {
    let Config { exposure, .. } = config;
    match (exposure.has_tokens(), exposure.open) {
        (true, true) => Err(RunError::OpenWithTokens),
        (true, false) | (false, true) => Ok(()),
        (false, false) if address.ip().to_canonical().is_loopback() => Ok(()),
        (false, false) => Err(RunError::Open(address)),
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "it must be an IP address and port, like 127.0.0.1:8080")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        config: Config,
    }

    fn config(arguments: &[&str]) -> Result<Config, clap::Error> {
        let all = std::iter::once(&"capstan-api").chain(arguments);
        Arguments::try_parse_from(all).map(|arguments| arguments.config)
    }

    #[test]
    fn only_a_loopback_address_is_served_without_tokens_unless_the_operator_insists() {
        let cases = [
            ("127.0.0.1:8080", true),
            ("127.8.0.1:0", true),
            ("[::1]:8080", true),
            ("[::ffff:127.0.0.1]:8080", true),
            ("0.0.0.0:8080", false),
            ("10.0.0.1:8080", false),
            ("[::]:8080", false),
        ];
        for (listen, allowed) in cases {
            let mut config = config(&["--listen", listen]).unwrap();
            assert_eq!(refuse_open_address(config.listen, &config).is_ok(), allowed, "{listen}");
            config.exposure.open = true;
            assert!(refuse_open_address(config.listen, &config).is_ok(), "{listen}");
            config.exposure.tokens = Some("tokens".into());
            assert!(refuse_open_address(config.listen, &config).is_err(), "{listen}");
            config.exposure.open = false;
            assert!(refuse_open_address(config.listen, &config).is_ok(), "{listen}");
        }
    }

    #[test]
    fn an_address_is_numbers() {
        assert!(config(&["--listen", "localhost"]).is_err());
    }
}
