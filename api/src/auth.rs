//! Authentication and authorization: who sends a request, and whether its token's role suffices.
//! One middleware decides for all routes, from one table; handlers decide only about the action
//! `deliver`, because the table does not know the actions of jobs.

mod caller;
mod client_address;
mod request_limit;
pub(crate) mod roles;
mod sessions;
mod throttle;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::access_tokens::{AccessTokenEntry, AccessTokens, Role};
use domain::settings::InvalidSetting;
use service::watched_files::{CHECK_PERIOD, WatchedFiles};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use caller::Caller;
pub(crate) use client_address::{Client, Peer, client, client_address};
pub(crate) use roles::{Access, listed, required_access};
pub(crate) use sessions::MAX_AGE as SESSION_AGE;

use crate::error::{Error, WRONG_TOKEN};
use crate::settings::Exposure;
use request_limit::RequestLimit;
use sessions::Sessions;
use throttle::{FailureThrottle, Verdict};

const SETTING: &str = "CAPSTAN_TOKENS";
const NO_TOKENS: &str = "this API has no tokens, so there is nothing to log in to";

/// Checks tokens and their roles.
pub(crate) struct Authenticator {
    /// `None` if requests need no token.
    tokens: Option<Arc<watch::Sender<AccessTokens>>>,
    throttle: FailureThrottle,
    requests: RequestLimit,
    sessions: Sessions,
}

/// Why a request was refused, and its caller if the token was valid.
pub(crate) struct Denied {
    /// The error to answer.
    pub(crate) error: Error,
    /// The owner of the token.
    pub(crate) caller: Option<Caller>,
}

impl Authenticator {
    /// Reads the tokens file. A missing or invalid file aborts startup.
    pub(crate) fn new(exposure: &Exposure) -> Result<Authenticator, InvalidSetting> {
        let tokens = read(exposure)?;
        if tokens.as_ref().is_some_and(|tokens| tokens.entries().is_empty()) {
            tracing::warn!(
                "the tokens file is empty, so every request is refused: \
                 create a token with `capstan token new`"
            );
        }
        Ok(Authenticator {
            tokens: tokens.map(|tokens| Arc::new(watch::Sender::new(tokens))),
            throttle: FailureThrottle::default(),
            requests: RequestLimit::new(exposure.token_rate.clone()),
            sessions: Sessions::default(),
        })
    }

    /// Reloads the tokens whenever the file changes, until `shutdown`.
    pub(crate) async fn watch(&self, exposure: Exposure, shutdown: CancellationToken) {
        let Some(path) = exposure.tokens.clone() else { return };
        let mut watched = WatchedFiles::new(vec![path]);
        while shutdown.run_until_cancelled(tokio::time::sleep(CHECK_PERIOD)).await.is_some() {
            if watched.have_changed() {
                self.reload(&exposure);
            }
        }
    }

    /// Reloads the tokens. An unreadable file leaves the last readable tokens in force; a token is
    /// revoked by deleting its line.
    fn reload(&self, exposure: &Exposure) {
        let Some(tokens) = &self.tokens else { return };
        match read(exposure) {
            Ok(read) => {
                let read = read.unwrap_or_default();
                tokens.send_if_modified(|current| {
                    let has_changed = *current != read;
                    if has_changed {
                        tracing::info!(tokens = read.entries().len(), "the tokens have changed");
                        *current = read;
                    }
                    has_changed
                });
            }
            Err(error) => tracing::error!(%error, "cannot reload the tokens, keeping the old ones"),
        }
    }

    /// Returns the caller if its session or its token gives the required access. Answers to wrong
    /// tokens are delayed.
    pub(crate) async fn authorize(
        &self,
        headers: &HeaderMap,
        session: Option<&str>,
        required: Access,
        from: IpAddr,
    ) -> Result<Caller, Denied> {
        let (Some(tokens), Access::Role(needed)) = (&self.tokens, required) else {
            return Ok(Caller::default());
        };
        let denied = |error, caller| Denied { error, caller };
        let entry = session.and_then(|id| self.sessions.find(id));
        // A session ends with its token, and follows changes of the token's role.
        let entry = entry.and_then(|entry| current(&tokens.borrow(), entry));
        let entry = match entry {
            Some(entry) => entry,
            None => {
                let token = credentials(headers)
                    .map_err(|why| denied(Error::NotAuthenticated(why), None))?;
                let found = self.find(&token, tokens, from).await;
                let entry = found.map_err(|error| denied(error, None))?;
                self.count(&entry).map_err(|error| denied(error, None))?;
                entry
            }
        };
        let (owner, role) = (entry.owner.clone(), entry.role);
        let caller = Caller::known(entry, needed, Arc::clone(tokens));
        if role < needed {
            return Err(denied(Error::NotAuthorized { owner, role, needed }, Some(caller)));
        }
        Ok(caller)
    }

