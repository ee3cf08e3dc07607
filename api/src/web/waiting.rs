//! `/waiting`: the waiting jobs, grouped by the reason for which they wait.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::job::JobId;

use super::format::{Moment, count, number};
use super::layout::{Layout, Section, html};
use super::links::{Segment, linked};
use super::path::lock_url;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::waiting::{Group, LongHeld, waiting};

#[derive(Template)]
#[template(path = "waiting.html")]
struct WaitingPage {
    layout: Layout,
    total: String,
    stuck: Vec<Shown>,
    others: Vec<Shown>,
    long_held: Vec<ShownLock>,
    is_cut: bool,
}

/// A group as the page shows it.
struct Shown {
    code: &'static str,
    reason: &'static str,
    subject: String,
    url: Option<String>,
    count: String,
    oldest: Moment,
    sample: JobId,
    sample_number: u64,
    message: Vec<Segment>,
}

/// A lock that a job has held for long.
struct ShownLock {
    name: String,
    url: String,
    job: JobId,
    number: u64,
    since: Moment,
    waiting: String,
}

/// Lists the groups.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Refusal> {
    let layout = Layout::new(&app, caller, Section::Waiting, "Waiting", "/waiting").await?;
    let found = waiting(&app.store, layout.now).await?;
    let shown = found.groups.into_iter().map(|group| Shown::new(group, &layout));
    let (stuck, others) = shown.partition(|group| is_stuck(group.code));
    let lock = |held| ShownLock::new(held, &layout);
    let page = WaitingPage {
        total: count(found.total, "waiting job"),
        stuck,
        others,
        long_held: found.long_held.iter().map(lock).collect(),
        is_cut: found.is_cut,
        layout,
    };
    Ok(html(StatusCode::OK, &page))
}

/// Returns true for jobs that no live worker can ever run.
fn is_stuck(code: &str) -> bool {
    matches!(code, "capacity" | "action")
}

impl Shown {
    fn new(group: Group, layout: &Layout) -> Shown {
        Shown {
            code: group.code,
            reason: reason(group.code),
            url: url(&group),
            subject: group.subject,
            count: number(group.count),
            oldest: Moment::new(group.oldest, layout.now),
            sample: group.sample,
            sample_number: group.sample_number,
            message: linked(&group.message, layout.now),
        }
    }
}

impl ShownLock {
    fn new(held: &LongHeld, layout: &Layout) -> ShownLock {
        ShownLock {
            url: lock_url(&held.name),
            name: held.name.to_string(),
            job: held.holder,
            number: held.holder_number,
            since: Moment::new(held.since, layout.now),
            waiting: count(held.waiting, "job"),
        }
    }
}

/// Returns the page about what a group waits for.
fn url(group: &Group) -> Option<String> {
    match group.code {
        "lock" => Some(lock_url(&group.subject.parse().ok()?)),
        "action" => Some(format!("/jobs?status=waiting&action={}", group.subject)),
        "capacity" | "draining" => Some("/workers".to_owned()),
        "paused" | "queue" | "fairness" | "gathering" => Some("/queues".to_owned()),
        _ => None,
    }
}

fn reason(code: &str) -> &'static str {
    match code {
        "outage" => "Nothing is offered to workers",
        "capacity" => "No live worker offers the capacity",
        "action" => "No live worker, or too few, know the action",
        "draining" => "Every worker that fits is draining",
        "paused" => "Paused",
        "lock" => "A lock or a limit",
        "rate" => "A rate limit",
        "gathering" => "Capacity on one worker",
        "fairness" => "Other jobs of the fairness group",
        "queue" => "A free worker",
        "children" => "Children",
        "dependency" => "Jobs they depend on",
        "due" => "Their time",
        _ => "Another reason",
    }
}
