//! The admin listener of a service: `/livez`, `/readyz` and `/metrics`.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::Health;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the admin listener reports.
#[derive(Clone)]
pub struct Admin {
    /// The health of the service.
    pub health: Health,
    /// The metrics of the service.
    pub registry: Arc<Registry>,
}

/// Serves the admin routes on an address until shutdown. Returns at once if there is no address.
pub async fn serve_admin(
    address: Option<SocketAddr>,
    admin: Admin,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let Some(address) = address else { return Ok(()) };
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let message = format!("cannot listen on CAPSTAN_ADMIN_LISTEN={address}: {error}");
        io::Error::new(error.kind(), message)
    })?;
    let serving = axum::serve(listener, admin_routes(admin));
    serving.with_graceful_shutdown(shutdown.cancelled_owned()).await
}

/// Returns the routes `/livez`, `/readyz` and `/metrics`.
pub fn admin_routes(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(|| async { Json(serde_json::json!({"status": "ok"})) }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    let problems = admin.health.problems();
    let (status, word) = if problems.values().all(Option::is_none) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    let mut warnings = admin.health.warnings();
    let checks: BTreeMap<_, _> = problems
        .into_iter()
        .map(|(part, problem)| {
            let warning = warnings.remove(part).map(|warning| format!("ok, but {warning}"));
            (part, problem.or(warning).unwrap_or_else(|| "ok".to_owned()))
        })
        .collect();
    (status, Json(serde_json::json!({"status": word, "checks": checks})))
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, &admin.registry);
    ([(header::CONTENT_TYPE, OPEN_METRICS)], text)
}
