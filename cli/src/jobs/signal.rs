//! `capstan jobs signal`.

use clap::Args;
use client::ApiClient;
use client::command::{CommandOutcome, CommandResult, print};
use domain::signal::SignalName;
use serde::Deserialize;
use serde_json::Value;

use crate::references::JobReference;

/// The arguments of `jobs signal`.
#[derive(Debug, Args)]
pub(crate) struct SignalArguments {
    /// Number or ID of the job, or of an earlier attempt
    job: JobReference,

    /// Name of the signal
    name: SignalName,

    /// What the job reads, as JSON, at most 64 KiB [default: null]
    #[arg(long, value_name = "JSON", value_parser = json)]
    body: Option<Value>,

    /// Print a link that sends the signal once, without a token, and send nothing
    #[arg(long, conflicts_with = "body")]
    link: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    #[serde(rename = "jobID")]
    job_id: String,
    kept: bool,
}

#[derive(Debug, Deserialize)]
struct Link {
    page: String,
}

/// Sends a signal, or prints a link to it.
pub(super) async fn run(api: &ApiClient, arguments: &SignalArguments) -> CommandResult {
    let job = arguments.job.resolve(api).await?;
    let path = format!("/jobs/{job}/signals/{}", arguments.name);
    if arguments.link {
        let link: Link = api.post_query(&format!("{path}/link"), &[]).await?;
        print(&link.page)?;
        return Ok(CommandOutcome::Success);
    }
    let body = arguments.body.clone().unwrap_or_default();
    let sent: Sent = api.post(&path, &body).await?;
    if sent.kept {
        print(format!("{} does not wait for it yet; it is kept", sent.job_id))?;
    } else {
        print(&sent.job_id)?;
    }
    Ok(CommandOutcome::Success)
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("it is not valid JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;
    use serde_json::json;

    #[test]
    fn a_signal_has_a_name_and_may_have_a_body() {
        let read = |words: &[&str]| arguments::<SignalArguments>(words);
        let full = read(&["17", "approved", "--body", r#"{"a": 1}"#]).unwrap();
        assert_eq!(full.body, Some(json!({"a": 1})));
        assert_eq!(read(&["17", "approved"]).unwrap().body, None);
        let invalid: [&[&str]; 4] = [
            &["17"],
            &["17", "a b"],
            &["17", "approved", "--body", "{"],
            &["17", "approved", "--body", "1", "--link"],
        ];
        for words in invalid {
            assert_eq!(read(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }
}
