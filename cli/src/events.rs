//! `capstan events`: changes of jobs, workers, crons, locks and queues as they occur.

mod frame;

use clap::Args;
use client::command::{CommandError, CommandResult, note, print, print_json_text};
use client::{ApiClient, ClientError, HeaderValue, escape};
use domain::event::EventKind;
use domain::job::{ActionName, Status};
use serde_json::{Map, Value, json};

use crate::outage::{Outage, RECONNECT_PAUSE};
use crate::record::plain;
use crate::references::JobReference;
use frame::{Frame, FrameReader};

/// The arguments of `events`.
#[derive(Debug, Args)]
pub(crate) struct EventsArguments {
    /// Only events of these kinds: job, worker, cron, lock or queue
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    kind: Vec<EventKind>,

    /// Only events of jobs of this action
    #[arg(long)]
    action: Option<ActionName>,

    /// Only events of this job
    #[arg(long, value_name = "JOB")]
    job: Option<JobReference>,

    /// Only events of jobs that change to one of these statuses
    #[arg(long, value_name = "STATUS,...", value_delimiter = ',')]
    status: Vec<Status>,

    /// Start after the event with this ID instead of with new events
    #[arg(long, value_name = "ID")]
    after: Option<HeaderValue>,

    /// Print each event as JSON on a line of its own
    #[arg(long)]
    json: bool,
}

impl EventsArguments {
    async fn query(&self, api: &ApiClient) -> Result<Vec<(&'static str, String)>, CommandError> {
        let kinds: Vec<&str> = self.kind.iter().map(|kind| kind.as_str()).collect();
        let statuses: Vec<&str> = self.status.iter().map(|status| status.as_str()).collect();
        let job = match &self.job {
            Some(job) => job.resolve(api).await?.to_string(),
            None => String::new(),
        };
        let action = self.action.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut query = vec![
            ("kind", kinds.join(",")),
            ("action", action),
            ("job", job),
            ("status", statuses.join(",")),
        ];
        query.retain(|(_, value)| !value.is_empty());
        Ok(query)
    }
}

/// Prints events until it is interrupted. The API ends a stream after an hour, and when it stops;
/// the next one resumes after the last event.
pub(crate) async fn run(api: &ApiClient, arguments: &EventsArguments) -> CommandResult {
    let query = arguments.query(api).await?;
    let (mut last, mut outage) = (arguments.after.clone(), Outage::default());
    loop {
        match follow(api, &query, &mut last, &mut outage, arguments.json).await {
            Ok(()) => {}
            Err(CommandError::Api(ClientError::Unavailable(_))) if outage.may_end() => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

async fn follow(
    api: &ApiClient,
    query: &[(&'static str, String)],
    last: &mut Option<HeaderValue>,
    outage: &mut Outage,
    json: bool,
) -> Result<(), CommandError> {
    let mut answer = api.stream("/events", query, last.as_ref()).await?;
    outage.ended();
    let mut reader = FrameReader::default();
    while let Some(chunk) = answer.chunk().await.map_err(ClientError::from)? {
        for frame in reader.read(&chunk) {
            print_event(&frame, json)?;
            if let Ok(id) = HeaderValue::from_str(&frame.id)
                && !frame.id.is_empty()
            {
                *last = Some(id);
            }
        }
    }
    Ok(())
}

fn print_event(frame: &Frame, json: bool) -> Result<(), CommandError> {
    let data = serde_json::from_str(&frame.data);
    let mut data: Map<String, Value> = data.map_err(|error| ClientError::unreadable(&error))?;
    if frame.kind == "lost" {
        note("events are missing here: they are no longer kept");
        return Ok(());
    }
    if json {
        data.insert("id".to_owned(), json!(frame.id));
        print_json_text(&Value::Object(data).to_string())
    } else {
        print(line(&data))
    }
}

/// Lays out an event: when, what kind, and its fields.
fn line(data: &Map<String, Value>) -> String {
    let text = |name: &str| data.get(name).map(plain).unwrap_or_default();
    let fields = data.iter().filter(|(name, _)| !["at", "kind"].contains(&name.as_str()));
    let fields = fields.map(|(name, value)| (name, plain(value)));
    let fields = fields.filter(|(_, value)| !value.is_empty());
    let fields: Vec<String> = fields.map(|(name, value)| format!("{name}={value}")).collect();
    let line = format!("{:<24}  {:<6}  {}", text("at"), text("kind"), fields.join(" "));
    escape(&line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let data = json!({
            "at": "2025-11-21T16:00:00.123Z", "kind": "job", "jobID": "x", "action": "gc",
            "status": "done", "message": "a\nb", "workerID": null,
        });
        let expected =
            r"2025-11-21T16:00:00.123Z  job     action=gc jobID=x message=a\nb status=done";
        assert_eq!(line(data.as_object().unwrap()), expected);
    }
}
