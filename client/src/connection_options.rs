//! The flags that say which API to call and as whom. Every command-line program has them.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Arg, Args, Command};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Certificate, Url};

use crate::api_client::ApiClient;
use crate::error::ClientError;
use crate::http;

/// The address of the API, the token, and the trusted certificate authorities. The flags are global:
/// they may follow any subcommand.
#[derive(Args)]
pub struct ConnectionOptions {
    /// Address of the API
    #[arg(
        long,
        env = "CAPSTAN_API",
        default_value = "http://127.0.0.1:8080",
        hide_env_values = true,
        value_name = "URL",
        value_parser = api_url,
        global = true,
        help_heading = "Connection"
    )]
    api: Url,

    /// Token to send to the API. Prefer CAPSTAN_TOKEN or --token-file: other users of the machine
    /// can see command lines
    #[arg(long, env = "CAPSTAN_TOKEN", hide_env_values = true, hide = true, global = true)]
    token: Option<String>,

    /// File with the token to send to the API; CAPSTAN_TOKEN, the token itself, takes precedence
    #[arg(
        long,
        env = "CAPSTAN_TOKEN_FILE",
        hide_env_values = true,
        value_name = "FILE",
        value_parser = path,
        global = true,
        help_heading = "Connection"
    )]
    token_file: Option<PathBuf>,

    /// PEM file of certificate authorities to trust for the API, besides the system's
    #[arg(
        long,
        env = "CAPSTAN_CA",
        hide_env_values = true,
        value_name = "FILE",
        value_parser = path,
        global = true,
        help_heading = "Connection"
    )]
    ca: Option<PathBuf>,
}

impl fmt::Debug for ConnectionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionOptions").finish_non_exhaustive()
    }
}

impl ConnectionOptions {
    /// Returns a client for the API that sends the token with every request. Does not connect.
    pub fn client(&self) -> Result<ApiClient, ClientError> {
        let mut headers = HeaderMap::new();
        if let Some(token) = self.token()? {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| invalid("token", "it has characters that no token has"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut builder = http::builder().default_headers(headers);
        if let Some(pem) = read("CAPSTAN_CA", self.ca.as_deref())? {
            let authorities = Certificate::from_pem_bundle(pem.as_bytes())
                .map_err(|error| invalid("CAPSTAN_CA", error))?;
            builder = builder.tls_certs_merge(authorities);
        }
        Ok(ApiClient::new(http::build(builder)?, &self.api))
    }

    /// The address of the API.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.api
    }

    /// The same options as environment variables, for another program that has them.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut variables = vec![("CAPSTAN_API", self.api.as_str().into())];
        let optional = [
            ("CAPSTAN_TOKEN", self.token.as_ref().map(Into::into)),
            ("CAPSTAN_TOKEN_FILE", self.token_file.as_ref().map(Into::into)),
            ("CAPSTAN_CA", self.ca.as_ref().map(Into::into)),
        ];
        variables.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        variables
    }

    /// The flags without their help, for a subcommand that accepts them but does not call the API.
    /// They take precedence over the global ones of its parent.
    #[must_use]
    pub fn hidden() -> Vec<Arg> {
        let command = ConnectionOptions::augment_args(Command::new(""));
        command.get_arguments().map(|flag| flag.clone().hide(true)).collect()
    }

    fn token(&self) -> Result<Option<String>, ClientError> {
        match self.token.as_ref().filter(|token| !token.is_empty()) {
            Some(token) => Ok(Some(token.clone())),
            None => read("CAPSTAN_TOKEN_FILE", self.token_file.as_deref()),
        }
    }
}

fn api_url(text: &str) -> Result<Url, String> {
    let is_http = |url: &Url| ["http", "https"].contains(&url.scheme()) && url.has_host();
    let url = Url::parse(text).ok().filter(is_http);
    url.ok_or_else(|| "it must be http://HOST:PORT or https://HOST:PORT".to_owned())
}

/// Accepts the empty path, unlike clap's own parser: in Compose an unset variable is empty.
fn path(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(PathBuf::from(text))
}

/// Reads the file that a setting names, without the line break at its end. The empty path is none.
fn read(setting: &str, file: Option<&Path>) -> Result<Option<String>, ClientError> {
    let Some(file) = file.filter(|file| !file.as_os_str().is_empty()) else { return Ok(None) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| invalid(setting, format_args!("{}: {error}", file.display())))?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn invalid(setting: &str, reason: impl fmt::Display) -> ClientError {
    ClientError::InvalidSetting(format!("invalid {setting}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        connection: ConnectionOptions,
    }

    #[test]
    fn the_address_must_be_an_http_url_with_a_host() {
        for text in ["http://127.0.0.1:8080", "https://api", "http://me:token@api:80/behind/"] {
            assert!(api_url(text).is_ok(), "{text}");
        }
        for text in ["", "127.0.0.1:8080", "localhost:8080", "ftp://api", "http://"] {
            assert!(api_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn options_are_passed_on_as_the_variables_that_set_them() {
        let line = ["x", "--api=http://there:1", "--token=secret", "--token-file=", "--ca=ca.pem"];
        let variables = Line::parse_from(line).connection.environment();
        let variables: Vec<String> =
            variables.iter().map(|(name, value)| format!("{name}={}", value.display())).collect();
        let expected = [
            "CAPSTAN_API=http://there:1/",
            "CAPSTAN_TOKEN=secret",
            "CAPSTAN_TOKEN_FILE=",
            "CAPSTAN_CA=ca.pem",
        ];
        assert_eq!(variables, expected);
    }

    #[test]
    fn an_unreadable_file_is_reported_with_its_setting() {
        let line = ["x", "--ca=/does/not/exist.pem"];
        let error = Line::parse_from(line).connection.client().unwrap_err().to_string();
        let expected = "invalid CAPSTAN_CA: /does/not/exist.pem: No such file or directory";
        assert!(error.starts_with(expected), "{error}");
    }
}
