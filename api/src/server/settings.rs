//! What stands between the API and those who can reach it.

use std::path::PathBuf;
use std::str::FromStr;

use axum::http::HeaderValue;
use clap::{ArgAction, Args};
use shared::config::path;

use crate::auth::Networks;

/// Who may come near, and how.
#[derive(Debug, Clone, Args)]
pub struct Exposure {
    /// The file of tokens that `capstan token` writes; read again when it changes. Without it
    /// everybody may do everything, which is allowed on a loopback address only
    #[arg(long, env = "CAPSTAN_TOKENS", value_name = "FILE", value_parser = path)]
    pub tokens: Option<PathBuf>,

    /// Serve everybody who can reach the address, wherever they are, without tokens
    #[arg(
        long, env = "CAPSTAN_OPEN", action = ArgAction::Set, value_parser = switch,
        num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true",
    )]
    pub open: bool,

    /// The certificate to serve TLS with, and its chain: PEM; read again when it changes
    #[arg(long, env = "CAPSTAN_TLS_CERT", value_name = "FILE", value_parser = path)]
    pub tls_cert: Option<PathBuf>,

    /// The private key of the certificate: PEM
    #[arg(long, env = "CAPSTAN_TLS_KEY", value_name = "FILE", value_parser = path)]
    pub tls_key: Option<PathBuf>,

    /// Proxies whose X-Forwarded-For is believed: addresses, or networks like 10.0.0.0/8, with
    /// commas between
    #[arg(long, env = "CAPSTAN_TRUSTED_PROXIES", value_name = "NETWORKS", default_value = "")]
    pub trusted_proxies: Networks,

    /// Whose pages a browser lets use the API: origins like https://ops.example.org, with commas
    /// between
    #[arg(long, env = "CAPSTAN_CORS_ORIGINS", value_name = "ORIGINS", default_value = "")]
    pub cors_origins: Origins,

    /// How many connections there may be at once; then whoever has the most gives one up for
    /// whoever has fewer
    #[arg(long, env = "CAPSTAN_MAX_CONNECTIONS", default_value_t = 4096, value_parser = count)]
    pub max_connections: usize,

    /// How many of them one address may have, unless it is a trusted proxy; more are closed at once
    #[arg(
        long, env = "CAPSTAN_MAX_CONNECTIONS_PER_ADDRESS", default_value_t = 1024,
        value_parser = count
    )]
    pub max_connections_per_address: usize,
}

impl Default for Exposure {
    /// What holds when nothing is said.
    fn default() -> Exposure {
        Exposure {
            tokens: None,
            open: false,
            tls_cert: None,
            tls_key: None,
            trusted_proxies: Networks::default(),
            cors_origins: Origins::default(),
            max_connections: 4096,
            max_connections_per_address: 1024,
        }
    }
}

impl Exposure {
    /// True when whoever asks must have a token.
    #[must_use]
    pub fn has_tokens(&self) -> bool {
        self.tokens.as_ref().is_some_and(|path| !path.as_os_str().is_empty())
    }
}

/// Origins of pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(pub(crate) Vec<HeaderValue>);

impl FromStr for Origins {
    type Err = String;

    fn from_str(text: &str) -> Result<Origins, String> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(origin).collect::<Result<_, _>>().map(Origins)
    }
}

fn origin(word: &str) -> Result<HeaderValue, String> {
    let host = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://"));
    let plain = host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ', '@']));
    let value = HeaderValue::from_str(word).ok().filter(|_| plain);
    value.ok_or_else(|| format!("{word:?} is no origin like https://ops.example.org"))
}

fn count(text: &str) -> Result<usize, &'static str> {
    let count = text.parse().ok().filter(|count| (1..=1_000_000).contains(count));
    count.ok_or("it must be a whole number from 1 to 1000000")
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
        exposure: Exposure,
    }

    fn exposure(arguments: &[&str]) -> Result<Exposure, clap::Error> {
        let all = std::iter::once(&"capstan-api").chain(arguments);
        Arguments::try_parse_from(all).map(|arguments| arguments.exposure)
    }

    #[test]
    fn the_default_is_what_holds_when_nothing_is_said() {
        let said = format!("{:?}", exposure(&[]).unwrap());
        assert_eq!(said, format!("{:?}", Exposure::default()));
    }

    #[test]
    fn the_switch_takes_what_a_flag_and_an_environment_say() {
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
    fn what_cannot_be_meant_is_refused() {
        for good in ["", "https://a.example", "http://localhost:3000, https://b.example"] {
            assert!(exposure(&["--cors-origins", good]).is_ok(), "{good}");
        }
        for bad in ["*", "a.example", "https://", "https://a.example/", "https://*.example"] {
            assert!(exposure(&["--cors-origins", bad]).is_err(), "{bad}");
        }
        for bad in ["0", "-1", "many", "1000001"] {
            assert!(exposure(&["--max-connections", bad]).is_err(), "{bad}");
        }
        assert!(exposure(&["--trusted-proxies", "everybody"]).is_err());
        assert!(!exposure(&["--tokens", ""]).unwrap().has_tokens());
        assert!(exposure(&["--tokens", "/x"]).unwrap().has_tokens());
    }
}
