//! The audit log of changes over HTTP.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use domain::job::Timestamp;
use serde::Serialize;
use store::{AuditFilter, AuditRecord};
use utoipa::ToSchema;

use crate::app::App;
use crate::query::Query;
use crate::v0::wire::pagination::{Paged, paged};
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, StoreUnavailable};
use crate::v0::wire::schemas;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Audit {
    /// The entries, newest first.
    audit: Vec<AuditEntry>,
}

/// A request over HTTP that changed something, or was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "1795280280000-0", "at": "2026-11-20T16:38:00Z", "who": "ci", "role": "operator",
    "from": "192.0.2.7", "method": "POST", "path": "/api/v0/jobs", "query": "", "status": 202,
    "subject": "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
}))]
struct AuditEntry {
    /// The id of the entry, unique among changes and among refused requests. Later entries have
    /// larger ids.
    id: String,
    /// The time at which the entry was written.
    #[schema(value_type = String)]
    at: Timestamp,
    /// The name of the token. `unknown` if the API requires no tokens.
    who: String,
    /// The role of the token. Empty if the API requires no tokens.
    role: String,
    /// The IP address of the client.
    from: String,
    /// The method of the request.
    method: String,
    /// The path of the request.
    path: String,
    /// The query of the request. Empty if the request was refused.
    query: String,
    /// The status of the response. 403 means that the role was too low, 499 that the client
    /// disconnected before the response.
    status: u16,
    /// The id or name of the object that was created or changed, if the path does not contain it.
    subject: String,
}

/// Lists changes over HTTP, newest first.
///
/// The log includes requests that were refused because the role of their token was too low. Entries
/// are kept for 90 days: at most 100,000 of changes, and at most 10,000 of refused requests.
#[utoipa::path(
    get, path = "/audit", operation_id = "ListAudit", tag = "audit",
    params(
        ("start" = Option<i32>, Query, minimum = 0, example = 0,
            description = "The offset of the first entry. Defaults to 0."),
        ("limit" = Option<i32>, Query, minimum = 0, maximum = 1000, example = 100,
            description = "The maximum number of entries. Defaults to 100."),
        ("who" = Option<String>, Query, example = "ci",
            description = "Only entries of the token with this name."),
        ("since" = Option<schemas::OptionalTime>, Query, example = "2026-11-20T16:30:00Z",
            description = "Only entries at or after this time, as RFC 3339."),
        ("refused" = Option<bool>, Query, example = false,
            description = "`true` selects only refused requests, `false` only others. `t`, `1`, \
                `f` and `0` are also accepted."),
    ),
    responses(
        (status = 200, body = Audit, description = "A page of entries.",
            headers(
                ("X-Total-Count" = u64, description = "The total number of entries that match."),
            )),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Paged<Audit>, Refusal> {
    let query = Query::read(raw.as_deref(), &["start", "limit", "who", "since", "refused"])?;
    let (start, limit) = query.page(DEFAULT_LIMIT, MAX_LIMIT)?;
    let (who, since) = (query.text("who").map(str::to_owned), query.value("since")?);
    let filter = AuditFilter { who, since, refused: query.switch("refused")? };
    let (found, total) = app.store.audit_records(&filter, start, limit).await?;
    let audit = found.into_iter().map(AuditEntry::from).collect();
    Ok(paged(total, Audit { audit }))
}

impl From<AuditRecord> for AuditEntry {
    fn from(AuditRecord { id, at, change }: AuditRecord) -> AuditEntry {
        let store::AuditedChange { who, role, from, method, path, query, status, subject } = change;
        AuditEntry { id, at, who, role, from, method, path, query, status, subject }
    }
}
