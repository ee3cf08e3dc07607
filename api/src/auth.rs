//! Authentication and authorization: who sends a request, and whether its token's role suffices.
//! One middleware decides for all routes, from one table; handlers decide only about the action
//! `deliver`, because the table does not know the actions of jobs.

mod caller;
mod client_address;
pub(crate) mod roles;
mod throttle;

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::access_tokens::AccessTokens;
use domain::settings::InvalidSetting;
use service::watched_files::{CHECK_PERIOD, WatchedFiles};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use caller::Caller;
pub(crate) use client_address::{Peer, client_address};
pub(crate) use roles::{Access, required_access};

use crate::error::{Error, WRONG_TOKEN};
use crate::settings::Exposure;
use throttle::{FailureThrottle, Verdict};

const SETTING: &str = "CAPSTAN_TOKENS";

/// Checks tokens and their roles.
pub(crate) struct Authenticator {
    /// `None` if requests need no token.
    tokens: Option<Arc<watch::Sender<AccessTokens>>>,
    throttle: FailureThrottle,
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

    /// Returns the caller if its token gives the required access. Answers to wrong tokens are
    /// delayed.
    pub(crate) async fn authorize(
        &self,
        headers: &HeaderMap,
        required: Access,
        from: IpAddr,
    ) -> Result<Caller, Denied> {
        let (Some(tokens), Access::Role(needed)) = (&self.tokens, required) else {
            return Ok(Caller::default());
        };
        let denied = |error, caller| Denied { error, caller };
        let token =
            credentials(headers).map_err(|why| denied(Error::NotAuthenticated(why), None))?;
        let entry = tokens.borrow().find(&token).cloned();
        let Some(entry) = entry else {
            let error = match self.throttle.record(from).await {
                Verdict::Answered => WRONG_TOKEN,
                Verdict::TooMany => Error::TooManyWrongTokens,
            };
            return Err(denied(error, None));
        };
        let (owner, role) = (entry.owner.clone(), entry.role);
        let caller = Caller::known(entry, needed, Arc::clone(tokens));
        if role < needed {
            return Err(denied(Error::NotAuthorized { owner, role, needed }, Some(caller)));
        }
        Ok(caller)
    }
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
    use domain::access_tokens::{AccessToken, AccessTokenEntry, Role};
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
