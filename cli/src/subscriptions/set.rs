//! `capstan subscriptions set`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use client::ApiClient;
use client::command::CommandError;
use domain::event::EventKind;
use domain::job::{ActionName, GoDuration, Status};
use domain::subscription::{SubscriptionName, WebhookUrl};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::flags::{OutputFlags, backoff, body};
use crate::references::JobReference;

/// The arguments of `subscriptions set`, and the fields of the request.
#[derive(Debug, Args, Serialize)]
pub(crate) struct SetArguments {
    /// Name of the subscription
    name: SubscriptionName,

    /// Address to send messages to
    url: WebhookUrl,

    /// Kind of events to deliver: job, worker, cron, lock or queue. Repeatable [default: all]
    #[arg(long = "event", value_name = "KIND")]
    events: Vec<EventKind>,

    #[command(flatten)]
    filter: Filter,

    /// File with the signing secret, whsec_... [default: a generated one, which is printed]
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    secret_file: Option<PathBuf>,

    /// Number of retries of each message [default: 10]
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    /// Delay before the first retry; it doubles with each further one [default: 10s]
    #[arg(long, value_name = "DURATION")]
    #[serde(skip)]
    backoff: Option<GoDuration>,

    /// Longest delay before a retry [default: 1h]
    #[arg(long, value_name = "DURATION")]
    #[serde(skip)]
    backoff_max: Option<GoDuration>,

    /// Whether the subscription is paused [default: unchanged]
    #[arg(long, value_name = "BOOL")]
    paused: Option<bool>,

    #[command(flatten)]
    #[serde(skip)]
    pub(super) output: OutputFlags,
}

#[derive(Debug, Args, Serialize)]
struct Filter {
    /// Only status changes of jobs of this action
    #[arg(long)]
    action: Option<ActionName>,

    /// Only status changes of this job
    #[arg(long, value_name = "JOB")]
    #[serde(skip)]
    job: Option<JobReference>,

    /// Only status changes of jobs to one of these
    #[arg(long, value_name = "STATUS,...", value_delimiter = ',')]
    status: Vec<Status>,
}

impl SetArguments {
    /// The request body.
    pub(super) async fn body(&self, api: &ApiClient) -> Result<Map<String, Value>, CommandError> {
        let mut fields = self.given()?;
        if let Some(job) = &self.filter.job {
            fields["filter"]["job"] = json!(job.resolve(api).await?);
        }
        Ok(fields)
    }

    /// The request body without the job.
    fn given(&self) -> Result<Map<String, Value>, CommandError> {
        let mut fields = body(self)?;
        if let Some(path) = &self.secret_file {
            let secret = std::fs::read_to_string(path);
            let secret = secret.with_context(|| format!("cannot read {}", path.display()))?;
            fields.insert("secret".to_owned(), json!(secret.trim()));
        }
        if let Some(backoff) = backoff(self.backoff.as_ref(), self.backoff_max.as_ref()) {
            fields.insert("backoff".to_owned(), json!(backoff));
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;

    fn sent(words: &[&str]) -> Value {
        json!(arguments::<SetArguments>(words).unwrap().given().unwrap())
    }

    #[test]
    fn only_given_arguments_are_sent() {
        let minimal = json!({
            "name": "ops", "url": "https://example.org/", "events": [],
            "filter": {"action": null, "status": []},
        });
        assert_eq!(sent(&["ops", "https://example.org"]), minimal);
        let words = [
            "ops",
            "https://example.org",
            "--event=job",
            "--event=cron",
            "--action=scan",
            "--status=error,worker_dead",
            "--retries=0",
            "--backoff=2s",
            "--paused=true",
        ];
        let expected = json!({
            "name": "ops", "url": "https://example.org/", "events": ["job", "cron"],
            "retries": 0, "backoff": {"base": "2s"}, "paused": true,
            "filter": {"action": "scan", "status": ["error", "worker_dead"]},
        });
        assert_eq!(sent(&words), expected);
    }

    #[test]
    fn invalid_arguments_are_rejected_before_anything_is_sent() {
        let invalid: [&[&str]; 4] = [
            &["a b", "http://a"],
            &["a", "a"],
            &["a", "ftp://a"],
            &["a", "http://a", "--event=jobs"],
        ];
        for words in invalid {
            assert!(arguments::<SetArguments>(words).is_err(), "{words:?}");
        }
    }
}
