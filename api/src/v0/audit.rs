//! Who changed what: the audit as admins read it.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use domain::job::Timestamp;
use serde::Serialize;
use store::{AuditFilter, AuditRecord};
use utoipa::ToSchema;

use crate::app::App;
use crate::v0::wire::pagination::{Paged, paged, read_page};
use crate::v0::wire::query::Query;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, StoreUnavailable};
use crate::v0::wire::schemas;

const PAGE: u32 = 100;
const MAX: u32 = 1000;

/// Changes, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Audit {
    /// The page.
    audit: Vec<AuditEntry>,
}

/// A change over HTTP, done or refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "1795280280000-0", "at": "2026-11-20T16:38:00Z", "who": "ci", "role": "operator",
    "from": "192.0.2.7", "method": "POST", "path": "/api/v0/jobs", "query": "", "status": 202,
    "subject": "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
}))]
struct AuditEntry {
    /// Its place in the audit.
    id: String,
    /// When it was written.
    #[schema(value_type = String)]
    at: Timestamp,
    /// The name of the token; `unknown` where none is needed.
    who: String,
    /// The role of the token; empty where none is needed.
    role: String,
    /// The IP address that it came from.
    from: String,
    /// The method.
    method: String,
    /// The path.
    path: String,
    /// The query of what was done; empty for what was refused.
    query: String,
    /// The status that was answered: 403 where the role may not, 499 where nobody waited for it.
    status: u16,
    /// What was made or changed, where the path does not say it.
    subject: String,
}

/// Lists changes over HTTP, done or refused for want of a role, the newest first. The last 10,000
/// are kept.
#[utoipa::path(
    get, path = "/audit", operation_id = "ListAudit", tag = "audit",
    params(
        ("start" = Option<i32>, Query, minimum = 0, example = 0,
            description = "from which place of the list on; 0 unless given"),
        ("limit" = Option<i32>, Query, minimum = 0, maximum = 1000, example = 100,
            description = "how many at most; 100 unless given"),
        ("who" = Option<String>, Query, example = "ci", description = "only those of this name"),
        ("since" = Option<schemas::Moment>, Query, example = "2026-11-20T16:30:00Z",
            description = "only those at this moment or later, as RFC 3339"),
    ),
    responses(
        (status = 200, body = Audit, description = "a page of the list",
            headers(("X-Total-Count" = u64, description = "how many match in all"))),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Paged<Audit>, Refusal> {
    let query = Query::read(raw.as_deref(), &["start", "limit", "who", "since"])?;
    let (start, limit) = read_page(&query, PAGE, MAX)?;
    let (who, since) = (query.text("who").map(str::to_owned), query.value("since")?);
    let filter = AuditFilter { who, since };
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
