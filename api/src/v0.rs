//! The DTR surface, `/api/v0`: its routes, and the modules that know its wire. Nothing outside of
//! it does.

mod action_config;
mod audit;
pub(crate) mod body;
mod change;
mod commands;
mod cron;
mod crons;
mod docs;
mod events;
pub(crate) mod fuzzing;
mod job;
mod jobs;
mod key;
mod list;
mod lock;
mod locks;
mod logs;
mod path;
mod query;
mod queues;
mod refusal;
mod settings;
mod steering;
mod submission;
mod subscription;
mod subscriptions;
mod tail;
mod values;
mod workers;

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use docs::{NoToken, WrongRole};
pub(crate) use refusal::Refusal;

use crate::app::{App, in_time};

/// Every route of the surface, with the document that describes each: both come from the same list.
pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    let brief = OpenApiRouter::new()
        .routes(routes!(jobs::show, commands::delete))
        .routes(routes!(commands::cancel))
        .routes(routes!(commands::retry))
        .routes(routes!(logs::show))
        .routes(routes!(workers::list))
        .routes(routes!(workers::show))
        .routes(routes!(locks::show, locks::clear))
        .routes(routes!(queues::list))
        .routes(routes!(queues::pause_class))
        .routes(routes!(queues::resume_class))
        .routes(routes!(queues::pause_action))
        .routes(routes!(queues::resume_action))
        .routes(routes!(crons::show, crons::delete))
        .routes(routes!(crons::run))
        .routes(routes!(crons::pause))
        .routes(routes!(crons::resume))
        .routes(routes!(crons::next))
        .routes(routes!(action_config::list))
        .routes(routes!(action_config::show, action_config::delete))
        .routes(routes!(subscriptions::show, subscriptions::delete))
        .routes(routes!(subscriptions::pause))
        .routes(routes!(subscriptions::resume))
        .routes(routes!(subscriptions::test))
        .routes(routes!(steering::drain))
        .routes(routes!(steering::resume))
        .routes(routes!(audit::list))
        .route_layer(middleware::from_fn(brief));
    // These wait for a body first, or go through a long history, and mind the time themselves.
    let routes = OpenApiRouter::new()
        .routes(routes!(jobs::list, jobs::submit))
        .routes(routes!(jobs::submit_batch))
        .routes(routes!(change::change))
        .routes(routes!(locks::list, locks::set))
        .routes(routes!(crons::list, crons::set))
        .routes(routes!(action_config::set))
        .routes(routes!(subscriptions::list, subscriptions::set))
        .routes(routes!(commands::cancel_many))
        .routes(routes!(steering::capacity))
        .routes(routes!(settings::show, settings::change))
        .routes(routes!(events::follow))
        .routes(routes!(docs::show))
        .merge(brief);
    OpenApiRouter::with_openapi(docs::begin()).nest("/api/v0", routes)
}

/// Answers within the time that the store may take.
async fn brief(request: Request, next: Next) -> Result<Response, Refusal> {
    in_time(async { Ok(next.run(request).await) }).await
}
