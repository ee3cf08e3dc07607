//! What the API is shown of us, and whom we trust there.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client};
use shared::config::path;

use crate::api;
use crate::failure::Failure;

/// Who we are.
#[derive(Args, Default)]
pub(crate) struct Access {
    /// The token to show the API. Better in CAPSTAN_TOKEN, or a file: others see the arguments of a
    /// program
    #[arg(long, env = "CAPSTAN_TOKEN", hide_env_values = true, hide = true, global = true)]
    token: Option<String>,

    /// A file with the token to show the API; CAPSTAN_TOKEN, the token itself, comes first
    #[arg(
        long, env = "CAPSTAN_TOKEN_FILE", value_name = "FILE", value_parser = path, global = true
    )]
    token_file: Option<PathBuf>,

    /// A PEM file of an authority that the API's certificate is trusted from, besides the system's
    #[arg(long, env = "CAPSTAN_CA", value_name = "FILE", value_parser = path, global = true)]
    ca: Option<PathBuf>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    /// A client that shows the token, to whomever it asks.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let mut headers = HeaderMap::new();
        if let Some(token) = self.token()? {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            let mut value = value
                .map_err(|_| Failure::Usage("the token has bytes that none has".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut builder = api::builder().default_headers(headers);
        if let Some(pem) = read("CAPSTAN_CA", self.ca.as_ref())? {
            let roots = Certificate::from_pem_bundle(pem.as_bytes());
            let bad = |error| Failure::Usage(format!("CAPSTAN_CA cannot be used: {error}"));
            builder = builder.tls_certs_merge(roots.map_err(bad)?);
        }
        Ok(builder.build().context("cannot make an HTTP client")?)
    }

    fn token(&self) -> Result<Option<String>, Failure> {
        let said = self.token.clone().filter(|token| !token.is_empty());
        match said {
            Some(token) => Ok(Some(token)),
            None => read("CAPSTAN_TOKEN_FILE", self.token_file.as_ref()),
        }
    }
}

fn read(setting: &'static str, file: Option<&PathBuf>) -> Result<Option<String>, Failure> {
    let text = shared::config::read(setting, file.map(PathBuf::as_path));
    text.map_err(|error| Failure::Usage(error.to_string()))
}
