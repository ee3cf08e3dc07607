//! Settings that control who can reach the API: tokens, TLS, proxies, browsers, connection limits.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use service::settings::parse_path;

use super::lists::{Hosts, Networks, Origins};
use super::request_rate::RequestRate;

const MAX_CONNECTIONS: usize = 4096;
const MAX_CONNECTIONS_PER_ADDRESS: usize = 1024;

/// Access, TLS and connection limits.
#[derive(Debug, Clone, Args)]
pub struct Exposure {
    /// Tokens file, written by `capstan token` and reloaded when it changes. Without it, every
    /// client has full access, which is allowed on a loopback address only
    #[arg(long, env = "CAPSTAN_TOKENS", value_name = "FILE", value_parser = parse_path)]
    pub tokens: Option<PathBuf>,

    /// How many requests each token may send in a time, like 600/1m; further ones are answered 429.
    /// Each API counts on its own. By default, there is no limit
    #[arg(long, env = "CAPSTAN_TOKEN_RATE", value_name = "RATE", default_value = "")]
    pub token_rate: RequestRate,

    /// Give every client full access without a token, on any address
    #[arg(
        long, env = "CAPSTAN_OPEN", action = ArgAction::Set, value_parser = switch,
        num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true",
    )]
    pub open: bool,

    /// Serve the web page at /: `on` or `off`
    #[arg(
        long, env = "CAPSTAN_WEB", action = ArgAction::Set, value_parser = on_or_off,
        default_value = "on",
    )]
    pub web: bool,

    /// TLS certificate chain in PEM format, reloaded when it changes
    #[arg(long, env = "CAPSTAN_TLS_CERT", value_name = "FILE", value_parser = parse_path)]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the TLS certificate in PEM format
    #[arg(long, env = "CAPSTAN_TLS_KEY", value_name = "FILE", value_parser = parse_path)]
    pub tls_key: Option<PathBuf>,

    /// Proxies whose X-Forwarded-For header is trusted: addresses or networks like 10.0.0.0/8,
    /// separated by commas
    #[arg(long, env = "CAPSTAN_TRUSTED_PROXIES", value_name = "NETWORKS", default_value = "")]
    pub trusted_proxies: Networks,

    /// Origins of web pages that may use the API, like https://ops.example.org, separated by
    /// commas
    #[arg(long, env = "CAPSTAN_CORS_ORIGINS", value_name = "ORIGINS", default_value = "")]
    pub cors_origins: Origins,

    /// Names by which clients reach the API, like capstan.example.org, separated by commas;
    /// requests for other names are refused. IP addresses and localhost are always accepted. By
    /// default, a loopback address without tokens accepts nothing else, and any other address
    /// accepts all
    #[arg(long, env = "CAPSTAN_HOSTS", value_name = "HOSTS", default_value = "")]
    pub hosts: Hosts,

    /// Maximum number of connections. At the limit, the address with the most connections loses
    /// its newest one to an address with fewer
    #[arg(
        long, env = "CAPSTAN_MAX_CONNECTIONS", default_value_t = MAX_CONNECTIONS,
        value_parser = count
    )]
    pub max_connections: usize,

    /// Maximum number of connections of one address, unless it is a trusted proxy; further ones
    /// are closed
    #[arg(
        long, env = "CAPSTAN_MAX_CONNECTIONS_PER_ADDRESS",
        default_value_t = MAX_CONNECTIONS_PER_ADDRESS, value_parser = count
    )]
    pub max_connections_per_address: usize,
}

impl Default for Exposure {
    fn default() -> Exposure {
        Exposure {
            tokens: None,
            token_rate: RequestRate::default(),
            open: false,
            web: true,
            tls_cert: None,
            tls_key: None,
            trusted_proxies: Networks::default(),
            cors_origins: Origins::default(),
            hosts: Hosts::default(),
            max_connections: MAX_CONNECTIONS,
            max_connections_per_address: MAX_CONNECTIONS_PER_ADDRESS,
        }
    }
}

impl Exposure {
    /// Returns true if requests need a token.
    #[must_use]
    pub fn has_tokens(&self) -> bool {
        self.tokens.as_ref().is_some_and(|path| !path.as_os_str().is_empty())
    }
}

fn count(text: &str) -> Result<usize, &'static str> {
    let count = text.parse().ok().filter(|count| (1..=1_000_000).contains(count));
    count.ok_or("it must be a whole number from 1 to 1000000")
}

/// Parses a flag. Compose passes an unset variable as the empty text, so that means false.
fn switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => Err("it must be true or false"),
    }
}

/// Parses `on` or `off`. Compose passes an unset variable as an empty string, which means on.
fn on_or_off(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" | "" => Ok(true),
        "off" => Ok(false),
        _ => Err("it must be on or off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        exposure: Exposure,
    }

    fn exposure(arguments: &[&str]) -> Result<Exposure, clap::Error> {
        let all = std::iter::once(&"capstan-api").chain(arguments);
        Arguments::try_parse_from(all).map(|arguments| arguments.exposure)
    }

    #[test]
    fn the_default_equals_an_empty_command_line() {
        let parsed = format!("{:?}", exposure(&[]).unwrap());
        assert_eq!(parsed, format!("{:?}", Exposure::default()));
    }

    #[test]
    fn open_is_a_flag_or_a_boolean_value() {
        let cases = [
            ("--open", Some(true)),
            ("--open=true", Some(true)),
            ("--open=1", Some(true)),
            ("--open=false", Some(false)),
            ("--open=0", Some(false)),
            ("--open=", Some(false)),
            ("--open=perhaps", None),
        ];
        for (argument, expected) in cases {
            assert_eq!(exposure(&[argument]).ok().map(|found| found.open), expected, "{argument}");
        }
    }

    #[test]
    fn the_web_page_is_on_unless_it_is_off() {
        let cases = [("on", Some(true)), ("off", Some(false)), ("", Some(true)), ("false", None)];
        for (value, expected) in cases {
            let found = exposure(&["--web", value]).ok().map(|found| found.web);
            assert_eq!(found, expected, "{value}");
        }
    }

    #[test]
    fn invalid_values_are_rejected() {
        for bad in ["0", "-1", "many", "1000001"] {
            assert!(exposure(&["--max-connections", bad]).is_err(), "{bad}");
        }
        assert!(exposure(&["--cors-origins", "*"]).is_err());
        assert!(exposure(&["--hosts", "*"]).is_err());
        assert!(exposure(&["--token-rate", "600"]).is_err());
        assert!(exposure(&["--trusted-proxies", "everybody"]).is_err());
    }

    #[test]
    fn an_empty_tokens_file_name_means_no_tokens() {
        assert!(!exposure(&["--tokens", ""]).unwrap().has_tokens());
        assert!(exposure(&["--tokens", "/x"]).unwrap().has_tokens());
    }
}
