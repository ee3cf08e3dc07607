//! Logs, health and metrics: what a service tells of itself. Nothing here is global but the log, which is the
//! process's own.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Begins to log to standard error. Call once, from `main`.
pub fn start_logging(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("CAPSTAN_LOG={filter:?} is no log filter: {error}"))?;
    // lapin logs each closed channel as an error; what matters of it we log ourselves.
    let quiet = ["lapin=off", "redis=warn"].into_iter().filter_map(|rule| rule.parse().ok());
    let filter = quiet.fold(filter, EnvFilter::add_directive);
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
    started.map_err(|error| format!("cannot log: {error}"))
}

/// Whether a service makes progress, per part of it. Cheap to clone.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, Part>>>);

struct Part {
    last: Option<Instant>,
    within: Duration,
    trouble: Option<String>,
}

impl Health {
    /// Names a part that must report progress at least every `within`; until it first does it is not ready.
    pub fn expect(&self, part: &'static str, within: Duration) {
        self.lock().insert(part, Part { last: None, within, trouble: None });
    }

    /// The part made progress.
    pub fn progress(&self, part: &'static str) {
        if let Some(part) = self.lock().get_mut(part) {
            part.last = Some(Instant::now());
            part.trouble = None;
        }
    }

    /// The part failed, and why; it stays unready until it makes progress.
    pub fn trouble(&self, part: &'static str, why: &dyn std::fmt::Display) {
        if let Some(part) = self.lock().get_mut(part) {
            part.trouble = Some(why.to_string());
        }
    }

    /// Per part: `None` when it is well, else what is wrong.
    #[must_use]
    pub fn report(&self) -> BTreeMap<&'static str, Option<String>> {
        let parts = self.lock();
        parts.iter().map(|(name, part)| (*name, part.wrong())).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    fn wrong(&self) -> Option<String> {
        if let Some(trouble) = &self.trouble {
            return Some(trouble.clone());
        }
        match self.last {
            None => Some("has not begun yet".to_owned()),
            Some(last) if last.elapsed() > self.within => {
                Some(format!("no progress for {}s", last.elapsed().as_secs()))
            }
            Some(_) => None,
        }
    }
}

/// What the admin listener answers from.
#[derive(Clone)]
pub struct Admin {
    /// The health of the service.
    pub health: Health,
    /// Its metrics.
    pub registry: Arc<Registry>,
}

/// The routes `/livez`, `/readyz` and `/metrics`.
pub fn admin_routes(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(|| async { Json(serde_json::json!({"status": "ok"})) }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

/// Answers the admin routes on an address of their own until shutdown; returns at once without an address.
pub async fn serve_admin(
    address: Option<SocketAddr>,
    admin: Admin,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let Some(address) = address else { return Ok(()) };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
        let kind = error.kind();
        std::io::Error::new(
            kind,
            format!("cannot listen on CAPSTAN_ADMIN_LISTEN={address}: {error}"),
        )
    })?;
    let serving = axum::serve(listener, admin_routes(admin));
    serving.with_graceful_shutdown(shutdown.cancelled_owned()).await
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    let report = admin.health.report();
    let ready = report.values().all(Option::is_none);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let checks: BTreeMap<_, _> = report
        .into_iter()
        .map(|(name, wrong)| (name, wrong.unwrap_or_else(|| "ok".to_owned())))
        .collect();
    let word = if ready { "ok" } else { "unavailable" };
    (status, Json(serde_json::json!({"status": word, "checks": checks})))
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &admin.registry);
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}
