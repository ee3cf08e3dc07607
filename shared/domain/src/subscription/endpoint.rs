//! Where messages of a subscription are sent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// A URL that messages may be sent to. It may hold a key: where it is logged only its host is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint(Url);

/// The text is no URL that messages may be sent to. It is not repeated: it may hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    /// Not a URL.
    #[error("it is no URL: {0}")]
    Url(url::ParseError),
    /// Another scheme.
    #[error("it must begin with http:// or https://")]
    Scheme,
    /// Who may is said by the signature.
    #[error("it must hold no password: use a header")]
    Password,
}

impl Endpoint {
    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        let url = Url::parse(text).map_err(BadEndpoint::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadEndpoint::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadEndpoint::Password);
        }
        Ok(Endpoint(url))
    }
}

impl TryFrom<String> for Endpoint {
    type Error = BadEndpoint;

    fn try_from(text: String) -> Result<Self, BadEndpoint> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> String {
        endpoint.0.into()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}://{}/…)", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_http_and_holds_no_password_and_is_not_printed_whole() {
        let read = |text: &str| text.parse::<Endpoint>();
        assert_eq!(read("file:///etc/passwd"), Err(BadEndpoint::Scheme));
        assert_eq!(read("https://me:hunter2@example.org"), Err(BadEndpoint::Password));
        assert!(matches!(read("example.org"), Err(BadEndpoint::Url(_))));
        let endpoint = read("https://example.org/services/T0/B0/key").unwrap();
        assert_eq!(format!("{endpoint:?}"), "Endpoint(https://example.org/…)");
    }
}
