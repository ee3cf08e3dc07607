//! The action that tells somebody over HTTP: a POST, signed when there is a secret, tried again within the run while the
//! receiver says "later". All tries have the same `webhook-id`, the job's, so that a receiver can tell that they are
//! one; a retry of the job would be another job. Follows <https://www.standardwebhooks.com>. Messages of subscriptions go the
//! same way, but for their tries (`deliver`).

mod address;
mod attempts;
mod client;
mod deliver;
mod signature;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value};
use domain::job::{Exception, Span};
use store::ActionDefaults;

use super::exec::argument::{Given, SecretFile, Source as Text};
use super::{Action, Context, Ended};
use crate::handler::parameters_of;

pub use address::Networks;
pub(super) use client::Client;

/// One try, from the connection to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);
const TRIES: u32 = 5;
const MOST_TRIES: u32 = 20;

/// An endpoint as a file declares it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoint {
    url: String,
    /// The file that holds the key to sign with: `whsec_…`, or any text.
    secret: Option<PathBuf>,
    #[serde(default)]
    headers: BTreeMap<String, Given>,
    #[serde(default)]
    timeout: Span,
    tries: Option<u32>,
}

/// One endpoint, or any.
pub(super) struct Webhook {
    client: Client,
    /// `None`: the job's parameters say where.
    endpoint: Option<Known>,
    defaults: ActionDefaults,
}

/// An endpoint of a file, checked.
struct Known {
    url: Url,
    secret: Option<Text>,
    headers: Vec<(HeaderName, Text)>,
    timeout: Duration,
    tries: u32,
}

/// What a job says when its action has no endpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Anywhere {
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
}

/// What is sent, the same in every try.
pub(super) struct Message {
    id: String,
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
    /// To sign with: none, one, or two while a secret is changed.
    keys: Vec<Vec<u8>>,
    timeout: Duration,
    tries: u32,
}

impl Client {
    /// The action that sends to the URL of its parameters.
    pub(super) fn anywhere(&self) -> Webhook {
        let defaults = ActionDefaults::default();
        Webhook { client: self.clone(), endpoint: None, defaults }
    }

    /// The action of an endpoint, to which its parameters are sent.
    pub(super) fn endpoint(
        &self,
        endpoint: Endpoint,
        defaults: ActionDefaults,
    ) -> Result<Webhook, String> {
        let secret =
            endpoint.secret.map(|secret| Text::parse(&Given::Secret(SecretFile { secret })));
        let header = |(name, given): (String, Given)| {
            let name = header_name(&name)?;
            let text = Text::parse(&given).map_err(|why| format!("headers.{name}: {why}"))?;
            Ok::<_, String>((name, text))
        };
        let tries = endpoint.tries.unwrap_or(TRIES);
        if !(1..=MOST_TRIES).contains(&tries) {
            return Err(format!("tries must be from 1 to {MOST_TRIES}"));
        }
        let known = Known {
            url: client::url(&endpoint.url)?,
            secret: secret.transpose().map_err(|why| format!("secret: {why}"))?,
            headers: endpoint.headers.into_iter().map(header).collect::<Result<_, _>>()?,
            timeout: endpoint.timeout.duration().unwrap_or(TIMEOUT),
            tries,
        };
        Ok(Webhook { client: self.clone(), endpoint: Some(known), defaults })
    }
}

impl Webhook {
    fn message(&self, context: &Context) -> Result<Message, Exception> {
        let (id, parameters) = (context.job.id.to_string(), context.job.spec.parameters.as_ref());
        match &self.endpoint {
            Some(known) => known.message(id, parameters),
            None => parameters_of::<Anywhere>(parameters)?.message(id),
        }
    }
}

