//! `capstan jobs submit`.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::job::{ActionName, JobId, Timestamp};

use super::relations::Relations;
use super::rules::{Rules, SentRules};
use super::wait;
use crate::api::Api;
use crate::failure::{Ending, Failure};
use crate::out;
use crate::wire::Job;
use crate::work::{SentWork, Work};

/// What `jobs submit` is told.
#[derive(Debug, Args)]
pub(crate) struct SubmitArguments {
    /// What to do
    action: ActionName,

    #[command(flatten)]
    work: Work,

    /// When to run it, RFC 3339, like 2026-11-20T16:30:00Z; now unless given
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,

    /// A remark, at most 255 characters
    #[arg(long)]
    comment: Option<String>,

    /// A ticket, at most 32 characters
    #[arg(long)]
    ticket: Option<String>,

    #[command(flatten)]
    relations: Relations,

    #[command(flatten)]
    rules: Rules,

    /// Print the job as JSON instead of its id; with --wait as it is at the end
    #[arg(long)]
    json: bool,

    /// Wait until it is over, retries included; exits 0 only if it ended as done
    #[arg(long)]
    wait: bool,

    /// How long to wait at most, like 60s; without it as long as it takes
    #[arg(
        long,
        requires = "wait",
        value_name = "DURATION",
        value_parser = shared::config::duration
    )]
    timeout: Option<Duration>,
}

/// What is sent. What was not given is left to the API and to the action's defaults.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Submission<'a> {
    action: &'a ActionName,
    #[serde(flatten)]
    work: SentWork<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_ref: Option<&'a str>,
    #[serde(flatten)]
    relations: &'a Relations,
    #[serde(flatten)]
    rules: SentRules<'a>,
}

impl SubmitArguments {
    fn submission(&self) -> Result<Submission<'_>, Failure> {
        Ok(Submission {
            action: &self.action,
            work: self.work.sent()?,
            scheduled_at: self.at,
            comment: self.comment.as_deref(),
            ticket_ref: self.ticket.as_deref(),
            relations: &self.relations,
            rules: self.rules.sent(self.at),
        })
    }
}

/// Submits the job and, if told so, waits for its end.
pub(crate) async fn run(api: &Api, arguments: &SubmitArguments) -> Result<Ending, Failure> {
    let submission = arguments.submission()?;
    let key = arguments.rules.idempotency_key.as_ref();
    let (document, made) = api.submit("/jobs", &submission, key).await?;
    let id = id_in(&document)?;
    if !made {
        out::note("no job was made: this one has the unique key, and is not over");
    }
    if !arguments.json {
        out::say(id)?;
    } else if !arguments.wait {
        out::say_json(&document)?;
    }
    if !arguments.wait {
        return Ok(Ending::Well);
    }
    let ended = wait::until_over(api, &[id], arguments.timeout).await?;
    for one in &ended {
        if arguments.json {
            out::say_json(&api.get::<Value>(&format!("/jobs/{}", one.job.id)).await?)?;
        } else {
            out::note(one);
        }
    }
    Ok(wait::ending(&ended))
}

/// The id of a job that the API answered.
fn id_in(document: &Value) -> Result<JobId, Failure> {
    let job = Job::deserialize(document);
    job.map(|job| job.id)
        .map_err(|error| Failure::Away(format!("the API's answer cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::jobs::JobsCommand;
    use clap::Parser;
    use expect_test::expect;

    fn parsed(line: &[&str]) -> Result<SubmitArguments, clap::Error> {
        let line = ["capstan", "jobs", "submit"].iter().chain(line);
        let command = Arguments::try_parse_from(line)?.command;
        let Command::Jobs(JobsCommand::Submit(arguments)) = command else { panic!("{command:?}") };
        Ok(*arguments)
    }

    fn sent(line: &[&str]) -> String {
        let arguments = parsed(line).unwrap();
        serde_json::to_string_pretty(&arguments.submission().unwrap()).unwrap()
    }

    #[test]
    fn only_what_was_given_is_sent() {
        assert_eq!(sent(&["sleep"]), "{\n  \"action\": \"sleep\"\n}");
        let line = "backup -p host=db-1 -p level:=2 --capacity scan=1,cpu=2 --retries 3 --deadline \
                    1h30m --stop-timeout 10s --at 2026-11-20T17:30:00+01:00 --priority high \
                    --comment weekly --ticket T-1 --unique-key host --expires-in 10m \
                    --backoff-base 2s --backoff-max 1m --on-worker-lost fail --strict-lease \
                    --lock db-{{host}} --lock licences=2 --when finished --key tenant-7 \
                    --depends-on 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b,\
                    a261713a-9514-43f9-a7e5-50e7a9fa1d48 \
                    --parent 193c061a-c52c-448a-884a-719adc253497";
        let line: Vec<&str> = line.split_whitespace().collect();
        expect![[r#"
            {
              "action": "backup",
              "parameters": {
                "host": "db-1",
                "level": 2
              },
              "capacityMap": {
                "cpu": 2,
                "scan": 1
              },
              "locks": {
                "db-{{host}}": 1,
                "licences": 2
              },
              "retries": 3,
              "deadline": "1h30m",
              "stopTimeout": "10s",
              "priority": "high",
              "scheduledAt": "2026-11-20T16:30:00Z",
              "comment": "weekly",
              "ticketRef": "T-1",
              "dependsOn": [
                "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
                "a261713a-9514-43f9-a7e5-50e7a9fa1d48"
              ],
              "when": "finished",
              "parent": "193c061a-c52c-448a-884a-719adc253497",
              "fairnessKey": "tenant-7",
              "uniqueKey": "host",
              "expiresAt": "2026-11-20T16:40:00Z",
              "backoff": {
                "base": "2s",
                "max": "1m"
              },
              "onWorkerLost": "fail",
              "strictLease": true
            }"#]]
        .assert_eq(&sent(&line));
    }

    #[test]
    fn a_wrong_value_is_refused_before_anything_is_sent() {
        let lines: [&[&str]; 18] = [
            &[],
            &["a b"],
            &["sleep", "-p", "x"],
            &["sleep", "--parameters", "[]"],
            &["sleep", "--capacity", "scan"],
            &["sleep", "--retries", "-1"],
            &["sleep", "--deadline", "5"],
            &["sleep", "--at", "tomorrow"],
            &["sleep", "--timeout", "5s"],
            &["sleep", "--expires-in", "5"],
            &["sleep", "--expires-in", "5s", "--expires-at", "2100-01-01T00:00:00Z"],
            &["sleep", "--on-worker-lost", "forget"],
            &["sleep", "--idempotency-key", "a\nb"],
            &["sleep", "--lock", "a=0"],
            &["sleep", "--depends-on", "first"],
            &["sleep", "--parent", "me"],
            &["sleep", "--when", "done"],
            &["sleep", "--depends-on", "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b", "--when", "soon"],
        ];
        for line in lines {
            assert_eq!(parsed(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
        let twice = parsed(&["sleep", "--parameters", r#"{"a":1}"#, "-p", "a=1"]).unwrap();
        assert_eq!(twice.submission().unwrap_err().code(), 2);
        let twice = parsed(&["sleep", "--lock", "a", "--lock", "a=2"]).unwrap();
        assert_eq!(twice.submission().unwrap_err().code(), 2);
    }
}
