//! The routes of the pages that refresh themselves, in a file of their own, because a stream makes
//! pages through the same routes.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use super::{
    audit, bulk, crons, failures, job, jobs, locks, overview, queues, settings, subscriptions,
    waiting, workers,
};
use crate::app::App;

/// Returns the routes of the pages. Each can be followed by `/live`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(overview::show))
        .route("/jobs", get(jobs::list))
        .route("/jobs/{id}", get(job::show))
        .route("/waiting", get(waiting::list))
        .route("/failures", get(failures::list))
        .route("/workers", get(workers::list))
        .route("/workers/{id}", get(workers::show))
        .route("/queues", get(queues::list))
        .route("/crons", get(crons::list))
        .route("/crons/{name}", get(crons::show))
        .route("/locks", get(locks::list))
        .route("/locks/{name}", get(locks::show))
        .route("/settings", get(settings::show))
        .route("/bulk", get(bulk::list))
        .route("/bulk/{id}", get(bulk::show))
        .route("/audit", get(audit::list))
        .route("/subscriptions", get(subscriptions::list))
        .route("/subscriptions/{name}", get(subscriptions::show))
}
