//! `/`: the state of the fleet as a sentence, in numbers, and the jobs that have waited longest.

mod charts;

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::job::{Job, Status};
use store::{JobFilter, QueueLoad, Worker, WorkerStatus};

use super::format::number;
use super::jobs::Row;
use super::layout::{Layout, Section, html};
use super::links::{Segment, linked};
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;
use crate::load::{Load, loads};
use crate::query::Query;
use crate::verdict::verdict;
use crate::wait_reason::{Reason, wait_reasons};
use crate::words::count;
use charts::{Charts, Range};

/// How many of the jobs that wait longest are shown.
const OLDEST: usize = 5;
/// How many queues are shown.
const QUEUES: usize = 8;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    layout: Layout,
    urgency: &'static str,
    verdict: Vec<Segment>,
    because: Vec<Vec<Segment>>,
    ruled_out: Vec<String>,
    workers: String,
    tiles: Vec<Tile>,
    charts: Charts,
    loads: Vec<Load>,
    oldest: Vec<Row>,
    queues: Vec<QueueLoad>,
}

/// The number of jobs in a status.
struct Tile {
    status: Status,
    number: String,
}

/// Shows the page.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let range = Range::named(Query::read(raw.as_deref(), &["range"])?.text("range"))?;
    let layout = Layout::new(&app, caller, Section::Overview, "Overview", range.path()).await?;
    let counts = app.store.counts().await?;
    let workers = app.store.live_workers().await?;
    let (jobs, reasons) = oldest(&app).await?;
    let queues = busiest(app.store.queue_loads().await?);
    let state = verdict(&app.store).await?;
    let now = layout.now;
    let rows = jobs.into_iter().zip(reasons).map(|(job, reason)| Row::new(job, reason, now));
    let page = OverviewPage {
        urgency: state.urgency.as_str(),
        verdict: linked(&state.text, now),
        because: state.because.iter().map(|text| linked(text, now)).collect(),
        ruled_out: state.ruled_out,
        workers: workers_line(&counts, &workers),
        tiles: counts.iter().filter_map(|(status, count)| tile(*status, *count)).collect(),
        charts: charts::charts(&app.store, range, layout.now).await?,
        loads: loads(&workers),
        oldest: rows.collect(),
        queues,
        layout,
    };
    Ok(html(StatusCode::OK, &page))
}

/// Describes the workers, for the line below the verdict.
fn workers_line(counts: &[(Status, u64)], workers: &[Worker]) -> String {
    let of = |wanted| counts.iter().find(|(status, _)| *status == wanted).map_or(0, |(_, n)| *n);
    let draining = workers.iter().filter(|worker| worker.status == WorkerStatus::Draining).count();
    let draining = match draining {
        0 => String::new(),
        draining => format!(", {} of them draining", number(draining as u64)),
    };
    let running = count(of(Status::Running) + of(Status::CancelRequest), "running job");
    format!("{} live{draining} · {running}", count(workers.len() as u64, "worker"))
}

/// Returns the waiting jobs that were due first, and why they wait.
async fn oldest(app: &App) -> Result<(Vec<Job>, Vec<Option<Reason>>), Error> {
    let statuses = vec![Status::Waiting];
    let filter = JobFilter { statuses, soonest_first: true, ..JobFilter::default() };
    let jobs = app.store.jobs(&filter, 0, OLDEST).await?.jobs;
    let reasons = wait_reasons(&app.store, &jobs).await?;
    Ok((jobs, reasons))
}

/// Returns the number of jobs in a status; `None` for a rare status without jobs.
fn tile(status: Status, count: u64) -> Option<Tile> {
    let always = [Status::Waiting, Status::Running, Status::Done, Status::Error];
    (count > 0 || always.contains(&status)).then(|| Tile { status, number: number(count) })
}

/// Returns the queues with the most waiting jobs.
fn busiest(mut queues: Vec<QueueLoad>) -> Vec<QueueLoad> {
    queues
        .sort_by_key(|queue| std::cmp::Reverse(queue.offered + queue.groups.behind + queue.parked));
    queues.truncate(QUEUES);
    queues
}
