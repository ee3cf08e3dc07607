//! `capstan jobs logs`.

mod follower;
mod line_format;

use clap::Args;
use client::command::{CommandError, CommandOutcome, CommandResult, print_json};
use client::wire::LogLine;
use client::{ApiClient, ClientError};
use domain::job::JobId;
use serde::Deserialize;
use serde_json::Value;

use crate::references::JobReference;
use follower::Follower;
use line_format::LineFormat;

/// The arguments of `jobs logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArguments {
    /// Number or ID of the job
    job: JobReference,

    /// Print new lines as they are written, until the job has finished
    #[arg(short, long)]
    follow: bool,

    /// Number of the first line, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u64,

    /// Maximum number of lines; 0 is no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: u64,

    /// Start with the last N lines
    #[arg(long, value_name = "N", conflicts_with_all = ["offset", "limit"])]
    tail: Option<usize>,

    #[command(flatten)]
    format: LineFormat,
}

/// Prints a job's log.
pub(super) async fn run(api: &ApiClient, arguments: &LogsArguments) -> CommandResult {
    let id = arguments.job.resolve(api).await?;
    let mut next = arguments.offset;
    if !arguments.follow || arguments.tail.is_some() {
        let lines = written(api, id, arguments).await?;
        next = lines.last().map_or(next, |(line, _)| line.number + 1);
        print_lines(lines, arguments)?;
    }
    if arguments.follow {
        Follower::new(api, id, next, arguments.limit, arguments.format).run().await?;
    }
    Ok(CommandOutcome::Success)
}

/// Returns the lines that have been written, and their documents.
async fn written(
    api: &ApiClient,
    id: JobId,
    arguments: &LogsArguments,
) -> Result<Vec<(LogLine, Value)>, ClientError> {
    let (offset, limit) = (arguments.offset.to_string(), arguments.limit.to_string());
    let query = [("offset", offset), ("limit", limit)];
    let documents = api.page(&format!("/jobs/{id}/logs"), &query).await?.body;
    let documents = Vec::<Value>::deserialize(documents);
    let documents = documents.map_err(|error| ClientError::unreadable(&error))?.into_iter();
    let read = |document| Ok((LogLine::deserialize(&document)?, document));
    let lines = documents.map(read).collect::<Result<_, serde_json::Error>>();
    lines.map_err(|error| ClientError::unreadable(&error))
}

fn print_lines(
    mut lines: Vec<(LogLine, Value)>,
    arguments: &LogsArguments,
) -> Result<(), CommandError> {
    lines.retain(|(line, _)| arguments.format.selects(line));
    let first = arguments.tail.map_or(0, |tail| lines.len().saturating_sub(tail));
    if arguments.format.json && !arguments.follow {
        let documents: Vec<&Value> = lines[first..].iter().map(|(_, document)| document).collect();
        return print_json(&documents);
    }
    lines[first..].iter().try_for_each(|(line, document)| arguments.format.print(line, document))
}
