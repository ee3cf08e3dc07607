//! `/jobs/{id}`: everything about a job, why it waits, its log, and what can be done with it.

mod actions;
mod edit;
mod facts;
mod graph;
mod log;
mod relations;
mod timeline;

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::job::{Job, JobId, Timestamp};
use domain::signal::{Signal, SignalName};
use serde_json::{Map, Value};

use super::format::{Moment, pretty};
use super::layout::{Layout, Section, html};
use super::links::{Segment, linked};
use super::notice;
use super::path::Name;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;
use crate::expected_start::expected_start;
use crate::query::Query;
use crate::redaction::shown_parameters;
use crate::timeline::timeline;
use crate::wait_reason::wait_reason;
use actions::Actions;
use facts::Fact;
use graph::Graph;
use log::{LogFilter, LogPart};
use relations::{HeldLock, Relation};
use timeline::{ShownStart, TimelinePart};

pub(super) use actions::{cancel, delete, retry, signal};
pub(super) use edit::{change, repeat, show as edit};
pub(super) use log::download;

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    layout: Layout,
    job: Job,
    actions: Actions,
    reason: Option<Vec<Segment>>,
    start: Option<ShownStart>,
    timeline: TimelinePart,
    facts: Vec<Fact>,
    locks: Vec<HeldLock>,
    relations: Vec<Relation>,
    children: String,
    graph: Option<Graph>,
    parameters: Option<String>,
    result: Option<String>,
    progress: Option<String>,
    checkpoint: Option<String>,
    signal: Option<ShownSignal>,
    detail: Option<String>,
    log: LogPart,
}

/// The signal that continued a job.
struct ShownSignal {
    name: SignalName,
    /// Who sent it; empty if it was not sent in time.
    by: String,
    moment: Moment,
    /// The body; empty if it says nothing.
    body: String,
}

impl ShownSignal {
    fn new(signal: Signal, now: Timestamp) -> ShownSignal {
        let is_empty = signal.timed_out || signal.body.is_null();
        ShownSignal {
            name: signal.name,
            by: signal.by,
            moment: Moment::new(signal.at, now),
            body: if is_empty { String::new() } else { pretty(&signal.body) },
        }
    }
}

/// Shows a job.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Name(id): Name<JobId>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::read(raw.as_deref(), &[notice::PARAMETER, "log", "source"])?;
    let (notice, filter) = (notice::named(&query)?, LogFilter::read(&query)?);
    let job = app.store.job(id).await?.ok_or_else(|| Error::NoSuchJob(id.to_string()))?;
    let title = format!("#{} {}", job.number, job.spec.action);
    let live = format!("/jobs/{id}{}", filter.query());
    let mut layout = Layout::new(&app, caller, Section::Jobs, title, live).await?;
    layout.notice = notice;
    let reason = wait_reason(&app.store, &job).await?;
    let reason = reason.map(|reason| linked(&reason.message, layout.now));
    let start = expected_start(&app.store, &job).await?;
    let steps = timeline(&app.store, &job).await?;
    let relations = relations::read(&app.store, &job).await?;
    let children = relations::children(&app.store, &job).await?;
    let graph = Graph::read(&app.store, &job, layout.now).await?;
    let checkpoint = app.store.checkpoint_of(&job).await?;
    let signal = app.store.signal_of(&job).await?;
    let log = LogPart::read(&app.store, id, filter).await?;
    let parameters = shown_parameters(&job.spec.action, job.spec.parameters.clone());
    let page = JobPage {
        actions: Actions::new(&layout, &job),
        reason,
        start: start.map(|start| ShownStart::new(start, layout.now)),
        timeline: TimelinePart::new(steps, id, layout.now),
        facts: facts::facts(&job, layout.now),
        locks: relations::locks(&job),
        relations,
        children,
        graph,
        parameters: parameters.map(pretty_object),
        result: job.result.as_ref().map(pretty),
        progress: job.progress.as_ref().map(pretty),
        checkpoint: checkpoint.as_ref().map(pretty),
        signal: signal.map(|signal| ShownSignal::new(signal, layout.now)),
        detail: job.exception.as_ref().and_then(|exception| exception.detail.as_ref()).map(pretty),
        log,
        layout,
        job,
    };
    Ok(html(StatusCode::OK, &page))
}

fn pretty_object(object: Map<String, Value>) -> String {
    pretty(&Value::Object(object))
}
