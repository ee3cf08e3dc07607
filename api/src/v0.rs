//! The DTR surface, `/api/v0`. Each noun has a module with its wire types and handlers; `wire`
//! contains what they share. Nothing outside of this surface knows its wire format, except that
//! `server` uses its errors for paths outside of both surfaces.

mod action_configs;
mod audit;
mod bulk;
mod crons;
mod docs;
mod events;
mod failures;
pub(crate) mod fuzzing;
mod jobs;
mod limits;
mod locks;
mod queues;
mod quotas;
mod scaling;
mod series;
mod settings;
mod status;
mod subscriptions;
mod verdict;
pub(crate) mod wire;
mod workers;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::deadline::in_time;
use wire::refusal::Refusal;

/// Returns the routes of the surface and the OpenAPI document that describes them.
pub(crate) fn routes_and_docs() -> (Router<Arc<App>>, OpenApi) {
    let (router, mut document) = routes().split_for_parts();
    docs::security::describe(&mut document);
    (router, document)
}

fn routes() -> OpenApiRouter<Arc<App>> {
    let brief = OpenApiRouter::new()
        .routes(routes!(jobs::read::show, jobs::delete::delete))
        .routes(routes!(jobs::cancel::cancel))
        .routes(routes!(jobs::retry::retry))
        .routes(routes!(jobs::signal::create_link))
        .routes(routes!(jobs::logs::show))
        .routes(routes!(workers::list))
        .routes(routes!(workers::show))
        .routes(routes!(workers::commands::drain))
        .routes(routes!(workers::commands::resume))
        .routes(routes!(locks::show, locks::clear))
        .routes(routes!(limits::list))
        .routes(routes!(limits::show, limits::delete))
        .routes(routes!(queues::list))
        .routes(routes!(queues::delete))
        .routes(routes!(queues::pause_class))
        .routes(routes!(queues::resume_class))
        .routes(routes!(queues::pause_action))
        .routes(routes!(queues::resume_action))
        .routes(routes!(crons::show, crons::delete))
        .routes(routes!(crons::run))
        .routes(routes!(crons::pause))
        .routes(routes!(crons::resume))
        .routes(routes!(crons::next))
        .routes(routes!(action_configs::list))
        .routes(routes!(action_configs::show, action_configs::delete))
        .routes(routes!(subscriptions::show, subscriptions::delete))
        .routes(routes!(subscriptions::pause))
        .routes(routes!(subscriptions::resume))
        .routes(routes!(subscriptions::test))
        .routes(routes!(bulk::show))
        .routes(routes!(bulk::stop))
        .routes(routes!(quotas::list))
        .routes(routes!(scaling::show))
        .routes(routes!(status::show))
        .routes(routes!(verdict::show))
        .routes(routes!(verdict::list_waiting))
        .routes(routes!(jobs::timeline::show))
        .routes(routes!(series::show))
        .routes(routes!(failures::list))
        .routes(routes!(audit::list))
        .route_layer(from_fn(limit_time));
    // These wait for a body or read many records, so they limit the time of each store call.
    let routes = OpenApiRouter::new()
        .routes(routes!(jobs::read::list, jobs::submit::submit))
        .routes(routes!(jobs::submit::submit_batch))
        .routes(routes!(jobs::change::change))
        .routes(routes!(jobs::signal::signal))
        .routes(routes!(jobs::signal::signal_by_link))
        .routes(routes!(locks::list, locks::set))
        .routes(routes!(limits::set))
        .routes(routes!(crons::list, crons::set))
        .routes(routes!(crons::change::change))
        .routes(routes!(action_configs::set))
        .routes(routes!(action_configs::change::change))
        .routes(routes!(subscriptions::list, subscriptions::set))
        .routes(routes!(jobs::cancel::cancel_many))
        .routes(routes!(bulk::list, bulk::begin))
        .routes(routes!(workers::commands::capacity, workers::commands::change_capacity))
        .routes(routes!(settings::show, settings::change))
        .routes(routes!(events::follow))
        .routes(routes!(docs::show))
        .merge(brief);
    OpenApiRouter::with_openapi(docs::begin()).nest("/api/v0", routes)
}

/// Limits the whole request to the time that a store call may take.
async fn limit_time(request: Request, next: Next) -> Result<Response, Refusal> {
    in_time(async { Ok(next.run(request).await) }).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Access;
    use crate::auth::roles::listed;
    use axum::http::Method;
    use domain::access_tokens::Role;

    #[test]
    fn every_route_is_listed_with_the_role_it_requires() {
        let (_, mut document) = routes_and_docs();
        let all: Vec<_> = docs::security::operations(&mut document)
            .map(|(method, path, _)| (method, path))
            .collect();
        assert!(all.len() > 20);
        for (method, path) in all {
            let access = listed(method.as_str(), &path);
            assert!(access.is_some(), "add {method} {path} to the table of roles");
            // Its path has a signature.
            if path == "/api/v0/signals/{link}" {
                continue;
            }
            let is_public = access == Some(Access::Public);
            assert!(!is_public || path.contains("docs"), "{method} {path} is public");
            let changes = method != Method::GET;
            let allows_viewers = access <= Some(Access::Role(Role::Viewer));
            assert!(!changes || !allows_viewers, "a viewer may {method} {path}");
        }
    }
}
