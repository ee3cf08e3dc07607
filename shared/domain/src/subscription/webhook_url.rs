//! The URL that the messages of a subscription are sent to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// An HTTP URL without a password. Its path may contain a key, so `Debug` shows only the host.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookUrl(Url);

/// The text is not a webhook URL. The error does not repeat it, because it may contain a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWebhookUrl {
    /// It is not a URL.
    #[error("it is not a valid URL: {0}")]
    Url(url::ParseError),
    /// The scheme is not HTTP.
    #[error("it must begin with http:// or https://")]
    Scheme,
    /// It has a user name or a password.
    #[error("it must not contain a user name or password; verify the signature instead")]
    Password,
}

impl WebhookUrl {
    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for WebhookUrl {
    type Err = InvalidWebhookUrl;

    fn from_str(text: &str) -> Result<Self, InvalidWebhookUrl> {
        let url = Url::parse(text).map_err(InvalidWebhookUrl::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidWebhookUrl::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidWebhookUrl::Password);
        }
        Ok(WebhookUrl(url))
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = InvalidWebhookUrl;

    fn try_from(text: String) -> Result<Self, InvalidWebhookUrl> {
        text.parse()
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> String {
        url.0.into()
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({}://{}/…)", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_url_is_http_without_a_password_and_debug_hides_its_path() {
        let read = |text: &str| text.parse::<WebhookUrl>();
        assert_eq!(read("file:///etc/passwd"), Err(InvalidWebhookUrl::Scheme));
        assert_eq!(read("https://me:hunter2@example.org"), Err(InvalidWebhookUrl::Password));
        assert!(matches!(read("example.org"), Err(InvalidWebhookUrl::Url(_))));
        let url = read("https://example.org/services/T0/B0/key").unwrap();
        assert_eq!(format!("{url:?}"), "WebhookUrl(https://example.org/…)");
    }
}
