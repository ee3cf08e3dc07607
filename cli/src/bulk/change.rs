//! Changes all jobs that match filters: counts them, asks, starts an operation and follows it.

use std::time::Duration;

use client::ApiClient;
use client::command::{CommandError, CommandOutcome, CommandResult, note, print, progress};
use client::wire::{BulkOperation, BulkPreview};
use serde::Deserialize;
use serde_json::{Value, json};

use super::confirmation::{confirm, describe, jobs, reasons};
use super::selection::BulkFlags;
use super::verb::Verb;

/// The time between two looks at an operation.
const PAUSE: Duration = Duration::from_millis(250);
/// The exit code of a command that Ctrl-C ends, as shells compute it.
const INTERRUPTED: u8 = 130;

/// Changes the jobs that the flags select.
pub(crate) async fn change_all(api: &ApiClient, verb: Verb, flags: &BulkFlags) -> CommandResult {
    if flags.selects_nothing() {
        let text = "pass a filter such as --action, or --all".to_owned();
        return Err(CommandError::Usage(text));
    }
    let mut filter = flags.filters.document(api).await?;
    if flags.all {
        filter.insert("all".to_owned(), json!(true));
    }
    let request = |dry_run| json!({"operation": verb.word(), "filter": filter, "dryRun": dry_run});
    let document: Value = api.post("/bulk", &request(true)).await?;
    let preview = BulkPreview::deserialize(&document).map_err(anyhow::Error::from)?;
    if flags.dry_run {
        if !flags.output.print(&document, &[])? {
            print(describe(verb, &preview))?;
        }
        return Ok(CommandOutcome::Success);
    }
    note(describe(verb, &preview));
    if preview.eligible == 0 && !preview.more {
        return Ok(CommandOutcome::Success);
    }
    if !flags.yes && !confirm(verb, &preview)? {
        note("nothing was changed");
        return Ok(CommandOutcome::Failure);
    }
    let begun: BulkOperation = api.post("/bulk", &request(false)).await?;
    follow(api, verb, &begun.id, flags).await
}

/// Shows the progress of an operation until it ends. Ctrl-C stops it.
async fn follow(api: &ApiClient, verb: Verb, id: &str, flags: &BulkFlags) -> CommandResult {
    let path = format!("/bulk/{id}");
    let mut interrupted = false;
    loop {
        let answer = if interrupted {
            api.post_query::<Value>(&format!("{path}/stop"), &[]).await
        } else {
            api.get::<Value>(&path).await
        };
        let document = answer.inspect_err(|_| {
            progress("");
            note(format!("the operation continues; see `capstan bulk show {id}`"));
        })?;
        let operation = BulkOperation::deserialize(&document).map_err(anyhow::Error::from)?;
        if operation.state != "running" {
            return finish(verb, &document, &operation, flags);
        }
        let BulkOperation { changed, examined, total, .. } = operation;
        progress(format!(
            "{} {}, {examined} of {total} examined",
            jobs(changed),
            verb.participle()
        ));
        tokio::select! {
            _ = tokio::signal::ctrl_c(), if !interrupted => interrupted = true,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

fn finish(
    verb: Verb,
    document: &Value,
    operation: &BulkOperation,
    flags: &BulkFlags,
) -> CommandResult {
    progress("");
    let is_stopped = operation.state == "stopped";
    if !flags.output.print_one(document, "id")? {
        print(result(verb, operation))?;
    }
    if is_stopped {
        return Ok(CommandOutcome::Exited(INTERRUPTED));
    }
    Ok(CommandOutcome::Success)
}

/// What an operation has done, like `17 jobs retried, 2 not: 2 alreadyRetried`.
fn result(verb: Verb, operation: &BulkOperation) -> String {
    let mut text = format!("{} {}", jobs(operation.changed), verb.participle());
    let refused: u64 = operation.refused.values().sum();
    if refused > 0 {
        text.push_str(&format!(", {refused} not: {}", reasons(operation.refused.iter())));
    }
    if operation.state == "stopped" {
        text.push_str("; the operation was stopped before it had examined all jobs");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_says_what_was_changed_and_what_was_not() {
        let operation = |state: &str, refused: Value| {
            let document = json!({
                "id": "x", "operation": "retry", "state": state, "changed": 17,
                "refused": refused, "examined": 20, "total": 20, "requestedBy": "ci",
                "createdAt": "2026-11-20T16:30:00Z", "filter": {},
            });
            BulkOperation::deserialize(document).unwrap()
        };
        assert_eq!(result(Verb::Retry, &operation("done", json!({}))), "17 jobs retried");
        let refused = json!({"alreadyRetried": 2, "notFinished": 1});
        assert_eq!(
            result(Verb::Retry, &operation("stopped", refused)),
            "17 jobs retried, 3 not: 2 alreadyRetried, 1 notFinished; the operation was stopped \
             before it had examined all jobs"
        );
    }
}
