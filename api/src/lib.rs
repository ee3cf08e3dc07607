//! The HTTP face of Capstan. It records what clients ask for and shows what the store holds; it
//! decides nothing about a job's life and never speaks AMQP.

// The example of a job has more fields than `json!` counts to by itself.
#![recursion_limit = "256"]

mod app;
mod cancelling;
mod error;
mod events;
mod metrics;
mod page;
mod parameters;
mod server;
mod submit;
mod v0;
mod v1;
mod waiting;

use std::net::SocketAddr;

use clap::{ArgAction, Args};
use shared::config::{StoreConfig, TelemetryConfig};
use shared::store::StoreError;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The settings of the API.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where the API is served
    #[arg(long, env = "CAPSTAN_LISTEN", default_value = "127.0.0.1:8080", value_parser = address)]
    pub listen: SocketAddr,

    /// Serve everybody who can reach the address: without it only a loopback address is taken,
    /// because there are no tokens yet
    #[arg(
        long, env = "CAPSTAN_INSECURE_LISTEN", action = ArgAction::Set, value_parser = switch,
        num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true",
    )]
    pub insecure_listen: bool,

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
        "CAPSTAN_LISTEN={0} can be reached from other machines, and there are no tokens yet: \
         listen on a loopback address like 127.0.0.1:8080, or say --insecure-listen \
         (CAPSTAN_INSECURE_LISTEN=true) if whoever reaches it may do everything"
    )]
    Open(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on CAPSTAN_LISTEN={0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The store's settings are wrong.
    #[error("CAPSTAN_REDIS_URL is no address of a store: {0}")]
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
    tracing::info!(%address, namespace = config.store.namespace, "the api serves");
    let ended = server::serve(listener, config, shutdown).await;
    tracing::info!(%address, "the api has ended");
    ended
}

fn refuse_open_address(address: SocketAddr, config: &Config) -> Result<(), RunError> {
    if address.ip().to_canonical().is_loopback() || config.insecure_listen {
        return Ok(());
    }
    Err(RunError::Open(address))
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "it must be an IP address and port, like 127.0.0.1:8080")
}

/// The empty text is no: that is what an unset variable gives in Compose.
fn switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => Err("it must be true or false"),
    }
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
    fn only_a_loopback_address_is_served_unless_the_operator_insists() {
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
            config.insecure_listen = true;
            assert!(refuse_open_address(config.listen, &config).is_ok(), "{listen}");
        }
    }

    #[test]
    fn the_switch_takes_what_a_flag_and_an_environment_say() {
        let cases = [
            ("--insecure-listen", Some(true)),
            ("--insecure-listen=true", Some(true)),
            ("--insecure-listen=1", Some(true)),
            ("--insecure-listen=false", Some(false)),
            ("--insecure-listen=0", Some(false)),
            ("--insecure-listen=", Some(false)),
            ("--insecure-listen=perhaps", None),
        ];
        for (argument, expected) in cases {
            let found = config(&[argument]).ok().map(|config| config.insecure_listen);
            assert_eq!(found, expected, "{argument}");
        }
        assert!(config(&["--listen", "localhost"]).is_err());
    }
}
