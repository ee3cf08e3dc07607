//! The HTTP message of a webhook.

use std::time::Duration;

use domain::job::Exception;
use domain::subscription::WebhookUrl;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// How long one try may take, from the connection to the end of the response.
pub(in crate::actions) const TIMEOUT: Duration = Duration::from_secs(10);

/// Headers that belong to the message or the connection. So do those that begin with `webhook-`.
const RESERVED: [&str; 6] =
    ["host", "content-length", "connection", "transfer-encoding", "upgrade", "te"];

/// A message, the same in every try.
pub(in crate::actions) struct WebhookMessage {
    pub(in crate::actions) id: String,
    pub(in crate::actions) url: Url,
    pub(in crate::actions) headers: HeaderMap,
    pub(in crate::actions) body: Vec<u8>,
    /// The keys to sign with: none, one, or two while a secret is rotated.
    pub(in crate::actions) keys: Vec<Vec<u8>>,
    pub(in crate::actions) timeout: Duration,
    pub(in crate::actions) tries: u32,
}

/// Parses a URL to which messages may be sent.
pub(super) fn parse_url(text: &str) -> Result<Url, String> {
    let endpoint = text.parse::<WebhookUrl>().map_err(|why| why.to_string())?;
    Ok(endpoint.url().clone())
}

/// Parses the name of a header that may be set.
pub(super) fn header_name(name: &str) -> Result<HeaderName, String> {
    let parsed =
        HeaderName::try_from(name).map_err(|_| format!("headers.{name} is not a valid header"))?;
    let reserved = RESERVED.contains(&parsed.as_str()) || parsed.as_str().starts_with("webhook-");
    if reserved { Err(format!("headers.{name} must not be set")) } else { Ok(parsed) }
}

/// Parses the value of a header.
pub(super) fn header_value(name: &HeaderName, text: &str) -> Result<HeaderValue, Exception> {
    HeaderValue::try_from(text).map_err(|_| {
        Exception::new("BadParameter", format!("headers.{name} is not a valid header value"))
    })
}
