//! The HTTP client of webhooks. It connects only to addresses that it has checked itself, so a name
//! cannot resolve to another address between the check and the connection, and it checks the target
//! of every redirect.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use domain::job::Exception;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, Url};

use super::message::{WebhookMessage, parse_url};
use super::signature;
use crate::networks::AllowedNetworks;

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 3;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends messages. Cheap to clone.
#[derive(Clone)]
pub(in crate::actions) struct HttpClient {
    allowed: Arc<AllowedNetworks>,
    // Created when it is first needed, because that reads the machine's certificates.
    http: Arc<OnceLock<Result<reqwest::Client, String>>>,
}

/// Why there is no response.
pub(super) enum SendError {
    /// A retry may succeed.
    Retryable(Exception),
    /// A retry would fail too.
    Permanent(Exception),
}

/// The error of a host at an address that webhooks must not reach.
#[derive(Debug, thiserror::Error)]
#[error("{0} has no address that webhooks may reach (CAPSTAN_WEBHOOK_ALLOW can allow more)")]
struct ForbiddenHost(String);

impl HttpClient {
    /// Creates a client that reaches public addresses and the `allowed` networks.
    pub(in crate::actions) fn new(allowed: AllowedNetworks) -> HttpClient {
        HttpClient { allowed: Arc::new(allowed), http: Arc::default() }
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
        // A host that is an address is not resolved, so it is checked here.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if let Some(address) = host.parse().ok().filter(|address| !self.allowed.allow(*address)) {
            return Err(forbidden(&ForbiddenHost(address.to_string())));
        }
        let http = self.http.get_or_init(|| self.build()).as_ref();
        let http =
            http.map_err(|why| SendError::Permanent(Exception::new("NoClient", why.clone())))?;
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

    fn build(&self) -> Result<reqwest::Client, String> {
        let client = reqwest::Client::builder()
            // A proxy would connect to addresses that are not checked.
            .no_proxy()
            .redirect(Policy::none())
            .dns_resolver(Arc::new(CheckedResolver(Arc::clone(&self.allowed))))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(0)
            .user_agent(concat!("capstan/", env!("CARGO_PKG_VERSION")));
        client.build().map_err(|error| format!("cannot create an HTTP client: {}", causes(&error)))
    }
}

/// Resolves names to those of their addresses that webhooks may reach.
struct CheckedResolver(Arc<AllowedNetworks>);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.filter(|found| allowed.allow(found.ip())).collect();
            if found.is_empty() {
                return Err(ForbiddenHost(name.as_str().to_owned()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn redirected(why: &str) -> SendError {
    SendError::Permanent(Exception::new("Redirected", why))
}

fn forbidden(host: &ForbiddenHost) -> SendError {
    SendError::Permanent(Exception::new("ForbiddenAddress", host.to_string()))
}

fn send_error(error: &reqwest::Error) -> SendError {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(inner) = cause {
        if let Some(host) = inner.downcast_ref::<ForbiddenHost>() {
            return forbidden(host);
        }
        // Some layers wrap the cause in an I/O error that does not return it as its source.
        let wrapped = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(host) = wrapped.and_then(|wrapped| wrapped.downcast_ref::<ForbiddenHost>()) {
            return forbidden(host);
        }
        cause = inner.source();
    }
    let kind = if error.is_timeout() { "Timeout" } else { "Unreachable" };
    SendError::Retryable(Exception::new(kind, causes(error)))
}

/// Returns an error's chain of causes, without the URL, which may contain a credential.
fn causes(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let message = inner.to_string();
        if !text.ends_with(&message) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&message);
        }
        cause = inner.source();
    }
    if text.is_empty() { "the receiver did not answer in time".to_owned() } else { text }
}
