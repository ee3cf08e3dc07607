//! Who asks, as handlers are told it.

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use shared::store::UNKNOWN;
use shared::tokens::{Owner, Role};

/// Who sent a request, and what came of it. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: Option<(Owner, Role)>,
    subject: OnceLock<String>,
}

impl Caller {
    /// The owner of a token.
    pub(super) fn known(owner: Owner, role: Role) -> Caller {
        Caller(Arc::new(Inner { known: Some((owner, role)), subject: OnceLock::new() }))
    }

    /// The name: what jobs show as `scheduledBy`. `unknown` where nobody has to say who they are.
    pub(crate) fn name(&self) -> &str {
        self.0.known.as_ref().map_or(UNKNOWN, |(owner, _)| owner.as_str())
    }

    /// The role, as the audit shows it; empty where there is none.
    pub(crate) fn role(&self) -> &'static str {
        self.0.known.as_ref().map_or("", |(_, role)| role.as_str())
    }

    /// Notes for the audit what was made or changed, where the path does not say it. Once.
    pub(crate) fn made(&self, subject: impl Display) {
        let _ = self.0.subject.set(subject.to_string());
    }

    /// What was noted.
    pub(crate) fn subject(&self) -> &str {
        self.0.subject.get().map_or("", String::as_str)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Infallible> {
        Ok(parts.extensions.get::<Caller>().cloned().unwrap_or_default())
    }
}
