//! The audit log: who changed what over HTTP, as a stream of the last ten thousand changes. Nothing
//! else in the store depends on it.

use redis::streams::{StreamId, StreamRangeReply};

use crate::bounds::AUDIT_KEPT;
use crate::error::StoreError;
use crate::store::Store;
use domain::job::Timestamp;

/// How many entries are read at once.
const PAGE: usize = 1_000;

/// A change, made or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedChange {
    /// The owner of the token; `unknown` when no token is required.
    pub who: String,
    /// The role of the token; empty when there was none.
    pub role: String,
    /// The IP address of the client.
    pub from: String,
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The query, when it is known to hold no secret.
    pub query: String,
    /// The status of the response.
    pub status: u16,
    /// What was created or changed, when the path does not say it.
    pub subject: String,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its id in the stream.
    pub id: String,
    /// When it was written.
    pub at: Timestamp,
    /// The change.
    pub change: AuditedChange,
}

/// Which entries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those of this owner.
    pub who: Option<String>,
    /// Only those at this moment or later.
    pub since: Option<Timestamp>,
}

impl Store {
    /// Writes changes to the audit log, in their order.
    pub async fn audit(&self, changes: &[AuditedChange]) -> Result<(), StoreError> {
        let key = self.keys.audit();
        let mut pipe = redis::pipe();
        for change in changes {
            let command = pipe.cmd("XADD").arg(&key).arg("MAXLEN").arg("~").arg(AUDIT_KEPT);
            command.arg("*").arg("status").arg(change.status);
            for (name, text) in change.texts() {
                if !text.is_empty() {
                    command.arg(name).arg(text);
                }
            }
            command.ignore();
        }
        let mut connection = self.connection.clone();
        Ok(pipe.exec_async(&mut connection).await?)
    }

    /// The entries that match, newest first, from the `start`-th on, at most `limit`; and how many
    /// match in all.
    pub async fn audit_records(
        &self,
        filter: &AuditFilter,
        start: usize,
        limit: usize,
    ) -> Result<(Vec<AuditRecord>, usize), StoreError> {
        let first = filter.since.map_or_else(|| "-".to_owned(), |since| since.ms().to_string());
        let (mut last, mut found, mut total) = ("+".to_owned(), Vec::new(), 0);
        loop {
            let mut command = redis::cmd("XREVRANGE");
            command.arg(self.keys.audit()).arg(&last).arg(&first).arg("COUNT").arg(PAGE);
            let mut connection = self.connection.clone();
            let page: StreamRangeReply = command.query_async(&mut connection).await?;
            let Some(end) = page.ids.last() else { return Ok((found, total)) };
            last = format!("({}", end.id);
            for entry in page.ids.into_iter().map(audit_record) {
                if filter.who.as_ref().is_some_and(|who| *who != entry.change.who) {
                    continue;
                }
                if total >= start && found.len() < limit {
                    found.push(entry);
                }
                total += 1;
            }
        }
    }
}

impl AuditedChange {
    fn texts(&self) -> [(&'static str, &str); 7] {
        [
            ("who", &self.who),
            ("role", &self.role),
            ("from", &self.from),
            ("method", &self.method),
            ("path", &self.path),
            ("query", &self.query),
            ("subject", &self.subject),
        ]
    }
}

/// Reads an entry. What cannot be read is left empty: an old entry must not hide the others.
fn audit_record(entry: StreamId) -> AuditRecord {
    let text = |name: &str| entry.get::<String>(name).unwrap_or_default();
    let ms = entry.id.split('-').next().and_then(|ms| ms.parse().ok()).unwrap_or_default();
    let change = AuditedChange {
        who: text("who"),
        role: text("role"),
        from: text("from"),
        method: text("method"),
        path: text("path"),
        query: text("query"),
        status: entry.get("status").unwrap_or_default(),
        subject: text("subject"),
    };
    AuditRecord { at: Timestamp::from_ms(ms), change, id: entry.id }
}