impl Known {
    fn message(
        &self,
        id: String,
        given: Option<&Map<String, Value>>,
    ) -> Result<Message, Exception> {
        let key = self.secret.as_ref().map(|secret| secret.filled(None)).transpose()?;
        let mut headers = HeaderMap::new();
        for (name, text) in &self.headers {
            headers.insert(name, header_value(name, &text.filled(given)?)?);
        }
        let body = serde_json::json!(given.unwrap_or(&Map::new())).to_string().into_bytes();
        Ok(Message {
            id,
            url: self.url.clone(),
            headers,
            body,
            keys: key.iter().map(|text| signature::key(text)).collect(),
            timeout: self.timeout,
            tries: self.tries,
        })
    }
}

impl Anywhere {
    fn message(self, id: String) -> Result<Message, Exception> {
        let bad = |why: String| Exception::new("BadParameter", why);
        let url = client::url(&self.url).map_err(|why| bad(format!("parameter url: {why}")))?;
        let mut headers = HeaderMap::new();
        for (name, text) in &self.headers {
            let name = header_name(name).map_err(|why| bad(format!("parameter {why}")))?;
            headers.insert(&name, header_value(&name, text)?);
        }
        let body = self.body.to_string().into_bytes();
        Ok(Message { id, url, headers, body, keys: Vec::new(), timeout: TIMEOUT, tries: TRIES })
    }
}

/// A header that may be set: those of the message itself and of the connection may not.
fn header_name(name: &str) -> Result<HeaderName, String> {
    const OURS: [&str; 6] =
        ["host", "content-length", "connection", "transfer-encoding", "upgrade", "te"];
    let read = HeaderName::try_from(name).map_err(|_| format!("headers.{name} is no header"))?;
    let ours = OURS.contains(&read.as_str()) || read.as_str().starts_with("webhook-");
    if ours { Err(format!("headers.{name} cannot be set")) } else { Ok(read) }
}

fn header_value(name: &HeaderName, text: &str) -> Result<HeaderValue, Exception> {
    HeaderValue::try_from(text)
        .map_err(|_| Exception::new("BadParameter", format!("headers.{name} is no header's value")))
}

impl Action for Webhook {
    fn defaults(&self) -> ActionDefaults {
        self.defaults.clone()
    }

    fn run(&self, context: Context) -> BoxFuture<'_, Ended> {
        async move {
            let message = self.message(&context)?;
            attempts::deliver(&self.client, &message, context).await
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    fn anywhere(parameters: &Value) -> Result<Message, String> {
        let read = parameters_of::<Anywhere>(parameters.as_object());
        let message = read.and_then(|read| read.message("id".to_owned()));
        message.map_err(|error| format!("{}: {}", error.kind, error.message))
    }

    #[test]
    fn a_job_that_says_where_is_checked_field_by_field() {
        let message = anywhere(&json!({"url": "https://example.org/x", "body": {"a": 1}})).unwrap();
        assert_eq!((message.body.as_slice(), message.tries), (&b"{\"a\":1}"[..], TRIES));
        let refused = |parameters: Value| anywhere(&parameters).err().unwrap();
        expect!["BadParameter: parameters: missing field `url`"].assert_eq(&refused(json!({})));
        expect!["BadParameter: parameters.url: invalid type: integer `1`, expected a string"]
            .assert_eq(&refused(json!({"url": 1})));
        expect!["BadParameter: parameter url: it must begin with http:// or https://"]
            .assert_eq(&refused(json!({"url": "file:///etc/passwd"})));
        let with = |name: &str| json!({"url": "http://a.b", "headers": {name: "x"}});
        expect!["BadParameter: parameter headers.Webhook-Id cannot be set"]
            .assert_eq(&refused(with("Webhook-Id")));
        expect!["BadParameter: parameter headers.a b is no header"]
            .assert_eq(&refused(with("a b")));
        assert!(refused(json!({"url": "http://a", "method": "GET"})).contains("unknown field"));
        assert!(refused(json!({"url": "http://a", "headers": {"a": "x\n"}})).contains("headers.a"));
    }
}
