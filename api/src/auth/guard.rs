//! The middleware that lets requests in or not, and has every change written down.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use shared::store::AuditedChange;

use super::{remote, roles};
use crate::app::App;
use crate::error::Error;
use crate::surface;

const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"capstan\"");
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"capstan\", charset=\"UTF-8\"");
/// Paths and queries are kept up to here.
const KEPT_CHARACTERS: usize = 256;

/// Lets a request through to its handler if whoever sent it may, and tells the handler who that is.
pub(crate) async fn guard(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let from = remote(request.extensions(), request.headers(), &app.access.proxies);
    let template = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let need = roles::need(request.method(), template);
    let is_change = template.is_some() && changes(request.method());
    let asked = is_change.then(|| change(&request, from.to_string()));
    take_token_of_query(&mut request);
    let caller = match app.access.admit(request.headers(), need, from).await {
        Ok(caller) => caller,
        Err((error, caller)) => {
            if let (Some(asked), Some(caller)) = (asked, caller) {
                app.audit.begin(asked, caller).end(StatusCode::FORBIDDEN);
            }
            return refusal(request.uri().path(), error);
        }
    };
    request.extensions_mut().insert(caller.clone());
    let pending = asked.map(|asked| app.audit.begin(asked, caller));
    let response = next.run(request).await;
    if let Some(pending) = pending {
        pending.end(response.status());
    }
    response
}

/// Clients of Socket.IO send their token as `?jwt=`: a browser's cannot send headers. Nobody else may.
fn take_token_of_query(request: &mut Request) {
    if !request.uri().path().starts_with("/socket.io") {
        return;
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let mut given = form_urlencoded::parse(query.as_bytes());
    let token = given.find(|(name, _)| name == "jwt").map(|(_, token)| format!("Bearer {token}"));
    let value = token.and_then(|token| HeaderValue::try_from(token).ok());
    if let Some(value) = value.filter(|_| !request.headers().contains_key(AUTHORIZATION)) {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// What is written down before anything is known of who asks and how it ends.
fn change(request: &Request, from: String) -> AuditedChange {
    let short = |text: &str| text.chars().take(KEPT_CHARACTERS).collect();
    AuditedChange {
        who: String::new(),
        role: String::new(),
        from,
        method: request.method().as_str().chars().take(16).collect(),
        path: short(request.uri().path()),
        query: short(request.uri().query().unwrap_or_default()),
        status: 0,
        subject: String::new(),
    }
}

/// The refusal in the shape of the surface that was asked.
fn refusal(path: &str, error: Error) -> Response {
    let asks = matches!(error, Error::NotAuthenticated(_));
    let mut response = surface::refusal(path, error);
    if asks {
        for scheme in [BEARER, BASIC] {
            response.headers_mut().append(WWW_AUTHENTICATE, scheme);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(path: &str) -> String {
        let response = refusal(path, Error::NotAuthenticated("send a token"));
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers().get_all(WWW_AUTHENTICATE).iter().count(), 2);
        let bytes = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn each_surface_is_refused_in_its_own_shape() {
        let v1 = r#"{"status":"error","message":"JWT token missing? send a token"}"#;
        assert_eq!(body("/api/v1.0/jobs").await, v1);
        assert!(body("/api/v0/jobs").await.starts_with(r#"{"errors":[{"code":"NOT_AUTH"#));
        assert!(body("/api/v1.00/jobs").await.starts_with(r#"{"errors""#));
    }
}
