//! Setting, listing, showing, deleting crons, and running, pausing and resuming them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use shared::cron::CronName;
use shared::store::CronSet;

use super::cron::{Cron, CronCreate, Crons, NextTicks};
use super::docs::{Away, BadBody, BadQuery, NoCron, TooLarge, TooManyCrons, WrongType};
use super::job::Job;
use super::path::OfCron;
use super::query::{NoQuery, Query};
use super::{Refusal, body};
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;

const BODY_BYTES: usize = 1024 * 1024;
/// How many crons a page has unless its reader says.
const PAGE: u32 = 1000;
const MOST_NEXT: u32 = 1000;

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
        BadQuery, Away,
    ),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<([(&'static str, String); 1], Json<Crons>), Refusal> {
    let query = Query::read(raw.as_deref(), &["start", "limit"])?;
    let start = query.number("start", i32::MAX as u32)?.unwrap_or(0);
    let limit = query.number("limit", PAGE)?.unwrap_or(PAGE);
    let (crons, total) = app.store.crons(start as usize, limit as usize).await?;
    let crons = crons.into_iter().map(Cron::from).collect();
    Ok(([("x-total-count", total.to_string())], Json(Crons { crons })))
}

/// Makes a cron, or changes the one of that name.
#[utoipa::path(
    post, path = "/crons", operation_id = "UpdateCron", tag = "crons",
    request_body(content = CronCreate, description = "at most 1 MiB"),
    responses(
        (status = 202, body = Cron, description = "it is set, and fires from now on"),
        BadBody, TooManyCrons, TooLarge, WrongType, Away,
    ),
)]
pub(super) async fn set(
    State(app): State<Arc<App>>,
    caller: Caller,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Cron>), Refusal> {
    let create: CronCreate = body::read(request, BODY_BYTES).await?;
    let wanted = create.wanted()?;
    caller.made(&wanted.name);
    match app.store.set_cron(&wanted).await? {
        CronSet::Created | CronSet::Changed | CronSet::Same => {}
        CronSet::TooMany => return Err(Error::TooManyCrons.into()),
    }
    Ok((StatusCode::ACCEPTED, Json(found(&app, &wanted.name).await?.into())))
}

/// Shows a cron.
#[utoipa::path(
    get, path = "/crons/{name}", operation_id = "GetCron", tag = "crons",
    params(("name" = String, Path, description = "the cron's name", example = "gc")),
    responses((status = 200, body = Cron, description = "the cron"), BadQuery, NoCron, Away),
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    OfCron(name): OfCron,
    _: NoQuery,
) -> Result<Json<Cron>, Refusal> {
    Ok(Json(found(&app, &name).await?.into()))
}

/// Deletes a cron. Jobs that it made are not cancelled.
#[utoipa::path(
    delete, path = "/crons/{name}", operation_id = "DeleteCron", tag = "crons",
    params(("name" = String, Path, description = "the cron's name", example = "gc")),
    responses((status = 204, description = "it is gone"), BadQuery, NoCron, Away),
)]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    OfCron(name): OfCron,
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
    params(("name" = String, Path, description = "the cron's name", example = "gc")),
    responses((status = 202, body = Job, description = "the job"), BadQuery, NoCron, super::docs::Conflicts, Away),
)]
pub(super) async fn run(
    State(app): State<Arc<App>>,
    OfCron(name): OfCron,
    caller: Caller,
    _: NoQuery,
) -> Result<(StatusCode, Json<Job>), Refusal> {
    let job = app.store.run_cron(&name).await?;
    let job = job.ok_or_else(|| Error::NoSuchCron(name.to_string()))?;
    app.metrics.submitted(1);
    caller.made(job.id);
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

/// Keeps a cron from firing; what would have fired meanwhile is not made up for.
#[utoipa::path(
    post, path = "/crons/{name}/pause", operation_id = "PauseCron", tag = "crons",
    params(("name" = String, Path, description = "the cron's name", example = "gc")),
    responses((status = 202, body = Cron, description = "it is paused"), BadQuery, NoCron, Away),
)]
pub(super) async fn pause(
    State(app): State<Arc<App>>,
    OfCron(name): OfCron,
    _: NoQuery,
) -> Result<(StatusCode, Json<Cron>), Refusal> {
    paused(&app, &name, true).await
}

/// Lets a paused cron fire again.
#[utoipa::path(
    post, path = "/crons/{name}/resume", operation_id = "ResumeCron", tag = "crons",
    params(("name" = String, Path, description = "the cron's name", example = "gc")),
    responses((status = 202, body = Cron, description = "it fires"), BadQuery, NoCron, Away),
)]
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    OfCron(name): OfCron,
    _: NoQuery,
) -> Result<(StatusCode, Json<Cron>), Refusal> {
    paused(&app, &name, false).await
}

/// Tells the next ticks of a cron, as if it were not paused.
#[utoipa::path(
    get, path = "/crons/{name}/next", operation_id = "NextOfCron", tag = "crons",
    params(
        ("name" = String, Path, description = "the cron's name", example = "gc"),
        ("count" = Option<i32>, Query, minimum = 0, maximum = 1000, example = 10,
            description = "how many; 10 unless given"),
    ),
    responses((status = 200, body = NextTicks, description = "the ticks"), BadQuery, NoCron, Away),
)]
pub(super) async fn next(
    State(app): State<Arc<App>>,
    OfCron(name): OfCron,
    RawQuery(raw): RawQuery,
) -> Result<Json<NextTicks>, Refusal> {
    let query = Query::read(raw.as_deref(), &["count"])?;
    let count = query.number("count", MOST_NEXT)?.unwrap_or(10);
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

async fn found(app: &App, name: &CronName) -> Result<shared::store::Cron, Error> {
    let cron = app.store.cron(name).await?;
    cron.ok_or_else(|| Error::NoSuchCron(name.to_string()))
}
