//! `/workers` and `/workers/{id}`: who runs jobs, how busy each is, and drain and resume.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::job::{Timestamp, WorkerId};
use store::{Worker, WorkerCommand, WorkerStatus};

use super::capacity::status_word;
use super::form;
use super::format::Moment;
use super::heat_map::{HeatRow, heat_map};
use super::jobs::Row;
use super::layout::{Layout, Section, html};
use super::notice;
use super::path::Name;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::error::Error;
use crate::load::{Load, loads};

/// How many workers that have ended are listed.
const MOST_ENDED: usize = 50;
/// How many running jobs of a worker are listed.
const MOST_JOBS: usize = 100;

#[derive(Template)]
#[template(path = "workers.html")]
struct WorkersPage {
    layout: Layout,
    heat_map: Vec<HeatRow>,
    live: Vec<Shown>,
    ended: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "worker.html")]
struct WorkerPage {
    layout: Layout,
    worker: Shown,
    actions: String,
    capacity: String,
    rows: Vec<Row>,
    more: usize,
}

/// A worker as the page shows it.
struct Shown {
    id: WorkerId,
    name: String,
    status: (&'static str, &'static str),
    is_live: bool,
    can_drain: bool,
    can_resume: bool,
    can_change: bool,
    lease: Moment,
    started: Moment,
    version: String,
    loads: Vec<Load>,
    jobs: usize,
}

impl Shown {
    fn new(worker: &Worker, layout: &Layout) -> Shown {
        let now: Timestamp = layout.now;
        let is = |status| worker.status == status;
        Shown {
            id: worker.id.clone(),
            name: worker.name.clone(),
            status: status_word(worker.status),
            is_live: worker.is_live(),
            can_drain: is(WorkerStatus::Running) && layout.may("/workers/{id}/drain"),
            can_resume: is(WorkerStatus::Draining) && layout.may("/workers/{id}/resume"),
            can_change: worker.is_live() && layout.may("/workers/{id}/capacity"),
            lease: Moment::new(worker.heartbeat_expiration, now),
            started: Moment::new(worker.started_at, now),
            version: worker.version.clone(),
            loads: loads([worker]),
            jobs: worker.jobs.len(),
        }
    }
}

/// Lists the workers.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Refusal> {
    let layout = Layout::new(&app, caller, Section::Workers, "Workers", "/workers").await?;
    let all = app.store.workers().await?;
    let mut live: Vec<&Worker> = all.iter().filter(|worker| worker.is_live()).collect();
    // A fixed order, so that rows stay where they are.
    live.sort_by_key(|worker| (&worker.name, worker.id.to_string()));
    let ended = all.iter().filter(|worker| !worker.is_live()).take(MOST_ENDED);
    let page = WorkersPage {
        heat_map: heat_map(&live),
        live: live.into_iter().map(|worker| Shown::new(worker, &layout)).collect(),
        ended: ended.map(|worker| Shown::new(worker, &layout)).collect(),
        layout,
    };
    Ok(html(StatusCode::OK, &page))
}

/// Shows a worker with its running jobs.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Name(id): Name<WorkerId>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let notice = notice::read(raw.as_deref())?;
    let worker = app.store.worker(&id).await?;
    let worker = worker.ok_or_else(|| Error::NoSuchWorker(id.to_string()))?;
    let title = format!("Worker {}", worker.name);
    let live = format!("/workers/{id}");
    let mut layout = Layout::new(&app, caller, Section::Workers, title, live).await?;
    layout.notice = notice;
    let shown = worker.jobs.len().min(MOST_JOBS);
    let jobs = app.store.jobs_by_id(&worker.jobs[..shown]).await?;
    let page = WorkerPage {
        worker: Shown::new(&worker, &layout),
        actions: worker.actions.join(", "),
        capacity: worker.capacity_map.to_string(),
        rows: jobs.into_iter().map(|job| Row::new(job, None, layout.now)).collect(),
        more: worker.jobs.len() - shown,
        layout,
    };
    Ok(html(StatusCode::OK, &page))
}

/// Drains a worker.
pub(super) async fn drain(
    State(app): State<Arc<App>>,
    Name(id): Name<WorkerId>,
) -> Result<Response, Refusal> {
    commands::worker::send(&app, &id, &WorkerCommand::Drain).await?;
    Ok(notice::show_at(&format!("/workers/{id}"), "drain"))
}

/// Resumes a draining worker.
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    Name(id): Name<WorkerId>,
) -> Result<Response, Refusal> {
    commands::worker::send(&app, &id, &WorkerCommand::Resume).await?;
    Ok(notice::show_at(&format!("/workers/{id}"), "resume-worker"))
}

/// Changes the types of a worker's capacity that the form names; 0 removes a type.
pub(super) async fn change_capacity(
    State(app): State<Arc<App>>,
    Name(id): Name<WorkerId>,
    request: Request,
) -> Result<Response, Refusal> {
    let form = form::read(request, &["capacity"]).await?;
    let text = form.text("capacity").map(str::trim).filter(|text| !text.is_empty());
    let changes = text.ok_or_else(|| Error::invalid("capacity", "it is required"))?.parse();
    let changes = changes.map_err(|error| Error::invalid("capacity", error))?;
    commands::worker::change_capacity(&app, &id, &changes).await?;
    Ok(notice::show_at(&format!("/workers/{id}"), "capacity"))
}
