//! Log-in and log-out: exchanges a token for a session, whose id a cookie holds.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{HeaderName, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use super::cookie;
use super::layout::{Layout, html};
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Client;
use crate::body;
use crate::error::Error;
use crate::http_error;
use crate::query::Query;

const BODY_BYTES: usize = 4096;
const FIELDS: [&str; 2] = ["token", "next"];
/// A longer path to return to is forgotten.
const MAX_NEXT_BYTES: usize = 1024;
/// htmx sends this header, and opens the page that the answer names in the other.
const FROM_HTMX: HeaderName = HeaderName::from_static("hx-request");
const OPEN: HeaderName = HeaderName::from_static("hx-redirect");

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    layout: Layout,
    next: String,
    error: Option<String>,
}

/// Shows the form, or the page to return to if no token is needed.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::read(raw.as_deref(), &FIELDS[1..])?;
    let next = own_path(query.text("next"));
    if !app.authenticator.requires_tokens() {
        return Ok(Redirect::to(&next).into_response());
    }
    let page = LoginPage { layout: Layout::bare("Log in"), next, error: None };
    Ok(html(StatusCode::OK, &page))
}

/// Begins a session.
pub(super) async fn log_in(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let bytes = body::read(&parts.headers, body, BODY_BYTES).await?;
    let form = Query::read(Some(&String::from_utf8_lossy(&bytes)), &FIELDS)?;
    let next = own_path(form.text("next"));
    let token = form.text("token").unwrap_or_default().trim();
    let error = match app.authenticator.log_in(token, client.address).await {
        Ok(id) => {
            let cookie = cookie::begin(&id, app.uses_tls || client.uses_https);
            return Ok(with_cookie(Redirect::to(&next), cookie));
        }
        Err(error) => error,
    };
    let (status, error) = (http_error::status(&error), Some(error.to_string()));
    let page = LoginPage { layout: Layout::bare("Log in"), next, error };
    Ok(html(status, &page))
}

/// Ends the session.
pub(super) async fn log_out(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
) -> Response {
    if let Some(id) = cookie::session(&headers) {
        app.authenticator.log_out(&id);
    }
    let cookie = cookie::end(app.uses_tls || client.uses_https);
    with_cookie(Redirect::to("/login"), cookie)
}

/// Returns the answer to a request without a session: the log-in page, from which the browser
/// returns to the requested page.
pub(crate) fn ask_for_token(request: &Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", path).finish();
    let login = if path == "/" { "/login".to_owned() } else { format!("/login?{query}") };
    if request.method() == Method::GET && !request.headers().contains_key(FROM_HTMX) {
        return Redirect::to(&login).into_response();
    }
    let error = Error::NotAuthenticated("the session has ended: log in again, then repeat this");
    let mut response = Refusal::from(error).into_response();
    if let Ok(login) = HeaderValue::try_from("/login") {
        response.headers_mut().insert(OPEN, login);
    }
    response
}

fn with_cookie(response: impl IntoResponse, cookie: Option<HeaderValue>) -> Response {
    let mut response = response.into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Returns the path of the page to return to. Anything else could lead to another site.
fn own_path(next: Option<&str>) -> String {
    let plain = |c: char| c.is_ascii_graphic() && c != '\\';
    let is_own = |next: &&str| {
        next.starts_with('/')
            && !next.starts_with("//")
            && next.len() <= MAX_NEXT_BYTES
            && next.chars().all(plain)
    };
    next.filter(is_own).unwrap_or("/").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_leads_only_to_a_page_of_this_site() {
        let cases = [
            (None, "/"),
            (Some("/jobs?status=done"), "/jobs?status=done"),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("javascript:alert(1)"), "/"),
            (Some("/a\r\nset-cookie: x"), "/"),
        ];
        for (next, expected) in cases {
            assert_eq!(own_path(next), expected, "{next:?}");
        }
    }
}
