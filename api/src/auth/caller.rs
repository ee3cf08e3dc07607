//! The caller of a request, as handlers and the audit see it.

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::access_tokens::{AccessTokenEntry, AccessTokens, Owner, Role};
use domain::job::ActionName;
use store::UNKNOWN_USER;
use tokio::sync::watch;

use super::roles::Access;
use crate::error::Error;

/// The owner of the token of a request, and what the request created. Clones share their state.
#[derive(Clone, Default)]
pub(crate) struct Caller(Arc<Inner>);

#[derive(Default)]
struct Inner {
    token: Option<Token>,
    subject: OnceLock<String>,
    /// The name and the role of the token that created the link that the request used.
    linked: OnceLock<(String, Role)>,
}

/// A valid token, and the role that the request required.
struct Token {
    entry: AccessTokenEntry,
    needed: Role,
    /// The tokens in force.
    tokens: Arc<watch::Sender<AccessTokens>>,
}

impl Caller {
    /// Returns the owner of a valid token.
    pub(super) fn known(
        entry: AccessTokenEntry,
        needed: Role,
        tokens: Arc<watch::Sender<AccessTokens>>,
    ) -> Caller {
        let token = Some(Token { entry, needed, tokens });
        Caller(Arc::new(Inner { token, ..Inner::default() }))
    }

    /// Returns true if the token has been deleted since the request began, or has lost the role
    /// that the request required.
    pub(crate) fn is_revoked(&self) -> bool {
        let token = self.0.token.as_ref();
        token.is_some_and(|token| !token.tokens.borrow().still_allow(&token.entry, token.needed))
    }

    /// Waits until the token is revoked.
    pub(crate) async fn revoked(&self) {
        let Some(Token { entry, needed, tokens }) = &self.0.token else {
            return std::future::pending().await;
        };
        // It does not fail, because this caller keeps the sender.
        let _ = tokens.subscribe().wait_for(|tokens| !tokens.still_allow(entry, *needed)).await;
    }

    /// Returns the name, which jobs show as `scheduledBy`; `unknown` without tokens.
    pub(crate) fn name(&self) -> &str {
        let linked = self.0.linked.get().map_or(UNKNOWN_USER, |(name, _)| name);
        self.0.token.as_ref().map_or(linked, |token| token.entry.owner.as_str())
    }

    /// Returns the owner of the token, if tokens are required.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        self.0.token.as_ref().map(|token| &token.entry.owner)
    }

    /// Returns the role as the audit shows it; empty without tokens.
    pub(crate) fn role(&self) -> &'static str {
        let linked = self.0.linked.get().map_or("", |(_, role)| role.as_str());
        self.0.token.as_ref().map_or(linked, |token| token.entry.role.as_str())
    }

    /// Returns true if the caller has the access that a route requires. A button of the web page
    /// exists only if this is true for its route.
    pub(crate) fn may(&self, access: Access) -> bool {
        match (&self.0.token, access) {
            (None, _) | (_, Access::Public) => true,
            (Some(token), Access::Role(needed)) => token.entry.role >= needed,
        }
    }

    /// Returns true if the caller has the access that a route requires, and has not lost it since
    /// the request began.
    pub(crate) fn may_still(&self, access: Access) -> bool {
        match (&self.0.token, access) {
            (None, _) | (_, Access::Public) => true,
            (Some(token), Access::Role(needed)) => {
                token.tokens.borrow().still_allow(&token.entry, needed)
            }
        }
    }

    /// Returns true if the caller may change jobs of the action `deliver`. They send the messages
    /// of subscriptions, so stopping them silences alerts. Subscriptions are changed by admins.
    pub(crate) fn may_change_deliveries(&self) -> bool {
        self.0.token.as_ref().is_none_or(|token| token.entry.role >= Role::Admin)
    }

    /// Refuses a change of an action, or of one of its jobs, that the caller may not make.
    pub(crate) fn check_action(&self, action: &ActionName) -> Result<(), Error> {
        match &self.0.token {
            Some(token) if !self.may_change_deliveries() && action.is_deliver() => {
                let AccessTokenEntry { owner, role, .. } = token.entry.clone();
                Err(Error::NotAuthorized { owner, role, needed: Role::Admin })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Returns the role with which signals are sent. Without tokens, every caller is an admin.
    pub(crate) fn signal_role(&self) -> Role {
        self.0.token.as_ref().map_or(Role::Admin, |token| token.entry.role)
    }

    /// Records for the audit that the request used a link, and which token created it.
    pub(crate) fn set_linked(&self, by: &str, role: Role) {
        let _ = self.0.linked.set((by.to_owned(), role));
    }

    /// Returns true if the request used a valid link.
    pub(crate) fn is_linked(&self) -> bool {
        self.0.linked.get().is_some()
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
