//! The settings of the API, as flags and environment variables.

mod exposure;
mod lists;
mod request_rate;

use std::net::SocketAddr;

use clap::Args;
use service::settings::{StoreSettings, TelemetrySettings};

pub use exposure::Exposure;
pub use lists::{Hosts, Networks, Origins};
pub use request_rate::RequestRate;

/// The settings of the API.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address and port to serve the API on
    #[arg(
        long, env = "CAPSTAN_LISTEN", default_value = "127.0.0.1:8080",
        value_parser = socket_address
    )]
    pub listen: SocketAddr,

    /// Access, TLS and connection limits
    #[command(flatten)]
    pub exposure: Exposure,

    /// Maximum number of clients that follow events at once
    #[arg(long, env = "CAPSTAN_EVENT_STREAMS", default_value_t = 256)]
    pub event_streams: u16,

    /// The connection to the store
    #[command(flatten)]
    pub store: StoreSettings,

    /// Logs, health and metrics
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
}

fn socket_address(text: &str) -> Result<SocketAddr, &'static str> {
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

    #[test]
    fn a_host_name_is_not_an_address_to_listen_on() {
        let parse = |listen| Arguments::try_parse_from(["capstan-api", "--listen", listen]);
        assert_eq!(parse("[::1]:80").unwrap().config.listen.port(), 80);
        assert!(parse("localhost").is_err());
    }
}
