//! The message after an action, which the page it leads to names in its URL.

use axum::response::{IntoResponse, Redirect, Response};

use crate::error::Error;
use crate::query::Query;

/// The parameter that names what an action did.
pub(super) const PARAMETER: &str = "did";

/// What an action did: a word for the URL and a message.
const ALL: [(&str, &str); 27] = [
    ("cancel", "The job is cancelled, or is being stopped by its worker."),
    ("retry", "This job retries the one before."),
    ("change", "The job is changed."),
    ("signal", "The signal is sent. This job reads it."),
    ("repeat", "This is the new job."),
    (
        "same-key",
        "This job has the same unique key and has not finished, so no new one was created.",
    ),
    ("begin-bulk", "The operation has begun. It continues if you leave this page."),
    (
        "stop-bulk",
        "The operation stops after its current step. Jobs that it has changed stay changed.",
    ),
    ("save-cron", "The cron is saved."),
    ("delete", "The job is deleted, or will be when it has stopped."),
    (
        "drain",
        "The worker was asked to drain: it starts no more jobs, and those that run continue.",
    ),
    ("capacity", "The worker was asked to change its capacity. Running jobs continue."),
    ("resume-worker", "The worker was asked to resume."),
    ("pause-class", "The class is paused. Jobs that run continue."),
    ("resume-class", "The class is resumed."),
    ("pause-action", "The action is paused. Jobs that run continue."),
    ("resume-action", "The action is resumed."),
    ("run", "The cron created this job."),
    ("pause-cron", "The cron is paused. Its ticks create no jobs, not even later."),
    ("resume-cron", "The cron is resumed."),
    ("pause-subscription", "The subscription is paused. It receives no messages."),
    ("resume-subscription", "The subscription is resumed. It receives events from now on."),
    ("test", "This job sends the test message."),
    ("clear", "The lock is cleared and granted to the next jobs in its wait queue."),
    ("permits", "The number of permits is set."),
    ("set-limit", "The rate limit is set. It applies at once."),
    ("delete-limit", "The rate limit is deleted. Jobs that waited for it are ready."),
];

/// Returns the message that the URL of a page names, which has no other parameters.
pub(super) fn read(raw: Option<&str>) -> Result<Option<&'static str>, Error> {
    named(&Query::read(raw, &[PARAMETER])?)
}

/// Returns the message that a query names.
pub(super) fn named(query: &Query) -> Result<Option<&'static str>, Error> {
    let Some(word) = query.text(PARAMETER) else { return Ok(None) };
    let found = ALL.iter().find(|(known, _)| *known == word).map(|(_, message)| *message);
    found.map(Some).ok_or_else(|| Error::invalid(PARAMETER, "there is no such action"))
}

/// Returns the answer to a form: the page to show next, with its message.
pub(super) fn show_at(path: &str, word: &str) -> Response {
    Redirect::to(&format!("{path}?{PARAMETER}={word}")).into_response()
}
