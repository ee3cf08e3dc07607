//! The metrics of the API and the middleware that counts requests. Labels are bounded: routes by
//! their pattern, methods by the known ones.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use domain::job::Status;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    status: &'static str,
}

type Durations = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// The metrics of the API. Clones share their counters.
#[derive(Clone)]
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    durations: Durations,
    submitted: Counter,
    audit_lost: Counter,
    left_out: Counter,
    jobs: Family<StatusLabels, Gauge>,
}

impl Metrics {
    /// Creates the metrics and registers them.
    pub(crate) fn new(registry: &mut Registry) -> Metrics {
        let metrics = Metrics {
            requests: Family::default(),
            // From half a millisecond to eight seconds.
            durations: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.0005, 2.0, 15))
            }),
            submitted: Counter::default(),
            audit_lost: Counter::default(),
            left_out: Counter::default(),
            jobs: Family::default(),
        };
        let registry = registry.sub_registry_with_prefix("capstan");
        let requests = metrics.requests.clone();
        registry.register("api_requests", "requests by route, method and status code", requests);
        let durations = metrics.durations.clone();
        let help = "time from a request to the start of its answer";
        registry.register_with_unit("api_request", help, Unit::Seconds, durations);
        let submitted = metrics.submitted.clone();
        registry.register("api_submitted_jobs", "jobs that were accepted with 202", submitted);
        let help = "changes that could not be written to the audit";
        registry.register("api_audit_lost", help, metrics.audit_lost.clone());
        let help = "records that lists left out because they cannot be read";
        registry.register("api_unreadable_records", help, metrics.left_out.clone());
        registry.register("jobs", "jobs in the store by status", metrics.jobs.clone());
        metrics
    }

    /// Counts jobs that were accepted with 202.
    pub(crate) fn submitted(&self, jobs: usize) {
        self.submitted.inc_by(jobs as u64);
    }

    /// Counts changes that could not be written to the audit.
    pub(crate) fn audit_lost(&self, changes: usize) {
        self.audit_lost.inc_by(changes as u64);
    }

    /// Counts records that lists left out because they cannot be read.
    pub(crate) fn left_out(&self, records: u64) {
        self.left_out.inc_by(records);
    }

    /// Sets the number of jobs in each status.
    pub(crate) fn jobs(&self, counts: &[(Status, u64)]) {
        for (status, count) in counts {
            let gauge = self.jobs.get_or_create(&StatusLabels { status: status.as_str() });
            gauge.set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }
}

/// Middleware that counts requests and measures how long their answers take.
pub(crate) async fn count(
    State(metrics): State<Metrics>,
    request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str).to_owned();
    let method = known_method(request.method());
    let begin = Instant::now();
    let response = next.run(request).await;
    let elapsed = begin.elapsed();
    let status = response.status().as_u16();
    let elapsed_ms = elapsed.as_millis() as u64;
    tracing::debug!(method, route, status, elapsed_ms, "answered");
    let labels = RouteLabels { method, route: route.clone() };
    metrics.durations.get_or_create(&labels).observe(elapsed.as_secs_f64());
    metrics.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    response
}

fn known_method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|name| *name == method.as_str()).unwrap_or("other")
}
