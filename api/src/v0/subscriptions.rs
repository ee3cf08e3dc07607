//! Subscriptions: list, set, show, delete, pause, resume and test them.

mod subscription;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::subscription::SubscriptionName;
use store::{self, SubscriptionSet};

use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::commands::subscription::find;
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

/// Lists all subscriptions with their delivery counts, ordered by name.
#[utoipa::path(
    get, path = "/subscriptions", operation_id = "ListSubscriptions", tag = "subscriptions",
    responses(
        (status = 200, body = Subscriptions, description = "The subscriptions."),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<Subscriptions>, Refusal> {
    let reading = async { Ok::<_, Refusal>(app.store.subscriptions().await?) };
    let subscriptions = in_time(reading).await?.into_iter().map(Subscription::from).collect();
    Ok(Json(Subscriptions { subscriptions }))
}

/// Creates a subscription, or replaces the subscription with that name.
///
/// From now on, each matching event is sent to the URL as one POST request, signed as described at
/// <https://www.standardwebhooks.com>. Its `data` is that of the event in `GET /events`. Each
/// message is sent by a job of the action `deliver`. Retries of a message have the same
/// `webhook-id`. Messages can arrive out of order. Delivery jobs do not generate events for
/// subscriptions. If the receiver answers 410, the subscription is paused.
#[utoipa::path(
    post, path = "/subscriptions", operation_id = "UpdateSubscription", tag = "subscriptions",
    request_body(content = SubscriptionCreate, description = "At most 64 KiB."),
    responses(
        (status = 202, body = Subscription,
            description = "The subscription. It contains `secret` if the secret was generated."),
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
    let subscription = create.validate()?;
    caller.set_subject(&subscription.name);
    let setting = async {
        let secret = match app.store.set_subscription(&subscription).await? {
            SubscriptionSet::Created(secret) => secret,
            SubscriptionSet::Changed | SubscriptionSet::Unchanged => None,
            SubscriptionSet::TooMany => return Err(Refusal::from(Error::TooManySubscriptions)),
        };
        let set = find(&app, &subscription.name).await?;
        Ok(Subscription::with_secret(set, secret.as_ref()))
    };
    Ok((StatusCode::ACCEPTED, Json(in_time(setting).await?)))
}

/// Returns a subscription with its delivery counts.
#[utoipa::path(
    get, path = "/subscriptions/{name}", operation_id = "GetSubscription", tag = "subscriptions",
    params(SubscriptionPath),
    responses(
        (status = 200, body = Subscription, description = "The subscription."),
        BadQuery, NoSubscription, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    SubscriptionPath(name): SubscriptionPath,
    _: NoQuery,
) -> Result<Json<Subscription>, Refusal> {
    Ok(Json(find(&app, &name).await?.into()))
}

/// Deletes a subscription. Pending messages are not sent.
#[utoipa::path(
    delete, path = "/subscriptions/{name}", operation_id = "DeleteSubscription",
    tag = "subscriptions", params(SubscriptionPath),
    responses(
        (status = 204, description = "The subscription is deleted."),
        BadQuery, NoSubscription, StoreUnavailable,
    ),
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

/// Pauses a subscription.
///
/// Pending messages are not sent. Events that occur while it is paused are not delivered later.
#[utoipa::path(
    post, path = "/subscriptions/{name}/pause", operation_id = "PauseSubscription",
    tag = "subscriptions", params(SubscriptionPath),
    responses(
        (status = 202, body = Subscription, description = "The paused subscription."),
        BadQuery, NoSubscription, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn pause(
    State(app): State<Arc<App>>,
    SubscriptionPath(name): SubscriptionPath,
    _: NoQuery,
) -> Result<(StatusCode, Json<Subscription>), Refusal> {
    set_paused(&app, &name, true).await
}

/// Resumes a paused subscription. Events from now on are delivered.
#[utoipa::path(
    post, path = "/subscriptions/{name}/resume", operation_id = "ResumeSubscription",
    tag = "subscriptions", params(SubscriptionPath),
    responses(
        (status = 202, body = Subscription, description = "The resumed subscription."),
        BadQuery, NoSubscription, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn resume(
    State(app): State<Arc<App>>,
    SubscriptionPath(name): SubscriptionPath,
    _: NoQuery,
) -> Result<(StatusCode, Json<Subscription>), Refusal> {
    set_paused(&app, &name, false).await
}

/// Sends a test message of the type `subscription.test`.
///
/// The subscription may be paused. The log of the job and the subscription contain the result.
#[utoipa::path(
    post, path = "/subscriptions/{name}/test", operation_id = "TestSubscription",
    tag = "subscriptions", params(SubscriptionPath),
    responses(
        (status = 202, body = Job, description = "The job that sends the message."),
        BadQuery, NoSubscription, Conflicts, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn test(
    State(app): State<Arc<App>>,
    SubscriptionPath(name): SubscriptionPath,
    caller: Caller,
    _: NoQuery,
) -> Result<(StatusCode, Json<Job>), Refusal> {
    let job = commands::subscription::test(&app, &caller, &name).await?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

async fn set_paused(
    app: &App,
    name: &SubscriptionName,
    paused: bool,
) -> Result<(StatusCode, Json<Subscription>), Refusal> {
    let one = commands::subscription::set_paused(app, name, paused).await?;
    Ok((StatusCode::ACCEPTED, Json(one.into())))
}
