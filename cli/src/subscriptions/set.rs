//! `capstan subscriptions set`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};
use shared::event::Kind;
use shared::job::{ActionName, Backoff, JobId, Span, Status};
use shared::subscription::{Endpoint, SubscriptionName};

use crate::api::Api;
use crate::failure::Failure;

/// What `subscriptions set` is told.
#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    /// What it is called
    name: SubscriptionName,

    /// Where messages are sent
    url: Endpoint,

    /// What it is told of: job, worker, cron, lock, queue; everything unless given. May be repeated
    #[arg(long = "event", value_name = "KIND")]
    events: Vec<Kind>,

    /// Only changes of jobs of this action
    #[arg(long)]
    action: Option<ActionName>,

    /// Only changes of this job
    #[arg(long, value_name = "ID")]
    job: Option<JobId>,

    /// Only changes of jobs to one of these, with commas between
    #[arg(long, value_name = "STATUS,…", value_delimiter = ',')]
    status: Vec<Status>,

    /// A file with what messages are signed with, whsec_…; one is made and printed unless given
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// How often a message is tried again; 10 unless given
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    /// How long the first retry waits; it doubles with each; 10s unless given
    #[arg(long, value_name = "DURATION")]
    backoff: Option<Span>,

    /// How long a retry waits at most; 1h unless given
    #[arg(long, value_name = "DURATION")]
    backoff_max: Option<Span>,

    /// Whether it is told of nothing; as it is unless given
    #[arg(long, value_name = "BOOL")]
    paused: Option<bool>,

    /// Print the subscription as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What is sent. What was not given is left to the API.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Create<'a> {
    name: &'a SubscriptionName,
    url: &'a Endpoint,
    events: &'a [Kind],
    filter: Filter<'a>,
    secret: Option<String>,
    retries: Option<u32>,
    backoff: Option<Backoff>,
    paused: Option<bool>,
}

#[derive(Serialize)]
struct Filter<'a> {
    action: Option<&'a ActionName>,
    job: Option<JobId>,
    status: &'a [Status],
}

/// Sets it; answers what the API says of it.
pub(super) async fn set(
    api: &Api,
    arguments: &SetArguments,
) -> Result<Map<String, Value>, Failure> {
    api.post("/subscriptions", &arguments.create()?).await
}

impl SetArguments {
    fn create(&self) -> Result<Create<'_>, Failure> {
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path);
            text.with_context(|| format!("cannot read {}", path.display()))
        };
        let secret = self.secret_file.as_ref().map(read).transpose()?;
        let backoff = Backoff {
            base: self.backoff.clone().unwrap_or_default(),
            max: self.backoff_max.clone().unwrap_or_default(),
        };
        let given = self.backoff.is_some() || self.backoff_max.is_some();
        Ok(Create {
            name: &self.name,
            url: &self.url,
            events: &self.events,
            filter: Filter { action: self.action.as_ref(), job: self.job, status: &self.status },
            secret: secret.map(|secret| secret.trim().to_owned()),
            retries: self.retries,
            backoff: given.then_some(backoff),
            paused: self.paused,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        set: SetArguments,
    }

    fn sent(line: &[&str]) -> Value {
        let line = ["set"].iter().chain(line);
        let arguments = Line::try_parse_from(line).unwrap_or_else(|error| panic!("{error}")).set;
        serde_json::to_value(arguments.create().unwrap()).unwrap()
    }

    #[test]
    fn what_is_not_given_is_left_to_the_api() {
        let bare = json!({
            "name": "ops", "url": "https://example.org/", "events": [], "secret": null,
            "filter": {"action": null, "job": null, "status": []}, "retries": null,
            "backoff": null, "paused": null,
        });
        assert_eq!(sent(&["ops", "https://example.org"]), bare);
        let line = [
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
            "secret": null, "retries": 0, "backoff": {"base": "2s"}, "paused": true,
            "filter": {"action": "scan", "job": null, "status": ["error", "worker_dead"]},
        });
        assert_eq!(sent(&line), expected);
        for wrong in [["a b", "http://a"], ["a", "a"], ["a", "ftp://a"]] {
            assert!(Line::try_parse_from(["set"].iter().chain(&wrong)).is_err(), "{wrong:?}");
        }
        assert!(Line::try_parse_from(["set", "a", "http://a", "--event=jobs"]).is_err());
    }
}
