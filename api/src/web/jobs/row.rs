//! A job as a row of the list.

use domain::job::{Job, JobId, Priority, Status, Timestamp};

use crate::wait_reason::Reason;
use crate::web::format::{Moment, cut, span};
use crate::web::links::{Segment, linked};

/// How much of an error, a result or a progress the list shows.
const SHOWN_CHARACTERS: usize = 160;

/// A row.
pub(in crate::web) struct Row {
    /// The id of the job.
    pub(in crate::web) id: JobId,
    /// The number of the job.
    pub(in crate::web) number: u64,
    /// The action.
    pub(in crate::web) action: String,
    /// The status.
    pub(in crate::web) status: Status,
    /// What distinguishes the job: its attempt, its priority, its cron.
    pub(in crate::web) marks: String,
    /// Why it waits, how far it is, or how it ended.
    pub(in crate::web) detail: Vec<Segment>,
    /// The time at which it is or was due.
    pub(in crate::web) due: Moment,
    /// How long it has run; empty if it has not started.
    pub(in crate::web) ran: String,
    /// The id of its worker.
    pub(in crate::web) worker: Option<String>,
}

impl Row {
    /// Returns the row of a job, and the reason if it waits.
    pub(in crate::web) fn new(job: Job, reason: Option<Reason>, now: Timestamp) -> Row {
        Row {
            id: job.id,
            number: job.number,
            action: job.spec.action.to_string(),
            status: job.status,
            marks: marks(&job),
            detail: detail(&job, reason, now),
            due: Moment::new(job.scheduled_at, now),
            ran: run_time(&job, now),
            worker: job.worker.map(String::from),
        }
    }
}

/// Returns how long a job has run or ran; empty if it has not started.
pub(in crate::web) fn run_time(job: &Job, now: Timestamp) -> String {
    let end = if job.status.is_running() { Some(now) } else { job.finished_at };
    let run = job.started_at.zip(end).map(|(start, end)| span(end.ms() - start.ms()));
    run.unwrap_or_default()
}

fn marks(job: &Job) -> String {
    let mut marks = Vec::new();
    if job.attempt > 1 {
        marks.push(format!("attempt {}", job.attempt));
    }
    if job.spec.priority != Priority::Normal {
        marks.push(format!("{} priority", job.spec.priority));
    }
    if let Some(firing) = &job.spec.cron {
        marks.push(format!("cron {}", firing.cron));
    }
    if let Some(comment) = &job.spec.comment {
        marks.push(cut(comment, SHOWN_CHARACTERS / 2));
    }
    marks.join(" · ")
}

fn detail(job: &Job, reason: Option<Reason>, now: Timestamp) -> Vec<Segment> {
    if let Some(reason) = reason {
        return linked(&reason.message, now);
    }
    let text = match job.status {
        Status::Running | Status::CancelRequest => {
            job.progress.as_ref().map(ToString::to_string).unwrap_or_default()
        }
        Status::Waiting | Status::Done => {
            job.result.as_ref().map(ToString::to_string).unwrap_or_default()
        }
        Status::Cancel
        | Status::Error
        | Status::WorkerDead
        | Status::WorkerShutdown
        | Status::WorkerResurrection
        | Status::Deleted => match (&job.exception, &job.cancelled) {
            (Some(exception), _) => format!("{}: {}", exception.kind, exception.message),
            (None, Some(cancelled)) => format!("by {}", cancelled.by),
            (None, None) => String::new(),
        },
    };
    let text = cut(&text, SHOWN_CHARACTERS);
    if text.is_empty() { Vec::new() } else { vec![Segment::Text(text)] }
}
