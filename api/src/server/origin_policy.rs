//! Refuses requests that a page of another site makes through a browser. Such a request carries
//! what the browser knows: the user's password of this API, or access to a loopback address.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use super::guard::is_change;
use super::refusal::Surface;
use crate::body::SEC_FETCH_SITE;
use crate::error::Error;
use crate::settings::{Exposure, Hosts, Origins};

/// Longer host names are cut in answers.
const HOST_CHARACTERS: usize = 64;

/// The origins whose pages may use the API, and the host names that it accepts.
#[derive(Clone)]
pub(super) struct OriginPolicy {
    /// The origins of pages that may use the API.
    pub(super) origins: Origins,
    /// The names of this host besides localhost; `None` if any name is accepted.
    hosts: Option<Hosts>,
}

impl OriginPolicy {
    /// Returns the policy of an API that listens on `address`.
    ///
    /// Without tokens, a loopback address is protected only by being unreachable from elsewhere. A
    /// page whose host name suddenly resolves to that address (DNS rebinding) would have the origin
    /// of the API, so other names are refused.
    pub(super) fn new(exposure: &Exposure, address: SocketAddr) -> OriginPolicy {
        let is_private = !exposure.has_tokens() && address.ip().to_canonical().is_loopback();
        let hosts = (is_private || !exposure.hosts.is_empty()).then(|| exposure.hosts.clone());
        OriginPolicy { origins: exposure.cors_origins.clone(), hosts }
    }

    fn refused(&self, request: &Request) -> Option<Error> {
        let headers = request.headers();
        if let Some(host) = self.wrong_host(headers) {
            return Some(Error::WrongHost(host));
        }
        // Browsers do not keep a page from opening a WebSocket to another site and reading it.
        let is_socket = request.uri().path().starts_with("/socket.io");
        let matters = is_socket || is_change(request.method());
        (matters && self.is_cross_site(headers)).then_some(Error::CrossSite)
    }

    /// Returns the name of another host that the request is for. No page can choose an IP address
    /// as its host and be sent elsewhere, and no browser omits the header.
    fn wrong_host(&self, headers: &HeaderMap) -> Option<String> {
        let hosts = self.hosts.as_ref()?;
        let is_wrong = |value: &&HeaderValue| !is_own(value.to_str().unwrap_or_default(), hosts);
        let wrong = headers.get_all(HOST).iter().find(is_wrong)?;
        let name = String::from_utf8_lossy(wrong.as_bytes());
        Some(name.chars().take(HOST_CHARACTERS).collect())
    }

    /// Returns true for a request by a page of another site, like Go's `CrossOriginProtection`:
    /// browsers send `Sec-Fetch-Site` to trustworthy addresses since 2023, and `Origin` for much
    /// longer. What sends neither is not a browser.
    fn is_cross_site(&self, headers: &HeaderMap) -> bool {
        let origin = headers.get(ORIGIN);
        if origin.is_some_and(|origin| self.origins.as_headers().contains(origin)) {
            return false;
        }
        match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
            Some(b"same-origin" | b"none") => false,
            None | Some(b"") => {
                origin.is_some_and(|origin| host_of(origin).as_ref() != headers.get(HOST))
            }
            Some(_) => true,
        }
    }
}

/// Middleware that refuses requests against the policy.
pub(super) async fn check(
    State(policy): State<OriginPolicy>,
    request: Request,
    next: Next,
) -> Response {
    match policy.refused(&request) {
        None => next.run(request).await,
        Some(error) => {
            let path = request.uri().path();
            tracing::debug!(%error, path, "refused a request by a page of another site");
            Surface::of(&request).refuse(error)
        }
    }
}

fn is_own(host: &str, hosts: &Hosts) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().to_ascii_lowercase();
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    address.is_ok() || name == "localhost" || name.ends_with(".localhost") || hosts.contain(&name)
}

/// Returns the host and port of an origin; its scheme may be that of a proxy.
fn host_of(origin: &HeaderValue) -> Option<HeaderValue> {
    let (_, host) = origin.to_str().ok()?.split_once("://")?;
    HeaderValue::from_str(host).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_page_of_another_site_is_detected() {
        let cors_origins = "https://ops.example".parse().unwrap();
        let exposure = Exposure { cors_origins, ..Exposure::default() };
        let policy = OriginPolicy::new(&exposure, "127.0.0.1:80".parse().unwrap());
        let cases = [
            (None, None, false),
            (Some("same-origin"), None, false),
            (Some("none"), None, false),
            (Some("same-origin"), Some("http://proxied"), false),
            (Some("same-site"), None, true),
            (Some("cross-site"), None, true),
            (Some("cross-site"), Some("null"), true),
            (Some("cross-site"), Some("https://ops.example"), false),
            (Some("new-word"), Some("http://here:8080"), true),
            (Some(""), Some("http://there"), true),
            (None, Some("http://here:8080"), false),
            (None, Some("https://here:8080"), false),
            (None, Some("http://here"), true),
            (None, Some("http://there:8080"), true),
            (None, Some("null"), true),
            (None, Some(""), true),
            (None, Some("https://ops.example"), false),
            (None, Some("http://ops.example"), true),
        ];
        for (site, origin, expected) in cases {
            let mut all = vec![("host", "here:8080")];
            all.extend(site.map(|site| ("sec-fetch-site", site)));
            all.extend(origin.map(|origin| ("origin", origin)));
            assert_eq!(policy.is_cross_site(&headers(&all)), expected, "{site:?} {origin:?}");
        }
    }

    #[test]
    fn a_loopback_address_without_tokens_accepts_only_its_own_names() {
        let (loopback, other) = ("127.0.0.1:8080", "0.0.0.0:8080");
        let cases = [
            ("localhost:8080", loopback, "", true),
            ("LOCALHOST", loopback, "", true),
            ("capstan.localhost", loopback, "", true),
            ("127.0.0.1:8080", loopback, "", true),
            ("[::1]:8080", loopback, "", true),
            ("192.0.2.1", loopback, "", true),
            ("evil.example:8080", loopback, "", false),
            ("localhost.evil.example", loopback, "", false),
            ("127.0.0.1.evil.example", loopback, "", false),
            ("localhost@evil.example", loopback, "", false),
            ("", loopback, "", false),
            ("jobs.example", loopback, "jobs.example", true),
            ("evil.example", loopback, "jobs.example", false),
            ("evil.example", other, "", true),
            ("evil.example", other, "jobs.example", false),
        ];
        for (host, address, hosts, accepted) in cases {
            let mut exposure = Exposure { hosts: hosts.parse().unwrap(), ..Exposure::default() };
            let policy = OriginPolicy::new(&exposure, address.parse().unwrap());
            let wrong = policy.wrong_host(&headers(&[("host", host)]));
            assert_eq!(wrong.is_none(), accepted, "{host} on {address} with {hosts:?}");
            exposure.tokens = Some("tokens".into());
            let policy = OriginPolicy::new(&exposure, loopback.parse().unwrap());
            assert_eq!(policy.hosts.is_some(), !hosts.is_empty(), "tokens accept any name");
        }
        let policy = OriginPolicy::new(&Exposure::default(), loopback.parse().unwrap());
        assert_eq!(policy.wrong_host(&HeaderMap::new()), None, "no browser omits it");
    }
}
