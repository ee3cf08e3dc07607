//! Refuses forms that a page of another site sends through a browser. It is stricter than the
//! policy for all routes: the browser must say that the page itself sent the form.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;

use super::refusal::Refusal;
use crate::body::SEC_FETCH_SITE;
use crate::error::Error;

/// Middleware that refuses changes which the page itself did not send.
pub(super) async fn refuse_forged_forms(request: Request, next: Next) -> Result<Response, Refusal> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !reads && !is_own(request.headers()) {
        return Err(Error::ForgedForm.into());
    }
    Ok(next.run(request).await)
}

/// Returns true if the page itself sent the request. Browsers send `Sec-Fetch-Site` only over HTTPS
/// and to loopback addresses, and `Origin` with every form.
fn is_own(headers: &HeaderMap) -> bool {
    match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
        Some(site) => site == b"same-origin",
        None => {
            let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
            let sender = origin.and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
            let host = headers.get(HOST).and_then(|host| host.to_str().ok());
            host.is_some() && sender == host
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_page_itself_may_send_forms() {
        let cases = [
            (Some("same-origin"), None, true),
            (Some("same-origin"), Some("http://proxied"), true),
            (Some("same-site"), None, false),
            (Some("cross-site"), Some("http://here:8080"), false),
            (Some("none"), None, false),
            (Some(""), Some("http://here:8080"), false),
            (None, Some("http://here:8080"), true),
            (None, Some("https://here:8080"), true),
            (None, Some("http://here"), false),
            (None, Some("null"), false),
            (None, None, false),
        ];
        for (site, origin, expected) in cases {
            let mut all = HeaderMap::new();
            all.insert(HOST, "here:8080".parse().unwrap());
            site.map(|site| all.insert(SEC_FETCH_SITE, site.parse().unwrap()));
            origin.map(|origin| all.insert(ORIGIN, origin.parse().unwrap()));
            assert_eq!(is_own(&all), expected, "{site:?} {origin:?}");
        }
    }
}
