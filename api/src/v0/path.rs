//! Ids in paths. A text that cannot be an id names nothing that is there: 404, whatever bytes it is
//! made of.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use shared::capacity::Class;
use shared::cron::CronName;
use shared::job::{ActionName, JobId, WorkerId};
use shared::lock::LockName;
use shared::subscription::SubscriptionName;

use super::Refusal;
use crate::app::App;
use crate::error::Error;

/// The job that the path names.
pub(super) struct OfJob(pub(super) JobId);

/// The worker that the path names.
pub(super) struct OfWorker(pub(super) WorkerId);

/// The cron that the path names.
pub(super) struct OfCron(pub(super) CronName);

/// The lock that the path names; in a path `/` and `%` are written percent-encoded.
pub(super) struct OfLock(pub(super) LockName);

/// The class of jobs that the path names.
pub(super) struct OfClass(pub(super) Class);

/// The action that the path names.
pub(super) struct OfAction(pub(super) ActionName);

/// The action whose config the path names.
pub(super) struct OfActionConfig(pub(super) ActionName);

/// The subscription that the path names.
pub(super) struct OfSubscription(pub(super) SubscriptionName);

impl FromRequestParts<Arc<App>> for OfJob {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let text = segment(parts, app).await;
        Ok(OfJob(text.parse().map_err(|_| Error::NoSuchJob(short(&text)))?))
    }
}

impl FromRequestParts<Arc<App>> for OfWorker {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let text = segment(parts, app).await;
        Ok(OfWorker(text.parse().map_err(|_| Error::NoSuchWorker(short(&text)))?))
    }
}

impl FromRequestParts<Arc<App>> for OfCron {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let text = segment(parts, app).await;
        Ok(OfCron(text.parse().map_err(|_| Error::NoSuchCron(short(&text)))?))
    }
}

impl FromRequestParts<Arc<App>> for OfLock {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let text = segment(parts, app).await;
        Ok(OfLock(text.parse().map_err(|_| Error::NoSuchLock(short(&text)))?))
    }
}

impl FromRequestParts<Arc<App>> for OfClass {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let text = segment(parts, app).await;
        let class = Class::try_from(text.clone());
        Ok(OfClass(class.map_err(|_| Error::NoSuchClass(short(&text)))?))
    }
}

impl FromRequestParts<Arc<App>> for OfActionConfig {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let text = segment(parts, app).await;
        Ok(OfActionConfig(text.parse().map_err(|_| Error::NoSuchActionConfig(short(&text)))?))
    }
}

impl FromRequestParts<Arc<App>> for OfAction {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let text = segment(parts, app).await;
        Ok(OfAction(text.parse().map_err(|_| Error::NoSuchAction(short(&text)))?))
    }
}

impl FromRequestParts<Arc<App>> for OfSubscription {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let text = segment(parts, app).await;
        Ok(OfSubscription(text.parse().map_err(|_| Error::NoSuchSubscription(short(&text)))?))
    }
}

/// The segment of the path; empty when it is no text at all.
async fn segment(parts: &mut Parts, app: &Arc<App>) -> String {
    let path = Path::<String>::from_request_parts(parts, app).await;
    path.map(|Path(text)| text).unwrap_or_default()
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}