    /// Returns true if requests need a token.
    pub(crate) fn requires_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Returns the owner and the role of each token.
    pub(crate) fn owners(&self) -> Vec<(String, &'static str)> {
        let Some(tokens) = &self.tokens else { return Vec::new() };
        let tokens = tokens.borrow();
        let entries = tokens.entries().iter();
        entries.map(|entry| (entry.owner.to_string(), entry.role.as_str())).collect()
    }

    /// Begins a session of the owner of a token, and returns its id.
    pub(crate) async fn log_in(&self, token: &str, from: IpAddr) -> Result<String, Error> {
        let Some(tokens) = &self.tokens else { return Err(Error::NotAuthenticated(NO_TOKENS)) };
        let entry = self.find(token, tokens, from).await?;
        let owner = entry.owner.clone();
        let id = self.sessions.begin(entry).map_err(|error| {
            tracing::error!(%error, "cannot read random bytes");
            Error::Internal
        })?;
        tracing::info!(%owner, %from, "a session of the web page began");
        Ok(id)
    }

    /// Ends a session.
    pub(crate) fn log_out(&self, session: &str) {
        self.sessions.end(session);
    }

    /// Counts a request of a token.
    fn count(&self, entry: &AccessTokenEntry) -> Result<(), Error> {
        let counted = self.requests.count(&entry.owner, Instant::now());
        counted.map_err(|(rate, wait)| Error::TooManyRequests {
            owner: entry.owner.clone(),
            rate: rate.to_string(),
            wait_s: wait.as_secs() + 1,
        })
    }

    /// Returns the entry of a token. Answers to wrong tokens are delayed.
    async fn find(
        &self,
        token: &str,
        tokens: &watch::Sender<AccessTokens>,
        from: IpAddr,
    ) -> Result<AccessTokenEntry, Error> {
        let entry = tokens.borrow().find(token).cloned();
        if let Some(entry) = entry {
            return Ok(entry);
        }
        Err(match self.throttle.record(from).await {
            Verdict::Answered => WRONG_TOKEN,
            Verdict::TooMany => Error::TooManyWrongTokens,
        })
    }
}

/// Returns the entry of a token with its present role; `None` if the token is deleted.
fn current(tokens: &AccessTokens, mut entry: AccessTokenEntry) -> Option<AccessTokenEntry> {
    let roles = Role::ALL.into_iter().rev();
    entry.role = { roles }.find(|role| tokens.still_allow(&entry, *role))?;
    Some(entry)
}

fn read(exposure: &Exposure) -> Result<Option<AccessTokens>, InvalidSetting> {
    let text = service::settings::read_file(SETTING, exposure.tokens.as_deref())?;
    text.map(|text| text.parse().map_err(|error| InvalidSetting::new(SETTING, error))).transpose()
}

/// Returns the token of a request: a Bearer token, or the password of Basic, with any user name.
fn credentials(headers: &HeaderMap) -> Result<String, &'static str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let value = all.next().ok_or("send a token: Authorization: Bearer capstan_…")?;
    if all.next().is_some() {
        return Err("the header Authorization must not be given twice");
    }
    let (scheme, rest) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Ok(rest.trim().to_owned()),
        "basic" => {
            let decoded = STANDARD.decode(rest.trim()).ok();
            let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
            let (_, password) = text.split_once(':').ok_or("the Basic credentials are invalid")?;
            Ok(password.to_owned())
        }
        _ => Err("send the token as Authorization: Bearer, or as the password of Basic"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::access_tokens::AccessToken;
    use domain::job::WorkerId;

    #[test]
    fn an_unreadable_tokens_file_revokes_no_token() {
        let path = std::env::temp_dir().join(format!("capstan-test-{}", WorkerId::random()));
        let secret = AccessToken::random().unwrap();
        let line = AccessTokenEntry::new("ci".parse().unwrap(), Role::Viewer, &secret).to_string();
        std::fs::write(&path, &line).unwrap();
        let exposure = Exposure { tokens: Some(path.clone()), ..Exposure::default() };
        let authenticator = Authenticator::new(&exposure).unwrap();
        let tokens = authenticator.tokens.as_ref().unwrap();
        let is_known = || tokens.borrow().find(secret.reveal()).is_some();
        assert!(is_known());
        std::fs::write(&path, format!("{line}\nnonsense\n")).unwrap();
        authenticator.reload(&exposure);
        assert!(is_known());
        std::fs::remove_file(&path).unwrap();
        authenticator.reload(&exposure);
        assert!(is_known());
        std::fs::write(&path, "").unwrap();
        authenticator.reload(&exposure);
        assert!(!is_known());
        std::fs::remove_file(&path).unwrap();
    }
}
