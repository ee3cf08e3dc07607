//! `/queues`: where jobs wait, how many, and pause and resume of classes and actions.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::capacity::Class;
use domain::job::ActionName;
use domain::lock::LockName;
use domain::queue::QueueName;
use store::{FairnessGroup, FairnessGroups, QueueLoad};

use super::format::{Moment, count, number};
use super::jobs::written;
use super::layout::{Layout, Section, html};
use super::notice;
use super::path::Name;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;
use crate::wait_reason::count_able;

/// For how many queues the fairness groups are shown.
const MOST_SHARES: usize = 20;

#[derive(Template)]
#[template(path = "queues.html")]
struct QueuesPage {
    layout: Layout,
    queues: Vec<Shown>,
    shares: Vec<Shares>,
    can_pause: bool,
    can_resume: bool,
}

/// A queue as the page shows it.
struct Shown {
    load: QueueLoad,
    offered: String,
    backlog: String,
    parked: String,
    running: String,
    oldest: Option<Moment>,
    workers: usize,
}

/// The fairness groups of a queue in which several compete.
struct Shares {
    queue: QueueName,
    rows: Vec<Share>,
    /// How many groups are not named, in words.
    others: String,
}

struct Share {
    owner: String,
    key: String,
    offered: String,
    backlog: String,
    percent: u64,
    jobs: String,
}

impl Shares {
    fn new(load: &QueueLoad) -> Shares {
        let row = |group: &FairnessGroup| Share {
            owner: group.owner.clone().unwrap_or_default(),
            key: group.key.clone().unwrap_or_default(),
            offered: number(group.offered),
            backlog: number(group.behind),
            percent: (group.share(load.groups.offered) * 100.0).round() as u64,
            jobs: jobs_of(load, group),
        };
        Shares {
            queue: load.name.clone(),
            rows: load.groups.largest.iter().map(row).collect(),
            others: others(&load.groups),
        }
    }
}

/// Says how many groups of a queue are not named.
fn others(groups: &FairnessGroups) -> String {
    match groups.count.saturating_sub(groups.largest.len()) {
        0 => String::new(),
        more => count(more as u64, "smaller group"),
    }
}

/// Returns the list of the waiting jobs of a group.
fn jobs_of(load: &QueueLoad, group: &FairnessGroup) -> String {
    let mut search = format!("status:waiting priority:{}", load.name.priority);
    for (key, value) in [("by", &group.owner), ("key", &group.key)] {
        search.extend(value.iter().map(|value| format!(" {}", written(key, value))));
    }
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", &search).finish();
    format!("/jobs?{query}")
}

/// Lists the queues.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let notice = notice::read(raw.as_deref())?;
    let mut layout = Layout::new(&app, caller, Section::Queues, "Queues", "/queues").await?;
    layout.notice = notice;
    let workers = app.store.live_workers().await?;
    let loads = app.store.queue_loads().await?;
    let contended = loads.iter().filter(|load| load.groups.count > 1);
    let shares = contended.take(MOST_SHARES).map(Shares::new).collect();
    let queues = loads.into_iter().map(|load| Shown {
        offered: number(load.offered),
        backlog: number(load.groups.behind),
        parked: number(load.parked),
        running: number(load.running),
        oldest: load.oldest.map(|at| Moment::new(at, layout.now)),
        workers: count_able(&load.name, &workers),
        load,
    });
    let queues = queues.collect();
    let can_pause = layout.may("/queues/{class}/pause");
    let can_resume = layout.may("/queues/{class}/resume");
    Ok(html(StatusCode::OK, &QueuesPage { layout, queues, shares, can_pause, can_resume }))
}

/// Pauses a class.
pub(super) async fn pause_class(
    State(app): State<Arc<App>>,
    Name(class): Name<Class>,
) -> Result<Response, Refusal> {
    app.store.pause(&LockName::of_class(&class), true).await?;
    Ok(notice::show_at("/queues", "pause-class"))
}

/// Resumes a class.
pub(super) async fn resume_class(
    State(app): State<Arc<App>>,
    Name(class): Name<Class>,
) -> Result<Response, Refusal> {
    app.store.pause(&LockName::of_class(&class), false).await?;
    Ok(notice::show_at("/queues", "resume-class"))
}

/// Pauses an action.
pub(super) async fn pause_action(
    State(app): State<Arc<App>>,
    Name(action): Name<ActionName>,
    caller: Caller,
) -> Result<Response, Refusal> {
    set_action_paused(&app, &caller, &action, true).await?;
    Ok(notice::show_at("/queues", "pause-action"))
}

/// Resumes an action.
pub(super) async fn resume_action(
    State(app): State<Arc<App>>,
    Name(action): Name<ActionName>,
    caller: Caller,
) -> Result<Response, Refusal> {
    set_action_paused(&app, &caller, &action, false).await?;
    Ok(notice::show_at("/queues", "resume-action"))
}

async fn set_action_paused(
    app: &App,
    caller: &Caller,
    action: &ActionName,
    paused: bool,
) -> Result<(), Error> {
    caller.check_action(action)?;
    Ok(app.store.pause(&LockName::of_action(action), paused).await?)
}
