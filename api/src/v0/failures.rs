//! Failures, grouped by fingerprint.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use domain::failure::Fingerprint;
use domain::job::{ActionName, JobId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::failures::groups_since;
use crate::query::Query;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, StoreUnavailable};
use crate::v0::wire::schemas;

/// Groups of failures, the largest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Failures, example = json!({
    "groups": [{
        "fingerprint": "4f0c1c39d2c0a7be", "action": "scan", "type": "ExitCode",
        "message": "the command exited with code <n>", "count": 12,
        "firstSeen": "2026-11-20T16:02:11.104Z", "lastSeen": "2026-11-20T16:54:34.717Z",
        "sampleID": "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
        "counts": [{"at": "2026-11-20T16:50:00Z", "count": 12}],
    }],
}))]
pub(in crate::v0) struct Groups {
    /// The groups.
    groups: Vec<Group>,
}

/// Failures of one action with the same type of exception and the same message, except for numbers
/// and ids.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FailureGroup)]
struct Group {
    /// Identifies the group. `GET /jobs?fingerprint=` lists its jobs.
    #[schema(value_type = String, example = "4f0c1c39d2c0a7be")]
    fingerprint: Fingerprint,
    /// The action of the jobs.
    #[schema(value_type = schemas::Action)]
    action: ActionName,
    /// The type of their exceptions. Empty if they had none.
    #[serde(rename = "type")]
    kind: String,
    /// The message of their exceptions. Numbers and ids are masked, as `<n>`, `<hex>`, `<uuid>` and
    /// `<id>`.
    message: String,
    /// The number of failures since the start of the period, an attempt that is retried included.
    count: u64,
    /// When the first job of the group failed, which may be before the period.
    #[schema(value_type = String, format = DateTime)]
    first_seen: Timestamp,
    /// When the last one failed.
    #[schema(value_type = String, format = DateTime)]
    last_seen: Timestamp,
    /// The last job that failed.
    #[serde(rename = "sampleID")]
    #[schema(value_type = String, format = Uuid)]
    sample_id: JobId,
    /// The number of failures in each 5 minutes, for a period of more than 24 hours in each hour.
    /// Periods without failures are left out.
    counts: Vec<Count>,
}

/// A number of failures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FailureCount)]
struct Count {
    /// The start of the period.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How many jobs failed.
    count: u64,
}

/// Lists failures, grouped by action, type of exception and message.
///
/// The 500 groups that failed last are kept, for 7 days after their last failure.
#[utoipa::path(
    get, path = "/failures", operation_id = "ListFailures", tag = "meta",
    params(
        ("since" = Option<String>, Query, example = "90m",
            description = "The start of the period: a time (RFC 3339), or how long ago, at most \
                7 days. An hour ago if not given."),
    ),
    responses(
        (status = 200, body = Groups, description = "The groups."), BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Json<Groups>, Refusal> {
    let query = Query::read(raw.as_deref(), &["since"])?;
    let groups = groups_since(&app.store, &query).await?.groups;
    let group = |group: store::FailureGroup| Group {
        fingerprint: group.fingerprint,
        action: group.kind.action,
        kind: group.kind.exception,
        message: group.kind.message,
        count: group.count,
        first_seen: group.first_seen,
        last_seen: group.last_seen,
        sample_id: group.sample,
        counts: group
            .counts
            .into_iter()
            .map(|(at, count)| Count { at: Timestamp::from_ms(at), count })
            .collect(),
    };
    Ok(Json(Groups { groups: groups.into_iter().map(group).collect() }))
}
