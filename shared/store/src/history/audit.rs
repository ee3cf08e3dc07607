//! The audit log: who changed what over HTTP, as one stream of changes and one of refused requests.
//! Nothing else in the store depends on it.

mod read;

use crate::bounds::{AUDIT_AGE, AUDIT_KEPT, AUDIT_REFUSED_KEPT};
use crate::error::StoreError;
use crate::store::Store;
use domain::job::Timestamp;

const FORBIDDEN: u16 = 403;

/// A change, made or refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// Only refused requests, or only others.
    pub refused: Option<bool>,
}

impl Store {
    /// Writes changes to the audit log, in their order, and removes old entries.
    pub async fn audit(&self, changes: &[AuditedChange]) -> Result<(), StoreError> {
        let oldest = self.now().await?.ms() - AUDIT_AGE.as_millis() as i64;
        let mut pipe = redis::pipe();
        for change in changes {
            let key = self.audit_key(change.is_refused());
            let command = pipe.cmd("XADD").arg(key).arg("MINID").arg("~").arg(oldest.max(0));
            command.arg("*").arg("status").arg(change.status);
            for (name, text) in change.texts() {
                if !text.is_empty() {
                    command.arg(name).arg(text);
                }
            }
            command.ignore();
        }
        for (refused, kept) in [(false, AUDIT_KEPT), (true, AUDIT_REFUSED_KEPT)] {
            let key = self.audit_key(refused);
            pipe.cmd("XTRIM").arg(key).arg("MAXLEN").arg("~").arg(kept).ignore();
        }
        let mut connection = self.connection.clone();
        Ok(pipe.exec_async(&mut connection).await?)
    }

    /// Refused requests have a stream of their own, so that they do not displace changes.
    fn audit_key(&self, refused: bool) -> String {
        if refused { self.keys.audit_refused() } else { self.keys.audit() }
    }
}

impl AuditedChange {
    /// True for a request that its caller's role does not allow.
    fn is_refused(&self) -> bool {
        self.status == FORBIDDEN
    }

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
