//! Tables of jobs.

use client::command::table;
use client::wire::Job;
use domain::job::Timestamp;

/// A column of a table of jobs.
pub(crate) enum Column<'a> {
    Action,
    Attempt,
    Capacity,
    /// Seconds since the first job of the table was created.
    Ended,
    Error,
    Image,
    Layer,
    /// Seconds since the first job of the table was created.
    Started,
    Status,
    Worker,
    /// A header, and the text of a job.
    Other(&'a str, &'a dyn Fn(&Job) -> String),
}

impl Column<'_> {
    fn header(&self) -> &str {
        match self {
            Column::Action => "ACTION",
            Column::Attempt => "ATTEMPT",
            Column::Capacity => "CAPACITY",
            Column::Ended => "ENDED (s)",
            Column::Error => "ERROR",
            Column::Image => "IMAGE",
            Column::Layer => "LAYER",
            Column::Started => "STARTED (s)",
            Column::Status => "STATUS",
            Column::Worker => "WORKER",
            Column::Other(header, _) => header,
        }
    }

    fn text(&self, job: &Job, start: Option<Timestamp>) -> String {
        let parameter = |name: &str| job.parameters[name].as_str().unwrap_or_default().to_owned();
        match self {
            Column::Action => job.action.clone(),
            Column::Attempt => job.attempt.to_string(),
            Column::Capacity => job.capacity_map.to_string(),
            Column::Ended => seconds(start, job.finished_at),
            Column::Error => {
                job.exception.as_ref().map(|error| error.message.clone()).unwrap_or_default()
            }
            Column::Image => parameter("image"),
            Column::Layer => abbreviate(&parameter("SHA256SUM")),
            Column::Started => seconds(start, job.started_at),
            Column::Status => job.status.to_string(),
            Column::Worker => job.worker_id.clone(),
            Column::Other(_, text) => text(job),
        }
    }
}

/// Lays out jobs, one per row.
pub(crate) fn job_table<'a>(
    jobs: impl IntoIterator<Item = &'a Job>,
    columns: &[Column<'_>],
) -> String {
    let jobs: Vec<&Job> = jobs.into_iter().collect();
    let start = jobs.iter().map(|job| job.created_at.unwrap_or(job.scheduled_at)).min();
    let header: Vec<&str> = columns.iter().map(Column::header).collect();
    let row = |job: &&Job| columns.iter().map(|column| column.text(job, start)).collect();
    table(&header, jobs.iter().map(row))
}

/// The beginning of a digest.
pub(crate) fn abbreviate(digest: &str) -> String {
    digest.chars().take(12).collect()
}

fn seconds(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    let span = from.zip(to).map(|(from, to)| (to.ms() - from.ms()) as f64 / 1000.0);
    span.map(|seconds| format!("{seconds:.3}")).unwrap_or_default()
}
