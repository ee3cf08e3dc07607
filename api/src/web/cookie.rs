//! The cookie of a session.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

use crate::auth::SESSION_AGE;

const NAME: &str = "capstan_session";
/// Browsers accept a name with this prefix only from the same host, over HTTPS, for all paths.
const SECURE_NAME: &str = "__Host-capstan_session";

/// Returns the id of the session that a request belongs to.
pub(crate) fn session(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    let pairs: Vec<_> = pairs.map(|(name, id)| (name.trim(), id.trim())).collect();
    let of = |wanted: &str| pairs.iter().find(|(name, _)| *name == wanted);
    of(SECURE_NAME).or_else(|| of(NAME)).map(|(_, id)| (*id).to_owned())
}

/// Returns the header that sets the cookie of a session.
pub(super) fn begin(id: &str, secure: bool) -> Option<HeaderValue> {
    let age = SESSION_AGE.as_secs();
    set(&format!("{id}; Max-Age={age}"), secure)
}

/// Returns the header that removes the cookie of a session.
pub(super) fn end(secure: bool) -> Option<HeaderValue> {
    set("; Max-Age=0", secure)
}

fn set(value: &str, secure: bool) -> Option<HeaderValue> {
    let (name, flag) = if secure { (SECURE_NAME, "; Secure") } else { (NAME, "") };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{flag}");
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cookies: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, cookie.parse().unwrap());
        }
        session(&headers)
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let cases: [(&[&str], Option<&str>); 6] = [
            (&[], None),
            (&["a=b"], None),
            (&["a=b; capstan_session=12; c=d"], Some("12")),
            (&["a=b", "capstan_session=12"], Some("12")),
            (&["capstan_session=12; __Host-capstan_session=34"], Some("34")),
            (&["xcapstan_session=12"], None),
        ];
        for (cookies, expected) in cases {
            assert_eq!(found(cookies).as_deref(), expected, "{cookies:?}");
        }
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_and_from_other_sites() {
        let plain = "capstan_session=12; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict";
        assert_eq!(begin("12", false).unwrap(), plain);
        let secure =
            "__Host-capstan_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(end(true).unwrap(), secure);
    }
}
