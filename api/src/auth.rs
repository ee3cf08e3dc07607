//! Who asks, and whether they may. One middleware decides for all routes, by method and path, from
//! one table; handlers are told who it was, and decide nothing.

mod caller;
mod failures;
mod guard;
mod remote;
mod roles;

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shared::config::BadSetting;
use shared::tokens::Tokens;
use shared::watch::{PERIOD, Watched};
use tokio_util::sync::CancellationToken;

pub(crate) use caller::Caller;
pub(crate) use guard::guard;
pub use remote::Networks;
pub(crate) use remote::{Peer, remote};
pub(crate) use roles::describe;

use crate::Exposure;
use crate::error::Error;
use failures::Failures;
use roles::Need;

const SETTING: &str = "CAPSTAN_TOKENS";

/// What decides who may do what.
pub(crate) struct Access {
    /// `None` where nobody has to say who they are.
    tokens: Option<RwLock<Arc<Tokens>>>,
    failures: Failures,
    proxies: Networks,
}

impl Access {
    /// Reads the tokens. A file that is not there, or has a line that is none, stops the start.
    pub(crate) fn new(exposure: &Exposure) -> Result<Access, BadSetting> {
        let tokens = read(exposure)?;
        if tokens.as_ref().is_some_and(|tokens| tokens.entries().is_empty()) {
            tracing::warn!(
                "there is no token, so nobody may do anything: make one with capstan token new"
            );
        }
        Ok(Access {
            tokens: tokens.map(|tokens| RwLock::new(Arc::new(tokens))),
            failures: Failures::default(),
            proxies: exposure.trusted_proxies.clone(),
        })
    }

    /// Reads the tokens again whenever the file changes, until `shutdown`.
    pub(crate) async fn follow(&self, exposure: Exposure, shutdown: CancellationToken) {
        let Some(path) = exposure.tokens.clone() else { return };
        let mut watched = Watched::unread(vec![path]);
        while shutdown.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some() {
            if watched.changed() {
                self.reread(&exposure);
            }
        }
    }

    /// Reads the tokens again. While they cannot be read the last ones that could are good: who
    /// wants to take a token back deletes its line.
    fn reread(&self, exposure: &Exposure) {
        let Some(tokens) = &self.tokens else { return };
        match read(exposure) {
            Ok(read) => {
                let read = Arc::new(read.unwrap_or_default());
                let mut current = tokens.write().unwrap_or_else(PoisonError::into_inner);
                if *current != read {
                    tracing::info!(tokens = read.entries().len(), "the tokens have changed");
                    *current = read;
                }
            }
            Err(error) => tracing::error!(%error, "the tokens stay as they were"),
        }
    }

    /// Who sends these headers, if they may do what is asked for. Wrong tokens are answered late.
    async fn admit(
        &self,
        headers: &HeaderMap,
        need: Need,
        from: IpAddr,
    ) -> Result<Caller, (Error, Option<Caller>)> {
        let (Some(tokens), Need::Role(needed)) = (&self.tokens, need) else {
            return Ok(Caller::default());
        };
        let known = Arc::clone(&tokens.read().unwrap_or_else(PoisonError::into_inner));
        let sent = credentials(headers).map_err(|why| (Error::NotAuthenticated(why), None))?;
        let Some(entry) = known.find(&sent) else {
            return Err((self.failures.slow_down(from).await, None));
        };
        let caller = Caller::known(entry.owner.clone(), entry.role);
        if entry.role < needed {
            let owner = entry.owner.clone();
            return Err((Error::NotAuthorized { owner, role: entry.role, needed }, Some(caller)));
        }
        Ok(caller)
    }
}

fn read(exposure: &Exposure) -> Result<Option<Tokens>, BadSetting> {
    let text = shared::config::read(SETTING, exposure.tokens.as_deref())?;
    text.map(|text| text.parse().map_err(|error| BadSetting::new(SETTING, error))).transpose()
}

/// The token that was sent: as Bearer, or as the password of Basic, whose user is not looked at.
fn credentials(headers: &HeaderMap) -> Result<String, &'static str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let value = all.next().ok_or("send a token: Authorization: Bearer capstan_…")?;
    if all.next().is_some() {
        return Err("the header Authorization is given twice");
    }
    let (scheme, rest) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Ok(rest.trim().to_owned()),
        "basic" => {
            let decoded = STANDARD.decode(rest.trim()).ok();
            let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
            let (_, password) = text.split_once(':').ok_or("these are no Basic credentials")?;
            Ok(password.to_owned())
        }
        _ => Err("send the token as Authorization: Bearer, or as the password of Basic"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::job::WorkerId;
    use shared::tokens::{Entry, Role, Secret};

    #[test]
    fn a_file_that_is_broken_or_gone_takes_nobody_anything() {
        let path = std::env::temp_dir().join(format!("capstan-test-{}", WorkerId::random()));
        let secret = Secret::random().unwrap();
        let line = Entry::new("ci".parse().unwrap(), Role::Viewer, &secret).to_string();
        std::fs::write(&path, &line).unwrap();
        let exposure = Exposure { tokens: Some(path.clone()), ..Exposure::default() };
        let access = Access::new(&exposure).unwrap();
        let known =
            || access.tokens.as_ref().unwrap().read().unwrap().find(secret.reveal()).is_some();
        assert!(known());
        std::fs::write(&path, format!("{line}\nnonsense\n")).unwrap();
        access.reread(&exposure);
        assert!(known());
        std::fs::remove_file(&path).unwrap();
        access.reread(&exposure);
        assert!(known());
        std::fs::write(&path, "").unwrap();
        access.reread(&exposure);
        assert!(!known());
        std::fs::remove_file(&path).unwrap();
    }
}
