//! The caller of a request, as handlers and the audit see it.

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::access_tokens::{Owner, Role};
use domain::job::ActionName;
use store::UNKNOWN_USER;

use crate::error::Error;

/// The owner of the token of a request, and what the request created. Clones share their state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    token: Option<(Owner, Role)>,
    subject: OnceLock<String>,
}

impl Caller {
    /// Returns the owner of a valid token.
    pub(super) fn known(owner: Owner, role: Role) -> Caller {
        Caller(Arc::new(Inner { token: Some((owner, role)), subject: OnceLock::new() }))
    }

    /// Returns the name, which jobs show as `scheduledBy`; `unknown` without tokens.
    pub(crate) fn name(&self) -> &str {
        self.0.token.as_ref().map_or(UNKNOWN_USER, |(owner, _)| owner.as_str())
    }

    /// Returns the owner of the token, if tokens are required.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        self.0.token.as_ref().map(|(owner, _)| owner)
    }

    /// Returns the role as the audit shows it; empty without tokens.
    pub(crate) fn role(&self) -> &'static str {
        self.0.token.as_ref().map_or("", |(_, role)| role.as_str())
    }

    /// Returns true if the caller may change jobs of the action `deliver`. They send the messages of
    /// subscriptions, so who stops them silences alerts. Subscriptions are changed by admins.
    pub(crate) fn may_change_deliveries(&self) -> bool {
        self.0.token.as_ref().is_none_or(|(_, role)| *role >= Role::Admin)
    }

    /// Refuses a change of an action, or of one of its jobs, that the caller may not make.
    pub(crate) fn check_action(&self, action: &ActionName) -> Result<(), Error> {
        match &self.0.token {
            Some((owner, role)) if !self.may_change_deliveries() && action.is_deliver() => {
                let owner = owner.clone();
                Err(Error::NotAuthorized { owner, role: *role, needed: Role::Admin })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Records for the audit what the request created or changed, if its path does not name it.
    pub(crate) fn set_subject(&self, subject: impl Display) {
        let _ = self.0.subject.set(subject.to_string());
    }

    /// Returns what the request created or changed.
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
