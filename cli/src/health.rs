//! `capstan health`: for the health checks of containers, whose images have no other HTTP client.

use std::time::Duration;

use clap::Args;

use crate::api;
use crate::failure::{Ending, Failure};
use crate::out;

/// What `health` is told.
#[derive(Debug, Args)]
pub(crate) struct HealthArguments {
    /// The address to ask, like http://127.0.0.1:9090/readyz
    url: String,

    /// How long the answer may take
    #[arg(long, default_value = "2s", value_parser = shared::config::duration)]
    timeout: Duration,
}

/// Well when the address answers 2xx in time.
pub(crate) async fn run(arguments: HealthArguments) -> Result<Ending, Failure> {
    let asked = api::client()?.get(&arguments.url).timeout(arguments.timeout).send().await;
    let why = match asked {
        Ok(response) if response.status().is_success() => return Ok(Ending::Well),
        Ok(response) => {
            let status = response.status();
            format!("{status}: {}", response.text().await.unwrap_or_default().trim())
        }
        Err(error) => format!("{:#}", anyhow::Error::from(error)),
    };
    out::note(why);
    Ok(Ending::Badly)
}
