//! `/queues`: where jobs wait, how many, and pause and resume of classes and actions.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::capacity::Class;
use domain::job::ActionName;
use domain::lock::LockName;
use store::QueueLoad;

use super::format::{Moment, number};
use super::layout::{Layout, Section, html};
use super::notice;
use super::path::Name;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;
use crate::wait_reason::count_able;

#[derive(Template)]
#[template(path = "queues.html")]
struct QueuesPage {
    layout: Layout,
    queues: Vec<Shown>,
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
    let queues = app.store.queue_loads().await?.into_iter().map(|load| Shown {
        offered: number(load.offered),
        backlog: number(load.behind),
        parked: number(load.parked),
        running: number(load.running),
        oldest: load.oldest.map(|at| Moment::new(at, layout.now)),
        workers: count_able(&load.name, &workers),
        load,
    });
    let queues = queues.collect();
    let can_pause = layout.may("/queues/{class}/pause");
    let can_resume = layout.may("/queues/{class}/resume");
    Ok(html(StatusCode::OK, &QueuesPage { layout, queues, can_pause, can_resume }))
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
