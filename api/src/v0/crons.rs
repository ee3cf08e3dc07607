//! Crons: setting, listing, showing, deleting, running, pausing and resuming them.

pub(super) mod cron;

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use domain::cron::CronName;
use store::CronSet;

use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;
use crate::v0::jobs::job::Job;
use crate::v0::wire::body;
use crate::v0::wire::pagination::{Paged, paged, read_page};
use crate::v0::wire::path::CronPath;
use crate::v0::wire::query::{NoQuery, Query};
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, BadQuery, Conflicts, NoCron, StoreUnavailable, TooLarge, TooManyCrons, WrongType,
};
use cron::{Cron, CronCreate, Crons, NextTicks};

const BODY_BYTES: usize = 1024 * 1024;
/// How many crons a page has unless its reader says.
const PAGE: u32 = 1000;
const MAX_NEXT: u32 = 1000;

/// Lists crons by name.
#[utoipa::path(
    get, path = "/crons", operation_id = "ListCrons", tag = "crons",
    params(
        ("start" = Option<i32>, Query, minimum = 0, example = 0,
            description = "from which place of the list on; 0 unless given"),
        ("limit" = Option<i32>, Query, minimum = 0, maximum = 1000, example = 100,
            description = "how many at most; 1000 unless given"),
    ),
    responses(
        (status = 200, body = Crons, description = "a page of the list",
            headers(("X-Total-Count" = u64, description = "how many crons there are in all"))),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Paged<Crons>, Refusal> {
    let query = Query::read(raw.as_deref(), &["start", "limit"])?;
    let (start, limit) = read_page(&query, PAGE, PAGE)?;
    let (crons, total) = app.store.crons(start, limit).await?;
    let crons = crons.into_iter().map(Cron::from).collect();
    Ok(paged(total, Crons { crons }))
}

/// Makes a cron, or changes the one of that name.
#[utoipa::path(
    post, path = "/crons", operation_id = "UpdateCron", tag = "crons",
    request_body(content = CronCreate, description = "at most 1 MiB"),
    responses(
        (status = 202, body = Cron, description = "it is set, and fires from now on"),
        BadBody, TooManyCrons, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn set(
    State(app): State<Arc<App>>,
    caller: Caller,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Cron>), Refusal> {
    let create: CronCreate = body::read(request, BODY_BYTES).await?;
    let wanted = create.validate()?;
    caller.set_subject(&wanted.name);
    match app.store.set_cron(&wanted).await? {
        CronSet::Created | CronSet::Changed | CronSet::Unchanged => {}
        CronSet::TooMany => return Err(Error::TooManyCrons.into()),
    }
    Ok((StatusCode::ACCEPTED, Json(found(&app, &wanted.name).await?.into())))
}

/// Shows a cron.
#[utoipa::path(
    get, path = "/crons/{name}", operation_id = "GetCron", tag = "crons",
    params(CronPath),
    responses((status = 200, body = Cron, description = "the cron"), BadQuery, NoCron, StoreUnavailable),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    CronPath(name): CronPath,
    _: NoQuery,
) -> Result<Json<Cron>, Refusal> {
    Ok(Json(found(&app, &name).await?.into()))
}

/// Deletes a cron. Jobs that it made are not cancelled.
#[utoipa::path(
    delete, path = "/crons/{name}", operation_id = "DeleteCron", tag = "crons",
    params(CronPath),
    responses((status = 204, description = "it is gone"), BadQuery, NoCron, StoreUnavailable),
)]
pub(in crate::v0) async fn delete(
    State(app): State<Arc<App>>,
    CronPath(name): CronPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    if app.store.delete_cron(&name).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Error::NoSuchCron(name.to_string()).into())
}

/// Makes a job of a cron now, paused or not, whatever its line and its overlap policy say.
#[utoipa::path(
    post, path = "/crons/{name}/run", operation_id = "RunCron", tag = "crons",
    params(CronPath),
    responses((status = 202, body = Job, description = "the job"), BadQuery, NoCron, Conflicts, StoreUnavailable),
)]
pub(in crate::v0) async fn run(
    State(app): State<Arc<App>>,
    CronPath(name): CronPath,
    caller: Caller,
    _: NoQuery,
) -> Result<(StatusCode, Json<Job>), Refusal> {
    let job = app.store.run_cron(&name).await?;
    let job = job.ok_or_else(|| Error::NoSuchCron(name.to_string()))?;
    app.metrics.submitted(1);
    caller.set_subject(job.id);
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

/// Keeps a cron from firing; what would have fired meanwhile is not made up for.
#[utoipa::path(
    post, path = "/crons/{name}/pause", operation_id = "PauseCron", tag = "crons",
    params(CronPath),
    responses((status = 202, body = Cron, description = "it is paused"), BadQuery, NoCron, StoreUnavailable),
)]
pub(in crate::v0) async fn pause(
    State(app): State<Arc<App>>,
    CronPath(name): CronPath,
    _: NoQuery,
) -> Result<(StatusCode, Json<Cron>), Refusal> {
    paused(&app, &name, true).await
}

/// Lets a paused cron fire again.
#[utoipa::path(
    post, path = "/crons/{name}/resume", operation_id = "ResumeCron", tag = "crons",
    params(CronPath),
    responses((status = 202, body = Cron, description = "it fires"), BadQuery, NoCron, StoreUnavailable),
)]
pub(in crate::v0) async fn resume(
    State(app): State<Arc<App>>,
    CronPath(name): CronPath,
    _: NoQuery,
) -> Result<(StatusCode, Json<Cron>), Refusal> {
    paused(&app, &name, false).await
}

/// Tells the next ticks of a cron, as if it were not paused.
#[utoipa::path(
    get, path = "/crons/{name}/next", operation_id = "NextOfCron", tag = "crons",
    params(
        CronPath,
        ("count" = Option<i32>, Query, minimum = 0, maximum = 1000, example = 10,
            description = "how many; 10 unless given"),
    ),
    responses((status = 200, body = NextTicks, description = "the ticks"), BadQuery, NoCron, StoreUnavailable),
)]
pub(in crate::v0) async fn next(
    State(app): State<Arc<App>>,
    CronPath(name): CronPath,
    RawQuery(raw): RawQuery,
) -> Result<Json<NextTicks>, Refusal> {
    let query = Query::read(raw.as_deref(), &["count"])?;
    let count = query.number("count", MAX_NEXT)?.unwrap_or(10);
    let cron = found(&app, &name).await?;
    let first = match cron.next_run {
        Some(next) => Some(next),
        None => cron.spec.next(app.store.now().await?),
    };
    let next = std::iter::successors(first, |tick| cron.spec.next(*tick));
    Ok(Json(NextTicks { next: next.take(count as usize).collect() }))
}

async fn paused(
    app: &App,
    name: &CronName,
    paused: bool,
) -> Result<(StatusCode, Json<Cron>), Refusal> {
    let cron = app.store.pause_cron(name, paused).await?;
    let cron = cron.ok_or_else(|| Error::NoSuchCron(name.to_string()))?;
    Ok((StatusCode::ACCEPTED, Json(cron.into())))
}

async fn found(app: &App, name: &CronName) -> Result<store::Cron, Error> {
    let cron = app.store.cron(name).await?;
    cron.ok_or_else(|| Error::NoSuchCron(name.to_string()))
}
