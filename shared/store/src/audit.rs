//! Who changed what over HTTP: a stream of the last ten thousand changes. It is told of, never asked by, the rest.

use redis::streams::{StreamId, StreamRangeReply};

use super::{Store, StoreError};
use domain::job::Timestamp;

/// So many entries are kept, or somewhat more: Redis removes whole nodes of its tree.
pub const AUDIT_KEPT: usize = 10_000;
/// How many entries are read at once.
const PAGE: usize = 1_000;

/// A change, done or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedChange {
    /// The owner of the token; `unknown` where nobody has to say who they are.
    pub who: String,
    /// What the token may do; empty where there was none.
    pub role: String,
    /// From where: an IP address.
    pub from: String,
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The query, where it is known to hold no secret.
    pub query: String,
    /// The status that was answered.
    pub status: u16,
    /// What was made or changed, where the path does not say it.
    pub subject: String,
}

/// A change as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Its place in the stream.
    pub id: String,
    /// When it was written.
    pub at: Timestamp,
    /// What it was.
    pub change: AuditedChange,
}

/// Which changes are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those of this owner.
    pub who: Option<String>,
    /// Only those at this moment or later.
    pub since: Option<Timestamp>,
}

impl Store {
    /// Writes changes down, in their order.
    pub async fn audit(&self, changes: &[AuditedChange]) -> Result<(), StoreError> {
        let key = self.keys.all("audit");
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

    /// The changes that match, the newest first: from place `start` on, at most `limit`; and how many match in all.
    pub async fn audited(
        &self,
        filter: &AuditFilter,
        start: usize,
        limit: usize,
    ) -> Result<(Vec<Audited>, usize), StoreError> {
        let first = filter.since.map_or_else(|| "-".to_owned(), |since| since.ms().to_string());
        let (mut last, mut found, mut total) = ("+".to_owned(), Vec::new(), 0);
        loop {
            let mut command = redis::cmd("XREVRANGE");
            command.arg(self.keys.all("audit")).arg(&last).arg(&first).arg("COUNT").arg(PAGE);
            let mut connection = self.connection.clone();
            let page: StreamRangeReply = command.query_async(&mut connection).await?;
            let Some(end) = page.ids.last() else { return Ok((found, total)) };
            last = format!("({}", end.id);
            for entry in page.ids.into_iter().map(audited) {
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

/// What cannot be read is shown as nothing: an old entry must not hide the others.
fn audited(entry: StreamId) -> Audited {
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
    Audited { at: Timestamp::from_ms(ms), change, id: entry.id }
}
