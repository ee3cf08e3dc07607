//! The web page, `/`: what the fleet does, for people with a browser. It reads and changes the same
//! things through the same functions as v0, with the same roles and the same audit.
//!
//! Every page and every action works without JavaScript. A page loads nothing from another server.

mod asset_file;
mod assets;
mod audit;
mod bulk;
mod capacity;
mod chart;
mod cookie;
mod cron_editor;
mod crons;
mod escape;
mod failures;
mod find;
mod forgery;
mod form;
mod format;
mod heat_map;
mod job;
mod jobs;
mod layout;
mod links;
mod live;
mod locks;
mod login;
mod notice;
mod overview;
mod pages;
mod paging;
mod path;
mod queues;
mod rate_limits;
mod refusal;
mod settings;
mod signal_link;
mod subscriptions;
mod waiting;
mod workers;

use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, Request};
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};

use crate::app::App;
use crate::deadline::in_time;
use crate::error::Error;

pub(crate) use cookie::session;
pub(crate) use login::ask_for_token;
pub(crate) use refusal::Refusal;

/// What the routes of the other surfaces begin with.
const OTHERS: [&str; 3] = ["/api/", "/docs", "/socket.io"];

/// Returns true for a route of the web page; each route belongs to one surface.
pub(crate) fn serves(route: &str) -> bool {
    !OTHERS.iter().any(|other| route.starts_with(other))
}

/// Returns the routes of the web page.
pub(crate) fn routes() -> Router<Arc<App>> {
    let routes = pages::routes()
        .route("/find", get(find::show))
        .route("/live", get(live::follow))
        .route("/jobs/{id}/edit", get(job::edit))
        .route("/jobs/{id}/change", post(job::change))
        .route("/jobs/{id}/repeat", post(job::repeat))
        .route("/bulk", post(bulk::begin))
        .route("/bulk/{id}/stop", post(bulk::stop))
        .route("/bulk-editor", get(bulk::edit))
        .route("/ticked", get(bulk::ticked))
        .route("/jobs/ticked", post(bulk::change_ticked))
        .route("/crons", post(cron_editor::save))
        .route("/cron-editor", get(cron_editor::show))
        .route("/jobs/{id}/log", get(job::download))
        .route("/jobs/{id}/cancel", post(job::cancel))
        .route("/jobs/{id}/retry", post(job::retry))
        .route("/jobs/{id}/delete", post(job::delete))
        .route("/jobs/{id}/signals/{name}", post(job::signal))
        .route("/signals/{link}", get(signal_link::show).post(signal_link::send))
        .route("/workers/{id}/drain", post(workers::drain))
        .route("/workers/{id}/resume", post(workers::resume))
        .route("/workers/{id}/capacity", post(workers::change_capacity))
        .route("/queues/{class}/pause", post(queues::pause_class))
        .route("/queues/{class}/resume", post(queues::resume_class))
        .route("/actions/{action}/pause", post(queues::pause_action))
        .route("/actions/{action}/resume", post(queues::resume_action))
        .route("/crons/{name}/run", post(crons::run))
        .route("/crons/{name}/pause", post(crons::pause))
        .route("/crons/{name}/resume", post(crons::resume))
        .route("/locks/{name}/clear", post(locks::clear))
        .route("/locks/{name}/permits", post(locks::set_permits))
        .route("/limits", post(rate_limits::set))
        .route("/limits/{name}/delete", post(rate_limits::delete))
        .route("/subscriptions/{name}/pause", post(subscriptions::pause))
        .route("/subscriptions/{name}/resume", post(subscriptions::resume))
        .route("/subscriptions/{name}/test", post(subscriptions::test))
        .route("/login", get(login::show).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/assets/{name}", get(asset_file::show));
    routes
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn(limit_time))
        .layer(from_fn(forgery::refuse_forged_forms))
}

/// Limits the whole request to the time that a store call may take.
async fn limit_time(request: Request, next: Next) -> Result<Response, Refusal> {
    in_time(async { Ok(next.run(request).await) }).await
}

async fn not_allowed(method: Method, OriginalUri(uri): OriginalUri) -> Refusal {
    let (method, route) = (method.to_string(), uri.path().chars().take(128).collect());
    Error::NotAllowed { method, route }.into()
}
