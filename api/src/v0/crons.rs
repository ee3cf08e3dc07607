//! Crons: list, set, show, delete, run, pause and resume them, and preview their ticks.

pub(super) mod change;
pub(super) mod cron;

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use domain::cron::CronName;
use store::CronSet;

use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::commands::cron::find;
use crate::error::Error;
use crate::query::Query;
use crate::v0::jobs::job::Job;
use crate::v0::wire::body;
use crate::v0::wire::pagination::{Paged, paged};
use crate::v0::wire::path::CronPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, BadQuery, Conflicts, NoCron, QuotaReached, StoreUnavailable, TooLarge, TooManyCrons,
    WrongType,
};
use cron::{Cron, CronCreate, Crons, NextTicks};

const BODY_BYTES: usize = 1024 * 1024;
/// The default and the largest number of crons in a page.
const MAX_LIMIT: u32 = 1000;
const MAX_TICKS: u32 = 1000;

/// Lists crons, ordered by name.
#[utoipa::path(
    get, path = "/crons", operation_id = "ListCrons", tag = "crons",
    params(
        ("start" = Option<i32>, Query, minimum = 0, example = 0,
            description = "The offset of the first cron. Defaults to 0."),
        ("limit" = Option<i32>, Query, minimum = 0, maximum = 1000, example = 100,
            description = "The maximum number of crons. Defaults to 1000."),
    ),
    responses(
        (status = 200, body = Crons, description = "A page of crons.",
            headers(("X-Total-Count" = u64, description = "The total number of crons."))),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Paged<Crons>, Refusal> {
    let query = Query::read(raw.as_deref(), &["start", "limit"])?;
    let (start, limit) = query.page(MAX_LIMIT, MAX_LIMIT)?;
    let (crons, total) = app.store.crons(start, limit).await?;
    let crons = crons.into_iter().map(Cron::from).collect();
    Ok(paged(total, Crons { crons }))
}

/// Creates a cron, or replaces the cron with that name.
#[utoipa::path(
    post, path = "/crons", operation_id = "UpdateCron", tag = "crons",
    request_body(content = CronCreate, description = "At most 1 MiB."),
    responses(
        (status = 202, body = Cron, description = "The cron."),
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
    let cron = create.validate()?;
    caller.set_subject(&cron.name);
    match app.store.set_cron(&cron).await? {
        CronSet::Created | CronSet::Changed | CronSet::Unchanged => {}
        CronSet::TooMany => return Err(Error::TooManyCrons.into()),
    }
    Ok((StatusCode::ACCEPTED, Json(find(&app, &cron.name).await?.into())))
}

/// Returns a cron.
#[utoipa::path(
    get, path = "/crons/{name}", operation_id = "GetCron", tag = "crons",
    params(CronPath),
    responses(
        (status = 200, body = Cron, description = "The cron."), BadQuery, NoCron, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    CronPath(name): CronPath,
    _: NoQuery,
) -> Result<Json<Cron>, Refusal> {
    Ok(Json(find(&app, &name).await?.into()))
}

/// Deletes a cron. The jobs that it created are not cancelled.
#[utoipa::path(
    delete, path = "/crons/{name}", operation_id = "DeleteCron", tag = "crons",
    params(CronPath),
    responses(
        (status = 204, description = "The cron is deleted."), BadQuery, NoCron, StoreUnavailable,
    ),
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

/// Creates a job of a cron immediately.
///
/// The schedule and the overlap policy are ignored, and the cron may be paused.
#[utoipa::path(
    post, path = "/crons/{name}/run", operation_id = "RunCron", tag = "crons",
    params(CronPath),
    responses(
        (status = 202, body = Job, description = "The new job."),
        BadQuery, NoCron, Conflicts, QuotaReached, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn run(
    State(app): State<Arc<App>>,
    CronPath(name): CronPath,
    caller: Caller,
    _: NoQuery,
) -> Result<(StatusCode, Json<Job>), Refusal> {
    let job = commands::cron::run(&app, &caller, &name).await?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

/// Pauses a cron. Ticks during the pause create no jobs, not even later.
#[utoipa::path(
    post, path = "/crons/{name}/pause", operation_id = "PauseCron", tag = "crons",
    params(CronPath),
    responses(
        (status = 202, body = Cron, description = "The paused cron."),
        BadQuery, NoCron, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn pause(
    State(app): State<Arc<App>>,
    CronPath(name): CronPath,
    _: NoQuery,
) -> Result<(StatusCode, Json<Cron>), Refusal> {
    set_paused(&app, &name, true).await
}

/// Resumes a paused cron.
#[utoipa::path(
    post, path = "/crons/{name}/resume", operation_id = "ResumeCron", tag = "crons",
    params(CronPath),
    responses(
        (status = 202, body = Cron, description = "The resumed cron."),
        BadQuery, NoCron, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn resume(
    State(app): State<Arc<App>>,
    CronPath(name): CronPath,
    _: NoQuery,
) -> Result<(StatusCode, Json<Cron>), Refusal> {
    set_paused(&app, &name, false).await
}

/// Lists the next ticks of a cron. A pause is ignored.
#[utoipa::path(
    get, path = "/crons/{name}/next", operation_id = "NextOfCron", tag = "crons",
    params(
        CronPath,
        ("count" = Option<i32>, Query, minimum = 0, maximum = 1000, example = 10,
            description = "The number of ticks. Defaults to 10."),
    ),
    responses(
        (status = 200, body = NextTicks, description = "The ticks."),
        BadQuery, NoCron, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn next(
    State(app): State<Arc<App>>,
    CronPath(name): CronPath,
    RawQuery(raw): RawQuery,
) -> Result<Json<NextTicks>, Refusal> {
    let query = Query::read(raw.as_deref(), &["count"])?;
    let count = query.number("count", MAX_TICKS)?.unwrap_or(10);
    let cron = find(&app, &name).await?;
    let next = commands::cron::next_ticks(&app, &cron, count as usize).await?;
    Ok(Json(NextTicks { next }))
}

async fn set_paused(
    app: &App,
    name: &CronName,
    paused: bool,
) -> Result<(StatusCode, Json<Cron>), Refusal> {
    let cron = commands::cron::set_paused(app, name, paused).await?;
    Ok((StatusCode::ACCEPTED, Json(cron.into())))
}
