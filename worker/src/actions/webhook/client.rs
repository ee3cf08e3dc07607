//! The HTTP client of webhooks: it connects only to addresses that it has looked at itself, so that no name leads it
//! elsewhere between the look and the connection, and it follows no redirect of its own accord.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, Url};
use domain::job::Exception;
use domain::subscription::Endpoint;

use super::address::Networks;
use super::{Message, signature};

/// How often a receiver may send a message elsewhere.
const REDIRECTS: usize = 3;
const CONNECT: Duration = Duration::from_secs(5);

/// Cheap to clone.
#[derive(Clone)]
pub(in crate::actions) struct Client {
    allowed: Arc<Networks>,
    // Made when it is needed: it reads the machine's certificates.
    http: Arc<OnceLock<Result<reqwest::Client, String>>>,
}

/// Why there is no answer.
pub(super) enum Trouble {
    /// It may be there later.
    Later(Exception),
    /// It will not be.
    Never(Exception),
}

/// An address that must not be reached.
#[derive(Debug, thiserror::Error)]
#[error("{0} has no address that webhooks may reach (CAPSTAN_WEBHOOK_ALLOW names more)")]
struct Forbidden(String);

/// A URL that a message may be sent to.
pub(super) fn url(text: &str) -> Result<Url, String> {
    let endpoint = text.parse::<Endpoint>().map_err(|why| why.to_string())?;
    Ok(endpoint.url().clone())
}

impl Client {
    pub(in crate::actions) fn new(allowed: Networks) -> Client {
        Client { allowed: Arc::new(allowed), http: Arc::default() }
    }

    /// Sends a message once. A redirect that keeps method and body (307, 308) is followed.
    pub(super) async fn send(&self, message: &Message, seconds: i64) -> Result<Response, Trouble> {
        let mut at = message.url.clone();
        for _ in 0..=REDIRECTS {
            let answer = self.send_to(&at, message, seconds).await?;
            if !matches!(answer.status().as_u16(), 307 | 308) {
                return Ok(answer);
            }
            let next = answer.headers().get("location").and_then(|next| next.to_str().ok());
            let next = next.and_then(|next| at.join(next).ok());
            let next = next.and_then(|next| url(next.as_str()).ok());
            let never = |why: &str| Trouble::Never(Exception::new("Redirected", why));
            let next = next.ok_or_else(|| never("the receiver redirects to no URL"))?;
            if at.scheme() == "https" && next.scheme() == "http" {
                return Err(never("the receiver redirects from https to http"));
            }
            at = next;
        }
        let why = format!("the receiver redirects more than {REDIRECTS} times");
        Err(Trouble::Never(Exception::new("Redirected", why)))
    }

    async fn send_to(
        &self,
        url: &Url,
        message: &Message,
        seconds: i64,
    ) -> Result<Response, Trouble> {
        // A host that is an address is not looked up.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if let Some(address) = host.parse().ok().filter(|address| !self.allowed.allow(*address)) {
            return Err(forbidden(&Forbidden(address.to_string())));
        }
        let http = self.http.get_or_init(|| self.build()).as_ref();
        let http = http.map_err(|why| Trouble::Never(Exception::new("NoClient", why.clone())))?;
        let mut request = http.request(Method::POST, url.clone()).timeout(message.timeout);
        // What was meant for one receiver is not for another.
        if url.origin() == message.url.origin() {
            request = request.headers(message.headers.clone());
        }
        request = request.header("content-type", "application/json");
        request = request.header("webhook-id", &message.id).header("webhook-timestamp", seconds);
        let sign = |key: &Vec<u8>| signature::sign(key, &message.id, seconds, &message.body);
        let signatures: Vec<String> = message.keys.iter().filter_map(sign).collect();
        if !signatures.is_empty() {
            request = request.header("webhook-signature", signatures.join(" "));
        }
        request.body(message.body.clone()).send().await.map_err(|error| trouble(&error))
    }

    fn build(&self) -> Result<reqwest::Client, String> {
        let client = reqwest::Client::builder()
            // A proxy would connect to what we have not looked at.
            .no_proxy()
            .redirect(Policy::none())
            .dns_resolver(Arc::new(Lookup(Arc::clone(&self.allowed))))
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(0)
            .user_agent(concat!("capstan/", env!("CARGO_PKG_VERSION")));
        client.build().map_err(|error| format!("cannot make an HTTP client: {}", whole(&error)))
    }
}

/// Finds the addresses of a name and leaves out those that must not be reached.
struct Lookup(Arc<Networks>);

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.filter(|found| allowed.allow(found.ip())).collect();
            if found.is_empty() {
                return Err(Forbidden(name.as_str().to_owned()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn forbidden(why: &Forbidden) -> Trouble {
    Trouble::Never(Exception::new("ForbiddenAddress", why.to_string()))
}

fn trouble(error: &reqwest::Error) -> Trouble {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(inner) = cause {
        if let Some(why) = inner.downcast_ref::<Forbidden>() {
            return forbidden(why);
        }
        // Some layers hand on an error of I/O with the cause inside.
        let within = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(why) = within.and_then(|within| within.downcast_ref::<Forbidden>()) {
            return forbidden(why);
        }
        cause = inner.source();
    }
    let kind = if error.is_timeout() { "Timeout" } else { "Unreachable" };
    Trouble::Later(Exception::new(kind, whole(error)))
}

/// An error with all its causes, without the URL, which may hold a key.
fn whole(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let told = inner.to_string();
        if !text.ends_with(&told) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&told);
        }
        cause = inner.source();
    }
    if text.is_empty() { "the receiver did not answer in time".to_owned() } else { text }
}
