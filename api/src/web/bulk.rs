//! `/bulk` and `/bulk/{id}`: operations on many jobs, their progress, and stopping them.

mod editor;
mod ticked;
mod words;

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use store::{BulkOperation, BulkState};
use uuid::Uuid;

use super::format::{Moment, number};
use super::layout::{Layout, Section, html};
use super::notice;
use super::path::Name;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use words::{reasons, search_of};

pub(super) use editor::{begin, show as edit};
pub(super) use ticked::{change as change_ticked, show as ticked};

#[derive(Template)]
#[template(path = "bulk.html")]
struct BulkPage {
    layout: Layout,
    operations: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "bulk_operation.html")]
struct OperationPage {
    layout: Layout,
    one: Shown,
}

/// An operation as the page shows it.
struct Shown {
    id: Uuid,
    verb: &'static str,
    jobs: String,
    url: String,
    state: &'static str,
    by: String,
    stopped_by: Option<String>,
    created: Moment,
    finished: Option<Moment>,
    examined: u64,
    total: u64,
    changed: String,
    refused: Vec<(String, String)>,
    can_stop: bool,
}

impl Shown {
    fn new(one: BulkOperation, layout: &Layout) -> Shown {
        let moment = |at| Moment::new(at, layout.now);
        let jobs = search_of(&one.spec.filter);
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("q", &jobs).finish();
        let is_running = one.state == BulkState::Running;
        Shown {
            id: one.id,
            verb: one.spec.verb.as_str(),
            url: format!("/jobs?{query}"),
            jobs,
            state: one.state.as_str(),
            by: one.spec.requested_by,
            stopped_by: one.stopped_by,
            created: moment(one.created_at),
            finished: one.finished_at.map(moment),
            examined: one.progress.examined,
            total: one.progress.total.max(one.progress.examined),
            changed: number(one.progress.changed),
            refused: reasons(&one.progress.refused),
            can_stop: is_running && layout.may("/bulk/{id}/stop"),
        }
    }
}

/// Lists the operations, the newest first.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Refusal> {
    let layout = Layout::new(&app, caller, Section::Bulk, "Bulk operations", "/bulk").await?;
    let found = app.store.bulk_operations().await?;
    let operations = found.into_iter().map(|one| Shown::new(one, &layout)).collect();
    Ok(html(StatusCode::OK, &BulkPage { layout, operations }))
}

/// Shows an operation.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Name(id): Name<Uuid>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let notice = notice::read(raw.as_deref())?;
    let one = commands::bulk::find(&app, id).await?;
    let (title, live) = (format!("Bulk {}", one.spec.verb), format!("/bulk/{id}"));
    let mut layout = Layout::new(&app, caller, Section::Bulk, title, live).await?;
    layout.notice = notice;
    let one = Shown::new(one, &layout);
    Ok(html(StatusCode::OK, &OperationPage { layout, one }))
}

/// Stops an operation.
pub(super) async fn stop(
    State(app): State<Arc<App>>,
    Name(id): Name<Uuid>,
    caller: Caller,
) -> Result<Response, Refusal> {
    commands::bulk::stop(&app, &caller, id).await?;
    Ok(notice::show_at(&format!("/bulk/{id}"), "stop-bulk"))
}
