//! The routes of all surfaces, with the middleware that applies to all of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use socketioxide::layer::SocketIoLayer;
use tower::Layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};

use super::answer_budget::{self, AnswerBudget};
use super::body_budget::{self, BodyBudget};
use super::guard::{Guard, guard};
use super::headers;
use super::origin_policy::{self, OriginPolicy};
use super::refusal::Surface;
use crate::app::App;
use crate::error::Error;
use crate::http_error;
use crate::metrics;
use crate::v0::wire::refusal::Refusal;
use crate::{docs_page, v1, web};

/// How long a handler may take to begin its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns the complete service; `v0` holds the routes of that surface.
pub(super) fn routes(
    v0: Router<Arc<App>>,
    socketio: SocketIoLayer,
    app: Arc<App>,
    guard: Guard,
    policy: OriginPolicy,
) -> NormalizePath<Router> {
    let router = v0.merge(v1::routes()).merge(docs_page::routes());
    let router = if app.web { router.merge(web::routes()) } else { router };
    let router = http_error::with_fallbacks::<_, Refusal>(router).layer(socketio);
    let router = with_middleware(router, &app, guard, policy).with_state(app);
    NormalizePathLayer::trim_trailing_slash().layer(router)
}

/// Adds the middleware that applies to all routes; the last layer sees a request first.
fn with_middleware(
    router: Router<Arc<App>>,
    app: &App,
    state: Guard,
    policy: OriginPolicy,
) -> Router<Arc<App>> {
    let origins = policy.origins.clone();
    let answers = AnswerBudget::new(state.proxies.clone());
    let router = router
        .layer(CatchPanicLayer::custom(http_error::panicked::<Refusal>))
        .layer(from_fn_with_state(BodyBudget::default(), body_budget::charge))
        .layer(from_fn(limit_time))
        .layer(from_fn_with_state(answers, answer_budget::charge))
        .layer(from_fn_with_state(state, guard))
        .layer(from_fn_with_state(policy, origin_policy::check))
        .layer(from_fn_with_state(app.metrics.clone(), metrics::count))
        .layer(from_fn(headers::add));
    // A browser sends its preflight request without a token.
    let has_origins = !origins.as_headers().is_empty();
    if has_origins { router.layer(headers::cors(&origins)) } else { router }
}

async fn limit_time(request: Request, next: Next) -> Response {
    let surface = Surface::of(&request);
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await;
    answer.unwrap_or_else(|_| surface.refuse(Error::Unavailable("the answer took too long")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use serde_json::{Value, json};

    async fn broken() -> &'static str {
        panic!("on purpose")
    }

    #[tokio::test]
    async fn a_handler_that_panics_is_answered_in_the_shape_of_the_surface() {
        let router: Router = Router::new()
            .route("/panic", get(broken))
            .layer(CatchPanicLayer::custom(http_error::panicked::<Refusal>));
        let request = Request::get("/panic").body(axum::body::Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(router, request).await.unwrap();
        assert_eq!(answer.status(), 500);
        let body = axum::body::to_bytes(answer.into_body(), 4096).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["errors"][0]["code"], json!("INTERNAL_ERROR"));
    }
}
