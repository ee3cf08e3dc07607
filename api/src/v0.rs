//! The DTR surface, `/api/v0`: its routes, and the modules that know its wire. Nothing outside of
//! it does.

mod body;
mod cron;
mod crons;
mod docs;
mod job;
mod jobs;
mod list;
mod logs;
mod path;
mod query;
mod refusal;
mod submission;
mod tail;
mod workers;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use refusal::Refusal;

use crate::app::App;

/// Every route of the surface, with the document that describes each: both come from the same list.
pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    let routes = OpenApiRouter::new()
        .routes(routes!(jobs::list, jobs::submit))
        .routes(routes!(jobs::submit_batch))
        .routes(routes!(jobs::show))
        .routes(routes!(logs::show))
        .routes(routes!(workers::list))
        .routes(routes!(workers::show))
        .routes(routes!(crons::list, crons::set))
        .routes(routes!(crons::show, crons::delete))
        .routes(routes!(crons::run))
        .routes(routes!(crons::pause))
        .routes(routes!(crons::resume))
        .routes(routes!(crons::next))
        .routes(routes!(docs::show));
    OpenApiRouter::with_openapi(docs::begin()).nest("/api/v0", routes)
}
