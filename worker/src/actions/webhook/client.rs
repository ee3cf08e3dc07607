//! Sends a message over HTTP: checks the target of every redirect, and sends credentials only to the
//! receiver that they are for.

use std::sync::Arc;

use domain::job::Exception;
use reqwest::{Method, Response, Url};

use super::checked_client::{CheckedClients, causes, forbidden_address};
use super::message::{WebhookMessage, parse_url};
use super::signature;
use crate::networks::AllowedNetworks;

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 3;

/// Sends messages. Cheap to clone.
#[derive(Clone)]
pub(in crate::actions) struct HttpClient(Arc<CheckedClients>);

/// Why there is no response.
pub(super) enum SendError {
    /// A retry may succeed.
    Retryable(Exception),
    /// A retry would fail too.
    Permanent(Exception),
}

impl HttpClient {
    /// Creates a client that reaches public addresses and the `allowed` networks.
    pub(in crate::actions) fn new(allowed: &AllowedNetworks) -> HttpClient {
        HttpClient(Arc::new(CheckedClients::new(allowed)))
    }

    /// Sends a message once. Follows redirects that keep method and body (307, 308).
    pub(super) async fn send(
        &self,
        message: &WebhookMessage,
        timestamp_s: i64,
    ) -> Result<Response, SendError> {
        let mut url = message.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send_to(&url, message, timestamp_s).await?;
            if !matches!(response.status().as_u16(), 307 | 308) {
                return Ok(response);
            }
            let target = response.headers().get("location").and_then(|text| text.to_str().ok());
            let target = target.and_then(|text| url.join(text).ok());
            let target = target.and_then(|target| parse_url(target.as_str()).ok());
            let target =
                target.ok_or_else(|| redirected("the receiver redirects to an invalid URL"))?;
            if url.scheme() == "https" && target.scheme() == "http" {
                return Err(redirected("the receiver redirects from https to http"));
            }
            url = target;
        }
        Err(redirected(&format!("the receiver redirects more than {MAX_REDIRECTS} times")))
    }

    async fn send_to(
        &self,
        url: &Url,
        message: &WebhookMessage,
        timestamp_s: i64,
    ) -> Result<Response, SendError> {
        let http = self.0.for_url(url).map_err(SendError::Permanent)?;
        let mut request = http.request(Method::POST, url.clone()).timeout(message.timeout);
        // The headers may contain credentials for the first receiver.
        if url.origin() == message.url.origin() {
            request = request.headers(message.headers.clone());
        }
        request = request.header("content-type", "application/json");
        request = request.header("webhook-id", &message.id);
        request = request.header("webhook-timestamp", timestamp_s);
        let sign = |key: &Vec<u8>| signature::sign(key, &message.id, timestamp_s, &message.body);
        let signatures: Vec<String> = message.keys.iter().filter_map(sign).collect();
        if !signatures.is_empty() {
            request = request.header("webhook-signature", signatures.join(" "));
        }
        request.body(message.body.clone()).send().await.map_err(|error| send_error(&error))
    }
}

fn redirected(why: &str) -> SendError {
    SendError::Permanent(Exception::new("Redirected", why))
}

fn send_error(error: &reqwest::Error) -> SendError {
    if let Some(exception) = forbidden_address(error) {
        return SendError::Permanent(exception);
    }
    let kind = if error.is_timeout() { "Timeout" } else { "Unreachable" };
    SendError::Retryable(Exception::new(kind, causes(error)))
}
