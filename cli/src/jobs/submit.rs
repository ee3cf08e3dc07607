//! `capstan jobs submit`.

use std::time::Duration;

use clap::Args;
use client::command::{CommandError, CommandOutcome, CommandResult, note};
use client::wire::Job;
use client::{ApiClient, ClientError, FinishedJob, wait_for_jobs};
use domain::job::{ActionName, JobId, Timestamp};
use domain::settings::duration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::relations::Relations;
use super::rules::Rules;
use super::submit_lines;
use crate::flags::{JobTemplate, LabelFlag, OutputFlags, as_object, body};
use crate::record::print_new_job;

/// The arguments of `jobs submit`, and the fields of the request.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubmitArguments {
    /// Action to run; - submits a job from each line of standard input, a JSON object
    action: ActionName,

    /// Time to run at, in RFC 3339, for example 2026-11-20T16:30:00Z [default: now]
    #[arg(long = "at", value_name = "TIME")]
    scheduled_at: Option<Timestamp>,

    /// Wait until the job and its retries have finished; exit with 0 only if it succeeded
    #[arg(long)]
    #[serde(skip)]
    wait: bool,

    /// Time limit of --wait, for example 60s [default: none]
    #[arg(long, requires = "wait", value_name = "DURATION", value_parser = duration)]
    #[serde(skip)]
    timeout: Option<Duration>,

    /// Comment, at most 255 characters
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,

    /// Label by which the job is found, for example team=network. Repeatable
    #[arg(long = "label", value_name = "NAME=TEXT")]
    #[serde(serialize_with = "as_object")]
    labels: Vec<LabelFlag>,

    /// Reference to a ticket, at most 32 characters
    #[arg(long = "ticket", value_name = "TEXT")]
    ticket_ref: Option<String>,

    #[command(flatten)]
    #[serde(skip)]
    output: OutputFlags,

    #[command(flatten, next_help_heading = "Job")]
    #[serde(flatten)]
    template: JobTemplate,

    #[command(flatten, next_help_heading = "Dependencies and fairness")]
    #[serde(flatten)]
    relations: Relations,

    #[command(flatten, next_help_heading = "Duplicates, expiry and failures")]
    #[serde(flatten)]
    rules: Rules,
}

/// The action that stands for jobs in standard input.
const STANDARD_INPUT: &str = "-";

impl SubmitArguments {
    /// Refuses flags beside `-`: each line has all fields of its job.
    fn check_alone(&self) -> Result<(), CommandError> {
        let has_fields = self.body()?.len() > 1 || self.relations.has_jobs();
        if has_fields || self.wait || self.rules.idempotency_key.is_some() {
            let text = "with -, each line of standard input has the fields of its job, as in \
                        POST /jobs; only -o may be given";
            return Err(CommandError::Usage(text.to_owned()));
        }
        Ok(())
    }

    fn body(&self) -> Result<Map<String, Value>, CommandError> {
        let mut fields = body(self)?;
        if let Some(expiry) = self.rules.expiry(self.scheduled_at) {
            fields.insert("expiresAt".to_owned(), json!(expiry));
        }
        if let Some(backoff) = self.rules.backoff() {
            fields.insert("backoff".to_owned(), json!(backoff));
        }
        Ok(fields)
    }
}

/// Submits the job and, with `--wait`, waits for its end; or the jobs in standard input.
pub(super) async fn run(api: &ApiClient, arguments: &SubmitArguments) -> CommandResult {
    if arguments.action.as_str() == STANDARD_INPUT {
        arguments.check_alone()?;
        return submit_lines::run(api, arguments.output).await;
    }
    let key = arguments.rules.idempotency_key.as_ref();
    let mut body = arguments.body()?;
    arguments.relations.add_jobs(api, &mut body).await?;
    let (document, is_new) = api.submit(&body, key).await?;
    let id = id_of(&document)?;
    if !is_new {
        note(why_not_new(&body, &document));
    }
    let is_document = arguments.output.is_document();
    if !is_document || !arguments.wait {
        print_new_job(&document, arguments.output)?;
    }
    if arguments.wait {
        return wait(api, id, arguments).await;
    }
    Ok(CommandOutcome::Success)
}

/// Says why a submission has created no job, and what the existing one has of it.
fn why_not_new(body: &Map<String, Value>, job: &Value) -> String {
    let count = |name: &str| job[name].as_u64().unwrap_or(0);
    match (count("replaced"), count("batched")) {
        (_, batched) if body.contains_key("batchKey") => {
            format!("no job was created: this one has {batched} submissions now")
        }
        (replaced @ 1.., _) if body.contains_key("debounce") => {
            format!("no job was created; replaced so far: {replaced}")
        }
        _ => "no job was created: this unfinished one has the same unique key".to_owned(),
    }
}

async fn wait(api: &ApiClient, id: JobId, arguments: &SubmitArguments) -> CommandResult {
    let finished = wait_for_jobs(api, &[id], arguments.timeout).await?;
    for one in &finished {
        if arguments.output.is_document() {
            let job: Value = api.get(&format!("/jobs/{}", one.job.id)).await?;
            print_new_job(&job, arguments.output)?;
        } else {
            note(one);
        }
    }
    Ok(CommandOutcome::success_if(finished.iter().all(FinishedJob::succeeded)))
}

