//! `capstan health`: the health check of containers, whose images have no other HTTP client.

use std::time::Duration;

use clap::Args;
use client::command::{CommandOutcome, CommandResult, note};
use client::http_client;
use domain::settings::duration;

/// The arguments of `health`.
#[derive(Debug, Args)]
pub(crate) struct HealthArguments {
    /// Address to request, for example http://127.0.0.1:9090/readyz
    url: String,

    /// Time limit of the request
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    timeout: Duration,
}

/// Succeeds if the address answers 2xx in time.
pub(crate) async fn run(arguments: HealthArguments) -> CommandResult {
    let answer = http_client()?.get(&arguments.url).timeout(arguments.timeout).send().await;
    let reason = match answer {
        Ok(response) if response.status().is_success() => return Ok(CommandOutcome::Success),
        Ok(response) => {
            let status = response.status();
            format!("{status}: {}", response.text().await.unwrap_or_default().trim())
        }
        Err(error) => format!("{:#}", anyhow::Error::from(error)),
    };
    note(reason);
    Ok(CommandOutcome::Failure)
}
