//! `capstan jobs submit -`: a job from each line of standard input.

use std::io::{Read, stdin};

use client::command::{CommandError, CommandOutcome, CommandResult, note, progress};
use client::{ApiClient, ClientError};
use serde_json::Value;

use super::input::{Batch, Input};
use crate::flags::OutputFlags;
use crate::record::print_new_job;

/// How many lines have become jobs, and how many have not.
#[derive(Debug, Default)]
struct Counts {
    submitted: u64,
    refused: u64,
}

/// Submits the jobs in batches. A line that is not accepted is reported, and the others go on.
pub(super) async fn run(api: &ApiClient, output: OutputFlags) -> CommandResult {
    let mut input = Input::new(stdin());
    let mut counts = Counts::default();
    let result = submit_all(api, &mut input, &mut counts, output).await;
    let Counts { submitted, refused } = counts;
    progress(format_args!("{submitted} jobs submitted\n"));
    result?;
    if refused > 0 {
        note(format!("{refused} of {} lines were not accepted", submitted + refused));
    }
    Ok(CommandOutcome::success_if(refused == 0))
}

async fn submit_all<R: Read>(
    api: &ApiClient,
    input: &mut Input<R>,
    counts: &mut Counts,
    output: OutputFlags,
) -> Result<(), CommandError> {
    while let Some(batch) = input.next_batch()? {
        for (number, reason) in &batch.invalid {
            refuse(*number, reason, counts);
        }
        submit(api, batch, counts, output).await?;
        progress(format_args!("{} jobs submitted", counts.submitted));
    }
    Ok(())
}

/// Submits a batch, of which the API accepts all lines or none. Without the line that it names, the
/// batch is sent again.
async fn submit(
    api: &ApiClient,
    batch: Batch,
    counts: &mut Counts,
    output: OutputFlags,
) -> Result<(), CommandError> {
    let mut lines = batch.lines;
    while let Some((first, _)) = lines.first() {
        let texts: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
        let body = format!("{{\"jobs\":[{}]}}", texts.join(","));
        let error = match api.submit_batch(body).await {
            Ok(jobs) => {
                counts.submitted += jobs.len() as u64;
                return jobs.iter().try_for_each(|job: &Value| print_new_job(job, output));
            }
            Err(error) => error,
        };
        let index = match &error {
            ClientError::Refused(refusal) => refusal.index.filter(|index| *index < lines.len()),
            ClientError::Unavailable(_)
            | ClientError::InvalidSetting(_)
            | ClientError::TimedOut(_) => None,
        };
        let Some(index) = index else {
            let is_refusal = matches!(error, ClientError::Refused(_));
            let what = if is_refusal { "were not" } else { "may not have been" };
            progress("");
            note(format!("line {first} and those after it {what} submitted"));
            return Err(error.into());
        };
        let (number, _) = lines.remove(index);
        let reason = error.to_string().replace(&format!("jobs[{index}]."), "");
        refuse(number, &reason, counts);
    }
    Ok(())
}

fn refuse(number: u64, reason: &str, counts: &mut Counts) {
    counts.refused += 1;
    progress("");
    note(format!("line {number}: {}", client::escape(reason)));
}
