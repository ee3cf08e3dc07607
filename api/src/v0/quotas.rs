//! Quotas: what each submitter has waiting, and how much it may have.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, StoreUnavailable};

/// What the submitters have waiting. The settings change how much they may have.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "maxWaitingJobs": 1_000_000, "maxWaitingBytes": 1_073_741_824,
    "quotas": [{"owner": "ci", "waitingJobs": 250, "waitingBytes": 28_000}],
}))]
pub(in crate::v0) struct Quotas {
    /// The number of waiting jobs that one submitter may have. 0 means no limit.
    max_waiting_jobs: u64,
    /// The number of bytes that their specifications may have together. 0 means no limit.
    max_waiting_bytes: u64,
    /// The submitters that have waiting jobs.
    quotas: Vec<Quota>,
}

/// What a submitter has waiting.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Quota {
    /// The submitter, as its jobs show it in `scheduledBy`.
    owner: String,
    /// The number of its waiting jobs.
    waiting_jobs: u64,
    /// The number of bytes of their specifications.
    waiting_bytes: u64,
}

/// Shows what each submitter has waiting, and how much it may have.
#[utoipa::path(
    get, path = "/quotas", operation_id = "ListQuotas", tag = "meta",
    responses(
        (status = 200, body = Quotas, description = "The quotas."), BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<Quotas>, Refusal> {
    let (settings, waiting) = (app.store.settings().await?, app.store.waiting_by_owner().await?);
    let quotas = waiting.into_iter().map(|waiting| Quota {
        owner: waiting.owner,
        waiting_jobs: waiting.jobs,
        waiting_bytes: waiting.bytes,
    });
    Ok(Json(Quotas {
        max_waiting_jobs: settings.max_waiting_jobs,
        max_waiting_bytes: settings.max_waiting_bytes,
        quotas: quotas.collect(),
    }))
}
