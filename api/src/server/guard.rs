//! The middleware that authorizes requests and records every change in the audit.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use store::AuditedChange;

use super::refusal::Surface;
use crate::audit::AuditLog;
use crate::auth::{Access, Authenticator, Denied, client, required_access};
use crate::error::Error;
use crate::settings::Networks;
use crate::web;

const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"capstan\"");
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"capstan\", charset=\"UTF-8\"");
/// Longer paths, queries and methods are cut in the audit.
const AUDITED_CHARACTERS: usize = 256;
const METHOD_CHARACTERS: usize = 16;

/// What the middleware needs.
#[derive(Clone)]
pub(super) struct Guard {
    /// Decides who may do what.
    pub(super) authenticator: Arc<Authenticator>,
    /// Records changes.
    pub(super) audit: AuditLog,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub(super) proxies: Networks,
}

/// Passes an authorized request to its handler, with its caller as an extension.
pub(super) async fn guard(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    let client = client(request.extensions(), request.headers(), &guard.proxies);
    let from = client.address;
    let template = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let required = required_access(request.method(), template);
    let is_public = required == Access::Public;
    // Of the public routes, only links to signals are audited.
    let is_audited = template.is_some_and(|one| !is_public || one.contains("/signals/"));
    let is_change = is_audited && is_change(request.method());
    let change = is_change.then(|| audited_change(&request, from));
    move_query_token_to_header(&mut request);
    let surface = Surface::of(&request);
    let session = (surface == Surface::Web).then(|| web::session(request.headers())).flatten();
    let (headers, session) = (request.headers(), session.as_deref());
    let authorizing = guard.authenticator.authorize(headers, session, required, from);
    let caller = match authorizing.await {
        Ok(caller) => caller,
        Err(Denied { error, caller }) => {
            if let (Some(change), Some(caller)) = (change, caller) {
                guard.audit.begin(change, caller).complete(StatusCode::FORBIDDEN);
            }
            return denied(&request, error);
        }
    };
    request.extensions_mut().insert(caller.clone());
    request.extensions_mut().insert(client);
    let begin = if is_public { AuditLog::begin_by_link } else { AuditLog::begin };
    let pending = change.map(|change| begin(&guard.audit, change, caller));
    let response = next.run(request).await;
    if let Some(pending) = pending {
        pending.complete(response.status());
    }
    response
}

/// Clients of Socket.IO send their token as `?jwt=`, because browsers cannot add headers there. No
/// other path accepts it.
fn move_query_token_to_header(request: &mut Request) {
    if !request.uri().path().starts_with("/socket.io") {
        return;
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    let token = parameters.find(|(name, _)| name == "jwt");
    let value = token.and_then(|(_, token)| HeaderValue::try_from(format!("Bearer {token}")).ok());
    if let Some(value) = value.filter(|_| !request.headers().contains_key(AUTHORIZATION)) {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
}

/// Returns true for a method that may change something.
pub(super) fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Returns the audit entry of a request, without its caller and status.
fn audited_change(request: &Request, from: IpAddr) -> AuditedChange {
    let short = |text: &str, characters: usize| text.chars().take(characters).collect();
    AuditedChange {
        who: String::new(),
        role: String::new(),
        from: from.to_string(),
        method: short(request.method().as_str(), METHOD_CHARACTERS),
        path: short(without_signature(request.uri().path()), AUDITED_CHARACTERS),
        query: short(request.uri().query().unwrap_or_default(), AUDITED_CHARACTERS),
        status: 0,
        subject: String::new(),
    }
}

/// Returns a path without the signature of a link to a signal, which may still be used.
fn without_signature(path: &str) -> &str {
    let is_link = path.starts_with("/api/v0/signals/") || path.starts_with("/signals/");
    path.rsplit_once('~').filter(|_| is_link).map_or(path, |(shown, _)| shown)
}

/// Returns the refusal, with the accepted authentication schemes if a token is missing.
///
/// Clients like wget send a password only after a challenge. A browser asks for it and keeps it,
/// which is useful for a page that the user opens, but not for what a page requests.
fn denied(request: &Request, error: Error) -> Response {
    let needs_token = matches!(error, Error::NotAuthenticated(_));
    let surface = Surface::of(request);
    if needs_token && surface == Surface::Web {
        return web::ask_for_token(request);
    }
    let wait_s = error.retry_after_s();
    let mut response = surface.refuse(error);
    if let Some(wait_s) = wait_s {
        response.headers_mut().insert(RETRY_AFTER, wait_s.into());
    }
    if needs_token {
        response.headers_mut().append(WWW_AUTHENTICATE, BEARER);
        let mode = request.headers().get("sec-fetch-mode");
        if mode.is_none_or(|mode| mode == "navigate") {
            response.headers_mut().append(WWW_AUTHENTICATE, BASIC);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(path: &str) -> String {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response = denied(&request, Error::NotAuthenticated("send a token"));
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers().get_all(WWW_AUTHENTICATE).iter().count(), 2);
        let bytes = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn each_surface_refuses_in_its_own_shape() {
        let v1 = r#"{"status":"error","message":"JWT token missing? send a token"}"#;
        assert_eq!(body("/api/v1.0/jobs").await, v1);
        assert!(body("/api/v0/jobs").await.starts_with(r#"{"errors":[{"code":"NOT_AUTH"#));
        assert!(body("/api/v1.00/jobs").await.starts_with(r#"{"errors""#));
        assert!(body("/jobs").await.starts_with(r#"{"errors""#), "no route of the web page");
    }
}
