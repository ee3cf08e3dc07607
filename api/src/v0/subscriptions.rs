//! Subscriptions: setting, listing, showing, deleting, pausing, resuming and testing them.

mod subscription;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::subscription::{EventDelivery, SubscriptionName};
use store::{self, SubscriptionSet};

use crate::app::App;
use crate::auth::Caller;
use crate::deadline::in_time;
use crate::error::Error;
use crate::v0::jobs::job::Job;
use crate::v0::wire::body;
use crate::v0::wire::path::SubscriptionPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, BadQuery, Conflicts, NoSubscription, StoreUnavailable, TooLarge, TooManySubscriptions,
    WrongType,
};
use subscription::{Subscription, SubscriptionCreate, Subscriptions};

const BODY_BYTES: usize = 64 * 1024;

/// Lists subscriptions by name, and how they go.
#[utoipa::path(
    get, path = "/subscriptions", operation_id = "ListSubscriptions", tag = "subscriptions",
    responses((status = 200, body = Subscriptions, description = "all of them"), BadQuery, StoreUnavailable),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<Subscriptions>, Refusal> {
    let reading = async { Ok::<_, Refusal>(app.store.subscriptions().await?) };
    let subscriptions = in_time(reading).await?.into_iter().map(Subscription::from).collect();
    Ok(Json(Subscriptions { subscriptions }))
}

/// Makes a subscription, or changes the one of that name. Whoever subscribes is sent a message, with POST and signed as
/// <https://www.standardwebhooks.com> says, for each event from now on that the subscription is to be told of; its `data` is
/// what `GET /events` tells. Each message is a job of the action `deliver`, whose retries have the same `webhook-id`; messages
/// may overtake each other. Of those jobs nobody is told. 410 pauses the subscription.
#[utoipa::path(
    post, path = "/subscriptions", operation_id = "UpdateSubscription", tag = "subscriptions",
    request_body(content = SubscriptionCreate, description = "at most 64 KiB"),
    responses(
        (status = 202, body = Subscription,
            description = "it is told of what comes from now on; `secret` is there when it was made"),
        BadBody, TooManySubscriptions, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn set(
    State(app): State<Arc<App>>,
    caller: Caller,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Subscription>), Refusal> {
    let create: SubscriptionCreate = body::read(request, BODY_BYTES).await?;
    let wanted = create.validate()?;
    caller.set_subject(&wanted.name);
    let setting = async {
        let secret = match app.store.set_subscription(&wanted).await? {
            SubscriptionSet::Created(secret) => secret,
            SubscriptionSet::Changed | SubscriptionSet::Unchanged => None,
            SubscriptionSet::TooMany => return Err(Refusal::from(Error::TooManySubscriptions)),
        };
        let set = found(&app, &wanted.name).await?;
        Ok(Subscription::with_secret(set, secret.as_ref()))
    };
    Ok((StatusCode::ACCEPTED, Json(in_time(setting).await?)))
}

/// Shows a subscription, and how it goes.
#[utoipa::path(
    get, path = "/subscriptions/{name}", operation_id = "GetSubscription", tag = "subscriptions",
    params(SubscriptionPath),
    responses(
        (status = 200, body = Subscription, description = "the subscription"),
        BadQuery, NoSubscription, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    SubscriptionPath(name): SubscriptionPath,
    _: NoQuery,
) -> Result<Json<Subscription>, Refusal> {
    Ok(Json(found(&app, &name).await?.into()))
}

/// Deletes a subscription. Messages that are on their way are not sent any more.
#[utoipa::path(
    delete, path = "/subscriptions/{name}", operation_id = "DeleteSubscription", tag = "subscriptions",
    params(SubscriptionPath),
    responses((status = 204, description = "it is gone"), BadQuery, NoSubscription, StoreUnavailable),
)]
pub(in crate::v0) async fn delete(
    State(app): State<Arc<App>>,
    SubscriptionPath(name): SubscriptionPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    if app.store.delete_subscription(&name).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Error::NoSuchSubscription(name.to_string()).into())
}

/// Keeps a subscription from being told of anything; messages that are on their way are not sent any more, and what happens
/// meanwhile is not told later.
#[utoipa::path(
    post, path = "/subscriptions/{name}/pause", operation_id = "PauseSubscription", tag = "subscriptions",
    params(SubscriptionPath),
    responses(
        (status = 202, body = Subscription, description = "it is paused"),
        BadQuery, NoSubscription, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn pause(
    State(app): State<Arc<App>>,
    SubscriptionPath(name): SubscriptionPath,
    _: NoQuery,
) -> Result<(StatusCode, Json<Subscription>), Refusal> {
    paused(&app, &name, true).await
}

/// Lets a paused subscription be told of what comes from now on.
#[utoipa::path(
    post, path = "/subscriptions/{name}/resume", operation_id = "ResumeSubscription", tag = "subscriptions",
    params(SubscriptionPath),
    responses(
        (status = 202, body = Subscription, description = "it is told"),
        BadQuery, NoSubscription, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn resume(
    State(app): State<Arc<App>>,
    SubscriptionPath(name): SubscriptionPath,
    _: NoQuery,
) -> Result<(StatusCode, Json<Subscription>), Refusal> {
    paused(&app, &name, false).await
}

/// Sends a message of type `subscription.test`, paused or not, to see whether it arrives: what became of it is in the job's
/// log, and in the subscription.
#[utoipa::path(
    post, path = "/subscriptions/{name}/test", operation_id = "TestSubscription", tag = "subscriptions",
    params(SubscriptionPath),
    responses(
        (status = 202, body = Job, description = "the job that sends it"),
        BadQuery, NoSubscription, Conflicts, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn test(
    State(app): State<Arc<App>>,
    SubscriptionPath(name): SubscriptionPath,
    caller: Caller,
    _: NoQuery,
) -> Result<(StatusCode, Json<Job>), Refusal> {
    let one = found(&app, &name).await?;
    let message = EventDelivery::test((&one.name, one.id), app.store.now().await?);
    let job = message.job(&one.spec);
    app.store.submit(std::slice::from_ref(&job)).await?;
    app.metrics.submitted(1);
    caller.set_subject(job.id);
    let job = app.store.job(job.id).await?.ok_or(Error::Internal)?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

async fn paused(
    app: &App,
    name: &SubscriptionName,
    paused: bool,
) -> Result<(StatusCode, Json<Subscription>), Refusal> {
    if !app.store.pause_subscription(name, paused, None).await? {
        return Err(Error::NoSuchSubscription(name.to_string()).into());
    }
    Ok((StatusCode::ACCEPTED, Json(found(app, name).await?.into())))
}

async fn found(app: &App, name: &SubscriptionName) -> Result<store::Subscription, Error> {
    let one = app.store.subscription(name).await?;
    one.ok_or_else(|| Error::NoSuchSubscription(name.to_string()))
}