fn id_of(document: &Value) -> Result<JobId, ClientError> {
    let job = Job::deserialize(document).map_err(|error| ClientError::unreadable(&error))?;
    Ok(job.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;
    use expect_test::expect;

    fn parsed(words: &[&str]) -> Result<SubmitArguments, clap::Error> {
        arguments(words)
    }

    fn sent(words: &[&str]) -> String {
        serde_json::to_string_pretty(&parsed(words).unwrap().body().unwrap()).unwrap()
    }

    #[test]
    fn only_given_arguments_are_sent() {
        assert_eq!(sent(&["sleep"]), "{\n  \"action\": \"sleep\"\n}");
        let line = "backup -p host=db-1 -p level:=2 --capacity scan=1,cpu=2 --retries 3 --deadline \
                    1h30m --stop-timeout 10s --at 2026-11-20T17:30:00+01:00 --priority high \
                    --comment weekly --ticket T-1 --label team=db --label tier=1 --unique-key host --expires-in 10m \
                    --backoff-base 2s --backoff-max 1m --on-worker-lost fail --strict-lease \
                    --lock db-{{host}} --lock licences=2 --when finished --key tenant-7 \
                    --depends-on 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b,\
                    a261713a-9514-43f9-a7e5-50e7a9fa1d48 \
                    --parent 193c061a-c52c-448a-884a-719adc253497";
        let words: Vec<&str> = line.split_whitespace().collect();
        expect![[r#"
            {
              "action": "backup",
              "backoff": {
                "base": "2s",
                "max": "1m"
              },
              "capacityMap": {
                "cpu": 2,
                "scan": 1
              },
              "comment": "weekly",
              "deadline": "1h30m",
              "expiresAt": "2026-11-20T16:40:00Z",
              "fairnessKey": "tenant-7",
              "labels": {
                "team": "db",
                "tier": "1"
              },
              "locks": {
                "db-{{host}}": 1,
                "licences": 2
              },
              "onWorkerLost": "fail",
              "parameters": {
                "host": "db-1",
                "level": 2
              },
              "priority": "high",
              "retries": 3,
              "scheduledAt": "2026-11-20T16:30:00Z",
              "stopTimeout": "10s",
              "strictLease": true,
              "ticketRef": "T-1",
              "uniqueKey": "host",
              "when": "finished"
            }"#]]
        .assert_eq(&sent(&words));
    }

    #[test]
    fn invalid_arguments_are_rejected_before_anything_is_sent() {
        let lines: [&[&str]; 25] = [
            &["sleep", "--batch-key", "a"],
            &["sleep", "--batch-key", "a", "--batch-size", "5"],
            &["sleep", "--batch-size", "5", "--batch-wait", "5s"],
            &["sleep", "--batch-key", "a", "--batch-size", "x", "--batch-wait", "5s"],
            &["sleep", "--debounce", "5s"],
            &["sleep", "--unique-key", "a", "--debounce-max", "5s"],
            &["sleep", "--unique-key", "a", "--debounce", "5"],
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
        for words in lines {
            assert_eq!(parsed(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }

    #[test]
    fn a_debounced_job_is_sent_with_its_times() {
        let line = "sleep --unique-key a --debounce 5s --debounce-max 1m";
        let words: Vec<&str> = line.split_whitespace().collect();
        let body = json!(parsed(&words).unwrap().body().unwrap());
        let expected = json!({
            "action": "sleep", "uniqueKey": "a", "debounce": "5s", "debounceMax": "1m",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_batched_job_is_sent_with_its_size_and_time() {
        let line = "sleep --batch-key a --batch-size 5 --batch-wait 10s";
        let words: Vec<&str> = line.split_whitespace().collect();
        let body = parsed(&words).unwrap().body().unwrap();
        let expected = json!({
            "action": "sleep", "batchKey": "a", "batchSize": 5, "batchWait": "10s",
        });
        assert_eq!(json!(body), expected);
        let why = why_not_new(&body, &json!({"batched": 3, "replaced": 0}));
        assert_eq!(why, "no job was created: this one has 3 submissions now");
        assert!(parsed(&[&words[..], &["--unique-key", "b"]].concat()).is_err());
    }

    #[test]
    fn standard_input_takes_no_fields() {
        for words in [&["-"] as &[&str], &["-", "-o", "json"]] {
            parsed(words).unwrap().check_alone().unwrap();
        }
        let lines: [&[&str]; 4] = [
            &["-", "-p", "a=1"],
            &["-", "--wait"],
            &["-", "--parent", "7"],
            &["-", "--idempotency-key", "a"],
        ];
        for words in lines {
            let error = parsed(words).unwrap().check_alone().unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words:?}");
        }
    }

    #[test]
    fn a_parameter_or_lock_given_twice_is_rejected_before_anything_is_sent() {
        let refused = |words: &[&str]| parsed(words).unwrap().body().unwrap_err();
        let twice = refused(&["sleep", "--parameters", r#"{"a":1}"#, "-p", "a=1"]);
        assert_eq!((twice.exit_code(), &*twice.to_string()), (2, "parameter \"a\" is given twice"));
        let twice = refused(&["sleep", "--lock", "a", "--lock", "a=2"]);
        assert_eq!(
            (twice.exit_code(), &*twice.to_string()),
            (2, "lock or rate \"a\" is given twice")
        );
        let twice = refused(&["sleep", "--label", "a=b", "--label", "a=b"]);
        assert_eq!((twice.exit_code(), &*twice.to_string()), (2, "label \"a\" is given twice"));
    }
}
